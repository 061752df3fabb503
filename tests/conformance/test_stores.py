"""Every store passes the published suite."""

import pytest

from batuta.store.memory import MemoryStore
from batuta.store.sqlite import SqliteStore
from batuta.testing.suites import (
    cases,
    store_executions,
    store_flows,
    store_journal,
    store_kv,
    store_queues,
    store_triggers,
    store_turns,
)

SUITE = cases(
    store_executions,
    store_flows,
    store_journal,
    store_kv,
    store_queues,
    store_triggers,
    store_turns,
)


async def _memory(_):
    return MemoryStore()


async def _sqlite(folder):
    return await SqliteStore.open(folder / "data" / "batuta.db")


@pytest.mark.parametrize("open_store", [_memory, _sqlite], ids=["memory", "sqlite"])
@pytest.mark.parametrize("case", SUITE, ids=lambda case: case.__name__)
async def test_store(case, open_store, tmp_path):
    store = await open_store(tmp_path)
    try:
        await case(store)
    finally:
        await store.close()
