"""The store in one SQLite file: WAL, `synchronous=FULL`, one writer with group commit, a few readers."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from batuta.store.feed import Listener, Listeners
from batuta.store.rows import Turn
from batuta.store.sqlite.connection import prepare
from batuta.store.sqlite.database import Database
from batuta.store.sqlite.executions import SqliteExecutions
from batuta.store.sqlite.flows import TEMPLATES, SqliteFlows
from batuta.store.sqlite.journal import SqliteJournal
from batuta.store.sqlite.kv import SqliteKeyValues
from batuta.store.sqlite.presence import Presence
from batuta.store.sqlite.queues import SqliteQueues
from batuta.store.sqlite.settings import SqliteSettings
from batuta.store.sqlite.triggers import SqliteTriggers


class SqliteStore:
    """Made by `open`; belongs to the event loop that opened it."""

    def __init__(self, database: Database, listeners: Listeners, presence: Presence) -> None:
        self._database = database
        self._presence = presence
        self._listeners = listeners
        self.executions = SqliteExecutions(database)
        self.queues = SqliteQueues(database)
        self.flows = SqliteFlows(database)
        self.templates = SqliteFlows(database, TEMPLATES)
        self.journal = SqliteJournal(database)
        self.kv = SqliteKeyValues(database)
        self.triggers = SqliteTriggers(database)
        self.settings = SqliteSettings(database)

    @classmethod
    async def open(cls, path: Path) -> "SqliteStore":
        """Open the file, make it with its folder, or bring it up to date.

        Raises `StoreUnavailableError` for a folder or file that cannot be written, a file that is damaged, of another
        program or of a newer version.
        """
        presence = await asyncio.to_thread(prepare, path)
        listeners = Listeners()
        try:
            database = Database(path, listeners)
        except BaseException:
            presence.leave()
            raise
        return cls(database, listeners, presence)

    async def commit(self, turn: Turn) -> None:
        await self._database.commit(turn)

    async def quiet(self) -> bool:
        return await self._database.quiet()

    def changes(self, listener: Listener) -> Callable[[], None]:
        return self._listeners.add(listener)

    async def close(self) -> None:
        await self._database.close()
        self._presence.leave()
