"""What a database is to the tasks: statements in, rows out; blocking drivers run on threads."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = Sequence[Any]


class ResultSet(Protocol):
    """Rows of one statement, converted to plain values, dates and times."""

    @property
    def columns(self) -> Sequence[str]: ...

    async def fetch(self, count: int) -> list[Row]:
        """The next rows; none when all were read."""
        ...


class Session(Protocol):
    """One connection. Statements commit themselves outside of `begin` and `commit`."""

    def split(self, sql: str) -> list[str]: ...

    async def execute(
        self, sql: str, parameters: Mapping[str, Any], *, whole: bool
    ) -> ResultSet | None:
        """Run one statement; None when it gives no rows. `whole` is false when only some rows will be read."""
        ...

    async def begin(self) -> None: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...
    async def close(self) -> None: ...


class Blocking:
    """Runs a driver's calls on threads, one at a time; a cancelled call is interrupted and awaited."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        running = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            self._interrupt()
            await asyncio.wait([running])
            if not running.cancelled():
                running.exception()
            raise


class BlockingResultSet:
    """Rows of a DB-API cursor."""

    def __init__(
        self,
        calls: Blocking,
        columns: Sequence[str],
        *,
        fetch: Callable[[int], list[Any]],
        convert: Callable[[Row], Row],
    ) -> None:
        self.columns = columns
        self._calls = calls
        self._fetch = fetch
        self._convert = convert

    async def fetch(self, count: int) -> list[Row]:
        return await self._calls.call(self._converted, count)

    def _converted(self, count: int) -> list[Row]:
        return [self._convert(row) for row in self._fetch(count)]


class Rows:
    """Rows that are already here."""

    def __init__(self, columns: Sequence[str], rows: list[Row]) -> None:
        self.columns = columns
        self._rows = rows
        self._position = 0

    async def fetch(self, count: int) -> list[Row]:
        start, self._position = self._position, self._position + count
        return self._rows[start : self._position]


class BlockingSession:
    """Base of sessions over DB-API drivers."""

    def __init__(self, calls: Blocking) -> None:
        self._calls = calls

    def run(self, sql: str) -> None:
        """Run a statement without rows, blocking."""
        raise TypeError(f"{type(self).__name__} declares no run()")

    def shut(self) -> None:
        """Close the connection, blocking."""
        raise TypeError(f"{type(self).__name__} declares no shut()")

    async def begin(self) -> None:
        await self._calls.call(self.run, "BEGIN")

    async def commit(self) -> None:
        await self._calls.call(self.run, "COMMIT")

    async def rollback(self) -> None:
        await self._calls.call(self.run, "ROLLBACK")

    async def close(self) -> None:
        await self._calls.call(self.shut)
