"""Removal of old executions, logs and keys (05 §24)."""

import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import DAY, HOUR, Instant
from batuta.model.state import History, State
from batuta.operations import executions, flows, keyvalues, start
from batuta.operations.caller import SYSTEM, Caller
from batuta.operations.executions import Tally
from batuta.operations.feed import Feed
from batuta.operations.plans import PlanCache
from batuta.operations.purge import (
    ExecutionPurge,
    KeyValuePurge,
    LogPurge,
    Purged,
    purge_executions,
    purge_key_values,
    purge_logs,
)
from batuta.operations.services import Services
from batuta.sdk.context import KeyValue
from batuta.storage.layout import execution_path, to_uri
from batuta.store.query import Query
from batuta.store.rows import LogRow, MetricRow, Turn
from batuta.store.sqlite import SqliteStore
from batuta.testing.clock import FakeClock


@pytest.fixture(params=["memory", "sqlite"])
async def services(
    services: Services, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Services]:
    """What is deleted is chosen by filters, which every store reads itself."""
    if request.param == "memory":
        yield services
        return
    store = await SqliteStore.open(tmp_path / "batuta.db")
    plans = PlanCache(store, services.registry, settings=services.settings, clock=services.clock)
    yield dataclasses.replace(services, store=store, plans=plans, feed=Feed(store))
    await store.close()


async def save(services: Services, namespace: str, flow_id: str = "f") -> FlowKey:
    source = f"""
id: {flow_id}
namespace: {namespace}
tasks:
  - {{id: t, type: io.kestra.plugin.core.log.Log, message: hi}}
"""
    return (await flows.upsert(SYSTEM, services, source)).key


async def ran(
    services: Services, flow: FlowKey, state: State | None = State.SUCCESS
) -> ExecutionId:
    """An execution that began now, with a log entry, a metric and a file; None: it has not ended."""
    execution = await start.start(SYSTEM, services, flow, wanted=start.Wanted())
    now = services.clock.now()
    if state is not None:
        histories = (*execution.histories, History(state, now))
        await services.store.commit(Turn(executions=[replace(execution, histories=histories)]))
    log = LogRow(at=now, level="INFO", message="hi", flow=flow, execution_id=execution.id)
    metric = MetricRow(
        at=now, type="counter", name="n", value=1, flow=flow, execution_id=execution.id
    )
    await services.store.journal.append([log], [metric])
    folder = execution_path(flow.namespace, flow.id, execution.id)
    await services.storage.put("main", to_uri((*folder, "a.txt")), b"x")
    return execution.id


async def left(services: Services) -> set[str]:
    page = await services.store.executions.search(Query(size=100))
    return {row.execution.id for row in page.rows}


def until(services: Services, **more: Any) -> ExecutionPurge:
    return ExecutionPurge(end=services.clock.now(), **more)


async def test_everything_of_old_executions_goes(services: Services, clock: FakeClock) -> None:
    flow = await save(services, "a")
    old = [await ran(services, flow) for _ in range(5)]
    wanted = until(services, batch=2)
    clock.advance(DAY)
    young = await ran(services, flow)
    purged = await purge_executions(SYSTEM, services, wanted)
    assert (purged.executions, purged.logs, purged.metrics) == (5, 5, 5)
    assert purged.files >= 5
    assert await left(services) == {young}
    assert (await services.store.journal.logs(Query())).total == 1
    for execution_id in old:
        folder = to_uri(execution_path("a", "f", execution_id))
        assert not await services.storage.exists("main", folder)
    assert await purge_executions(SYSTEM, services, wanted) == Purged()


async def test_parts_can_be_kept(services: Services) -> None:
    flow = await save(services, "a")
    one = await ran(services, flow)
    wanted = until(services, executions=False, files=False, metrics=False)
    assert await purge_executions(SYSTEM, services, wanted) == Purged(logs=1)
    assert await left(services) == {one}
    wanted = until(services, logs=False, metrics=False, files=False)
    assert await purge_executions(SYSTEM, services, wanted) == Purged(executions=1)
    assert (await services.store.journal.metrics(Query())).total == 1


async def test_what_runs_is_left_alone_unless_its_state_is_named(services: Services) -> None:
    flow = await save(services, "a")
    running, asking = await ran(services, flow, None), await ran(services, flow)
    await purge_executions(SYSTEM, services, until(services), spared=asking)
    assert await left(services) == {running, asking}
    purged = await purge_executions(SYSTEM, services, until(services, states=(State.CREATED,)))
    assert purged.executions == 1
    assert await left(services) == {asking}


@pytest.mark.parametrize(
    ("namespace", "flow_id", "gone"),
    [
        ("a", None, {"a f", "a g", "a.b f"}),
        ("a", "f", {"a f"}),
        (None, "f", {"a f", "a.b f", "ab f"}),
    ],
)
async def test_a_namespace_means_its_children_when_no_flow_is_named(
    services: Services, namespace: str | None, flow_id: str | None, gone: set[str]
) -> None:
    made = {}
    for place in ("a f", "a g", "a.b f", "ab f"):
        made[place] = await ran(services, await save(services, *place.split()))
    await purge_executions(SYSTEM, services, until(services, namespace=namespace, flow_id=flow_id))
    assert await left(services) == {made[place] for place in made.keys() - gone}


async def test_nobody_purges_what_he_may_not_see(services: Services) -> None:
    execution_id = await ran(services, await save(services, "a"))
    stranger = Caller(namespaces=("b",))
    assert await purge_executions(stranger, services, until(services)) == Purged()
    assert await purge_logs(stranger, services, LogPurge(end=services.clock.now())) == 0
    assert await left(services) == {execution_id}


