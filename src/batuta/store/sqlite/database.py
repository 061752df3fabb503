"""One SQLite file: a thread that writes, and a few that read."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from batuta.store.errors import StoreUnavailableError
from batuta.store.feed import Listeners
from batuta.store.query import Page, Query
from batuta.store.record import Record
from batuta.store.rows import Turn
from batuta.store.search import select_count, select_page
from batuta.store.sqlite.connection import connect, explained
from batuta.store.sqlite.session import Session, Transaction
from batuta.store.sqlite.writer import Writer
from batuta.store.statement import Search

Result = TypeVar("Result")
READERS = 3


class Database:
    """Made on the event loop that uses it."""

    def __init__(self, path: Path, listeners: Listeners) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        with explained(path):
            self._writer = Writer(path, loop=self._loop, listeners=listeners)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="batuta-store-reader")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._closed = False

    async def commit(self, turn: Turn) -> None:
        await self._writer.write(turn)

    async def quiet(self) -> bool:
        return await self._writer.quiet()

    async def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Run `work` in the writer's next transaction. It may run twice, and must leave nothing behind but rows."""
        result: Result = await self._writer.write(work)
        return result

    async def read(self, work: Callable[[Session], Result]) -> Result:
        """Run `work` on a reader, in one transaction: it sees one state of the database."""
        if self._closed:
            raise StoreUnavailableError("the store is closed", location=str(self._path))
        return await self._loop.run_in_executor(self._readers, self._read, work)

    async def page(
        self, search: Search, query: Query, *, decode: Callable[[Record], Result]
    ) -> Page[Result]:
        """Raises `QueryError`."""
        text, values = select_page(search, query)
        count_text, count_values = select_count(search, query)

        def work(session: Session) -> Page[Result]:
            rows = [decode(found) for found in session.text(text, values)]
            if not query.total:
                return Page(rows, len(rows))
            total = session.text(count_text, count_values)[0][0]
            return Page(rows, total)

        return await self.read(work)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        # The writer closes last: SQLite then puts everything into the one file.
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._connections:
            connection.close()
        await self._writer.close()

    def _read(self, work: Callable[[Session], Result]) -> Result:
        with explained(self._path):
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return work(Session(connection))
            finally:
                connection.execute("COMMIT")

    def _connection(self) -> sqlite3.Connection:
        connection: Any = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path, writes=False)
            self._connections.append(connection)
        found: sqlite3.Connection = connection
        return found
