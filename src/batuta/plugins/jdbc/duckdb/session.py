"""A DuckDB connection."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from typing_extensions import override

from batuta.plugins.jdbc.session import Blocking, BlockingResultSet, BlockingSession, ResultSet, Row
from batuta.plugins.jdbc.statement import bind_names, split
from batuta.sdk import TaskError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LONG = 1 << 63
_EXTENSION = re.compile(
    r"(?:FORCE\s+)?(INSTALL|LOAD)\s+(?:'([^']+)'|\"([^\"]+)\"|([A-Za-z_]\w*))(?:\s+FROM\s+\S+)?\s*\Z",
    re.IGNORECASE,
)
_FILE_NAMES = re.compile(r"\bfilename\s*=\s*(?:true|1)\b", re.IGNORECASE)
_KNOWN = (
    "SELECT loaded FROM duckdb_extensions() WHERE extension_name = ? OR list_contains(aliases, ?)"
)


class DuckDbSession(BlockingSession):
    """`zone` is that of timestamps without one; names of files lose `folder` in the column `filename`."""

    def __init__(
        self, connection: "DuckDBPyConnection", *, zone: ZoneInfo, folder: Path | None
    ) -> None:
        super().__init__(Blocking(connection.interrupt))
        self._connection = connection
        self._zone = zone
        self._folder = folder
        self._conversions: Mapping[type, Callable[[Any], Any]] = {
            int: _integer,
            datetime: self._moment,
            UUID: str,
            list: self._list,
            tuple: self._list,
            dict: self._struct,
        }

    def split(self, sql: str) -> list[str]:
        return split(sql)

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
        if self._is_built_in(sql):
            return None
        text, names = bind_names(sql, parameters, lambda _: "?")
        found = self._connection.extract_statements(text)
        self._connection.execute(text, [parameters[name] for name in names])
        columns = [column[0] for column in self._connection.description or ()]
        if not columns or not found or _tells_only_success(found[0], columns):
            return None
        file_names = self._file_name_columns(sql, columns)
        return BlockingResultSet(
            self._calls,
            columns,
            fetch=self._connection.fetchmany,
            convert=lambda row: self._converted(row, file_names),
        )

    def _is_built_in(self, sql: str) -> bool:
        """Whether this is INSTALL or LOAD of an extension that is already loaded: that needs no network."""
        match = _EXTENSION.match(_without_comments(sql))
        if match is None:
            return False
        name = (match[2] or match[3] or match[4]).lower()
        row = self._connection.execute(_KNOWN, [name, name]).fetchone()
        return row is not None and bool(row[0])

    def _file_name_columns(self, sql: str, columns: Sequence[str]) -> frozenset[int]:
        if self._folder is None or not _FILE_NAMES.search(sql):
            return frozenset()
        return frozenset(index for index, name in enumerate(columns) if name == "filename")

    def _converted(self, row: Row, file_names: frozenset[int]) -> Row:
        values = [self._value(value) for value in row]
        for index in file_names:
            if isinstance(values[index], str):
                values[index] = values[index].removeprefix(f"{self._folder}/")
        return values

    def _value(self, value: Any) -> Any:
        convert = self._conversions.get(type(value))
        return value if convert is None else convert(value)

    def _moment(self, value: datetime) -> datetime:
        """06 §7.8: a TIMESTAMP is of the zone, a TIMESTAMPTZ an instant."""
        if value.tzinfo is None:
            return value.replace(tzinfo=self._zone)
        return value.astimezone(UTC)

    def _list(self, values: Sequence[Any]) -> list[Any]:
        return [self._value(value) for value in values]

    def _struct(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        return {str(name): self._value(value) for name, value in values.items()}


def _integer(value: int) -> int | str:
    """06 §7.10: beyond 64 bits it is text."""
    return value if -_LONG <= value < _LONG else str(value)


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", " ", sql, flags=re.DOTALL).strip()


def _tells_only_success(statement: Any, columns: Sequence[str]) -> bool:
    """Whether the rows are DuckDB's own answer to a statement that has none: a count, or `Success`."""
    import duckdb

    kinds = statement.expected_result_type
    if columns == ["Success"]:
        return True
    return duckdb.ExpectedResultType.CHANGED_ROWS in kinds and columns == ["Count"]


def connect(database: str, *, zone: ZoneInfo, folder: Path) -> DuckDbSession:
    """Open a database file, `:memory:`, or MotherDuck. Blocking. Raises `TaskError`."""
    try:
        import duckdb
    except ImportError as error:
        raise TaskError("DuckDB is not installed: install `batuta[duckdb]`") from error
    try:
        connection = duckdb.connect(database)
    except duckdb.Error as error:
        raise TaskError(f"The DuckDB database cannot be opened: {error}") from error
    connection.execute(f"SET file_search_path='{str(folder).replace(chr(39), chr(39) * 2)}'")
    return DuckDbSession(connection, zone=zone, folder=folder)
