"""Inbox, timers, jobs, leases and slots in SQLite."""

from collections.abc import Collection, Mapping, Sequence

from batuta.model.ids import PARTITIONS, ExecutionId, FlowKey, TaskRunId
from batuta.model.instant import Instant, Micros
from batuta.store._generated import sqlite as sql
from batuta.store.record import read_inbox, read_job, read_timer
from batuta.store.rows import InboxRow, JobRow, TimerRow
from batuta.store.sqlite.database import Database
from batuta.store.sqlite.session import Transaction


class SqliteQueues:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire_partitions(
        self, owner: str, *, now: Instant, ttl: Micros
    ) -> Mapping[int, int]:
        def work(transaction: Transaction) -> dict[int, int]:
            leases = {found[0]: found[1:] for found in transaction.all(sql.LEASE_ALL)}
            held: dict[int, int] = {}
            for part in range(PARTITIONS):
                holder, epoch, until = leases.get(part, (None, 0, 0))
                if holder == owner:
                    held[part] = epoch
                elif holder is None or until <= now:
                    held[part] = epoch + 1
            transaction.bulk(
                sql.LEASE_PUT, [(part, owner, epoch, now + ttl) for part, epoch in held.items()]
            )
            return held

        return await self._database.write(work)

    async def release_partitions(self, owner: str) -> None:
        await self._database.write(
            lambda transaction: transaction.run(sql.LEASE_RELEASE, released=owner)
        )

    async def inbox(
        self, partitions: Collection[int], *, after: int = 0, limit: int = 1000
    ) -> Sequence[InboxRow]:
        records = await self._database.read(
            lambda session: session.all(
                sql.INBOX_CLAIM, partitions=list(partitions), after=after, limit=limit
            )
        )
        return [read_inbox(found) for found in records]

    async def timers(
        self, partitions: Collection[int], *, until: Instant, limit: int = 1000
    ) -> Sequence[TimerRow]:
        records = await self._database.read(
            lambda session: session.all(
                sql.TIMER_DUE, partitions=list(partitions), until=until, limit=limit
            )
        )
        return [read_timer(found) for found in records]

    async def next_timer(self, partitions: Collection[int]) -> Instant | None:
        found = await self._database.read(
            lambda session: session.one(sql.TIMER_NEXT, partitions=list(partitions))
        )
        return Instant(found[0]) if found else None

    async def jobs(self, *, execution_id: ExecutionId | None = None) -> Sequence[JobRow]:
        records = await self._database.read(
            lambda session: (
                session.all(sql.JOB_ALL)
                if execution_id is None
                else session.all(sql.JOB_OF, execution_id=execution_id)
            )
        )
        return [read_job(found) for found in records]

    async def assign_jobs(
        self, jobs: Collection[tuple[TaskRunId, int]], *, worker_id: str | None
    ) -> None:
        def work(transaction: Transaction) -> None:
            for run, number in jobs:
                transaction.run(sql.JOB_ASSIGN, worker_id=worker_id, run=run, number=number)

        await self._database.write(work)

    async def slots(self, flow: FlowKey) -> int:
        found = await self._database.read(
            lambda session: session.one(
                sql.SLOT_GET, tenant=flow.tenant, namespace=flow.namespace, flow_id=flow.id
            )
        )
        return int(found[0]) if found else 0

    async def set_slots(self, flow: FlowKey, running: int) -> None:
        await self._database.write(
            lambda transaction: transaction.run(
                sql.SLOT_PUT,
                tenant=flow.tenant,
                namespace=flow.namespace,
                flow_id=flow.id,
                running=running,
            )
        )

    async def all_slots(self, tenant: str) -> Sequence[tuple[FlowKey, int]]:
        records = await self._database.read(
            lambda session: session.all(sql.SLOT_ALL, tenant=tenant)
        )
        return [
            (FlowKey(tenant, namespace, flow_id), running)
            for namespace, flow_id, running in records
        ]
