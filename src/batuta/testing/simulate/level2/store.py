"""The store in memory, whose writes take time and sometimes fail."""

import asyncio
from collections.abc import Callable, Iterable

from typing_extensions import override

from batuta.model.ids import ExecutionId
from batuta.store.errors import StoreUnavailableError
from batuta.store.feed import Feed
from batuta.store.memory import MemoryStore
from batuta.store.memory.tables import Tables
from batuta.store.rows import Committed, ExecutionRow, Turn


class SimulatedStore(MemoryStore):
    """Writes that wait together are committed together, `delay` seconds after the first."""

    def __init__(self, delay: Callable[[], float]) -> None:
        super().__init__(held=True, on_waiting=self._on_write)
        self._delay = delay
        self._is_due = False
        self.losing = 0
        """So many of the next commits fail."""
        self.doubtful = 0
        """So many of the next turns are written, but their writers are told that they were not."""
        self.is_cut_off = False
        """Nothing reaches the disk."""
        self.on_doubt: Callable[[Committed], None] = lambda _: None
        """Told what nobody else is told."""

    @property
    def tables(self) -> Tables:
        return self._tables

    def children(self, execution_id: ExecutionId) -> Iterable[ExecutionRow]:
        for row in self._tables.executions.values():
            if row.link is not None and row.link.execution_id == execution_id:
                yield row

    @override
    async def commit(self, turn: Turn) -> None:
        if self.doubtful <= 0:
            await super().commit(turn)
            return
        self.doubtful -= 1

        def work(_: Feed) -> None:
            feed = Feed()
            self._tables.apply(turn, feed)
            committed = feed.committed()
            if committed is not None:
                self.on_doubt(committed)

        await self._gate.write(work)
        raise StoreUnavailableError("the connection broke during the commit", location="memory")

    def _on_write(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(self._delay(), self._write)

    def _write(self) -> None:
        self._is_due = False
        if self.is_cut_off:
            self.lose()
        elif self.losing > 0:
            self.losing -= 1
            self.lose()
        else:
            self.settle()
