"""Flows and templates in SQLite."""

from collections.abc import Sequence

import msgspec

from batuta.model.ids import FlowKey
from batuta.store._generated import sqlite as sql
from batuta.store.errors import ConflictError
from batuta.store.query import Page, Query
from batuta.store.record import flow_record, read_flow
from batuta.store.rows import FlowRow
from batuta.store.sqlite.database import Database
from batuta.store.sqlite.session import Session, Transaction
from batuta.store.statement import Bulk, Search, Statement
from batuta.store.visible import flows_only


class Statements(msgspec.Struct, frozen=True, kw_only=True):
    """Of a table that holds the revisions of authors' texts."""

    name: str
    insert: Bulk
    demote: Statement
    latest: Statement
    get: Statement
    revisions: Statement
    namespaces: Statement
    search: Search


FLOWS = Statements(
    name="flow",
    insert=sql.FLOW_INSERT,
    demote=sql.FLOW_DEMOTE,
    latest=sql.FLOW_LATEST,
    get=sql.FLOW_GET,
    revisions=sql.FLOW_REVISIONS,
    namespaces=sql.FLOW_NAMESPACES,
    search=sql.FLOW_SEARCH,
)
TEMPLATES = Statements(
    name="template",
    insert=sql.TEMPLATE_INSERT,
    demote=sql.TEMPLATE_DEMOTE,
    latest=sql.TEMPLATE_LATEST,
    get=sql.TEMPLATE_GET,
    revisions=sql.TEMPLATE_REVISIONS,
    namespaces=sql.TEMPLATE_NAMESPACES,
    search=sql.TEMPLATE_SEARCH,
)


class SqliteFlows:
    def __init__(self, database: Database, statements: Statements = FLOWS) -> None:
        self._database = database
        self._sql = statements

    async def save(self, row: FlowRow) -> None:
        def work(transaction: Transaction) -> None:
            key = _key(row.key)
            latest = transaction.one(self._sql.latest, **key)
            expected = (read_flow(latest).revision if latest else 0) + 1
            if row.revision != expected:
                raise ConflictError(
                    f"{self._sql.name} {row.key} is at revision {expected - 1},"
                    f" so {row.revision} cannot follow",
                    table=self._sql.name,
                )
            transaction.run(self._sql.demote, **key)
            transaction.bulk(self._sql.insert, [flow_record(row)])
            if self._sql is FLOWS:
                transaction.feed.flows.append(row.key)

        await self._database.write(work)

    async def get(self, key: FlowKey, *, revision: int | None = None) -> FlowRow | None:
        def work(session: Session) -> FlowRow | None:
            found = (
                session.one(self._sql.latest, **_key(key))
                if revision is None
                else session.one(self._sql.get, **_key(key), revision=revision)
            )
            return read_flow(found) if found else None

        return await self._database.read(work)

    async def revisions(self, key: FlowKey) -> Sequence[FlowRow]:
        records = await self._database.read(
            lambda session: session.all(self._sql.revisions, **_key(key))
        )
        return [read_flow(found) for found in records]

    async def search(self, query: Query) -> Page[FlowRow]:
        return await self._database.page(self._sql.search, flows_only(query), decode=read_flow)

    async def namespaces(self, tenant: str) -> Sequence[str]:
        records = await self._database.read(
            lambda session: session.all(self._sql.namespaces, tenant=tenant)
        )
        return [namespace for (namespace,) in records]


def _key(key: FlowKey) -> dict[str, str]:
    return {"tenant": key.tenant, "namespace": key.namespace, "id": key.id}
