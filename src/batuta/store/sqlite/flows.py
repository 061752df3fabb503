"""Flows in SQLite."""

from collections.abc import Sequence

from batuta.model.ids import FlowKey
from batuta.store._generated import sqlite as sql
from batuta.store.errors import ConflictError
from batuta.store.query import Page, Query
from batuta.store.record import flow_record, read_flow
from batuta.store.rows import FlowRow
from batuta.store.sqlite.database import Database
from batuta.store.sqlite.session import Session, Transaction
from batuta.store.visible import flows_only


class SqliteFlows:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, row: FlowRow) -> None:
        def work(transaction: Transaction) -> None:
            key = _key(row.key)
            latest = transaction.one(sql.FLOW_LATEST, **key)
            expected = (read_flow(latest).revision if latest else 0) + 1
            if row.revision != expected:
                raise ConflictError(
                    f"flow {row.key} is at revision {expected - 1}, so {row.revision} cannot follow",
                    table="flow",
                )
            transaction.run(sql.FLOW_DEMOTE, **key)
            transaction.bulk(sql.FLOW_INSERT, [flow_record(row)])
            transaction.feed.flows.append(row.key)

        await self._database.write(work)

    async def get(self, key: FlowKey, *, revision: int | None = None) -> FlowRow | None:
        def work(session: Session) -> FlowRow | None:
            found = (
                session.one(sql.FLOW_LATEST, **_key(key))
                if revision is None
                else session.one(sql.FLOW_GET, **_key(key), revision=revision)
            )
            return read_flow(found) if found else None

        return await self._database.read(work)

    async def revisions(self, key: FlowKey) -> Sequence[FlowRow]:
        records = await self._database.read(
            lambda session: session.all(sql.FLOW_REVISIONS, **_key(key))
        )
        return [read_flow(found) for found in records]

    async def search(self, query: Query) -> Page[FlowRow]:
        return await self._database.page(sql.FLOW_SEARCH, flows_only(query), decode=read_flow)

    async def namespaces(self, tenant: str) -> Sequence[str]:
        records = await self._database.read(
            lambda session: session.all(sql.FLOW_NAMESPACES, tenant=tenant)
        )
        return [namespace for (namespace,) in records]


def _key(key: FlowKey) -> dict[str, str]:
    return {"tenant": key.tenant, "namespace": key.namespace, "id": key.id}
