"""Flows, templates, key-values, triggers and settings in memory."""

from collections.abc import Collection, Iterator, Sequence

from msgspec.structs import replace

from batuta.model.ids import FlowKey
from batuta.model.instant import Instant
from batuta.store.errors import ConflictError
from batuta.store.feed import Feed
from batuta.store.memory.gate import Gate
from batuta.store.memory.resources import FLOWS, TRIGGERS, VALUES
from batuta.store.memory.tables import Tables
from batuta.store.query import Page, Query
from batuta.store.rows import FlowRow, KvRow, TriggerKey, TriggerRow
from batuta.store.visible import flows_only, is_there, next_version, values_only


class MemoryFlows:
    """Flows, or templates: only of flows is told when they change."""

    def __init__(
        self, table: dict[FlowKey, list[FlowRow]], gate: Gate, *, name: str = "flow"
    ) -> None:
        self._table = table
        self._gate = gate
        self._name = name

    async def save(self, row: FlowRow) -> None:
        def work(feed: Feed) -> None:
            revisions = self._table.get(row.key, [])
            last = revisions[-1].revision if revisions else 0
            if row.revision != last + 1:
                raise ConflictError(
                    f"{self._name} {row.key} is at revision {last}, so {row.revision} cannot follow",
                    table=self._name,
                )
            self._table.setdefault(row.key, []).append(row)
            if self._name == "flow":
                feed.flows.append(row.key)

        await self._gate.write(work)

    async def get(self, key: FlowKey, *, revision: int | None = None) -> FlowRow | None:
        revisions = self._table.get(key, [])
        if revision is None:
            return revisions[-1] if revisions else None
        return next((row for row in revisions if row.revision == revision), None)

    async def revisions(self, key: FlowKey) -> Sequence[FlowRow]:
        return list(self._table.get(key, []))

    async def search(self, query: Query) -> Page[FlowRow]:
        page = FLOWS.page(self._marked(), flows_only(query))
        return Page([row for row, _ in page.rows], page.total)

    async def namespaces(self, tenant: str) -> Sequence[str]:
        return sorted(
            {
                key.namespace
                for key, revisions in self._table.items()
                if key.tenant == tenant and not revisions[-1].deleted
            }
        )

    def _marked(self) -> Iterator[tuple[FlowRow, bool]]:
        for revisions in self._table.values():
            for row in revisions:
                yield row, row is revisions[-1]


class MemoryKeyValues:
    def __init__(self, tables: Tables, gate: Gate) -> None:
        self._tables = tables
        self._gate = gate

    async def put(self, row: KvRow, *, expected: int | None = None) -> KvRow:
        def work(_: Feed) -> KvRow:
            key = (row.tenant, row.namespace, row.key)
            stored = next_version(self._last(key), row, expected=expected)
            self._tables.kv.setdefault(key, []).append(stored)
            return stored

        return await self._gate.write(work)

    async def get(
        self, tenant: str, namespace: str, key: str, *, version: int | None = None
    ) -> KvRow | None:
        if version is None:
            return self._last((tenant, namespace, key))
        versions = await self.versions(tenant, namespace, key)
        return next((row for row in versions if row.version == version), None)

    async def delete(self, tenant: str, namespace: str, key: str, *, now: Instant) -> bool:
        def work(_: Feed) -> bool:
            last = self._last((tenant, namespace, key))
            if last is not None:
                self._tables.kv[tenant, namespace, key][-1] = replace(last, deleted=True)
            return is_there(last, now)

        return await self._gate.write(work)

    async def search(self, query: Query, *, now: Instant | None = None) -> Page[KvRow]:
        marked = (
            (row, row is versions[-1]) for versions in self._tables.kv.values() for row in versions
        )
        page = VALUES.page(marked, values_only(query, now))
        return Page([row for row, _ in page.rows], page.total)

    async def versions(self, tenant: str, namespace: str, key: str) -> Sequence[KvRow]:
        return list(self._tables.kv.get((tenant, namespace, key), []))

    async def purge(
        self, tenant: str, namespace: str, key: str, *, versions: Collection[int]
    ) -> int:
        place = (tenant, namespace, key)

        def work(_: Feed) -> int:
            rows = self._tables.kv.pop(place, [])
            kept = [row for row in rows if row.version not in versions]
            if kept:
                self._tables.kv[place] = kept
            return len(rows) - len(kept)

        return await self._gate.write(work)

    def _last(self, key: tuple[str, str, str]) -> KvRow | None:
        versions = self._tables.kv.get(key)
        return versions[-1] if versions else None


class MemoryTriggers:
    def __init__(self, tables: Tables, gate: Gate) -> None:
        self._tables = tables
        self._gate = gate

    async def get(self, key: TriggerKey) -> TriggerRow | None:
        return self._tables.triggers.get(key)

    async def of_flow(self, flow: FlowKey) -> Sequence[TriggerRow]:
        return [row for key, row in sorted(self._tables.triggers.items()) if key.flow == flow]

    async def due(self, *, until: Instant, limit: int = 1000) -> Sequence[TriggerRow]:
        return [row for date, _, row in self._scheduled() if date <= until][:limit]

    async def next_date(self) -> Instant | None:
        return next((date for date, _, _ in self._scheduled()), None)

    async def search(self, query: Query) -> Page[TriggerRow]:
        return TRIGGERS.page(self._tables.triggers.values(), query)

    async def delete(self, keys: Sequence[TriggerKey]) -> None:
        def work(_: Feed) -> None:
            for key in keys:
                self._tables.triggers.pop(key, None)

        await self._gate.write(work)

    async def purge_fires(self, *, before: Instant) -> int:
        def work(_: Feed) -> int:
            fires = self._tables.fires
            self._tables.fires = {used: fire for used, fire in fires.items() if fire.time >= before}
            return len(fires) - len(self._tables.fires)

        return await self._gate.write(work)

    def _scheduled(self) -> list[tuple[Instant, TriggerKey, TriggerRow]]:
        return sorted(
            (row.next_date, key, row)
            for key, row in self._tables.triggers.items()
            if row.next_date is not None and not row.disabled
        )


class MemorySettings:
    def __init__(self, tables: Tables, gate: Gate) -> None:
        self._tables = tables
        self._gate = gate

    async def get(self, key: str) -> bytes | None:
        return self._tables.settings.get(key)

    async def put(self, key: str, data: bytes) -> None:
        def work(_: Feed) -> None:
            self._tables.settings[key] = data

        await self._gate.write(work)

    async def delete(self, key: str) -> bool:
        return await self._gate.write(lambda _: self._tables.settings.pop(key, None) is not None)

    async def keys(self, prefix: str = "") -> Sequence[str]:
        return sorted(key for key in self._tables.settings if key.startswith(prefix))
