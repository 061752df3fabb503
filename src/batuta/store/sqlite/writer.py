"""The one thread that writes: whatever was asked for while the former transaction was made durable goes into the next.

All callers of a batch share one transaction. When any of them fails, the batch is rolled back and written again with
a savepoint for each, so that the error reaches only its own caller.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from batuta.store.errors import ConflictError, StoreError, StoreUnavailableError
from batuta.store.feed import Feed, Listeners
from batuta.store.rows import Turn
from batuta.store.sqlite.checkpoint import Checkpoints, checkpoint
from batuta.store.sqlite.connection import connect, explained
from batuta.store.sqlite.session import Transaction
from batuta.store.sqlite.turns import TurnBatch

Result = TypeVar("Result")
Write = Callable[[Transaction], Result]

MAX_BATCH = 256
CHECKPOINT_IDLE = 500
CHECKPOINT_BUSY = 40_000
"""Rows changed after which a checkpoint is made beside the writing, or even instead of it."""


class _Call:
    """What a caller wants written, and where the answer goes."""

    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: Turn | Write[Any], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.error: Exception | None = None


class Writer:
    def __init__(
        self, path: Path, *, loop: asyncio.AbstractEventLoop, listeners: Listeners
    ) -> None:
        self._path = path
        self._loop = loop
        self._listeners = listeners
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._connection = connect(path, writes=True)
        self._last: asyncio.Future[Any] | None = None
        """Of the call that was made last; they are answered in order."""
        self._checkpoints = Checkpoints(path)
        self._dirty = 0
        """Rows changed since the log was last held up."""
        self._asked = 0
        """Those of them that a checkpoint beside the writing was asked for."""
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="batuta-store-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Turn | Write[Any]) -> Any:
        if self._closed:
            raise StoreUnavailableError("the store is closed", location=str(self._path))
        call = _Call(work, self._loop.create_future())
        self._last = call.future
        self._calls.put(call)
        # A caller that is cancelled does not learn the outcome, but its write stands.
        return await asyncio.shield(call.future)

    async def quiet(self) -> bool:
        """Wait for all that was asked for; whether there was anything."""
        if self._last is None or self._last.done():
            return False
        await asyncio.wait((self._last,))
        return True

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._calls.put(None)
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        open_ = True
        while open_:
            batch, open_ = self._next_batch()
            if batch:
                feed = self._commit(batch)
                self._loop.call_soon_threadsafe(self._deliver, batch, feed)
                self._checkpoint()
        self._checkpoints.close()
        self._connection.close()

    def _next_batch(self) -> tuple[list[_Call], bool]:
        """Wait for the first caller, then take all who are there; false when it is time to stop."""
        call = self._calls.get()
        batch: list[_Call] = []
        while call is not None:
            batch.append(call)
            if len(batch) >= MAX_BATCH:
                return batch, True
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: Sequence[_Call]) -> Feed:
        before = self._connection.total_changes
        try:
            with explained(self._path):
                try:
                    feed = self._together(batch)
                except Exception:  # whatever a caller's rows may raise, the others are written
                    self._rollback()
                    feed = self._apart(batch)
        except Exception as error:  # this thread has to go on: nobody else can answer
            self._rollback()
            for call in batch:
                call.error = error
            feed = Feed()
        self._dirty += self._connection.total_changes - before
        return feed

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _together(self, batch: Sequence[_Call]) -> Feed:
        self._connection.execute("BEGIN IMMEDIATE")
        transaction = Transaction(self._connection)
        turns = TurnBatch(transaction)
        for call in batch:
            if isinstance(call.work, Turn):
                turns.add(call.work)
            else:
                turns.write()
                call.result = call.work(transaction)
        turns.write()
        self._connection.execute("COMMIT")
        return transaction.feed

    def _apart(self, batch: Sequence[_Call]) -> Feed:
        feed = Feed()
        self._connection.execute("BEGIN IMMEDIATE")
        for call in batch:
            self._connection.execute("SAVEPOINT caller")
            transaction = Transaction(self._connection)
            try:
                call.result = _perform(call.work, transaction)
            except Exception as error:  # it is the caller's, and goes there
                if not self._connection.in_transaction:
                    raise  # a full disk and the like: SQLite has rolled back everything
                call.error = _explain(error, self._path)
                self._connection.execute("ROLLBACK TO caller")
            else:
                feed.absorb(transaction.feed)
            self._connection.execute("RELEASE caller")
        self._connection.execute("COMMIT")
        return feed

    def _deliver(self, batch: Sequence[_Call], feed: Feed) -> None:
        """On the event loop: listeners first, then the callers."""
        try:
            self._listeners.tell(feed)
        finally:
            for call in batch:
                if call.future.done():
                    continue
                if call.error is None:
                    call.future.set_result(call.result)
                else:
                    call.future.set_exception(call.error)

    def _checkpoint(self) -> None:
        """Beside the writing; but where that never ends, the log can only begin anew when it is held up for once."""
        if self._dirty >= CHECKPOINT_BUSY:
            self._dirty = self._asked = 0
            checkpoint(self._connection)
        elif self._dirty - self._asked >= CHECKPOINT_IDLE and self._checkpoints.ask():
            self._asked = self._dirty


def _perform(work: Turn | Write[Any], transaction: Transaction) -> Any:
    if not isinstance(work, Turn):
        return work(transaction)
    turns = TurnBatch(transaction)
    turns.add(work)
    turns.write()
    return None


def _explain(error: Exception, path: Path) -> Exception:
    if isinstance(error, sqlite3.IntegrityError):
        # The text is like this one: UNIQUE constraint failed, a colon, and the columns with their table.
        table = str(error).partition(": ")[2].partition(".")[0]
        return ConflictError(f"a row of `{table}` with this key exists already", table=table)
    if isinstance(error, sqlite3.Error):
        try:
            with explained(path):
                raise error
        except StoreError as explained_error:
            return explained_error
    return error
