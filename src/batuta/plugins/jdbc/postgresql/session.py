"""A PostgreSQL connection as a session."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from batuta.model import codec
from batuta.plugins.jdbc.postgresql.value import from_database, interval_text, to_database
from batuta.plugins.jdbc.session import ResultSet, Row, Rows
from batuta.plugins.jdbc.statement import bind_names, split

if TYPE_CHECKING:
    from asyncpg import Connection


async def prepare_types(connection: "Connection[Any]") -> None:
    """JSON as values, intervals with their months."""
    for name in ("json", "jsonb"):
        await connection.set_type_codec(
            name, schema="pg_catalog", encoder=str, decoder=codec.decode, format="text"
        )
    await connection.set_type_codec(
        "interval", schema="pg_catalog", encoder=tuple, decoder=interval_text, format="tuple"
    )


class PostgresSession:
    """Statements are prepared one by one, so that a result is known by its columns."""

    def __init__(self, connection: "Connection[Any]", zone: ZoneInfo) -> None:
        self._connection = connection
        self._zone = zone
        self._transaction: Any = None

    def split(self, sql: str) -> list[str]:
        return split(sql)

    async def execute(
        self, sql: str, parameters: Mapping[str, Any], *, whole: bool
    ) -> ResultSet | None:
        text, names = bind_names(sql, parameters, lambda number: f"${number}")
        statement = await self._connection.prepare(text)
        values = [
            to_database(parameters[name], each.name)
            for name, each in zip(names, statement.get_parameters(), strict=True)
        ]
        columns = [column.name for column in statement.get_attributes()]
        if not columns:
            await statement.fetch(*values)
            return None
        if not whole:
            row = await statement.fetchrow(*values)
            return Rows(columns, [] if row is None else [self.values(row)])
        if self._transaction is None:
            return Rows(columns, [self.values(row) for row in await statement.fetch(*values)])
        return _Cursor(self, columns, await statement.cursor(*values))

    def values(self, record: Sequence[Any]) -> list[Any]:
        return [from_database(value, self._zone) for value in record]

    async def begin(self) -> None:
        self._transaction = self._connection.transaction()
        await self._transaction.start()

    async def commit(self) -> None:
        await self._transaction.commit()

    async def rollback(self) -> None:
        await self._transaction.rollback()

    async def close(self) -> None:
        await self._connection.close()


class _Cursor:
    """Rows that the server hands out in portions; only inside a transaction."""

    def __init__(self, session: PostgresSession, columns: Sequence[str], cursor: Any) -> None:
        self.columns = columns
        self._session = session
        self._cursor = cursor

    async def fetch(self, count: int) -> list[Row]:
        return [self._session.values(record) for record in await self._cursor.fetch(count)]
