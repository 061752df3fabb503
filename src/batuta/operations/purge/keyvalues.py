"""Entries of the key-value store that are no longer wanted, for good (05 §11.6)."""

import re
from collections.abc import AsyncIterator, Sequence

import msgspec

from batuta.model.instant import Instant
from batuta.operations.caller import Caller
from batuta.operations.services import Services
from batuta.store.query import Filter, Op, Query, Sort
from batuta.store.rows import KvRow

BATCH = 1_000


class KeyValuePurge(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries go. Patterns know `*` and `?`; without namespaces or pattern all that hold a flow are meant.

    `versions` false: whole keys, of `expired_only` those whose time is over. `versions` true: versions that were
    written at `before` or earlier but never the last one, or all but the newest `keep`; with neither every version.
    """

    namespaces: tuple[str, ...] | None = None
    namespace_pattern: str | None = None
    children: bool = True
    key_pattern: str | None = None
    versions: bool = False
    expired_only: bool = True
    before: Instant | None = None
    keep: int | None = None


class KeysPurged(msgspec.Struct, frozen=True):
    """The namespaces that were looked at, and how many versions of keys are gone."""

    namespaces: tuple[str, ...]
    size: int


async def purge_key_values(caller: Caller, services: Services, wanted: KeyValuePurge) -> KeysPurged:
    known = await services.store.flows.namespaces(caller.tenant)
    chosen = [name for name in known if caller.may_see(name) and _is_chosen(name, wanted)]
    keys = None if wanted.key_pattern is None else _wildcard(wanted.key_pattern)
    now = services.clock.now()
    size = 0
    for namespace in chosen:
        async for row in _rows(caller, services, namespace):
            if keys is None or keys.fullmatch(row.key):
                size += await _purge(services, row, wanted, now=now)
    return KeysPurged(tuple(chosen), size)


def _is_chosen(namespace: str, wanted: KeyValuePurge) -> bool:
    if wanted.namespaces is not None:
        if wanted.children:
            # 05 §11.6: a prefix without a dot, so `company` also means `company2`.
            return namespace.startswith(wanted.namespaces)
        return namespace in wanted.namespaces
    pattern = wanted.namespace_pattern
    return pattern is None or _wildcard(pattern).fullmatch(namespace) is not None


async def _rows(caller: Caller, services: Services, namespace: str) -> AsyncIterator[KvRow]:
    """The last version of every key, also of those that are expired or deleted."""
    place = [
        Filter("tenant", Op.EQUALS, caller.tenant),
        Filter("namespace", Op.EQUALS, namespace),
    ]
    for deleted in (False, True):
        after: list[Filter] = [Filter("deleted", Op.EQUALS, deleted)]
        while True:
            query = Query(filters=[*place, *after], sort=[Sort("key")], size=BATCH, total=False)
            rows = (await services.store.kv.search(query)).rows
            for row in rows:
                yield row
            if len(rows) < BATCH:
                break
            after = [after[0], Filter("key", Op.GREATER_THAN, rows[-1].key)]


async def _purge(services: Services, row: KvRow, wanted: KeyValuePurge, *, now: Instant) -> int:
    is_expired = row.expires is not None and row.expires <= now
    if not wanted.versions and wanted.expired_only and not is_expired:
        return 0
    versions = await services.store.kv.versions(row.tenant, row.namespace, row.key)
    gone = [each.version for each in _unwanted(versions, wanted)]
    if not gone:
        return 0
    return await services.store.kv.purge(row.tenant, row.namespace, row.key, versions=gone)


def _unwanted(versions: Sequence[KvRow], wanted: KeyValuePurge) -> Sequence[KvRow]:
    """`versions` are in order, the oldest first."""
    if not wanted.versions:
        return versions
    if wanted.before is not None:
        return [each for each in versions[:-1] if each.updated <= wanted.before]
    if wanted.keep is not None:
        return versions[: max(len(versions) - wanted.keep, 0)]
    return versions


def _wildcard(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in pattern), re.DOTALL)