@pytest.mark.parametrize(
    ("more", "gone"),
    [
        ({}, 6),
        ({"levels": ("WARN",)}, 1),
        ({"levels": ("TRACE", "ERROR", "error")}, 2),
        ({"execution_id": "x"}, 5),
        ({"namespace": "a"}, 6),
        ({"namespace": ""}, 0),
        ({"flow_id": "f"}, 5),
        ({"start": Instant(1 << 62)}, 0),
    ],
)
async def test_logs_go_by_level_place_and_time(
    services: Services, clock: FakeClock, more: dict[str, Any], gone: int
) -> None:
    flow, other = FlowKey("main", "a", "f"), FlowKey("main", "a", "g")
    now = clock.now()
    rows = [
        LogRow(at=now, level=level, message="m", flow=flow, execution_id=ExecutionId("x"))
        for level in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")
    ]
    rows.append(LogRow(at=now, level="INFO", message="m", flow=other, trigger_id="t"))
    rows.append(LogRow(at=Instant(now + 1), level="INFO", message="m", flow=flow))
    await services.store.journal.append(rows)
    assert await purge_logs(SYSTEM, services, LogPurge(end=now, **more)) == gone
    assert (await services.store.journal.logs(Query())).total == len(rows) - gone


async def put(services: Services, namespace: str, key: str, expires: Instant | None = None) -> None:
    entry = KeyValue(key=key, value="x", expires=expires)
    await keyvalues.put(SYSTEM, services, namespace, entry=entry)


async def versions(services: Services, key: str, namespace: str = "a") -> Sequence[int]:
    rows = await services.store.kv.versions("main", namespace, key)
    return [row.version for row in rows]


async def test_only_expired_keys_go_by_default(services: Services, clock: FakeClock) -> None:
    await save(services, "a")
    await put(services, "a", "keep")
    await put(services, "a", "later", Instant(clock.now() + DAY))
    await put(services, "a", "old")
    await put(services, "a", "old", Instant(clock.now() + HOUR))
    clock.advance(2 * HOUR)
    purged = await purge_key_values(SYSTEM, services, KeyValuePurge())
    assert (purged.namespaces, purged.size) == (("a",), 2)
    assert not await versions(services, "old")
    assert await versions(services, "later") == [1]


async def test_deleted_keys_go_with_all_others(services: Services) -> None:
    await save(services, "a")
    for key in ("tmp_1", "tmp_2", "other"):
        await put(services, "a", key)
    await keyvalues.delete(SYSTEM, services, "a", key="tmp_2")
    wanted = KeyValuePurge(expired_only=False, key_pattern="tmp_?")
    assert (await purge_key_values(SYSTEM, services, wanted)).size == 2
    assert not await versions(services, "tmp_2")
    assert await versions(services, "other") == [1]


@pytest.mark.parametrize(
    ("hours", "keep", "kept"),
    [(None, 2, [3, 4]), (None, 9, [1, 2, 3, 4]), (1, None, [3, 4]), (99, None, [4]), (None, None, [])],
)  # fmt: skip
async def test_versions_go_by_age_or_number(
    services: Services, clock: FakeClock, hours: int | None, keep: int | None, kept: list[int]
) -> None:
    await save(services, "a")
    begin = clock.now()
    for _ in range(4):
        await put(services, "a", "k")
        clock.advance(HOUR)
    before = None if hours is None else Instant(begin + hours * HOUR)
    wanted = KeyValuePurge(versions=True, before=before, keep=keep)
    assert (await purge_key_values(SYSTEM, services, wanted)).size == 4 - len(kept)
    assert await versions(services, "k") == kept


@pytest.mark.parametrize(
    ("wanted", "looked_at"),
    [
        (KeyValuePurge(), ("ab", "ab.c", "ab2", "x")),
        (KeyValuePurge(namespaces=("ab",)), ("ab", "ab.c", "ab2")),
        (KeyValuePurge(namespaces=("ab",), children=False), ("ab",)),
        (KeyValuePurge(namespace_pattern="ab?*"), ("ab.c", "ab2")),
        (KeyValuePurge(namespace_pattern="a"), ()),
        (KeyValuePurge(namespaces=()), ()),
    ],
)
async def test_namespaces_are_chosen_among_those_with_flows(
    services: Services, wanted: KeyValuePurge, looked_at: tuple[str, ...]
) -> None:
    for namespace in ("ab", "ab.c", "ab2", "x"):
        await save(services, namespace)
    await put(services, "without.flow", "k")
    assert (await purge_key_values(SYSTEM, services, wanted)).namespaces == looked_at


async def test_executions_are_counted_by_place_state_and_start(
    services: Services, clock: FakeClock
) -> None:
    flow = await save(services, "a")
    begin = clock.now()
    for state in (State.SUCCESS, State.FAILED, None):
        await ran(services, flow, state)
        clock.advance(HOUR)
    await ran(services, await save(services, "a", "g"))
    window = {"start": begin, "end": clock.now()}

    async def count(**more: Any) -> int:
        return await executions.count(
            SYSTEM, services, Tally(**{"namespace": "a", **window, **more})
        )

    assert await count() == 4
    assert await count(flow_id="f") == 3
    assert await count(flow_id="f", states=("SUCCESS", "FAILED")) == 2
    assert await count(flow_id="f", start=Instant(begin + HOUR)) == 2
    assert await count(flow_id="f", end=begin) == 1
    assert await count(namespace="b") == 0


async def test_a_count_goes_on_where_the_store_stops(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = await save(services, "a")
    for _ in range(7):
        await ran(services, flow)
    for name in ("operations.executions", "store.memory.match", "store.search"):
        monkeypatch.setattr(f"batuta.{name}.MAX_TOTAL", 3)
    now = services.clock.now()
    assert await executions.count(SYSTEM, services, Tally(namespace="a", start=now, end=now)) == 7
