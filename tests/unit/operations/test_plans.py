"""Compiled flows are kept, and never stale in the process that changed them (09 §4)."""

from typing import Any

import pytest
from msgspec.structs import replace

from batuta.engine.execution import Execution
from batuta.model import codec
from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import Instant
from batuta.model.state import History, State
from batuta.operations import flows
from batuta.operations.caller import SYSTEM
from batuta.operations.errors import NotFoundError
from batuta.operations.plans import FRESH_SECONDS, InvalidFlowError, PlanCache
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.sdk.registry import Registry
from batuta.store.memory import MemoryStore
from batuta.store.rows import ExecutionRow, FlowRow, Turn
from batuta.testing.clock import FakeClock
from tests.unit.operations.conftest import FLOW, save


async def test_a_revision_is_compiled_once(services: Services) -> None:
    await save(services)
    first = await services.plans.get(FLOW)
    assert (await services.plans.get(FLOW, 1)) is first
    await save(services, "description: new\n")
    assert (await services.plans.get(FLOW)).plan.revision == 2
    assert (await services.plans.get(FLOW, 1)) is first


async def test_what_does_not_exist(services: Services) -> None:
    assert await services.plans.latest(FLOW) is None
    await save(services)
    with pytest.raises(NotFoundError, match="revision 9"):
        await services.plans.get(FLOW, 9)
    await flows.delete(SYSTEM, services, FLOW)
    assert await services.plans.latest(FLOW) is None
    assert (await services.plans.get(FLOW, 1)).plan.revision == 1


async def test_a_row_read_before_a_change_is_not_kept_after_it(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(services)
    real = services.store.flows.get

    async def slow(*arguments: Any, **options: Any) -> Any:
        row = await real(*arguments, **options)
        monkeypatch.setattr(services.store.flows, "get", real)
        await save(services, "description: new\n")
        return row

    monkeypatch.setattr(services.store.flows, "get", slow)
    assert (await services.plans.get(FLOW)).plan.revision == 1
    assert (await services.plans.get(FLOW)).plan.revision == 2


async def test_changes_of_others_are_seen_after_a_while(
    services: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(services)
    assert (await services.plans.get(FLOW)).plan.revision == 1
    monkeypatch.setattr(services.plans, "_on_commit", lambda _: None)
    row = await services.plans.latest_row(FLOW)
    real = services.store.flows.get

    async def other(*_: Any, **__: Any) -> Any:
        found = await real(FLOW)
        return None if found is None else type(found)(**{**_fields(found), "revision": 2})

    monkeypatch.setattr(services.store.flows, "get", other)
    assert await services.plans.latest_row(FLOW) is row
    clock.advance(int(FRESH_SECONDS * 1_000_000))
    assert (await services.plans.get(FLOW)).plan.revision == 2


async def test_a_flow_that_cannot_be_read_any_more_is_named(services: Services) -> None:
    await save(services)
    row = await services.plans.latest_row(FLOW)
    assert row is not None
    fields = {**_fields(row), "revision": 2, "source": row.source.replace("log.Log", "log.Gone")}
    await services.store.flows.save(type(row)(**fields))
    with pytest.raises(InvalidFlowError, match=r"Requested Flow is not valid\. Error: .*log\.Gone"):
        await services.plans.get(FLOW)


async def test_plugin_defaults_of_the_installation_are_merged(services: Services) -> None:
    await save(services)
    default = {"type": "io.kestra.plugin.core.log.Log", "values": {"level": "WARN"}}
    plans = PlanCache(
        services.store,
        services.registry,
        settings=Settings(plugin_defaults=(default,)),
        clock=services.clock,
    )
    node: Any = (await plans.get(FLOW)).plan.nodes["t1"]
    assert node.spec["level"] == "WARN"


def _fields(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


TEMPLATE = FlowKey("main", "acme.data", "shared")
CALL = "io.kestra.plugin.core.flow.Template"


def revision_of_template(number: int, *, at: int) -> FlowRow:
    task = {"id": "t", "type": "io.kestra.plugin.core.log.Log", "message": str(number)}
    text = codec.encode({"id": "shared", "namespace": "acme.data", "tasks": [task]})
    return FlowRow(
        key=TEMPLATE, revision=number, data=text, source=text.decode(), updated=Instant(at)
    )


async def test_an_iteration_has_the_templates_of_the_execution_around_it(
    registry: Registry, clock: FakeClock
) -> None:
    store = MemoryStore()
    plans = PlanCache(store, registry, settings=Settings(templates=True), clock=clock)
    source = f"id: {FLOW.id}\nnamespace: {FLOW.namespace}\ntasks:\n  - {{id: c, type: {CALL}, namespace: acme.data, templateId: shared}}\n"
    await store.flows.save(
        FlowRow(key=FLOW, revision=1, data=b"{}", source=source, updated=Instant(0))
    )
    await store.templates.save(revision_of_template(1, at=10))
    begun = Execution(
        id=ExecutionId("whole"),
        flow=FLOW,
        revision=1,
        histories=(History(State.CREATED, Instant(20)),),
    )
    await store.commit(Turn(created=[ExecutionRow(execution=begun)]))
    await store.templates.save(revision_of_template(2, at=30))
    later = replace(begun, id=ExecutionId("part"), histories=(History(State.CREATED, Instant(40)),))
    trigger = {"variables": {"executionId": "whole"}}
    for execution, revision in (
        (begun, 1),
        (later, 2),
        (replace(later, kind="LOOP", trigger=trigger), 1),
        (replace(later, kind="LOOP", trigger={"variables": {"executionId": "gone"}}), 2),
    ):
        assert (await plans.of(execution)).templates == (TEMPLATE, revision)
