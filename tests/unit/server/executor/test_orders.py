"""Orders to executions that move, and what is left of those that were deleted (01 §8)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from batuta.engine.events import TaskFinished
from batuta.engine.execution import TaskRun
from batuta.model.ids import ExecutionId
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import State
from batuta.operations import bulk, control, order, repeat
from batuta.operations.errors import NotFoundError, OperationError
from batuta.operations.executions import ExecutionView, Parts, delete
from batuta.operations.purge import ExecutionPurge, purge_executions
from batuta.store.query import Query
from batuta.store.rows import Mail, Turn
from batuta.testing.system import SOMEBODY, System
from tests.unit.server.installation import Installation

S = State
EVERY = range(64)

SLEEPER = """
id: sleeper
namespace: orders
tasks:
  - id: sleep
    type: io.kestra.plugin.core.flow.Sleep
    duration: PT20S
  - id: then
    type: io.kestra.plugin.core.log.Log
    message: done
"""
LIMITED = """
id: limited
namespace: orders
concurrency: {limit: 1, behavior: QUEUE}
tasks:
  - id: wait
    type: io.kestra.plugin.core.flow.Pause
    pauseDuration: PT1H
"""
PARENT = """
id: parent
namespace: orders
tasks:
  - id: call
    type: io.kestra.plugin.core.flow.Subflow
    namespace: orders
    flowId: limited
    wait: true
    transmitFailed: true
"""
AFTER = """
id: after
namespace: orders
tasks:
  - {id: fail, type: io.kestra.plugin.core.execution.Fail}
afterExecution:
  - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT20S}
"""
FAILING = """
id: failing
namespace: orders
tasks:
  - {id: fail, type: io.kestra.plugin.core.execution.Fail}
"""


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with System.open() as opened:
        yield opened


def is_in(task_id: str, state: State) -> Callable[[ExecutionView], bool]:
    def holds(view: ExecutionView) -> bool:
        return any(row.run.task_id == task_id and row.run.state is state for row in view.runs)

    return holds


def run_of(view: ExecutionView, task_id: str) -> TaskRun:
    return next(row.run for row in view.runs if row.run.task_id == task_id)


async def begun(system: System, source: str, *, state: State = S.RUNNING) -> ExecutionId:
    key = await system.save_flow(source)
    execution_id = await system.start(key)
    await system.until(execution_id, lambda view: view.row.execution.state is state)
    return execution_id


async def leftovers(system: System) -> list[object]:
    queues = system.services.store.queues
    return [
        *await queues.inbox(EVERY),
        *await queues.timers(EVERY, until=Instant(1 << 60)),
        *await queues.jobs(),
        *[each for each in await queues.all_slots("main") if each[1]],
    ]


async def quiet(system: System) -> None:
    """Nothing is left in the queues, or the test's time is over."""
    while await leftovers(system):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("state", "ends"), [(S.SUCCESS, S.SUCCESS), (S.FAILED, S.FAILED), (S.WARNING, S.WARNING)]
)
async def test_the_job_of_a_task_run_that_is_declared_over_is_stopped(
    system: System, state: State, ends: State
) -> None:
    execution_id = await begun(system, SLEEPER)
    view = await system.until(execution_id, is_in("sleep", S.RUNNING))
    await repeat.mark(
        SOMEBODY,
        system.services,
        execution_id,
        task_run_id=run_of(view, "sleep").id,
        state=state,
    )
    done = await system.until(execution_id, is_over_view, seconds=8)
    assert done.row.execution.state is ends
    assert Label("system.restarted", "true") in done.row.execution.labels
    sleep = run_of(done, "sleep")
    assert sleep.state is state
    assert [attempt.state for attempt in sleep.attempts or ()] == [state]
    await asyncio.wait_for(quiet(system), 8)


async def test_a_running_task_that_is_to_run_again_runs_once(system: System) -> None:
    source = SLEEPER.replace("PT20S", "PT1S")
    execution_id = await begun(system, source)
    view = await system.until(execution_id, is_in("sleep", S.RUNNING))
    run_id = run_of(view, "sleep").id
    await repeat.mark(SOMEBODY, system.services, execution_id, task_run_id=run_id, state=S.RUNNING)
    done = await system.until(execution_id, is_over_view, seconds=10)
    assert done.row.execution.state is S.SUCCESS
    attempts = run_of(done, "sleep").attempts or ()
    assert [attempt.state for attempt in attempts] == [S.KILLED, S.SUCCESS]
    await asyncio.wait_for(quiet(system), 8)


