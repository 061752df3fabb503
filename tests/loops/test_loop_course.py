"""The task Loop: how iterations end, stop, wait, and are run again or deleted."""

import asyncio
from collections.abc import Sequence

import pytest

from batuta.model.state import State
from batuta.operations import executions, repeat
from batuta.operations.errors import IllegalArgumentError, InvalidEntityError
from batuta.operations.executions import Parts
from batuta.operations.purge.executions import ExecutionPurge, purge_executions
from batuta.operations.query import Condition, Search
from batuta.store.query import Op, Query
from batuta.store.rows import ExecutionRow
from batuta.testing.system import SOMEBODY, System, is_over
from tests.loops.running import (
    CORE,
    FAILS_AT_B,
    PAUSE,
    SAY,
    TEXT,
    S,
    children_in,
    flow,
    history,
    iterations,
    logs_of,
    loop,
    outputs,
    putting_out,
    ran,
    resume_next,
    returning,
    started,
    states,
    texts,
)

# -- how iterations end -----------------------------------------------------------------------------------


async def test_an_iteration_that_fails_stops_the_loop() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b, c]", tasks=FAILS_AT_B), returning("next", "x")))
        assert states(view) == {"loop": S.FAILED}
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 1, "FAILED": 1}
        (message,) = await logs_of(system, view.row.execution.id)
        assert message.startswith("Iteration 1 ")


async def test_failures_may_be_kept_inside() -> None:
    async with System.open() as system:
        source = flow(loop("[a, b, c]", "transmitFailed: false", tasks=FAILS_AT_B))
        view = await ran(system, source)
        assert states(view) == {"loop": S.SUCCESS}
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 2, "FAILED": 1}


@pytest.mark.parametrize(
    ("more", "state"),
    [("allowFailure: true", S.WARNING), ("runIf: 'false'", S.SKIPPED), ("disabled: true", None)],
)
async def test_properties_that_all_tasks_have(more: str, state: State | None) -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[b]", more, tasks=FAILS_AT_B), returning("next", "x")))
        assert states(view).get("loop") is state
        assert states(view)["next"] is S.SUCCESS


async def test_tasks_inside_retry() -> None:
    tasks = f"{FAILS_AT_B}  retry: {{type: constant, interval: PT0.01S, maxAttempts: 2}}\n"
    async with System.open() as system:
        view = await ran(system, flow(loop("[b]", tasks=tasks)))
        (row,) = await iterations(system, view)
        (run,) = await system.services.store.executions.task_runs(row.execution.id)
        assert len(run.run.attempts or ()) == 2


async def test_errors_and_finally_belong_to_each_iteration() -> None:
    more = (
        f"errors:\n  {returning('oops', 'error {{ item.value }}')}",
        f"finally:\n  {returning('at_last', 'end {{ item.value }}')}",
        "transmitFailed: false",
    )
    source = flow(
        loop("[a, b]", *more, tasks=FAILS_AT_B),
        head=f"errors:\n  {returning('flow_error', 'x')}\nfinally:\n  {returning('flow_end', 'x')}",
    )
    async with System.open() as system:
        view = await ran(system, source)
        assert states(view) == {"loop": S.SUCCESS, "flow_end": S.SUCCESS}
        found = []
        for row in await iterations(system, view):
            inner = await system.view(row.execution.id)
            found.append((row.execution.state, states(inner)))
        assert found == [
            (S.SUCCESS, {"maybe": S.SKIPPED, "at_last": S.SUCCESS}),
            (S.FAILED, {"maybe": S.FAILED, "oops": S.SUCCESS, "at_last": S.SUCCESS}),
        ]


