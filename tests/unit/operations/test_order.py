"""Orders that meet others at the same moment."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.label import Label
from batuta.model.state import History, State
from batuta.operations import bulk, control, order, repeat, start
from batuta.operations.caller import SYSTEM
from batuta.operations.errors import IllegalStateError, NotFoundError
from batuta.operations.feed import Feed
from batuta.operations.order import Ordered, carry_out
from batuta.operations.plans import PlanCache
from batuta.operations.services import Services
from batuta.store.rows import Edit, ExecutionRow, Turn
from batuta.store.sqlite import SqliteStore
from tests.unit.operations.conftest import FLOW, save


@pytest.fixture(params=["memory", "sqlite"])
async def services(
    services: Services, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Services]:
    if request.param == "memory":
        yield services
        return
    store = await SqliteStore.open(tmp_path / "batuta.db")
    plans = PlanCache(store, services.registry, settings=services.settings, clock=services.clock)
    yield dataclasses.replace(services, store=store, plans=plans, feed=Feed(store))
    await store.close()


@pytest.fixture
async def flow(services: Services) -> FlowKey:
    await save(services)
    return FLOW


async def ended(services: Services, flow: FlowKey, state: State = State.FAILED) -> ExecutionId:
    execution = await start.start(SYSTEM, services, flow, wanted=start.Wanted())
    histories = (*execution.histories, History(state, services.clock.now()))
    done = [row.id for row in await services.store.queues.inbox(range(64))]
    over = replace(execution, histories=histories)
    await services.store.commit(Turn(executions=[over], inbox_done=done))
    return execution.id


def labelled(row: ExecutionRow, name: str) -> Ordered:
    changed = replace(row.execution, labels=(*row.execution.labels, Label(name, "x")))
    return Ordered(Turn(edits=[Edit(row.execution, changed)]), changed)


async def keys(services: Services, execution_id: ExecutionId) -> set[str]:
    row = await services.store.executions.get(execution_id)
    assert row is not None
    return {label.key for label in row.execution.labels}


async def test_an_order_that_read_too_early_reads_again(services: Services, flow: FlowKey) -> None:
    id_ = await ended(services, flow)
    tries = []

    async def decide(row: ExecutionRow) -> Ordered:
        tries.append(row)
        if len(tries) < 3:  # somebody else is faster
            await services.store.commit(labelled(row, f"other{len(tries)}").turn)
        return labelled(row, "mine")

    await carry_out(SYSTEM, services, id_, decide=decide)
    assert len(tries) == 3
    assert {"other1", "other2", "mine"} <= await keys(services, id_)


async def test_an_order_gives_up_when_the_execution_never_stands_still(
    services: Services, flow: FlowKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "TRIES", 3)
    id_ = await ended(services, flow)

    async def decide(row: ExecutionRow) -> Ordered:
        await services.store.commit(labelled(row, "other").turn)
        return labelled(row, "mine")

    with pytest.raises(IllegalStateError, match="please try again"):
        await carry_out(SYSTEM, services, id_, decide=decide)
    assert "mine" not in await keys(services, id_)


async def test_an_execution_that_goes_meanwhile_is_not_found(
    services: Services, flow: FlowKey
) -> None:
    id_ = await ended(services, flow)

    async def decide(row: ExecutionRow) -> Ordered:
        await services.store.executions.delete([id_])
        return labelled(row, "mine")

    with pytest.raises(NotFoundError):
        await carry_out(SYSTEM, services, id_, decide=decide)


async def test_orders_of_many_callers_at_once_are_all_kept(
    services: Services, flow: FlowKey
) -> None:
    id_ = await ended(services, flow)
    names = [f"label{number}" for number in range(12)]
    await asyncio.gather(
        *[bulk.add_labels(SYSTEM, services, [id_], labels=[Label(name, "x")]) for name in names],
        repeat.replay(SYSTEM, services, id_),
    )
    assert {*names, "system.replayed"} <= await keys(services, id_)


async def test_of_two_restarts_at_once_one_is_refused(services: Services, flow: FlowKey) -> None:
    id_ = await ended(services, flow)
    results = await asyncio.gather(
        repeat.restart(SYSTEM, services, id_),
        repeat.restart(SYSTEM, services, id_),
        control.set_labels(SYSTEM, services, id_, labels=[Label("a", "b")]),
        return_exceptions=True,
    )
    assert sum(isinstance(each, IllegalStateError) for each in results[:2]) == 1
    row = await services.store.executions.get(id_)
    assert row is not None
    restarts = [each for each in row.execution.histories if each.state is State.RESTARTED]
    assert len(restarts) == 1
    assert "system.restarted" in await keys(services, id_)
    if results[2] is None:
        assert "a" in await keys(services, id_)
