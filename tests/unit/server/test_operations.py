"""01 §8 on a running system: what an order makes of an execution, and what it leaves as it was."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from batuta.engine.execution import Execution, TaskRun
from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import HOUR, Instant
from batuta.model.label import Label
from batuta.model.state import State
from batuta.operations import bulk, control, flows, repeat, start
from batuta.operations.errors import (
    BulkError,
    IllegalArgumentError,
    IllegalStateError,
    NotFoundError,
    OperationError,
)
from batuta.operations.executions import ExecutionView, delete
from batuta.operations.rendering.evaluate import evaluate
from batuta.testing.system import SOMEBODY, System

S = State
RESTARTED = Label("system.restarted", "true")
REPLAY = Label("system.replay", "true")
REPLAYED = Label("system.replayed", "true")

FAILING = """
id: failing
namespace: orders
labels: {team: data}
inputs: [{id: day, type: STRING, defaults: monday}]
variables: {colour: red}
tasks:
  - {id: before, type: io.kestra.plugin.core.debug.Return, format: "{{ inputs.day }}"}
  - {id: fail, type: io.kestra.plugin.core.execution.Fail}
errors:
  - {id: sorry, type: io.kestra.plugin.core.log.Log, message: sorry}
finally:
  - {id: tidy, type: io.kestra.plugin.core.log.Log, message: tidy}
afterExecution:
  - {id: bye, type: io.kestra.plugin.core.log.Log, message: bye}
"""
MENDED = FAILING.replace(
    "{id: fail, type: io.kestra.plugin.core.execution.Fail}",
    "{id: fail, type: io.kestra.plugin.core.debug.Return, format: '{{ outputs.before.value }}'}",
)
LOOP = """
id: loop
namespace: orders
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: ["a", "b", "c"]
    concurrencyLimit: 1
    tasks:
      - {id: one, type: io.kestra.plugin.core.debug.Return, format: "{{ taskrun.value }}"}
      - id: two
        type: io.kestra.plugin.core.execution.Fail
        condition: "{{ taskrun.value == 'b' }}"
  - {id: last, type: io.kestra.plugin.core.log.Log, message: last}
"""
MENDED_LOOP = LOOP.replace("taskrun.value == 'b'", "taskrun.value == 'z'")
PAUSED = """
id: paused
namespace: orders
tasks:
  - {id: wait, type: io.kestra.plugin.core.flow.Pause}
  - {id: then, type: io.kestra.plugin.core.log.Log, message: then}
"""
HELLO = """
id: hello
namespace: orders
tasks:
  - {id: one, type: io.kestra.plugin.core.log.Log, message: one}
  - {id: two, type: io.kestra.plugin.core.log.Log, message: two}