async def test_what_flows_have_for_themselves_is_not_for_iterations() -> None:
    head = f"""
concurrency: {{limit: 1}}
outputs: [{{id: all, type: STRING, value: "{{{{ outputs.loop.iterationCount }}}}"}}]
afterExecution:
  {returning("later", "x")}
"""
    listener = f"""
id: listener
namespace: test
tasks:
  {returning("t", "{{ trigger.executionId }}")}
triggers:
  - id: heard
    type: {CORE}.trigger.Flow
"""
    async with System.open() as system:
        await system.save_flow(listener)
        view = await ran(system, flow(loop("[a, b, c]", "concurrencyLimit: 0"), head=head))
        assert view.row.execution.outputs == {"all": "3"}
        assert states(view)["later"] is S.SUCCESS
        rows = (await system.services.store.executions.search(Query(size=100))).rows
        while sum(row.execution.flow.id == "listener" for row in rows) < 1:
            await asyncio.sleep(0)
            rows = (await system.services.store.executions.search(Query(size=100))).rows
        heard = [row.execution for row in rows if row.execution.flow.id == "listener"]
        assert len(heard) == 1
        for row in await iterations(system, view):
            assert row.execution.outputs is None
            assert set(states(await system.view(row.execution.id))) == {"say"}


async def test_breaking_off() -> None:
    condition = "{{ item.value == 'b' and iteration.state == 'SUCCESS' and iteration.outputs.text == '1 b' }}"
    async with System.open() as system:
        source = flow(loop("[a, b, c]", TEXT, f'breakWhen: "{condition}"'))
        view = await ran(system, source)
        assert states(view) == {"loop": S.SUCCESS}
        assert texts(view) == ["0 a", "1 b"]
        assert outputs(view)["iterationCount"] == 3


async def test_a_break_that_looks_something_up() -> None:
    condition = "{{ kv('stop', errorOnMissing=false) == item.value }}"
    tasks = f"- {{id: say, type: {CORE}.kv.Set, key: stop, value: b, kvType: STRING}}"
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b, c]", f'breakWhen: "{condition}"', tasks=tasks)))
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 2}


async def test_a_condition_that_cannot_be_evaluated_fails_the_loop() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b, c]", 'breakWhen: "{{ nothing.there }}"')))
        assert states(view) == {"loop": S.FAILED}


async def test_outputs_of_an_iteration_that_cannot_be_rendered_fail_it() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[a]", putting_out("{{ nothing }}"))))
        assert states(view) == {"loop": S.FAILED}
        (row,) = await iterations(system, view)
        assert row.execution.state is S.FAILED


# -- concurrency, pauses, kills ---------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (2, 2), (0, 4)])
async def test_no_more_than_the_limit_run_at_once(limit: int, most: int) -> None:
    async with System.open() as system:
        source = flow(loop("[a, b, c, d]", f"concurrencyLimit: {limit}", tasks=PAUSE))
        parent = await started(system, source)
        for _ in range(4):
            waiting = await children_in(system, parent, S.PAUSED, 1)
            rows = await iterations(system, parent)
            running = [row for row in rows if not row.execution.state.is_terminal]
            assert len(running) <= most
            await system.resume(waiting[0].execution.id)
            await children_in(
                system, parent, S.SUCCESS, 1 + sum(row.execution.state is S.SUCCESS for row in rows)
            )
        view = await system.until(parent, is_over)
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 4}


async def test_a_paused_iteration_pauses_the_execution() -> None:
    tasks = f"- {{id: pause, type: {CORE}.flow.Pause, pauseDuration: PT0.05S}}"
    async with System.open() as system:
        view = await ran(system, flow(loop("[1, 2]", tasks=tasks)))
        way = [S.CREATED, S.RUNNING, S.PAUSED, S.RUNNING, S.PAUSED, S.RUNNING, S.SUCCESS]
        assert history(view) == way
        assert history(view, "loop") == way


async def test_resuming_the_execution_resumes_the_iteration_that_waits() -> None:
    pause = f"{PAUSE[:-1]}, onResume: [{{id: reason, type: STRING}}]}}"
    tasks = f"{pause}\n{returning('say', '{{ outputs.pause.onResume.reason }}')}"
    async with System.open() as system:
        inner = loop("[x]", TEXT, tasks=tasks, name="inner")
        more = putting_out("{{ outputs.inner.outputs[0].outputs.text }}")
        parent = await started(system, flow(loop("[a, b]", more, tasks=inner)))
        for number in range(2):
            await children_in(system, parent, S.PAUSED, 1)
            await system.resume(parent, inputs={"reason": f"r{number}"})
            await children_in(system, parent, S.SUCCESS, number + 1)
        view = await system.until(parent, is_over)
        assert texts(view) == ["r0", "r1"]


