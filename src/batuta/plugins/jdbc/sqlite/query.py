"""`jdbc.sqlite.Query` and `jdbc.sqlite.Queries`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from pydantic import Field
from typing_extensions import override

from batuta.plugins.jdbc.properties import (
    QueriesOutput,
    QueryOutput,
    QueryProperties,
    TransactionProperties,
)
from batuta.plugins.jdbc.run import run_queries, run_query
from batuta.plugins.jdbc.source import fetched, inside
from batuta.plugins.jdbc.sqlite.session import SqliteSession, connect
from batuta.plugins.jdbc.url import body_of
from batuta.sdk import Property, PropertyError, RunContext, Task

SCHEME = "jdbc:sqlite:"
_IN_MEMORY = frozenset({"", ":memory:"})


class SqliteProperties(QueryProperties):
    """What the tasks on SQLite have in common."""

    url: Property[str] = Field(description="`jdbc:sqlite:` and the path of the database file.")
    sqlite_file: Property[str] | None = Field(
        default=None, description="A stored database file, put where the URL names one."
    )
    output_db_file: Property[bool] = Field(
        default=False, description="Whether the file of `sqliteFile` is stored at the end."
    )


class _Stored(msgspec.Struct):
    database_uri: str | None = None


class SqliteQueryOutput(QueryOutput, frozen=True, kw_only=True):
    database_uri: str | None = None


class SqliteQueriesOutput(QueriesOutput, frozen=True, kw_only=True):
    database_uri: str | None = None


class Query(SqliteProperties, Task, type="io.kestra.plugin.jdbc.sqlite.Query"):
    """Run one SQL statement on SQLite.

    # What it does
    Opens the database file, runs the statement and gives the rows as `fetchType` says.

    # Example
    ```yaml
    - id: count
      type: io.kestra.plugin.jdbc.sqlite.Query
      url: jdbc:sqlite:shop.db
      sqliteFile: "{{ outputs.download.uri }}"
      sql: SELECT count(*) AS n FROM orders WHERE total > :least
      parameters: {least: 10}
      fetchType: FETCH_ONE
    ```

    # Outputs
    `rows`, `row` or `uri`, and `size`; `databaseUri`: the stored database file.

    # Notes
    Columns declared as `date`, `datetime`, `timestamp` or `time` give such values. Metric: counter `fetch.size`.
    """

    @override
    async def run(self, ctx: RunContext) -> SqliteQueryOutput:
        stored = _Stored()
        async with _opened(self, ctx, stored) as session:
            output = await run_query(session, ctx.render(self.sql) or "", task=self, ctx=ctx)
        return SqliteQueryOutput(
            row=output.row,
            rows=output.rows,
            uri=output.uri,
            size=output.size,
            database_uri=stored.database_uri,
        )


class Queries(
    SqliteProperties, TransactionProperties, Task, type="io.kestra.plugin.jdbc.sqlite.Queries"
):
    """Run several SQL statements on SQLite.

    # What it does
    As Query, with statements separated by `;`, in one transaction unless `transaction` is false.

    # Example
    ```yaml
    - id: fill
      type: io.kestra.plugin.jdbc.sqlite.Queries
      url: jdbc:sqlite:/data/shop.db
      fetchType: FETCH
      sql: |
        CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, total REAL);
        INSERT INTO orders (total) VALUES (12.5);
        SELECT * FROM orders;
    ```

    # Outputs
    `outputs`: an entry with `rows`, `row` or `uri`, and `size` for each statement that gave rows; `databaseUri`: the
    stored database file.
    """

    @override
    async def run(self, ctx: RunContext) -> SqliteQueriesOutput:
        stored = _Stored()
        async with _opened(self, ctx, stored) as session:
            outputs = await run_queries(
                session,
                ctx.render(self.sql) or "",
                task=self,
                transaction=self.transaction,
                ctx=ctx,
            )
        return SqliteQueriesOutput(outputs=outputs, database_uri=stored.database_uri)


@asynccontextmanager
async def _opened(
    task: SqliteProperties, ctx: RunContext, stored: _Stored
) -> AsyncIterator[SqliteSession]:
    database = await _database(task, ctx)
    if task.password:
        ctx.mask(task.password)
    session = await asyncio.to_thread(connect, str(database))
    try:
        yield session
    finally:
        await session.close()
    if task.output_db_file and task.sqlite_file is not None and isinstance(database, Path):
        stored.database_uri = await ctx.files.put(database, suffix=database.suffix)


async def _database(task: SqliteProperties, ctx: RunContext) -> Path | str:
    """The file that the URL names; a relative one is in the working directory."""
    name = body_of(task.url, SCHEME).partition("?")[0]
    if task.sqlite_file is None:
        return name if name in _IN_MEMORY else ctx.workdir / name
    if name in _IN_MEMORY:
        raise PropertyError("url", "must name a file when there is a `sqliteFile`")
    return await fetched(task.sqlite_file, inside(ctx.workdir, name), ctx, name="sqliteFile")
