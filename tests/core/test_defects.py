"""Defects of the original that are not copied: what a flow does here instead (01 §12.1)."""

from typing import Any

from batuta.engine import events as e
from batuta.engine.plan import Parallel
from batuta.model.state import State
from batuta.testing.run import FlowRun, run_flow
from batuta.testing.system import System, is_over
from tests.unit.engine.driving import Build, Drive, leaf

CORE = "io.kestra.plugin.core"
LOG = f"type: {CORE}.log.Log, message: hello"
FAIL = f"type: {CORE}.execution.Fail"
S = State


def run(tasks: str) -> FlowRun:
    return run_flow(f"id: f\nnamespace: company.team\n{tasks}")


def test_a_sequential_whose_tasks_are_all_disabled_succeeds() -> None:
    done = run(f"""
tasks:
  - {{id: s, type: {CORE}.flow.Sequential, tasks: [{{id: a, {LOG}, disabled: true}}]}}
  - {{id: b, {LOG}}}
""")
    assert done.state is S.SUCCESS
    assert done.task_states == {"s": S.SUCCESS, "b": S.SUCCESS}


def test_a_loop_until_with_errors_ends_when_a_child_fails() -> None:
    done = run(f"""
tasks:
  - id: loop
    type: {CORE}.flow.LoopUntil
    condition: "false"
    checkFrequency: {{interval: PT0.01S}}
    tasks: [{{id: bad, {FAIL}}}]
    errors: [{{id: err, {LOG}}}]
""")
    assert done.state is S.FAILED
    assert done.task_states == {"loop": S.FAILED, "bad": S.FAILED, "err": S.SUCCESS}


async def test_each_item_of_a_concurrent_loop_has_its_own_switch() -> None:
    async with System.open() as system:
        key = await system.save_flow(f"""
id: f
namespace: company.team
tasks:
  - id: loop
    type: {CORE}.flow.ForEach
    values: [a, b, c, d]
    concurrencyLimit: 0
    tasks:
      - id: switch
        type: {CORE}.flow.Switch
        value: "{{{{ taskrun.value }}}}"
        cases:
          a: [{{id: ta, {LOG}}}]
          b: [{{id: tb, {LOG}}}]
          c: [{{id: tc, {LOG}}}]
        defaults: [{{id: td, {LOG}}}]
""")
        view = await system.until(await system.start(key), is_over)
    values = {row.run.id: row.run.value for row in view.runs}
    taken = {
        row.run.task_id: values[row.run.parent_id]
        for row in view.runs
        if row.run.parent_id is not None and row.run.task_id.startswith("t")
    }
    assert taken == {"ta": "a", "tb": "b", "tc": "c", "td": "d"}


def test_a_flow_retry_is_used_up_before_errors_run_and_the_execution_fails() -> None:
    done = run(f"""
retry: {{type: constant, interval: PT0.01S, maxAttempts: 3}}
tasks: [{{id: bad, {FAIL}}}]
errors: [{{id: err, {LOG}}}]
""")
    assert done.state is S.FAILED
    assert done.task_states == {"bad": S.FAILED, "err": S.SUCCESS}
    assert sum("Task failure" in message for message in done.messages) == 3


def test_after_a_cancel_only_what_comes_after_the_execution_runs() -> None:
    done = run(f"""
tasks:
  - {{id: p, type: {CORE}.flow.Pause, pauseDuration: PT0.01S, behavior: CANCEL}}
  - {{id: main, {LOG}}}
afterExecution: [{{id: after, {LOG}}}]
""")
    assert done.state is S.CANCELLED
    assert done.task_states == {"p": S.CANCELLED, "after": S.SUCCESS}


async def test_a_replay_from_a_failed_task_goes_on_with_the_remaining_tasks() -> None:
    async with System.open() as system:
        key = await system.save_flow(f"""
id: f
namespace: company.team
tasks:
  - {{id: a, {LOG}}}
  - {{id: b, {FAIL}, condition: "{{{{ labels['system.replay'] is not defined and labels.system.replay is not defined }}}}"}}
  - {{id: c, {LOG}}}
errors: [{{id: err, {LOG}}}]
""")
        first = await system.until(await system.start(key), is_over)
        assert first.row.execution.state is S.FAILED
        replayed = await system.replay(first.row.execution.id, task_id="b")
        view = await system.until(replayed.row.execution.id, is_over)
    assert {row.run.task_id: row.run.state for row in view.runs}.get("c") is S.SUCCESS
    assert view.row.execution.state is S.SUCCESS


def test_a_parallel_never_has_more_children_than_its_limit() -> None:
    for limit in (1, 2, 3):
        b = Build()
        tasks: list[Any] = [leaf(f"t{number}", inline=False) for number in range(7)]
        plan = b.plan(b.control(Parallel, "p", tasks=tasks, concurrent=limit))
        drive = Drive(plan, work=lambda _r, _n: None, reload=True).start()
        while not drive.ended:
            live = [run for run in drive.execution.runs.values() if run.task_id != "p"]
            assert len(live) == min(
                limit, 7 - sum(run.state.is_terminal for run in drive.rows.values())
            )
            drive.send(
                *(
                    e.TaskFinished(at=drive.now, task_run_id=run.id, attempt=1, state=S.SUCCESS)
                    for run in live
                )
            )
        assert drive.history == "CREATED RUNNING SUCCESS"
