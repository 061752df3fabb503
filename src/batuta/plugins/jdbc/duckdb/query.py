"""`jdbc.duckdb.Query` and `jdbc.duckdb.Queries`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from pydantic import Field
from typing_extensions import override

from batuta.plugins.jdbc.duckdb.session import DuckDbSession, connect
from batuta.plugins.jdbc.properties import (
    QueriesOutput,
    QueryOutput,
    QueryProperties,
    TransactionProperties,
)
from batuta.plugins.jdbc.run import run_queries, run_query
from batuta.plugins.jdbc.source import fetched, inside, place_files, with_local_paths
from batuta.plugins.jdbc.url import body_of
from batuta.sdk import Property, PropertyError, RunContext, Task, TaskError

SCHEME = "jdbc:duckdb:"
_IN_MEMORY = ":memory:"
_MOTHER_DUCK = "md:"


class DuckDbProperties(QueryProperties):
    """What the tasks on DuckDB have in common."""

    url: Property[str] = Field(
        default=SCHEME,
        description="`jdbc:duckdb:` for a new database in the working directory, or with the path of a database file.",
    )
    input_files: Property[Any] = Field(
        default=None,
        description="Files to put into the working directory: name → text or URI of internal storage.",
    )
    output_files: Property[list[str]] | None = Field(
        default=None,
        description="Names; `{{ outputFiles.name }}` in the SQL is a path to write to.",
    )
    database_uri: Property[str] | None = Field(
        default=None, description="A stored database file to start from."
    )
    output_db_file: Property[bool] = Field(
        default=False, description="Whether the database file is stored at the end."
    )


class _Work(msgspec.Struct, frozen=True):
    """An open database with the rendered SQL."""

    session: DuckDbSession
    sql: str


class _Stored(msgspec.Struct):
    """What was stored after the SQL had run."""

    output_files: dict[str, str] | None = None
    database_uri: str | None = None


class DuckDbQueryOutput(QueryOutput, frozen=True, kw_only=True):
    output_files: dict[str, str] | None = None
    database_uri: str | None = None


class DuckDbQueriesOutput(QueriesOutput, frozen=True, kw_only=True):
    output_files: dict[str, str] | None = None
    database_uri: str | None = None


class Query(DuckDbProperties, Task, type="io.kestra.plugin.jdbc.duckdb.Query"):
    """Run one SQL statement on DuckDB.

    # What it does
    Opens a database in the working directory (or the one that `url` or `databaseUri` names), runs the statement and
    gives the rows as `fetchType` says.

    # Example
    ```yaml
    - id: query
      type: io.kestra.plugin.jdbc.duckdb.Query
      fetchType: FETCH
      sql: |
        SELECT category, count(*) AS n
        FROM read_csv_auto('{{ outputs.download.uri }}')
        GROUP BY category
    ```

    # Outputs
    `rows`, `row` or `uri`, and `size`; `outputFiles`: name → URI; `databaseUri`: the stored database file.

    # Notes
    In the SQL, `{{ workingDir }}`, `{{ dbFilePath }}` and `{{ outputFiles.name }}` are paths. Addresses of internal
    storage may be read where a file name may stand. Extensions that the build holds need no network. Metric: counter
    `fetch.size`.
    """

    @override
    async def run(self, ctx: RunContext) -> DuckDbQueryOutput:
        stored = _Stored()
        async with _opened(self, ctx, stored) as work:
            output = await run_query(work.session, work.sql, task=self, ctx=ctx)
        return DuckDbQueryOutput(
            row=output.row,
            rows=output.rows,
            uri=output.uri,
            size=output.size,
            output_files=stored.output_files,
            database_uri=stored.database_uri,
        )


class Queries(
    DuckDbProperties, TransactionProperties, Task, type="io.kestra.plugin.jdbc.duckdb.Queries"
):
    """Run several SQL statements on DuckDB.

    # What it does
    As Query, with statements separated by `;`, in one transaction unless `transaction` is false.

    # Example
    ```yaml
    - id: aggregate
      type: io.kestra.plugin.jdbc.duckdb.Queries
      inputFiles:
        sales.csv: "{{ outputs.get.uri }}"
      outputFiles: [totals]
      fetchType: FETCH
      sql: |
        CREATE TABLE s AS SELECT * FROM read_csv_auto('sales.csv');
        COPY (SELECT region, sum(amount) AS total FROM s GROUP BY 1) TO '{{ outputFiles.totals }}' (FORMAT csv, HEADER);
        SELECT count(*) AS n FROM s;
    ```

    # Outputs
    `outputs`: an entry with `rows`, `row` or `uri`, and `size` for each statement that gave rows; `outputFiles`: name →
    URI; `databaseUri`: the stored database file.

    # Notes
    As of Query.
    """

    @override
    async def run(self, ctx: RunContext) -> DuckDbQueriesOutput:
        stored = _Stored()
        async with _opened(self, ctx, stored) as work:
            outputs = await run_queries(
                work.session, work.sql, task=self, transaction=self.transaction, ctx=ctx
            )
        return DuckDbQueriesOutput(
            outputs=outputs, output_files=stored.output_files, database_uri=stored.database_uri
        )


@asynccontextmanager
async def _opened(task: DuckDbProperties, ctx: RunContext, stored: _Stored) -> AsyncIterator[_Work]:
    """Prepares files and database; afterwards, when all went well, stores what was asked for."""
    folder = ctx.workdir
    await place_files(task.input_files, folder, ctx)
    if task.password:
        ctx.mask(task.password)
    database = await _database(task, ctx)
    outputs = {name: inside(folder, f"{ctx.token()}-{name}") for name in task.output_files or ()}
    sql = await _sql(task, ctx, database=database, outputs=outputs)
    session = await asyncio.to_thread(connect, str(database), zone=task.zone, folder=folder)
    try:
        yield _Work(session, sql)
        if task.output_db_file and isinstance(database, Path):
            await session.execute("CHECKPOINT", {}, whole=True)
    finally:
        await session.close()
    if task.output_files is not None:
        stored.output_files = {name: await _put(name, path, ctx) for name, path in outputs.items()}
    if task.output_db_file:
        if not isinstance(database, Path):
            raise PropertyError("outputDbFile", "the database has no file")
        stored.database_uri = await ctx.files.put(database, suffix=database.suffix)


async def _put(name: str, path: Path, ctx: RunContext) -> str:
    try:
        return await ctx.files.put(path, suffix=path.suffix)
    except FileNotFoundError as error:
        raise TaskError(f"Nothing was written to the output file `{name}`") from error


async def _database(task: DuckDbProperties, ctx: RunContext) -> Path | str:
    """A file, or what the driver calls a database without one."""
    body = body_of(task.url, SCHEME)
    if task.database_uri is not None:
        return await fetched(
            task.database_uri, ctx.workdir / f"{ctx.token()}.duckdb", ctx, name="databaseUri"
        )
    if body in {"", "null"}:
        return ctx.workdir / f"{ctx.token()}.duckdb"
    if body == _IN_MEMORY or body.startswith(_MOTHER_DUCK):
        return body
    return ctx.workdir / body


async def _sql(
    task: DuckDbProperties, ctx: RunContext, *, database: Path | str, outputs: dict[str, Path]
) -> str:
    extra: dict[str, Any] = {"workingDir": str(ctx.workdir)}
    if isinstance(database, Path):
        extra["dbFilePath"] = str(database)
    if outputs:
        extra["outputFiles"] = {name: str(path) for name, path in outputs.items()}
    return await with_local_paths(ctx.render(task.sql, extra) or "", ctx)