"""


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with System.open() as opened:
        yield opened


def is_over(view: ExecutionView) -> bool:
    live = any(not row.run.state.is_terminal for row in view.runs)
    return view.row.execution.state.is_terminal and not live


def is_in(state: State) -> Callable[[ExecutionView], bool]:
    return lambda view: view.row.execution.state is state


async def over(system: System, execution_id: ExecutionId) -> ExecutionView:
    view = await system.until(execution_id, is_over, seconds=8)
    assert is_over(view)
    return view


async def ended(system: System, source: str, **inputs: str) -> ExecutionView:
    key = await system.save_flow(source)
    return await over(system, await system.start(key, inputs=inputs))


def words(execution: Execution | TaskRun) -> str:
    """States in their order, without SUBMITTED, which inline tasks do not have."""
    states = (each.state for each in execution.histories)
    return " ".join(state.value for state in states if state is not S.SUBMITTED)


def runs(view: ExecutionView) -> dict[str, str]:
    return {
        f"{row.run.task_id}[{row.run.value}]" if row.run.value else row.run.task_id: words(row.run)
        for row in view.runs
    }


def run(view: ExecutionView, task_id: str, value: str | None = None) -> TaskRun:
    return next(
        row.run for row in view.runs if row.run.task_id == task_id and row.run.value == value
    )


# -- restart (8.1) ---------------------------------------------------------------------------------------------


async def test_a_restart_keeps_what_the_execution_is(system: System) -> None:
    before = await ended(system, FAILING, day="friday")
    restarted = await repeat.restart(SOMEBODY, system.services, before.row.execution.id)
    assert restarted.id == before.row.execution.id
    after = await over(system, restarted.id)
    now, then = after.row.execution, before.row.execution
    assert words(now) == "CREATED RUNNING FAILED RESTARTED RUNNING FAILED"
    assert (now.inputs, now.trigger, now.variables) == (then.inputs, then.trigger, then.variables)
    assert now.histories[0] == then.histories[0]
    assert (then.attempt_number, now.attempt_number) == (1, 2)
    assert RESTARTED in now.labels
    assert RESTARTED not in then.labels
    fail = run(after, "fail")
    assert fail.id == run(before, "fail").id
    assert words(fail).startswith("CREATED RUNNING FAILED RESTARTED RUNNING FAILED")
    assert len(fail.attempts or ()) == 2
    for task_id in ("sorry", "tidy", "bye"):
        assert sum(row.run.task_id == task_id for row in after.runs) == 1
        assert run(after, task_id).id != run(before, task_id).id


async def test_a_restart_on_another_revision_is_a_new_execution(system: System) -> None:
    before = (await ended(system, FAILING, day="friday")).row.execution
    await system.save_flow(MENDED)
    made = await repeat.restart(SOMEBODY, system.services, before.id, revision=2)
    after = await over(system, made.id)
    now = after.row.execution
    assert now.id != before.id
    assert (now.parent_id, now.original_id) == (before.id, before.original_id or before.id)
    assert (now.revision, now.state, now.inputs) == (2, S.SUCCESS, before.inputs)
    assert runs(after)["before"] == "CREATED RUNNING SUCCESS"
    source = await system.view(before.id)
    assert source.row.execution == before
    assert {row.run.id for row in source.runs}.isdisjoint(row.run.id for row in after.runs)


@pytest.mark.parametrize("order", ["restart", "replay"])
async def test_an_unknown_revision(system: System, order: str) -> None:
    before = (await ended(system, FAILING)).row.execution
    asked: Any = getattr(repeat, order)
    with pytest.raises(NotFoundError, match=r"Unable to find revision 9 on flow orders\.failing"):
        await asked(SOMEBODY, system.services, before.id, revision=9)


async def test_a_loop_is_restarted_where_it_failed_on_a_mended_revision(system: System) -> None:
    before = await ended(system, LOOP)
    assert before.row.execution.state is S.FAILED
    await system.save_flow(MENDED_LOOP)
    made = await repeat.restart(SOMEBODY, system.services, before.row.execution.id, revision=2)
    after = await over(system, made.id)
    assert after.row.execution.state is S.SUCCESS
    assert runs(after)["one[a]"] == "CREATED RUNNING SUCCESS"
    assert runs(after)["two[b]"].startswith("CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS")
    assert {"one[c]", "two[c]", "last"} <= runs(after).keys()


async def test_a_task_run_inside_a_loop_is_replayed_on_a_mended_revision(system: System) -> None:
    """What other values of a concurrent loop have done stays (01 §11.10, 115)."""
    before = await ended(system, LOOP.replace("Limit: 1", "Limit: 0"))
    await system.save_flow(MENDED_LOOP.replace("Limit: 1", "Limit: 0"))
    made = await repeat.replay(
        SOMEBODY,
        system.services,
        before.row.execution.id,
        task_run_id=run(before, "one", "b").id,
        revision=2,
    )
    after = await over(system, made.id)
    assert after.row.execution.state is S.SUCCESS
    assert words(after.row.execution) == "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"
    assert runs(after)["one[b]"] == "CREATED RUNNING SUCCESS RESTARTED RUNNING SUCCESS"
    for kept in ("one[a]", "two[a]", "one[c]", "two[c]"):
        assert runs(after)[kept] == runs(before)[kept] == "CREATED RUNNING SUCCESS"
    assert sum(row.run.task_id == "two" for row in after.runs) == 3


@pytest.mark.parametrize("state", [S.SUCCESS, S.KILLED])
async def test_there_may_be_nothing_to_restart(system: System, state: State) -> None:
    view = await ended(system, HELLO)
    id_ = view.row.execution.id
    if state is not S.SUCCESS:
        await control.change_status(SOMEBODY, system.services, id_, status=state)
    with pytest.raises(IllegalArgumentError, match="No task found to restart execution from!"):
        await repeat.restart(SOMEBODY, system.services, id_)


# -- replay (8.2) ----------------------------------------------------------------------------------------------


async def test_a_replay_is_a_new_execution_with_the_same_circumstances(system: System) -> None:
    before = (await ended(system, FAILING, day="friday")).row.execution
    made = await repeat.replay(SOMEBODY, system.services, before.id)
    again = await repeat.replay(SOMEBODY, system.services, made.id)
    now = (await over(system, made.id)).row.execution
    assert words(now) == "CREATED RUNNING FAILED"
    assert (now.parent_id, now.original_id) == (before.id, before.id)
    assert (now.inputs, now.variables, now.trigger) == (
        before.inputs,
        before.variables,
        before.trigger,
    )
    assert now.attempt_number == before.attempt_number + 1
    assert REPLAY in now.labels
    assert Label("team", "data") in now.labels
    last = (await over(system, again.id)).row.execution
    assert (last.parent_id, last.original_id) == (now.id, before.id)
    assert REPLAYED in (await system.view(before.id)).row.execution.labels
    assert REPLAYED in (await over(system, made.id)).row.execution.labels


async def test_a_running_execution_is_replayed_and_labelled(system: System) -> None:
    key = await system.save_flow(PAUSED)
    id_ = await system.start(key)
    await system.until(id_, is_in(S.PAUSED))
    made = await repeat.replay(SOMEBODY, system.services, id_)
    labelled = await system.until(
        id_, lambda view: REPLAYED in view.row.execution.labels, seconds=8
    )
    assert labelled.row.execution.state is S.PAUSED
    await system.until(made.id, is_in(S.PAUSED))
    for each in (id_, made.id):
        await control.resume(SOMEBODY, system.services, each, inputs={})
        assert (await over(system, each)).row.execution.state is S.SUCCESS


async def test_inputs_of_a_replay_take_the_place_of_all_there_were(system: System) -> None:
    source = FAILING.replace("inputs: [", "inputs: [{id: other, type: STRING, required: false}, ")
    before = (await ended(system, source, day="friday", other="x")).row.execution
    assert before.inputs == {"day": "friday", "other": "x"}
    changes = repeat.Changes(given=start.Wanted(inputs={"day": "sunday"}))
    made = await repeat.replay(SOMEBODY, system.services, before.id, changes=changes)
    now = (await over(system, made.id)).row.execution
    assert now.inputs == {"day": "sunday"}


async def test_a_replay_stops_at_its_breakpoints(system: System) -> None:
    before = (await ended(system, HELLO)).row.execution
    changes = repeat.Changes(breakpoints=(("two", None),))
    made = await repeat.replay(SOMEBODY, system.services, before.id, changes=changes)
    view = await system.until(made.id, is_in(S.BREAKPOINT))
    assert runs(view) == {"one": "CREATED RUNNING SUCCESS", "two": "CREATED BREAKPOINT"}
    await control.resume_from_breakpoint(SOMEBODY, system.services, made.id)
    done = await over(system, made.id)
    assert words(done.row.execution) == "CREATED RUNNING BREAKPOINT RUNNING SUCCESS"
    assert not done.row.execution.breakpoints


# -- change of a task run's state (8.3) --------------------------------------------------------------------------


async def test_a_failure_that_is_declared_a_success_lets_the_flow_go_on(system: System) -> None:
    before = await ended(system, FAILING)
    id_ = before.row.execution.id
    await repeat.mark(
        SOMEBODY, system.services, id_, task_run_id=run(before, "fail").id, state=S.SUCCESS
    )
    after = await over(system, id_)
    assert words(after.row.execution) == "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"
    assert RESTARTED in after.row.execution.labels
    fail = run(after, "fail")
    assert fail.state is S.SUCCESS
    assert fail.attempts is not None
    assert fail.attempts[-1].state is S.SUCCESS
    assert "sorry" not in runs(after)
    assert run(after, "bye").id != run(before, "bye").id


async def test_a_paused_task_run_that_is_declared_running_is_done(system: System) -> None:
    key = await system.save_flow(PAUSED)
    id_ = await system.start(key)
    view = await system.until(id_, is_in(S.PAUSED))
    await repeat.mark(
        SOMEBODY, system.services, id_, task_run_id=run(view, "wait").id, state=S.RUNNING
    )
    done = await over(system, id_)
    assert done.row.execution.state is S.SUCCESS
    assert run(done, "wait").state is S.SUCCESS


# -- executions of flows that are gone -----------------------------------------------------------------------------


async def test_nothing_begins_again_when_its_flow_was_deleted(system: System) -> None:
    view = await ended(system, FAILING)
    execution = view.row.execution
    services, id_ = system.services, execution.id
    await flows.delete(SOMEBODY, services, execution.flow)
    fail = run(view, "fail").id
    gone = "Unable to find flow orders.failing"
    with pytest.raises(NotFoundError, match=gone):
        await repeat.restart(SOMEBODY, services, id_)
    with pytest.raises(NotFoundError, match=gone):
        await repeat.replay(SOMEBODY, services, id_)
    with pytest.raises(NotFoundError, match=gone):
        await repeat.mark(SOMEBODY, services, id_, task_run_id=fail, state=S.SUCCESS)
    with pytest.raises(BulkError):
        await bulk.restart(SOMEBODY, services, [id_])
    with pytest.raises(NotFoundError, match=gone):
        await bulk.replay(SOMEBODY, services, [id_])
    assert (await system.view(id_)).row.execution == execution
    await control.set_labels(SOMEBODY, services, id_, labels=[Label("a", "b")])
    await control.change_status(SOMEBODY, services, id_, status=S.WARNING)
    assert (await system.view(id_)).row.execution.state is S.WARNING
    await delete(SOMEBODY, services, id_)
    assert await services.store.executions.get(id_) is None


@pytest.mark.parametrize("how", ["resume", "kill", "mark", "force"])
async def test_what_runs_goes_on_when_its_flow_was_deleted(system: System, how: str) -> None:
    key = await system.save_flow(PAUSED)
    id_ = await system.start(key)
    view = await system.until(id_, is_in(S.PAUSED))
    await flows.delete(SOMEBODY, system.services, key)
    if how == "resume":
        await control.resume(SOMEBODY, system.services, id_, inputs={})
    elif how == "kill":
        await control.kill(SOMEBODY, system.services, id_)
    elif how == "force":
        await control.force_run(SOMEBODY, system.services, id_)
    else:
        wait = run(view, "wait").id
        await repeat.mark(SOMEBODY, system.services, id_, task_run_id=wait, state=S.SUCCESS)
    done = await over(system, id_)
    assert done.row.execution.state is (S.KILLED if how == "kill" else S.SUCCESS)


# -- executions for later -----------------------------------------------------------------------------------------


async def later(system: System, source: str = HELLO) -> ExecutionId:
    key: FlowKey = await system.save_flow(source)
    due = Instant(system.services.clock.now() + HOUR)
    wanted = start.Wanted(schedule_date=due)
    return (await start.start(SOMEBODY, system.services, key, wanted=wanted)).id


@pytest.mark.parametrize("how", ["kill", "force", "delete"])
async def test_an_execution_for_later(system: System, how: str) -> None:
    id_ = await later(system)
    queues = system.services.store.queues
    while not await queues.timers(range(64), until=Instant(1 << 60)):
        await asyncio.sleep(0.01)
    if how == "kill":
        await control.kill(SOMEBODY, system.services, id_)
        assert words((await over(system, id_)).row.execution) == "CREATED KILLING KILLED"
    elif how == "force":
        await control.force_run(SOMEBODY, system.services, id_)
        assert words((await over(system, id_)).row.execution) == "CREATED RUNNING SUCCESS"
    else:
        await delete(SOMEBODY, system.services, id_)
    assert not await queues.timers(range(64), until=Instant(1 << 60))


async def test_an_execution_for_later_is_not_restarted_and_replayed_for_the_same_date(
    system: System,
) -> None:
    id_ = await later(system)
    with pytest.raises(IllegalStateError, match="current state is 'CREATED' !"):
        await repeat.restart(SOMEBODY, system.services, id_)
    made = await repeat.replay(SOMEBODY, system.services, id_)
    source = (await system.view(id_)).row.execution
    assert (await system.view(made.id)).row.execution.schedule_date == source.schedule_date
    for each in (id_, made.id):
        await control.force_run(SOMEBODY, system.services, each)
        assert (await over(system, each)).row.execution.state is S.SUCCESS


# -- labels, status, evaluation -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([("a", "1")], {"a": "1"}),
        ([("a", "1"), ("a", "2")], {"a": "2"}),
        ([("", ""), ("a", "1")], {"a": "1"}),
        ([], {}),
        ([("system.other", "1")], None),
        ([("system.correlationId", "another")], None),
        ([("system.correlationId", "SAME"), ("b", "2")], {"b": "2"}),
    ],
)
async def test_labels_of_an_execution(
    system: System, given: list[tuple[str, str]], kept: dict[str, str] | None
) -> None:
    execution = (await ended(system, FAILING)).row.execution
    own = {label.key: label.value for label in execution.labels}["system.correlationId"]
    labels = [Label(key, own if value == "SAME" else value) for key, value in given]
    try:
        await control.set_labels(SOMEBODY, system.services, execution.id, labels=labels)
    except OperationError:
        assert kept is None
        labelled = (await system.view(execution.id)).row.execution.labels
        assert labelled == execution.labels
        return
    labelled = (await system.view(execution.id)).row.execution.labels
    assert {label.key: label.value for label in labelled} == {
        **(kept or {}),
        "system.correlationId": own,
    }


async def test_a_status_is_changed_and_task_runs_are_not(system: System) -> None:
    before = await ended(system, FAILING)
    id_ = before.row.execution.id
    await control.change_status(SOMEBODY, system.services, id_, status=S.SUCCESS)
    after = await system.view(id_)
    assert words(after.row.execution) == "CREATED RUNNING FAILED SUCCESS"
    assert runs(after) == runs(before)


async def test_an_expression_is_tried_without_secrets(system: System) -> None:
    view = await ended(system, FAILING, day="friday")
    id_, fail = view.row.execution.id, run(view, "fail").id
    cases = {
        "{{ outputs.before.value }} {{ taskrun.id }}": f"friday {fail}",
        "{{ inputs.day | upper }}": "FRIDAY",
    }
    for expression, expected in cases.items():
        found = await evaluate(
            SOMEBODY, system.services, id_, expression=expression, task_run_id=fail
        )
        assert (found.result, found.error) == (expected, None)
    found = await evaluate(SOMEBODY, system.services, id_, expression="{{ nothing }}")
    assert found.result is None
    assert "nothing" in (found.error or "")
