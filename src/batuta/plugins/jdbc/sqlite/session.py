"""A SQLite connection."""

import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

from typing_extensions import override

from batuta.plugins.jdbc.session import Blocking, BlockingResultSet, BlockingSession, ResultSet
from batuta.plugins.jdbc.statement import bind_names, split
from batuta.sdk import TaskError

_MILLIS = 1000


class SqliteSession(BlockingSession):
    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(Blocking(connection.interrupt))
        self._connection = connection

    def split(self, sql: str) -> list[str]:
        """Triggers have statements of their own; SQLite tells where they end."""
        return split(sql, is_complete=sqlite3.complete_statement)

    async def execute(
        self, sql: str, parameters: Mapping[str, Any], *, whole: bool
    ) -> ResultSet | None:
        del whole  # rows are streamed in any case
        return await self._calls.call(self._execute, sql, parameters)

    @override
    def run(self, sql: str) -> None:
        self._connection.execute(sql)

    @override
    def shut(self) -> None:
        self._connection.close()

    def _execute(self, sql: str, parameters: Mapping[str, Any]) -> ResultSet | None:
        text, names = bind_names(sql, parameters, lambda _: "?")
        cursor = self._connection.execute(text, [_bound(parameters[name]) for name in names])
        if cursor.description is None:
            return None
        columns = [column[0] for column in cursor.description]
        return BlockingResultSet(self._calls, columns, fetch=cursor.fetchmany, convert=tuple)


def _bound(value: Any) -> Any:
    """Decimals and maps have no form of their own."""
    if value is None or isinstance(value, str | int | float | bytes):
        return value
    return str(value)


def connect(database: str) -> SqliteSession:
    """Open a database file or `:memory:`. Blocking. Raises `TaskError`."""
    _register_types()
    try:
        connection = sqlite3.connect(
            database,
            isolation_level=None,
            detect_types=sqlite3.PARSE_DECLTYPES,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise TaskError(f"The SQLite database {database} cannot be opened: {error}") from error
    return SqliteSession(connection)


@lru_cache(maxsize=1)
def _register_types() -> None:
    """06 §7.10: values follow the declared type of their column. Only connections that ask for it are concerned."""
    for name in ("datetime", "timestamp"):
        sqlite3.register_converter(name, _converter(_instant))
    sqlite3.register_converter("date", _converter(_date))
    sqlite3.register_converter("time", _converter(_time))


def _converter(read: Callable[[str], Any]) -> Callable[[bytes], Any]:
    """What cannot be read stays text."""

    def convert(content: bytes) -> Any:
        text = content.decode("utf-8", "replace")
        try:
            return read(text)
        except (ValueError, OverflowError, OSError):
            return text

    return convert


def _instant(text: str) -> datetime:
    """ISO text, in UTC unless it says otherwise, or milliseconds since 1970."""
    if text.lstrip("-").isdigit():
        return datetime.fromtimestamp(int(text) / _MILLIS, UTC)
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _date(text: str) -> date:
    return _instant(text).date()


def _time(text: str) -> time:
    if text.lstrip("-").isdigit():
        return _instant(text).time()
    return time.fromisoformat(text)