async def test_a_late_result_of_a_deleted_execution_is_dropped(system: System) -> None:
    execution_id = await begun(system, SLEEPER)
    view = await system.until(execution_id, is_in("sleep", S.RUNNING))
    run_id = run_of(view, "sleep").id
    await delete(SOMEBODY, system.services, execution_id)
    late = TaskFinished(at=Instant(1), task_run_id=run_id, attempt=1, state=S.SUCCESS)
    await system.services.store.commit(Turn(inbox=[Mail(execution_id, late)]))
    await asyncio.wait_for(quiet(system), 8)
    assert await system.services.store.executions.get(execution_id) is None
    assert not await system.services.store.executions.task_runs(execution_id)


async def test_what_tasks_of_a_deleted_execution_still_say_is_dropped(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted as it was, because nobody ended it in time: the task is stopped nevertheless."""
    execution_id = await begun(system, SLEEPER)
    await system.until(execution_id, is_in("sleep", S.RUNNING))
    monkeypatch.setattr(order, "REMOVALS", 0)
    await delete(SOMEBODY, system.services, execution_id)
    await asyncio.wait_for(quiet(system), 8)
    assert (await system.services.store.journal.logs(Query(size=1))).total == 0


async def test_a_paused_execution_is_restarted_by_its_executor(system: System) -> None:
    source = LIMITED.replace("concurrency: {limit: 1, behavior: QUEUE}\n", "")
    execution_id = await begun(system, source, state=S.PAUSED)
    await repeat.restart(SOMEBODY, system.services, execution_id)
    done = await system.until(execution_id, is_over_view, seconds=8)
    assert done.row.execution.state is S.SUCCESS
    assert S.RESTARTED in [each.state for each in done.row.execution.histories]


async def test_a_restart_while_after_execution_runs_stops_what_it_does(system: System) -> None:
    execution_id = await begun(system, AFTER, state=S.FAILED)
    await system.until(execution_id, is_in("sleep", S.RUNNING))
    await repeat.restart(SOMEBODY, system.services, execution_id)
    view = await system.until(
        execution_id,
        lambda view: sum(e.state is S.FAILED for e in view.row.execution.histories) == 2,
        seconds=8,
    )
    assert [attempt.state for attempt in run_of(view, "fail").attempts or ()] == [S.FAILED] * 2
    jobs = await system.services.store.queues.jobs()
    assert len({job.task_run_id for job in jobs}) <= 2
    await delete(SOMEBODY, system.services, execution_id)
    await asyncio.wait_for(quiet(system), 8)


async def test_orders_that_come_together_are_all_carried_out(system: System) -> None:
    execution_id = await begun(system, FAILING, state=S.FAILED)
    await system.until(execution_id, is_over_view)
    services = system.services

    async def label(key: str) -> None:
        await control.set_labels(SOMEBODY, services, execution_id, labels=[Label(key, "x")])

    orders = [
        repeat.replay(SOMEBODY, services, execution_id),
        repeat.restart(SOMEBODY, services, execution_id),
        label("one"),
        control.change_status(SOMEBODY, services, execution_id, status=S.WARNING),
        bulk.add_labels(SOMEBODY, services, [execution_id], labels=[Label("two", "y")]),
        control.kill(SOMEBODY, services, execution_id),
        repeat.replay(SOMEBODY, services, execution_id),
    ]
    results = await asyncio.gather(*orders, return_exceptions=True)
    assert all(isinstance(each, OperationError) for each in results if isinstance(each, Exception))
    done = await system.until(execution_id, is_over_view)
    keys = {label.key for label in done.row.execution.labels}
    told = zip(["system.replayed", "system.restarted", "one", None, "two"], results, strict=False)
    for key, result in told:
        if key is not None and not isinstance(result, Exception):
            assert key in keys, key
    await asyncio.wait_for(quiet(system), 8)


def is_over_view(view: ExecutionView) -> bool:
    live = any(not row.run.state.is_terminal for row in view.runs)
    return view.row.execution.state.is_terminal and not live


# -- deletion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["single", "bulk", "purge"])
async def test_nothing_is_left_of_deleted_executions(system: System, how: str) -> None:
    holder = await begun(system, LIMITED, state=S.PAUSED)
    queued = await begun(system, LIMITED, state=S.QUEUED)
    sleeper = await begun(system, SLEEPER)
    await system.until(sleeper, is_in("sleep", S.RUNNING))
    ids = [holder, queued, sleeper]
    if how == "single":
        for each in ids:
            await delete(SOMEBODY, system.services, each)
    elif how == "bulk":
        await bulk.delete(SOMEBODY, system.services, ids, parts=Parts(), include_running=True)
    else:
        wanted = ExecutionPurge(
            end=system.services.clock.now(), namespace="orders", states=tuple(State)
        )
        assert (await purge_executions(SOMEBODY, system.services, wanted)).executions == 3
    assert not await system.services.store.executions.get_many(ids)
    assert (await system.services.store.journal.logs(Query(size=1))).total == 0
    await asyncio.wait_for(quiet(system), 8)
    assert system.services.feed.watched == 0


async def test_a_slot_of_a_deleted_execution_goes_to_the_next(system: System) -> None:
    holder = await begun(system, LIMITED, state=S.PAUSED)
    queued = await begun(system, LIMITED, state=S.QUEUED)
    await delete(SOMEBODY, system.services, holder)
    view = await system.until(queued, lambda view: view.row.execution.state is S.PAUSED, seconds=8)
    assert view.row.execution.state is S.PAUSED
    await delete(SOMEBODY, system.services, queued)
    await asyncio.wait_for(quiet(system), 8)


async def test_a_parent_is_answered_when_its_child_is_deleted(system: System) -> None:
    await system.save_flow(LIMITED)
    parent = await begun(system, PARENT)
    await system.until(parent, is_in("call", S.RUNNING))
    children = await system.services.store.executions.children(parent)
    await delete(SOMEBODY, system.services, children[0].execution.id)
    done = await system.until(parent, is_over_view, seconds=8)
    assert done.row.execution.state is S.KILLED
    await asyncio.wait_for(quiet(system), 8)


async def test_children_go_on_when_their_parent_is_deleted(system: System) -> None:
    await system.save_flow(LIMITED)
    parent = await begun(system, PARENT)
    await system.until(parent, is_in("call", S.RUNNING))
    child = (await system.services.store.executions.children(parent))[0].execution.id
    await system.until(child, lambda view: view.row.execution.state is S.PAUSED)
    await delete(SOMEBODY, system.services, parent)
    assert (await system.view(child)).row.execution.state is S.PAUSED
    await system.resume(child)
    done = await system.until(child, is_over_view, seconds=8)
    assert done.row.execution.state is S.SUCCESS
    await asyncio.wait_for(quiet(system), 8)


async def test_without_an_executor_a_deletion_settles_what_others_wait_for(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when all executors are down: the parent finds its answer when one is up again."""
    monkeypatch.setattr(order, "KILL_SECONDS", 0.0)
    await system.save_flow(LIMITED)
    parent = await begun(system, PARENT)
    await system.until(parent, is_in("call", S.RUNNING))
    child = (await system.services.store.executions.children(parent))[0].execution.id
    await system.until(child, lambda view: view.row.execution.state is S.PAUSED)
    await delete(SOMEBODY, system.services, child)
    done = await system.until(parent, is_over_view, seconds=8)
    assert done.row.execution.state in {S.FAILED, S.KILLED}
    await asyncio.wait_for(quiet(system), 8)


async def test_without_an_executor_a_deletion_gives_back_a_slot_that_was_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "KILL_SECONDS", 0.0)
    installation = Installation(tmp_path)
    services = installation.services
    key = await installation.save(LIMITED)
    installation.run()
    first = await installation.start(key)
    await installation.until(first, lambda e: e.state is S.PAUSED)
    second = await installation.start(key)
    await installation.until(second, lambda e: e.state is S.QUEUED)
    await installation.crash()
    for execution_id in (first, second):  # the first one's slot is granted to the second
        assert await services.store.queues.slots(key) == 1
        await delete(SOMEBODY, services, execution_id)
    assert await services.store.queues.slots(key) == 0