async def test_a_kill_reaches_the_iterations() -> None:
    async with System.open() as system:
        inner = loop("[x]", tasks=PAUSE, name="inner")
        source = flow(loop("[a, b, c]", "concurrencyLimit: 2", tasks=inner))
        for cascade in (True, False):
            parent = await started(system, source)
            await system.until(parent, lambda view: view.row.execution.state is S.PAUSED)
            await children_in(system, parent, S.PAUSED, 2)
            await system.kill(parent, cascade=cascade)
            view = await system.until(parent, is_over)
            assert view.row.execution.state is S.KILLED
            assert states(view) == {"loop": S.KILLED}
            rows = await iterations(system, parent)
            assert [row.execution.state for row in rows] == [S.KILLED, S.KILLED]
            for row in rows:
                (below,) = await iterations(system, row.execution.id)
                assert below.execution.state is S.KILLED


async def test_an_iteration_that_is_killed_fails_the_loop() -> None:
    async with System.open() as system:
        parent = await started(system, flow(loop("[a, b]", tasks=PAUSE)))
        (waiting,) = await children_in(system, parent, S.PAUSED, 1)
        await system.kill(waiting.execution.id)
        view = await system.until(parent, is_over)
        assert states(view) == {"loop": S.FAILED}
        again = await system.restart(parent)
        assert again.row.execution.id == parent
        await resume_next(system, parent)
        await resume_next(system, parent)
        view = await system.until(parent, is_over)
        assert view.row.execution.state is S.SUCCESS
        assert len(await iterations(system, parent)) == 2


# -- again ------------------------------------------------------------------------------------------------

FAILS_ONCE = f"""
{returning("before", "{{ item.value }}")}
- id: work
  type: {CORE}.execution.Fail
  runIf: "{{{{ item.value == 'b' and kv('ready', errorOnMissing=false) is empty }}}}"
{returning("say", "{{ outputs.before.value }}!")}
"""
READY = f"id: ready\nnamespace: test\ntasks:\n  - {{id: s, type: {CORE}.kv.Set, key: ready, value: yes, kvType: STRING}}\n"


async def test_a_restart_runs_the_iterations_that_failed_and_goes_on() -> None:
    async with System.open() as system:
        source = flow(loop("[a, b, c]", TEXT, tasks=FAILS_ONCE))
        view = await ran(system, source)
        parent = view.row.execution.id
        assert view.row.execution.state is S.FAILED
        before = [row.execution.id for row in await iterations(system, view)]
        await ran(system, READY)
        await system.restart(parent)
        view = await system.until(parent, is_over)
        assert view.row.execution.state is S.SUCCESS
        assert texts(view) == ["a!", "b!", "c!"]
        rows = await iterations(system, view)
        assert [row.execution.id for row in rows][:2] == before
        assert len(rows) == 3
        counts = [row.execution.created_runs for row in rows]
        assert counts == [3, 3, 3]
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 3}


async def test_iterations_do_not_outlive_a_loop_that_is_declared_over() -> None:
    async with System.open() as system:
        parent = await started(system, flow(loop("[a, b]", TEXT, tasks=f"{PAUSE}\n{SAY}")))
        (waiting,) = await children_in(system, parent, S.PAUSED, 1)
        await system.mark(parent, task_id="loop", state=S.FAILED)
        view = await system.until(parent, is_over)
        assert states(view) == {"loop": S.FAILED}
        inner = await system.until(waiting.execution.id, is_over)
        assert inner.row.execution.state is S.KILLED
        await system.restart(parent)
        await resume_next(system, parent)
        await resume_next(system, parent)
        view = await system.until(parent, is_over)
        assert texts(view) == ["0 a", "1 b"]


async def test_a_restart_makes_iterations_anew_that_were_deleted() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b, c]", TEXT, tasks=FAILS_ONCE)))
        failed = (await iterations(system, view))[1].execution.id
        await executions.delete(SOMEBODY, system.services, failed)
        await ran(system, READY)
        await system.restart(view.row.execution.id)
        view = await system.until(view.row.execution.id, is_over)
        assert texts(view) == ["a!", "b!", "c!"]


