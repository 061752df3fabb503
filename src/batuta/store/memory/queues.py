"""Inbox, timers, jobs, leases and slots in memory."""

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from batuta.model.ids import PARTITIONS, ExecutionId, FlowKey, TaskRunId
from batuta.model.instant import Instant, Micros
from batuta.store.feed import Feed
from batuta.store.memory.gate import Gate
from batuta.store.memory.tables import Tables
from batuta.store.record import partition
from batuta.store.rows import InboxRow, JobRow, TimerRow


class MemoryQueues:
    def __init__(self, tables: Tables, gate: Gate) -> None:
        self._tables = tables
        self._gate = gate

    async def acquire_partitions(
        self, owner: str, *, now: Instant, ttl: Micros
    ) -> Mapping[int, int]:
        def work(_: Feed) -> dict[int, int]:
            held: dict[int, int] = {}
            for part in range(PARTITIONS):
                holder, epoch, until = self._tables.leases.get(part, (None, 0, 0))
                if holder == owner:
                    held[part] = epoch
                elif holder is None or until <= now:
                    held[part] = epoch + 1
            for part, epoch in held.items():
                self._tables.leases[part] = (owner, epoch, now + ttl)
            return held

        return await self._gate.write(work)

    async def release_partitions(self, owner: str) -> None:
        def work(_: Feed) -> None:
            for part, (holder, epoch, _until) in self._tables.leases.items():
                if holder == owner:
                    self._tables.leases[part] = (None, epoch + 1, 0)

        await self._gate.write(work)

    async def inbox(
        self, partitions: Collection[int], *, after: int = 0, limit: int = 1000
    ) -> Sequence[InboxRow]:
        self._gate.check_open()
        found = [
            row
            for id_, row in self._tables.inbox.items()
            if id_ > after and row.partition in partitions
        ]
        return found[:limit]

    async def timers(
        self, partitions: Collection[int], *, until: Instant, limit: int = 1000
    ) -> Sequence[TimerRow]:
        found = [row for row in self._timers(partitions) if row.due <= until]
        return found[:limit]

    async def next_timer(self, partitions: Collection[int]) -> Instant | None:
        return next((row.due for row in self._timers(partitions)), None)

    async def jobs(self, *, execution_id: ExecutionId | None = None) -> Sequence[JobRow]:
        return sorted(
            (
                row
                for row in self._tables.jobs.values()
                if execution_id is None or row.execution_id == execution_id
            ),
            key=lambda row: row.id,
        )

    async def assign_jobs(
        self, jobs: Collection[tuple[TaskRunId, int]], *, worker_id: str | None
    ) -> None:
        def work(_: Feed) -> None:
            for key in jobs:
                if key in self._tables.jobs:
                    row = self._tables.jobs[key]
                    self._tables.jobs[key] = replace(row, worker_id=worker_id)

        await self._gate.write(work)

    async def slots(self, flow: FlowKey) -> int:
        return self._tables.slots.get(flow, 0)

    async def set_slots(self, flow: FlowKey, running: int) -> None:
        def work(_: Feed) -> None:
            self._tables.slots[flow] = running

        await self._gate.write(work)

    async def all_slots(self, tenant: str) -> Sequence[tuple[FlowKey, int]]:
        return sorted(item for item in self._tables.slots.items() if item[0].tenant == tenant)

    def _timers(self, partitions: Collection[int]) -> list[TimerRow]:
        found = [
            row for row in self._tables.timers.values() if partition(row.execution_id) in partitions
        ]
        return sorted(found, key=lambda row: (row.due, row.execution_id, row.timer_id))