@pytest.mark.parametrize("how", ["kill", "resume", "mark", "delete"])
async def test_an_execution_whose_revision_is_gone_can_be_ended(tmp_path: Path, how: str) -> None:
    installation = Installation(tmp_path)
    services = installation.services
    key = await installation.save(LIMITED)
    installation.run()
    execution_id = await installation.start(key)
    paused = await installation.until(execution_id, lambda e: e.state is S.PAUSED)
    await installation.crash()
    installation.store._tables.flows.clear()
    services.plans._compiled.clear()
    services.plans._latest.clear()
    installation.run()
    if how == "kill":
        await control.kill(SOMEBODY, services, execution_id)
    elif how == "delete":
        await delete(SOMEBODY, services, execution_id)
        assert await installation.store.executions.get(execution_id) is None
    else:
        run_id = next(iter(paused.runs))
        asked = (
            control.resume(SOMEBODY, services, execution_id, inputs={})
            if how == "resume"
            else repeat.mark(SOMEBODY, services, execution_id, task_run_id=run_id, state=S.SUCCESS)
        )
        with pytest.raises(NotFoundError, match="Unable to find revision 1 on flow"):
            await asked
        await control.kill(SOMEBODY, services, execution_id)
    if how != "delete":
        done = await installation.ended(execution_id)
        assert done.row.execution.state is S.FAILED
        assert all(row.run.state.is_terminal for row in done.runs)
        await control.set_labels(SOMEBODY, services, execution_id, labels=[Label("a", "b")])
        with pytest.raises(NotFoundError):
            await repeat.restart(SOMEBODY, services, execution_id)
        await delete(SOMEBODY, services, execution_id)
    assert await services.store.queues.slots(key) == 0
    await installation.crash()


