"""Key-values and settings."""

import asyncio

from batuta.model.instant import Instant
from batuta.store.contract import Store
from batuta.store.errors import ConflictError
from batuta.store.query import Filter, Op, Query
from batuta.testing.suites.expect import equal, raises, true
from batuta.testing.suites.samples import value

TENANT, TEAM = "main", "company.team"


async def every_put_is_a_version(store: Store) -> None:
    first = await store.kv.put(value("k", "1", at=100, description="one"))
    second = await store.kv.put(value("k", "2", at=200, expires=Instant(900)))
    equal((first.version, first.created, first.updated), (1, 100, 100))
    equal((second.version, second.created, second.updated), (2, 100, 200))
    equal(await store.kv.get(TENANT, TEAM, "k"), second)
    equal(await store.kv.get(TENANT, TEAM, "k", version=1), first)
    equal(await store.kv.get(TENANT, TEAM, "k", version=3), None)
    equal(await store.kv.get(TENANT, TEAM, "unknown"), None)
    equal(await store.kv.get(TENANT, "company", "k"), None)
    equal(await store.kv.versions(TENANT, TEAM, "k"), [first, second])


async def a_put_can_expect_a_version(store: Store) -> None:
    await store.kv.put(value("k"), expected=0)
    error = await raises(ConflictError, store.kv.put(value("k"), expected=0))
    equal(error.table, "kv")
    await store.kv.put(value("k"), expected=1)
    await raises(ConflictError, store.kv.put(value("k"), expected=1))
    results = await asyncio.gather(
        *(store.kv.put(value("k", str(number)), expected=2) for number in range(5)),
        return_exceptions=True,
    )
    equal([isinstance(result, ConflictError) for result in results].count(False), 1)


async def a_deleted_or_expired_key_counts_as_none(store: Store) -> None:
    await store.kv.put(value("k", at=100))
    equal(await store.kv.delete(TENANT, TEAM, "k", now=Instant(150)), True)
    equal(await store.kv.delete(TENANT, TEAM, "k", now=Instant(150)), False)
    equal(await store.kv.delete(TENANT, TEAM, "unknown", now=Instant(150)), False)
    gone = await store.kv.get(TENANT, TEAM, "k")
    true(gone is not None and gone.deleted, "the last version is marked deleted")
    again = await store.kv.put(value("k", at=200, expires=Instant(300)), expected=0)
    equal((again.version, again.created, again.deleted), (2, 200, False))
    equal(await store.kv.delete(TENANT, TEAM, "k", now=Instant(300)), False)
    await store.kv.put(value("e", at=100, expires=Instant(300)))
    await raises(ConflictError, store.kv.put(value("e", at=299), expected=0))
    late = await store.kv.put(value("e", at=300), expected=0)
    equal(late.created, 300)


async def searches_see_what_is_there(store: Store) -> None:
    await store.kv.put(value("b", "old"))
    await store.kv.put(value("b", "new"))
    await store.kv.put(value("a", expires=Instant(500)))
    await store.kv.put(value("gone"))
    await store.kv.put(value("c", namespace="company"))
    await store.kv.delete(TENANT, TEAM, "gone", now=Instant(200))

    async def keys(*filters: Filter, now: int | None = None) -> str:
        instant = None if now is None else Instant(now)
        page = await store.kv.search(Query(filters=filters), now=instant)
        return " ".join(row.key for row in page.rows)

    equal(await keys(), "c a b")
    equal(await keys(now=499), "c a b")
    equal(await keys(now=500), "c b")
    equal(await keys(Filter("namespace", Op.EQUALS, TEAM)), "a b")
    equal(await keys(Filter("key", Op.STARTS_WITH, "b")), "b")
    equal(await keys(Filter("q", Op.EQUALS, "B")), "b")
    page = await store.kv.search(Query(filters=[Filter("key", Op.EQUALS, "b")]))
    equal([row.value for row in page.rows], ["new"])


async def versions_can_be_purged(store: Store) -> None:
    for text in ("1", "2", "3"):
        await store.kv.put(value("k", text))
    equal(await store.kv.purge(TENANT, TEAM, "k", versions=[1, 9]), 1)
    equal([row.value for row in await store.kv.versions(TENANT, TEAM, "k")], ["2", "3"])
    equal(await store.kv.purge(TENANT, TEAM, "k", versions=[3]), 1)
    last = await store.kv.get(TENANT, TEAM, "k")
    equal(last.value if last else None, "2")
    equal(await store.kv.purge(TENANT, TEAM, "k", versions=[2]), 1)
    equal(await store.kv.get(TENANT, TEAM, "k"), None)
    equal((await store.kv.put(value("k"))).version, 1)


async def settings_are_kept_by_key(store: Store) -> None:
    equal(await store.settings.get("user"), None)
    await store.settings.put("user", b'{"name":"a"}')
    await store.settings.put("user", b'{"name":"b"}')
    await store.settings.put("usage", b"1")
    await store.settings.put("other", b"2")
    equal(await store.settings.get("user"), b'{"name":"b"}')
    equal(await store.settings.keys("us"), ["usage", "user"])
    equal(await store.settings.keys(), ["other", "usage", "user"])
    equal(await store.settings.delete("usage"), True)
    equal(await store.settings.delete("usage"), False)
    equal(await store.settings.keys("us"), ["user"])
