"""The store in memory, whose writes take time and sometimes fail."""

import asyncio
from collections.abc import Callable, Collection, Sequence

from typing_extensions import override

from batuta.model.ids import ExecutionId
from batuta.model.instant import Instant
from batuta.store.errors import StoreUnavailableError
from batuta.store.feed import Feed
from batuta.store.memory import MemoryStore
from batuta.store.memory.executions import MemoryExecutions, MemoryJournal
from batuta.store.memory.flows import MemoryFlows, MemoryKeyValues, MemoryTriggers
from batuta.store.memory.gate import Gate
from batuta.store.memory.queues import MemoryQueues
from batuta.store.memory.tables import Tables
from batuta.store.rows import (
    Committed,
    ExecutionRow,
    InboxRow,
    JobRow,
    TimerRow,
    TriggerKey,
    TriggerRow,
    Turn,
)

SLOW_READ = 0.005
"""Seconds; faster ones take no time."""


class SimulatedStore(MemoryStore):
    """What one process sees of the database: it hears of its own writes only (09 §8).

    Writes that wait together are committed together, `delay` seconds after the first.
    """

    def __init__(self, tables: Tables, delay: Callable[[], float]) -> None:
        super().__init__(held=True, on_waiting=self._on_write)
        self._tables = tables
        self.executions = _Executions(self)
        self.queues = _Queues(self)
        self.triggers = _Triggers(self)
        self.flows = MemoryFlows(tables.flows, self._gate)
        self.journal = MemoryJournal(tables, self._gate)
        self.kv = MemoryKeyValues(tables, self._gate)
        self._delay = delay
        self.failing = 0
        """So many of the next reads fail."""
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

    @property
    def gate(self) -> Gate:
        return self._gate

    async def read(self) -> None:
        """Before each read."""
        delay = self._delay()
        if delay > SLOW_READ:
            await asyncio.sleep(delay)
        if self.failing > 0:
            self.failing -= 1
            raise StoreUnavailableError("the connection broke", location="memory")

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


class _Executions(MemoryExecutions):
    def __init__(self, store: SimulatedStore) -> None:
        super().__init__(store.tables, store.gate)
        self._store = store

    @override
    async def get(self, execution_id: ExecutionId, *, live: bool = False) -> ExecutionRow | None:
        found = await super().get(execution_id, live=live)
        await self._store.read()  # what arrives may be old already
        return found


class _Queues(MemoryQueues):
    def __init__(self, store: SimulatedStore) -> None:
        super().__init__(store.tables, store.gate)
        self._store = store

    @override
    async def inbox(
        self, partitions: Collection[int], *, after: int = 0, limit: int = 1000
    ) -> Sequence[InboxRow]:
        found = await super().inbox(partitions, after=after, limit=limit)
        await self._store.read()
        return found

    @override
    async def timers(
        self, partitions: Collection[int], *, until: Instant, limit: int = 1000
    ) -> Sequence[TimerRow]:
        found = await super().timers(partitions, until=until, limit=limit)
        await self._store.read()
        return found

    @override
    async def next_timer(self, partitions: Collection[int]) -> Instant | None:
        found = await super().next_timer(partitions)
        await self._store.read()
        return found

    @override
    async def jobs(self, *, execution_id: ExecutionId | None = None) -> Sequence[JobRow]:
        found = await super().jobs(execution_id=execution_id)
        await self._store.read()
        return found


class _Triggers(MemoryTriggers):
    def __init__(self, store: SimulatedStore) -> None:
        super().__init__(store.tables, store.gate)
        self._store = store

    @override
    async def get(self, key: TriggerKey) -> TriggerRow | None:
        found = await super().get(key)
        await self._store.read()
        return found

    @override
    async def due(self, *, until: Instant, limit: int = 1000) -> Sequence[TriggerRow]:
        found = await super().due(until=until, limit=limit)
        await self._store.read()
        return found
