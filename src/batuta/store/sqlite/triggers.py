"""States of triggers in SQLite."""

from collections.abc import Sequence

from batuta.model.ids import FlowKey
from batuta.model.instant import Instant
from batuta.store._generated import sqlite as sql
from batuta.store.query import Page, Query
from batuta.store.record import read_trigger
from batuta.store.rows import TriggerKey, TriggerRow
from batuta.store.sqlite.database import Database
from batuta.store.sqlite.session import Transaction


class SqliteTriggers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: TriggerKey) -> TriggerRow | None:
        found = await self._database.read(
            lambda session: session.one(sql.TRIGGER_GET, **_flow(key.flow), trigger_id=key.id)
        )
        return read_trigger(found) if found else None

    async def of_flow(self, flow: FlowKey) -> Sequence[TriggerRow]:
        records = await self._database.read(
            lambda session: session.all(sql.TRIGGER_OF_FLOW, **_flow(flow))
        )
        return [read_trigger(found) for found in records]

    async def due(self, *, until: Instant, limit: int = 1000) -> Sequence[TriggerRow]:
        records = await self._database.read(
            lambda session: session.all(sql.TRIGGER_DUE, until=until, limit=limit)
        )
        return [read_trigger(found) for found in records]

    async def next_date(self) -> Instant | None:
        found = await self._database.read(lambda session: session.one(sql.TRIGGER_NEXT))
        return Instant(found[0]) if found else None

    async def search(self, query: Query) -> Page[TriggerRow]:
        return await self._database.page(sql.TRIGGER_SEARCH, query, decode=read_trigger)

    async def delete(self, keys: Sequence[TriggerKey]) -> None:
        def work(transaction: Transaction) -> None:
            for key in keys:
                transaction.run(sql.TRIGGER_DELETE, **_flow(key.flow), trigger_id=key.id)

        await self._database.write(work)

    async def purge_fires(self, *, before: Instant) -> int:
        return await self._database.write(
            lambda transaction: transaction.run(sql.FIRE_PURGE, before=before)
        )


def _flow(flow: FlowKey) -> dict[str, str]:
    return {"tenant": flow.tenant, "namespace": flow.namespace, "flow_id": flow.id}
