"""Moving what was committed from the log into the file, beside the writing: nobody who commits waits for it."""

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from batuta.store.sqlite.connection import connect


def checkpoint(connection: sqlite3.Connection) -> None:
    """What was committed stays in the log where this fails; the next one tries again."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


class Checkpoints:
    """On a thread with a connection of its own, both made when they are first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="batuta-store-checkpoint")
        self._connection: sqlite3.Connection | None = None
        self._running: Future[None] | None = None

    def ask(self) -> bool:
        """Begin one, unless the last one is not over."""
        if self._running is not None and not self._running.done():
            return False
        self._running = self._pool.submit(self._run)
        return True

    def close(self) -> None:
        self._pool.shutdown()
        if self._connection is not None:
            self._connection.close()

    def _run(self) -> None:
        with suppress(
            Exception
        ):  # a file that cannot be opened now is the writer's to complain about
            if self._connection is None:
                self._connection = connect(self._path, writes=True)
            checkpoint(self._connection)
