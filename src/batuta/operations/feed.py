"""Live views: who waits for changes of which execution.

A watcher holds one flag, never a queue: however fast the changes come, a slow reader costs nothing and reads the
latest rows when it is ready. Changes of other processes are found by the fallback poll.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from batuta.model.ids import ExecutionId
from batuta.store.contract import Store
from batuta.store.rows import Committed

POLL_SECONDS = 2.0
"""How long a watcher waits before it looks at the rows without having been told."""


class Watcher:
    def __init__(self) -> None:
        self._flag = asyncio.Event()

    @property
    def is_told(self) -> bool:
        """Whether something changed since the last look."""
        return self._flag.is_set()

    def tell(self) -> None:
        self._flag.set()

    async def changed(self) -> None:
        """Return when something changed since the last call, or the poll is due."""
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._flag.wait()
        except TimeoutError:
            return
        self._flag.clear()


class Feed:
    """Listens to the store from the first watcher on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watchers: dict[ExecutionId, set[Watcher]] = {}
        self._is_listening = False
        self.is_closed = False

    def close(self) -> None:
        """The server stops: every live view ends at once."""
        self.is_closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.tell()

    @property
    def watched(self) -> int:
        """How many executions somebody watches."""
        return len(self._watchers)

    @contextmanager
    def watch(self, execution_id: ExecutionId) -> Iterator[Watcher]:
        if not self._is_listening:
            self._store.changes(self._on_commit)
            self._is_listening = True
        watcher = Watcher()
        self._watchers.setdefault(execution_id, set()).add(watcher)
        try:
            yield watcher
        finally:
            remaining = self._watchers[execution_id]
            remaining.discard(watcher)
            if not remaining:
                del self._watchers[execution_id]

    def _on_commit(self, committed: Committed) -> None:
        if self._watchers:
            for execution_id in self._watchers.keys() & _touched(committed):
                for watcher in self._watchers[execution_id]:
                    watcher.tell()


def _touched(committed: Committed) -> set[ExecutionId]:
    touched = {row.execution.id for row in committed.created}
    touched.update(execution.id for execution in committed.executions)
    touched.update(row.execution_id for row in committed.task_runs)
    touched.update(row.execution_id for row in committed.logs if row.execution_id is not None)
    touched.update(committed.deleted)
    return touched