async def test_an_iteration_is_not_restarted_or_replayed_by_itself() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[b]", tasks=FAILS_AT_B)))
        (row,) = await iterations(system, view)
        for order in (
            repeat.restart(SOMEBODY, system.services, row.execution.id),
            repeat.replay(SOMEBODY, system.services, row.execution.id),
            system.mark(row.execution.id, task_id="maybe", state=S.SUCCESS),
        ):
            with pytest.raises(IllegalArgumentError, match="is an iteration of the loop 'loop'"):
                await order


async def test_a_replay_has_iterations_of_its_own() -> None:
    async with System.open() as system:
        source = flow(loop("[a, b]", TEXT), returning("next", "{{ outputs.loop.iterationCount }}"))
        view = await ran(system, source)
        for task, count in ((None, 2), ("loop", 2), ("next", 0)):
            made = await system.replay(view.row.execution.id, task_id=task)
            again = await system.until(made.row.execution.id, is_over)
            assert again.row.execution.state is S.SUCCESS
            assert texts(again) == ["0 a", "1 b"]
            assert outputs(again, "next") == {"value": "2"}
            assert len(await iterations(system, again)) == count


# -- searches and deletion --------------------------------------------------------------------------------


async def test_iterations_are_not_met_in_searches() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b]")))
        services = system.services
        found = await executions.search(SOMEBODY, services, Search())
        assert [each.row.execution.id for each in found.views] == [view.row.execution.id]
        kind = Condition(field="kind", op=Op.EQUALS, values=("LOOP",))
        found = await executions.search(SOMEBODY, services, Search(conditions=(kind,)))
        assert found.total == 2
        by = Condition(field="triggerExecutionId", op=Op.EQUALS, values=(view.row.execution.id,))
        found = await executions.search(SOMEBODY, services, Search(conditions=(kind, by)))
        assert found.total == 2


async def rows_left(system: System) -> Sequence[ExecutionRow]:
    return (await system.services.store.executions.search(Query(size=1000))).rows


async def test_iterations_are_deleted_with_their_execution() -> None:
    inner = loop("[x, y]", tasks=f"- {{id: l, type: {CORE}.log.Log, message: hi}}", name="inner")
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b]", tasks=inner)))
        assert len(await rows_left(system)) == 7
        await executions.delete(SOMEBODY, system.services, view.row.execution.id, parts=Parts())
        assert not await rows_left(system)
        assert not (await system.services.store.journal.logs(Query(size=100))).rows


async def test_iterations_are_purged_with_their_execution_only() -> None:
    async with System.open() as system:
        source = flow(loop("[a, b]", tasks=f"{SAY}\n{PAUSE}"))
        parent = await started(system, source)
        await resume_next(system, parent)
        await children_in(system, parent, S.PAUSED, 1)
        services = system.services
        wanted = ExecutionPurge(end=services.clock.now())
        assert (await purge_executions(SOMEBODY, services, wanted)).executions == 0
        await resume_next(system, parent)
        await system.until(parent, is_over)
        wanted = ExecutionPurge(end=services.clock.now())
        assert (await purge_executions(SOMEBODY, services, wanted)).executions == 3
        assert not await rows_left(system)


# -- what authors write -----------------------------------------------------------------------------------

REFUSED = [
    (loop("[a]", "fetchType: ALL"), "fetchType"),
    (loop("[a]", "concurrencyLimit: -1"), "concurrencyLimit"),
    (f"- {{id: loop, type: {CORE}.flow.Loop, values: [a], tasks: []}}", "tasks"),
    (f"- {{id: loop, type: {CORE}.flow.Loop, tasks: [{SAY[2:]}]}}", "values"),
    (loop("[a]", name="say"), "say"),
    (loop("[a]", "outputs: [{id: o, type: NONSENSE, value: 1}]"), "outputs"),
]


@pytest.mark.parametrize(("task", "place"), REFUSED)
async def test_what_is_refused(task: str, place: str) -> None:
    async with System.open() as system:
        with pytest.raises(InvalidEntityError) as caught:
            await system.save_flow(flow(task))
        found = [f"{each.path} {each.message}" for each in caught.value.violations]
        assert any(place in each for each in found), found
