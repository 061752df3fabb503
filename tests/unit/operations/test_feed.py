"""Live views are told of changes of their execution, and of nothing else."""

import asyncio

from batuta.model.ids import ExecutionId
from batuta.operations import control, executions, start
from batuta.operations.caller import SYSTEM
from batuta.operations.services import Services
from batuta.store.rows import LogRow
from tests.unit.operations.conftest import FLOW, save


async def told(services: Services, watched: str, logged: str) -> bool:
    with services.feed.watch(ExecutionId(watched)) as watcher:
        row = LogRow(
            at=services.clock.now(),
            level="INFO",
            message="m",
            flow=FLOW,
            execution_id=ExecutionId(logged),
        )
        await services.store.journal.append([row])
        return watcher.is_told


async def test_a_watcher_is_told_of_its_own_execution_only(services: Services) -> None:
    assert await told(services, "a", "a")
    assert not await told(services, "a", "b")
    assert services.feed.watched == 0


async def test_many_changes_are_one_flag(services: Services) -> None:
    with services.feed.watch(ExecutionId("a")) as watcher:
        for _ in range(3):
            watcher.tell()
        await watcher.changed()
        assert not watcher.is_told


async def test_a_view_ends_when_the_server_stops(services: Services) -> None:
    await save(services)
    execution = await start.start(SYSTEM, services, FLOW, wanted=start.Wanted())
    views = executions.follow(SYSTEM, services, execution.id)
    first = await anext(views)
    assert first is not None
    assert first.row.execution.id == execution.id
    following = asyncio.create_task(anext(views, None))
    await asyncio.sleep(0)
    services.feed.close()
    assert await following is None


async def test_an_order_wakes_nobody_who_watches_something_else(services: Services) -> None:
    await save(services)
    execution = await start.start(SYSTEM, services, FLOW, wanted=start.Wanted())
    with services.feed.watch(ExecutionId("other")) as watcher:
        await control.kill(SYSTEM, services, execution.id)
        assert not watcher.is_told