# -- children of task runs that are given another state ----------------------------------------------------------

CHILD = LIMITED.replace("concurrency: {limit: 1, behavior: QUEUE}\n", "")


async def calling(system: System, source: str) -> tuple[ExecutionId, ExecutionId, TaskRun]:
    """A parent, its child that waits, and the task run between them."""
    await system.save_flow(CHILD)
    parent = await begun(system, source)
    view = await system.until(parent, is_in("call", S.RUNNING))
    child = (await system.services.store.executions.children(parent))[0].execution.id
    await system.until(child, lambda view: view.row.execution.state is S.PAUSED)
    return parent, child, run_of(view, "call")


async def test_a_child_that_runs_is_waited_for_when_its_call_runs_again(system: System) -> None:
    parent, child, run = await calling(system, PARENT)
    await repeat.mark(SOMEBODY, system.services, parent, task_run_id=run.id, state=S.RUNNING)
    assert (await system.view(child)).row.execution.state is S.PAUSED
    await system.resume(child)
    done = await system.until(parent, is_over_view, seconds=8)
    assert done.row.execution.state is S.SUCCESS
    assert len(await system.services.store.executions.children(parent)) == 1


async def test_a_child_whose_place_is_taken_by_another_is_killed(system: System) -> None:
    anew = PARENT + "    restartBehavior: NEW_EXECUTION\n"
    parent, child, run = await calling(system, anew)
    await repeat.mark(SOMEBODY, system.services, parent, task_run_id=run.id, state=S.RUNNING)
    killed = await system.until(child, is_over_view, seconds=8)
    assert killed.row.execution.state is S.KILLED
    children = await system.services.store.executions.children(parent)
    assert len(children) == 2
    other = next(row.execution.id for row in children if row.execution.id != child)
    await system.until(other, lambda view: view.row.execution.state is S.PAUSED)
    await system.resume(other)
    done = await system.until(parent, is_over_view, seconds=8)
    assert done.row.execution.state is S.SUCCESS


async def test_a_kill_reaches_children_that_are_no_longer_waited_for(system: System) -> None:
    waits = "  - {id: wait, type: io.kestra.plugin.core.flow.Pause}\n"
    parent, child, run = await calling(system, PARENT + waits)
    await repeat.mark(SOMEBODY, system.services, parent, task_run_id=run.id, state=S.SUCCESS)
    await system.until(parent, lambda view: view.row.execution.state is S.PAUSED)
    assert (await system.view(child)).row.execution.state is S.PAUSED
    await control.kill(SOMEBODY, system.services, parent)
    for each in (parent, child):
        done = await system.until(each, is_over_view, seconds=8)
        assert done.row.execution.state is S.KILLED
    await asyncio.wait_for(quiet(system), 8)
