import asyncio

import pytest

from batuta.model.ids import ExecutionId
from batuta.store.errors import StoreUnavailableError
from batuta.store.memory import MemoryStore
from batuta.testing.suites.samples import execution, starts


async def _begin(store, name):
    task = asyncio.ensure_future(store.commit(starts(execution(name))))
    await asyncio.sleep(0)
    return task


async def test_held_writes_wait_until_they_are_settled():
    store = MemoryStore(held=True)
    first, second = await _begin(store, "a"), await _begin(store, "b")
    assert not first.done()
    assert await store.executions.get(ExecutionId("a")) is None
    assert store.settle() == 2
    await asyncio.gather(first, second)
    assert await store.executions.get(ExecutionId("a")) is not None


async def test_lost_writes_leave_nothing():
    store = MemoryStore(held=True)
    lost = await _begin(store, "a")
    assert store.lose() == 1
    with pytest.raises(StoreUnavailableError, match="lost before the commit"):
        await lost
    later = await _begin(store, "b")
    store.settle()
    await later
    assert await store.executions.get(ExecutionId("a")) is None


async def test_a_held_write_that_fails_does_not_hurt_the_others():
    store = MemoryStore(held=True)
    tasks = [await _begin(store, name) for name in ("a", "a", "b")]
    assert store.settle() == 3
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [result is None for result in results] == [True, False, True]
