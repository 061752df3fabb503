"""Key-values in SQLite."""

from collections.abc import Collection, Sequence
from typing import Any

from batuta.model.instant import Instant
from batuta.store._generated import sqlite as sql
from batuta.store.query import Page, Query
from batuta.store.record import kv_record, read_kv
from batuta.store.rows import KvRow
from batuta.store.sqlite.database import Database
from batuta.store.sqlite.session import Session, Transaction
from batuta.store.visible import is_there, next_version, values_only


class SqliteKeyValues:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, row: KvRow, *, expected: int | None = None) -> KvRow:
        def work(transaction: Transaction) -> KvRow:
            key = _key(row.tenant, row.namespace, row.key)
            stored = next_version(_latest(transaction, key), row, expected=expected)
            transaction.run(sql.KV_DEMOTE, **key)
            transaction.bulk(sql.KV_INSERT, [kv_record(stored)])
            return stored

        return await self._database.write(work)

    async def get(
        self, tenant: str, namespace: str, key: str, *, version: int | None = None
    ) -> KvRow | None:
        place = _key(tenant, namespace, key)

        def work(session: Session) -> KvRow | None:
            if version is None:
                return _latest(session, place)
            found = session.one(sql.KV_GET, **place, version=version)
            return read_kv(found) if found else None

        return await self._database.read(work)

    async def delete(self, tenant: str, namespace: str, key: str, *, now: Instant) -> bool:
        place = _key(tenant, namespace, key)

        def work(transaction: Transaction) -> bool:
            there = is_there(_latest(transaction, place), now)
            transaction.run(sql.KV_MARK_DELETED, **place)
            return there

        return await self._database.write(work)

    async def search(self, query: Query, *, now: Instant | None = None) -> Page[KvRow]:
        return await self._database.page(sql.KV_SEARCH, values_only(query, now), decode=read_kv)

    async def versions(self, tenant: str, namespace: str, key: str) -> Sequence[KvRow]:
        records = await self._database.read(
            lambda session: session.all(sql.KV_VERSIONS, **_key(tenant, namespace, key))
        )
        return [read_kv(found) for found in records]

    async def purge(
        self, tenant: str, namespace: str, key: str, *, versions: Collection[int]
    ) -> int:
        place = _key(tenant, namespace, key)

        def work(transaction: Transaction) -> int:
            gone = transaction.run(sql.KV_PURGE, **place, versions=list(versions))
            transaction.run(sql.KV_PROMOTE, **place)
            return gone

        return await self._database.write(work)


def _key(tenant: str, namespace: str, key: str) -> dict[str, Any]:
    return {"tenant": tenant, "namespace": namespace, "key": key}


def _latest(session: Session, key: dict[str, Any]) -> KvRow | None:
    found = session.one(sql.KV_LATEST, **key)
    return read_kv(found) if found else None
