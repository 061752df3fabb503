"""`jdbc.postgresql.Batch`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.model.ion import IonError, RowReader
from batuta.plugins.jdbc.postgresql.connection import PostgresProperties, connection
from batuta.plugins.jdbc.postgresql.name import identifier, quote, table_name
from batuta.plugins.jdbc.postgresql.session import prepare_types
from batuta.plugins.jdbc.postgresql.value import to_database
from batuta.plugins.jdbc.properties import ZoneProperties
from batuta.plugins.jdbc.run import hidden
from batuta.plugins.jdbc.statement import bind_marks, tokens
from batuta.sdk import Output, PluginError, Property, PropertyError, RunContext, Task, TaskError


class BatchOutput(Output, frozen=True, kw_only=True):
    row_count: int
    updated_count: int


class Batch(
    PostgresProperties, ZoneProperties, Task, type="io.kestra.plugin.jdbc.postgresql.Batch"
):
    """Run one statement for every row of a file.

    # What it does
    Reads Ion rows (maps or lists) and binds each to the placeholders of the statement; commits after every `chunk`.
    Without `sql` the rows are inserted into `table`.

    # Example
    ```yaml
    - id: load
      type: io.kestra.plugin.jdbc.postgresql.Batch
      url: jdbc:postgresql://db:5432/app
      username: app
      password: "{{ secret('PG_PWD') }}"
      from: "{{ outputs.query.uri }}"
      sql: INSERT INTO core.orders (id, amount) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET amount = excluded.amount
      columns: [id, amount]
      chunk: 5000
    ```

    # Outputs
    `rowCount`: rows read; `updatedCount`: rows changed.

    # Notes
    Maps without `columns` are bound in the order of their own fields; missing values are null. Metrics: counters
    `records`, `updated`, `query`.
    """

    from_: Property[str] = Field(
        alias="from", description="A file of Ion rows in internal storage."
    )
    sql: Property[str] | None = Field(
        default=None, description="The statement, with `?` for the values."
    )
    table: Property[str] | None = Field(
        default=None, description="The table to insert into when there is no `sql`."
    )
    columns: Property[list[str]] | None = Field(
        default=None, description="Fields of the rows in the order of the placeholders."
    )
    chunk: Property[int] = Field(default=1000, description="How many rows are one transaction.")

    @override
    async def run(self, ctx: RunContext) -> BatchOutput:
        if self.chunk < 1:
            raise PropertyError("chunk", "must be at least 1")
        async with connection(self, ctx, zone=self.time_zone_id) as opened:
            await prepare_types(opened)
            try:
                output, chunks = await self._run(opened, ctx)
            except PluginError:
                raise
            except Exception as error:
                text = (
                    f"{str(error) or type(error).__name__}\nin statement: {self.sql or self.table}"
                )
                raise TaskError(hidden(text, self.password)) from error
        ctx.metrics.counter("records", output.row_count)
        ctx.metrics.counter("updated", output.updated_count)
        ctx.metrics.counter("query", chunks)
        return output

    async def _run(self, opened: Any, ctx: RunContext) -> tuple[BatchOutput, int]:
        columns = self.columns
        if self.sql is None and columns is None:
            columns = await self._table_columns(opened)
        text, _ = bind_marks(self._statement(columns), lambda number: f"${number}")
        statement = await opened.prepare(text)
        types = [parameter.name for parameter in statement.get_parameters()]
        rows = updated = chunks = 0
        counted = _counts_itself(text)
        async for chunk in _chunks(self.from_, self.chunk, ctx):
            values = [
                _bound(row, columns, types=types, number=rows + index)
                for index, row in enumerate(chunk, 1)
            ]
            rows += len(chunk)
            async with opened.transaction():
                if counted:
                    await opened.executemany(text, values)
                    updated += len(chunk)
                else:
                    for each in values:
                        await statement.fetch(*each)
                        updated += _affected(statement.get_statusmsg())
            chunks += 1
        return BatchOutput(row_count=rows, updated_count=updated), chunks

    def _statement(self, columns: Sequence[str] | None) -> str:
        if self.sql is not None:
            return self.sql.strip().removesuffix(";")
        names = [
            quote(identifier(name, path=f"columns[{index}]")) if self.columns else quote(name)
            for index, name in enumerate(columns or ())
        ]
        marks = ", ".join("?" * len(names))
        return f"INSERT INTO {self._table()} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - quoted names

    def _table(self) -> str:
        if self.table is None:
            raise PropertyError("sql", "either `sql` or `table` is needed")
        schema, table = table_name(self.table, path="table")
        return ".".join(quote(part) for part in (schema, table) if part is not None)

    async def _table_columns(self, opened: Any) -> list[str]:
        statement = await opened.prepare(f"SELECT * FROM {self._table()}")  # noqa: S608 - quoted names
        return [column.name for column in statement.get_attributes()]


async def _chunks(uri: str, size: int, ctx: RunContext) -> AsyncIterator[list[Any]]:
    chunk: list[Any] = []
    async for row in _rows(uri, ctx):
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def _rows(uri: str, ctx: RunContext) -> AsyncIterator[Any]:
    if not uri.startswith("kestra://"):
        raise PropertyError("from", f"`{uri}` is no URI of internal storage")
    reader = RowReader()
    try:
        async for content in ctx.files.open(uri):
            for row in reader.feed(content):
                yield row
        for row in reader.finish():
            yield row
    except FileNotFoundError as error:
        raise TaskError(f"Unable to find file '{uri}'") from error
    except IonError as error:
        raise TaskError(f"The file is no Ion: {error}") from error


def _bound(
    row: Any, columns: Sequence[str] | None, *, types: Sequence[str], number: int
) -> list[Any]:
    """The values of a row for the parameters; missing ones at the end are null (06 §7.6)."""
    if isinstance(row, Mapping):
        values = list(row.values()) if columns is None else [row.get(name) for name in columns]
    elif isinstance(row, list):
        values = row
    else:
        raise TaskError(f"row {number} is neither a map nor a list")
    if len(values) > len(types):
        raise TaskError(f"row {number} has {len(values)} values for {len(types)} placeholders")
    padded = [*values, *[None] * (len(types) - len(values))]
    bound = []
    for index, (value, kind) in enumerate(zip(padded, types, strict=True), 1):
        try:
            bound.append(to_database(value, kind))
        except ValueError as error:
            raise TaskError(f"row {number}, parameter {index}: {error}") from error
    return bound


def _counts_itself(sql: str) -> bool:
    """Whether every row changes exactly one: a plain INSERT, which the driver can send in one go."""
    words = [text.upper() for kind, text in tokens(sql) if kind == "word"]
    return words[:1] == ["INSERT"] and not {"CONFLICT", "SELECT", "RETURNING"} & set(words)


def _affected(status: str) -> int:
    """Of `INSERT 0 1`, `UPDATE 3`."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0
