"""`jdbc.postgresql.CopyIn` and `jdbc.postgresql.CopyOut`."""

from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.jdbc.postgresql.connection import PostgresProperties, connection
from batuta.plugins.jdbc.postgresql.name import identifier, table_name
from batuta.plugins.jdbc.run import hidden
from batuta.plugins.jdbc.statement import split
from batuta.sdk import Output, Property, PropertyError, RunContext, Task, TaskError


class Format(StrEnum):
    TEXT = "TEXT"
    CSV = "CSV"
    BINARY = "BINARY"


class CopyProperties(PostgresProperties):
    """What CopyIn and CopyOut have in common."""

    table: Property[str] | None = Field(
        default=None, description="The table, with its schema where needed."
    )
    columns: Property[list[str]] | None = Field(
        default=None, description="Columns in the order of the file; all when absent."
    )
    format: Property[Format] = Field(default=Format.TEXT, description="The format of the file.")
    header: Property[bool] | None = Field(
        default=None, description="Whether the first line names the columns."
    )
    delimiter: Property[str] | None = Field(
        default=None, description="The character between columns."
    )
    null_string: Property[str] | None = Field(
        default=None, description="The text that stands for null."
    )
    quote: Property[str] | None = Field(default=None, description="The quoting character of CSV.")
    escape: Property[str] | None = Field(
        default=None, description="The character before a quote inside a value of CSV."
    )
    force_quote: Property[list[str]] | None = Field(
        default=None, description='Columns of which all values are quoted; `["*"]` for all.'
    )
    force_not_null: Property[list[str]] | None = Field(
        default=None, description="Columns in which nothing is null."
    )
    force_null: Property[list[str]] | None = Field(
        default=None, description="Columns in which a quoted text may stand for null."
    )
    encoding: Property[str] | None = Field(default=None, description="The encoding of the file.")
    freeze: Property[bool] | None = Field(
        default=None, description="Whether rows are written as if long committed."
    )
    oids: Property[bool] | None = Field(
        default=None, description="Whether object ids are copied; only old servers can."
    )

    def options(self) -> dict[str, Any]:
        """Arguments of the driver that both directions know."""
        options = {
            "format": None if self.format is Format.TEXT else self.format.value.lower(),
            "oids": self.oids,
            "delimiter": self.delimiter,
            "null": self.null_string,
            "header": self.header,
            "quote": self.quote,
            "escape": self.escape,
            "force_quote": _all_or_names(self.force_quote),
            "encoding": self.encoding,
        }
        return {name: value for name, value in options.items() if value is not None}

    def column_names(self) -> list[str] | None:
        return _names(self.columns, "columns")


def _names(columns: list[str] | None, path: str) -> list[str] | None:
    if columns is None:
        return None
    return [identifier(name, path=f"{path}[{index}]") for index, name in enumerate(columns)]


def _all_or_names(columns: list[str] | None) -> bool | list[str] | None:
    return True if columns == ["*"] else _names(columns, "forceQuote")


class CopyInOutput(Output, frozen=True, kw_only=True):
    row_count: int


class CopyIn(CopyProperties, Task, type="io.kestra.plugin.jdbc.postgresql.CopyIn"):
    """Load a file into a table of PostgreSQL.

    # What it does
    Streams a file of internal storage into the table by COPY.

    # Example
    ```yaml
    - id: stage
      type: io.kestra.plugin.jdbc.postgresql.CopyIn
      url: jdbc:postgresql://db:5432/app
      username: app
      password: "{{ secret('PG_PWD') }}"
      from: "{{ outputs.download.uri }}"
      table: staging.orders
      columns: [id, customer, amount]
      format: CSV
      header: true
    ```

    # Outputs
    `rowCount`: how many rows were loaded.

    # Notes
    Names without double quotes are in lower case, as in SQL. Metric: counter `rows`.
    """

    from_: Property[str] = Field(alias="from", description="A file of internal storage.")

    @override
    async def run(self, ctx: RunContext) -> CopyInOutput:
        if self.table is None:
            raise PropertyError("table", "is required")
        schema, table = table_name(self.table, path="table")
        options = {
            **self.options(),
            "freeze": self.freeze,
            "force_not_null": _names(self.force_not_null, "forceNotNull"),
            "force_null": _names(self.force_null, "forceNull"),
        }
        async with connection(self, ctx) as opened:
            try:
                status = await opened.copy_to_table(
                    table,
                    source=_content(self.from_, ctx),
                    schema_name=schema,
                    columns=self.column_names(),
                    **{name: value for name, value in options.items() if value is not None},
                )
            except Exception as error:
                raise _failure(error, f"COPY to {self.table}", self.password) from error
        return CopyInOutput(row_count=_counted(status, ctx))


async def _content(uri: str, ctx: RunContext) -> AsyncIterator[bytes]:
    if not uri.startswith("kestra://"):
        raise PropertyError("from", f"`{uri}` is no URI of internal storage")
    try:
        async for chunk in ctx.files.open(uri):
            yield chunk
    except FileNotFoundError as error:
        raise TaskError(f"Unable to find file '{uri}'") from error


class CopyOutOutput(Output, frozen=True, kw_only=True):
    uri: str
    row_count: int


class CopyOut(CopyProperties, Task, type="io.kestra.plugin.jdbc.postgresql.CopyOut"):
    """Write a table or the rows of a query of PostgreSQL into a file.

    # What it does
    Copies by COPY into a file of internal storage.

    # Example
    ```yaml
    - id: export
      type: io.kestra.plugin.jdbc.postgresql.CopyOut
      url: jdbc:postgresql://db:5432/app
      username: app
      password: "{{ secret('PG_PWD') }}"
      sql: SELECT id, amount FROM core.orders
      format: CSV
      header: true
    ```

    # Outputs
    `uri`: the file; `rowCount`: how many rows it has.

    # Notes
    Either `table` or `sql`. Metric: counter `rows`.
    """

    sql: Property[str] | None = Field(default=None, description="A query, instead of `table`.")

    @override
    async def run(self, ctx: RunContext) -> CopyOutOutput:
        if (self.sql is None) == (self.table is None):
            raise PropertyError("sql", "either `sql` or `table` is needed")
        target = ctx.workdir / ctx.token()
        async with connection(self, ctx) as opened:
            try:
                status = await self._copied(opened, str(target))
            except PropertyError:
                raise
            except Exception as error:
                raise _failure(error, f"COPY of {self.table or self.sql}", self.password) from error
        uri = await ctx.files.put(target)
        return CopyOutOutput(uri=uri, row_count=_counted(status, ctx))

    async def _copied(self, opened: Any, target: str) -> str:
        if self.table is not None:
            schema, table = table_name(self.table, path="table")
            status = await opened.copy_from_table(
                table,
                schema_name=schema,
                columns=self.column_names(),
                output=target,
                **self.options(),
            )
            return str(status)
        statements = split(self.sql or "")
        if len(statements) != 1:
            raise PropertyError("sql", "must be one statement")
        return str(await opened.copy_from_query(statements[0], output=target, **self.options()))


def _counted(status: str, ctx: RunContext) -> int:
    """Of `COPY 12`."""
    count = int(status.rpartition(" ")[2])
    ctx.metrics.counter("rows", count)
    return count


def _failure(error: Exception, what: str, password: str | None) -> Exception:
    if isinstance(error, TaskError | PropertyError):
        return error
    return TaskError(hidden(f"{what}: {str(error) or type(error).__name__}", password))
