"""What happens seldom: an end in the middle of something, a flow that changed, an edit of what is still running."""

from typing import Any

import msgspec
import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.execution import TaskRun
from batuta.engine.live import live_runs
from batuta.engine.plan import (
    Concurrency,
    Dag,
    Each,
    Loop,
    Parallel,
    Pause,
    Sequence,
    Subflow,
    WorkDir,
)
from batuta.engine.step import step
from batuta.engine.surgery import SurgeryError, replay, restart
from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import History
from tests.core.operating import AT, NEW, S, fails, from_task, go, marked, ran
from tests.unit.engine.driving import Build, Drive, leaf, retry, words


def waiting(*names: str) -> Any:
    """These tasks are left running, the others succeed."""
    return lambda run, _attempt: None if run.task_id in names else S.SUCCESS


def slow(name: str) -> Any:
    return leaf(name, inline=False)


# -- killing in the middle ------------------------------------------------------------------------------------


def test_a_kill_in_a_pass_or_in_the_tasks_of_a_pause_ends_them_after_their_children() -> None:
    for kind, fields in ((Loop, {"condition": "0"}), (Pause, {"duration": "PT1S"})):
        b = Build()
        plan = b.plan(b.control(kind, "c", tasks=[slow("t")], **fields))
        drive = Drive(plan, work=waiting("t"), reload=True).start().fire()
        drive.send(e.KillRequested(at=drive.now))
        assert drive.history.endswith("KILLING")
        (path,) = (path for path in drive.runs if "t" in path)
        drive.finish(path, S.KILLED)
        assert drive.history.endswith("KILLING KILLED")
        assert drive.runs["c"].endswith("KILLED")


def test_control_tasks_that_wait_for_a_slot_without_children_are_killed_at_once() -> None:
    b = Build()
    loop = b.control(Loop, "l", condition="1", tasks=[leaf("a"), leaf("b")])
    plan = b.plan(b.control(Sequence, "s", tasks=[loop]), concurrency=Concurrency(limit=1))
    for path in ("s/l/a#0", "s/l"):
        drive = ran(plan, "a")
        drive.slot = lambda _d: e.SlotDenied(at=AT, running=1, limit=1, behavior="QUEUE")
        after = go(drive, marked(drive, path, S.SUCCESS)).send(e.KillRequested(at=AT))
        assert after.history.endswith("RESTARTED QUEUED KILLING KILLED")
        assert after.runs["s"].endswith("RUNNING KILLED")


def test_a_control_task_that_stands_at_a_breakpoint_is_killed() -> None:
    b = Build()
    plan = b.plan(b.control(Sequence, "s", tasks=[leaf("a")]))
    drive = Drive(plan, header={"breakpoints": (("s", None),)}).start()
    drive.send(e.KillRequested(at=AT))
    assert drive.history == "CREATED RUNNING BREAKPOINT KILLING KILLED"


def test_a_batch_made_while_its_execution_is_killed_is_killed() -> None:
    b = Build()
    call = Subflow(id=TaskId("each_items"), type="test.Subflow", namespace="ns", flow_id="child")
    drive = Drive(
        b.plan(b.each_item("each", call)), render=lambda _r: {"splits": "f"}, starting=False
    )
    drive.start().send(e.KillRequested(at=AT))
    assert drive.history == "CREATED RUNNING KILLING"
    run_id = drive.run("each/each_items").id
    kid = ExecutionId("kid")
    drive.send(e.ChildStarted(at=AT, task_run_id=run_id, attempt=1, index=0, execution_id=kid))
    assert drive.told(c.KillChild) == [c.KillChild(execution_id=kid)]
    drive.send(e.ChildEnded(at=AT, task_run_id=run_id, execution_id=kid, index=0, state=S.KILLED))
    assert drive.history == "CREATED RUNNING KILLING KILLED"


def test_a_kill_ends_an_execution_whose_flow_lost_a_control_task() -> None:
    b = Build()
    plan = b.plan(b.control(Sequence, "s", tasks=[slow("a")]))
    drive = Drive(plan, work=waiting("a")).start()
    result = step(Build().plan(leaf("b")), drive.execution, e.KillRequested(at=AT))
    assert words(result.execution.histories) == "CREATED RUNNING KILLING KILLED"
    assert not result.execution.runs


def test_a_kill_and_an_exit_that_cross_leave_one_end() -> None:
    b = Build()
    plan = b.plan(b.control(Parallel, "p", tasks=[slow("exit"), slow("a")]))
    drive = Drive(plan, work=waiting("exit", "a")).start()
    drive.send(e.KillRequested(at=AT))
    drive.finish("p/exit", S.WARNING, exit_state=S.WARNING)
    drive.finish("p/a", S.KILLED)
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    assert drive.ended


# -- several that wait ----------------------------------------------------------------------------------------


def test_two_loops_that_wait_pause_the_execution_once() -> None:
    b = Build()
    loops = [
        b.control(Loop, name, condition="0", interval=f"PT{n}S", max_iterations=2, tasks=[leaf(f"{name}t")])
        for n, name in ((1, "l"), (3, "m"))
    ]  # fmt: skip
    drive = Drive(b.plan(b.control(Parallel, "p", tasks=loops)), reload=True).start().fire()
    assert drive.history == "CREATED RUNNING PAUSED RUNNING SUCCESS"


def test_a_pause_with_tasks_after_the_execution_goes_on_at_once() -> None:
    b = Build()
    pause = b.control(Pause, "p", tasks=[leaf("t")])
    drive = Drive(b.plan(leaf("a"), after=[pause])).start()
    assert drive.runs["p"] == "CREATED RUNNING SUCCESS"
    assert drive.order == ["a", "p", "p/t"]


def test_labels_of_a_call_are_a_map_or_a_list() -> None:
    for labels in (
        {"team": "x", "n": 1},
        [{"key": "team", "value": "x"}, {"key": "n", "value": 1}],
    ):
        call = Subflow(id=TaskId("c"), type="t", namespace="ns", flow_id="f", labels=labels)
        drive = Drive(Build().plan(call)).start()
        assert drive.told(c.StartChild)[0].labels == (Label("team", "x"), Label("n", "1"))


def test_a_job_whose_start_nobody_told_has_an_attempt() -> None:
    b = Build()
    node = b.control(WorkDir, "wd", tasks=[leaf("one")])
    drive = Drive(b.plan(node, leaf("next")), work=waiting("wd"), reload=True)
    drive.plan = msgspec.structs.replace(drive.plan)
    drive.work = lambda _r, _n: S.SUCCESS
    drive.start()
    fresh = Drive(b.plan(node), work=waiting("wd"))
    fresh.execution = fresh.execution
    result = step(fresh.plan, fresh.execution, e.Created(at=AT))
    (command,) = [told for told in result.commands if isinstance(told, c.RunTask)]
    child = e.ChildRun(task_id=TaskId("unknown"), state=S.SUCCESS, started=AT, ended=AT)
    done = e.TaskFinished(
        at=AT, task_run_id=command.task_run.id, attempt=1, state=S.SUCCESS, children=(child,)
    )
    result = step(fresh.plan, result.execution, done)
    saved = {told.task_run.task_id: told.task_run for told in result.changes if isinstance(told, c.RunSaved)}  # fmt: skip
    assert [attempt.state for attempt in saved[TaskId("wd")].attempts or ()] == [S.SUCCESS]
    assert saved[TaskId("unknown")].state is S.SUCCESS


def test_batches_that_are_not_waited_for_any_more_need_no_restart() -> None:
    b = Build()
    call = Subflow(id=TaskId("each_items"), type="t", namespace="ns", flow_id="f")
    plan = b.plan(b.each_item("each", call))
    drive = Drive(plan, render=lambda _r: {"splits": "f"}, starting=False).start()
    run_id = drive.run("each/each_items").id
    refused = e.ChildStarted(at=AT, task_run_id=run_id, attempt=1, problem="deleted")
    assert step(plan, drive.execution, refused).execution is drive.execution


# -- edits of what is still running ---------------------------------------------------------------------------


def test_a_mark_beside_a_retry_lets_all_retries_go_on() -> None:
    b = Build()
    tasks = [
        leaf("a", retry=retry(max_attempts=2)),
        leaf("b", retry=retry(max_attempts=2)),
        leaf("c", allow_failure=True),
        slow("d"),
    ]
    bad = fails("a", "b", "c")
    drive = Drive(
        b.plan(b.control(Parallel, "p", tasks=tasks)),
        work=lambda run, n: None if run.task_id == "d" else bad(run, n),
        reload=True,
    ).start()
    assert drive.history == "CREATED RUNNING RETRYING"
    after = go(drive, marked(drive, "p/c", S.SUCCESS)).fire()
    after.finish("p/d")
    assert after.attempts["p/a"] == after.attempts["p/b"] == "FAILED SUCCESS"
    assert after.history.endswith("SUCCESS")


def test_a_mark_at_a_breakpoint_loses_nothing_that_was_to_begin() -> None:
    b = Build()
    tasks = [leaf("ended"), leaf("stop"), leaf("later")]
    plan = b.plan(b.control(Parallel, "p", tasks=tasks))
    drive = Drive(plan, header={"breakpoints": (("stop", None),)}, reload=True).start()
    assert drive.history == "CREATED RUNNING BREAKPOINT"
    if "p/ended" not in drive.runs or not drive.runs["p/ended"].endswith("SUCCESS"):
        drive.finish("p/ended")
    after = go(drive, marked(drive, "p/ended", S.WARNING))
    assert after.history.endswith("RESTARTED RUNNING BREAKPOINT")
    after.send(e.BreakpointResumed(at=AT))
    assert after.history.endswith("RUNNING WARNING")
    assert all(state.split()[-1] in {"SUCCESS", "WARNING"} for state in after.runs.values())


def test_a_mark_beside_a_job_leaves_the_job_alone() -> None:
    b = Build()
    tasks = [b.control(WorkDir, "wd", tasks=[leaf("one")]), leaf("bad", allow_failure=True)]
    drive = Drive(b.plan(b.control(Parallel, "p", tasks=tasks)), reload=True)
    drive.work = lambda run, _n: None if run.task_id == "wd" else S.FAILED
    drive.start()
    after = go(drive, marked(drive, "p/bad", S.SUCCESS))
    assert len(after.told(c.RunTask)) == 0
    child = e.ChildRun(task_id=TaskId("one"), state=S.SUCCESS, started=AT, ended=AT)
    after.finish("p/wd", children=(child,))
    assert after.runs["p/wd"] == "CREATED RUNNING SUCCESS"
    assert after.history.endswith("SUCCESS")


def test_a_skipped_task_run_is_marked_and_a_running_one_run_again() -> None:
    drive = Drive(Build().plan(leaf("a", run_if=False), leaf("b"))).start()
    edited = marked(drive, "a", S.FAILED)
    assert edited.saved[0].attempts is None
    b = Build()
    live = Drive(b.plan(b.control(Sequence, "s", tasks=[slow("t")])), work=waiting("t")).start()
    edited = marked(live, "s", S.RUNNING)
    assert live.runs["s"] == "CREATED RUNNING"
    assert words(edited.execution.runs[live.run("s").id].histories) == "CREATED RUNNING"


def test_a_mark_of_a_control_task_as_over_ends_what_runs_inside() -> None:
    b = Build()
    tasks = [leaf("a"), slow("t")]
    plan = b.plan(b.control(Sequence, "s", tasks=tasks), leaf("next"))
    drive = Drive(plan, work=waiting("t"), reload=True).start()
    after = go(drive, marked(drive, "s", S.WARNING))
    assert after.runs["s/t"] == "CREATED SUBMITTED RUNNING KILLED"
    assert after.runs["s/a"].endswith("SUCCESS")
    assert after.history == "CREATED RUNNING RESTARTED RUNNING WARNING"
    assert not after.execution.runs


def test_a_mark_beside_a_pass_lets_it_end() -> None:
    b = Build()
    loop = b.control(Loop, "l", condition="1", tasks=[slow("t"), leaf("u")])
    plan = b.plan(b.control(Parallel, "p", tasks=[loop, leaf("bad", allow_failure=True)]))
    drive = Drive(plan, work=waiting("t"), reload=True)
    drive.work = lambda run, _n: {"t": None, "bad": S.FAILED}.get(run.task_id, S.SUCCESS)
    drive.start()
    after = go(drive, marked(drive, "p/bad", S.SUCCESS))
    after.finish("p/l/t#0")
    assert after.history.endswith("RESTARTED RUNNING SUCCESS")


def test_timers_that_are_set_together_fire_in_their_order() -> None:
    b = Build()
    pauses = [b.control(Pause, name, duration="PT1S") for name in "pq"]
    drive = Drive(b.plan(b.control(Parallel, "par", tasks=pauses))).start()
    assert sorted(drive.timers.values()) == [1_000_000, 1_000_001]


def test_an_exit_after_the_execution_changes_nothing() -> None:
    plan = Build().plan(leaf("a"), after=[slow("x")])
    drive = Drive(plan, work=waiting("x")).start()
    drive.finish("x", S.FAILED, exit_state=S.FAILED)
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert drive.ended


# -- the place of task runs -----------------------------------------------------------------------------------


def test_a_replay_from_a_child_of_a_working_directory_runs_the_whole_of_it() -> None:
    b = Build()
    child = e.ChildRun(task_id=TaskId("one"), state=S.SUCCESS, started=AT, ended=AT)
    answer = e.TaskFinished(
        at=AT, task_run_id=TaskRunId(""), attempt=0, state=S.SUCCESS, children=(child,)
    )
    plan = b.plan(leaf("a"), b.control(WorkDir, "wd", tasks=[leaf("one")]), leaf("z"))
    drive = Drive(
        plan, work=lambda r, _n: answer if r.task_id == "wd" else S.SUCCESS, reload=True
    ).start()
    assert {run.task_id: str(run.state) for run in from_task(drive, "wd/one").saved} == {
        "a": "SUCCESS", "wd": "RESTARTED",
    }  # fmt: skip


def test_a_mark_in_finally_runs_the_rest_of_finally() -> None:
    plan = Build().plan(leaf("a"), finally_=[leaf("f"), leaf("g")])
    drive = ran(plan)
    after = go(drive, marked(drive, "f", S.RUNNING))
    assert after.order == ["a", "f", "g"]
    assert after.history == "CREATED RUNNING SUCCESS RESTARTED RUNNING SUCCESS"


def test_a_replay_in_a_dag_knows_what_is_needed_on_several_ways() -> None:
    b = Build()
    needs = {"b": ("a",), "c": ("a",), "d": ("b", "c")}
    dag = b.control(Dag, "g", tasks=[leaf(name) for name in "abcd"], depends_on=needs)
    drive = ran(b.plan(dag))
    kept = {run.task_id for run in from_task(drive, "g/a").saved}
    assert kept == {"g", "a"}


def test_a_replay_in_a_branch_inside_a_loop_keeps_what_came_before() -> None:
    b = Build()
    choice = b.condition("if", "true", [leaf("x"), leaf("y"), leaf("z")])
    each = b.control(Each, "l", values=["1", "2"], tasks=[choice])
    drive = ran(b.plan(each))
    edited = from_task(drive, "l/if[2]/y")
    assert [run.task_id for run in edited.saved] == ["l", "if", "x", "y"]
    after = go(drive, edited)
    assert after.order == ["l", "l/if[2]", "l/if[2]/x", "l/if[2]/y", "l/if[2]/z"]
    assert after.history.endswith("RESTARTED RUNNING SUCCESS")


def test_a_replay_in_a_loop_forgets_inner_tasks_that_are_gone() -> None:
    b = Build()
    inner = b.control(Sequence, "s", tasks=[leaf("t")])
    drive = ran(b.plan(b.control(Each, "l", values=["1", "2"], tasks=[inner, leaf("u")])))
    b = Build()
    plan = b.plan(b.control(Each, "l", values=["1", "2"], tasks=[leaf("t"), leaf("u")]))
    rows = tuple(drive.rows.values())
    target = drive.run("l/s[2]/t").id
    with pytest.raises(SurgeryError, match="'t' cannot be run again: revision 1 of the flow does"):
        replay(plan, drive.execution, rows, at=AT, new_id=NEW, task_run_id=target)
    target = drive.run("l/u[2]").id
    edited = replay(plan, drive.execution, rows, at=AT, new_id=NEW, task_run_id=target)
    drive.plan = plan
    after = go(drive, edited)
    assert after.runs["l/u[2]"].endswith("RESTARTED SUBMITTED RUNNING SUCCESS")
    assert after.history.endswith("RESTARTED RUNNING SUCCESS")


def test_a_restart_with_a_revision_that_lost_what_succeeded_goes_on() -> None:
    b = Build()
    drive = ran(b.plan(b.control(Sequence, "s", tasks=[leaf("a")]), leaf("bad")), "bad")
    rows = tuple(drive.rows.values())
    for tasks in ([leaf("bad"), leaf("more")], [leaf("s"), leaf("bad"), leaf("more")]):
        plan = Build().plan(*tasks)
        edited = restart(plan, drive.execution, rows, at=AT, new_id=NEW)
        assert edited.execution.state is S.RESTARTED
        assert {run.task_id for run in edited.saved} == {"s", "a", "bad"}


def test_a_restart_with_a_revision_that_lost_the_failed_task_is_refused() -> None:
    drive = ran(Build().plan(leaf("a"), leaf("bad")), "bad")
    rows = tuple(drive.rows.values())
    with pytest.raises(SurgeryError, match="'bad' cannot be run again"):
        restart(Build().plan(leaf("a")), drive.execution, rows, at=AT, new_id=NEW)


def test_a_replay_in_the_parts_of_a_for_each_item() -> None:
    b = Build()
    call = Subflow(id=TaskId("i_items"), type="t", namespace="ns", flow_id="f")
    drive = Drive(b.plan(b.each_item("i", call)), render=lambda _r: {"splits": ""}).start()
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert [run.task_id for run in from_task(drive, "i/i_merge").saved] == [
        "i",
        "i_split",
        "i_items",
        "i_merge",
    ]


@pytest.mark.parametrize("kind", ["gone", "leaf"])
def test_a_replay_with_a_revision_that_lost_the_control_task(kind: str) -> None:
    b = Build()
    drive = ran(b.plan(b.control(Sequence, "s", tasks=[leaf("a"), leaf("b")]), leaf("z")))
    tasks = [leaf("z")] if kind == "gone" else [leaf("s"), leaf("z")]
    plan = Build().plan(*tasks)
    rows = tuple(drive.rows.values())
    edited = replay(plan, drive.execution, rows, at=AT, new_id=NEW, task_run_id=drive.run("z").id)
    after = go(drive, edited)
    assert after.history.endswith("RESTARTED RUNNING SUCCESS")


# -- many -----------------------------------------------------------------------------------------------------


def test_live_task_runs_are_a_mapping_however_many_change() -> None:
    def run(name: str) -> TaskRun:
        created = (History(S.CREATED, Instant(0)),)
        return TaskRun(id=TaskRunId(name), task_id=TaskId("t"), ordinal=0, histories=created)

    before = live_runs({TaskRunId(str(n)): run(str(n)) for n in range(200)})
    draft = before.draft()
    for n in range(100, 300):
        draft.put(TaskRunId(str(n)), run(str(n)) if n >= 150 else None)
    after = draft.settled()
    expected = {str(n) for n in (*range(100), *range(150, 300))}
    assert set(after) == expected
    assert len(after) == len(expected)
    assert len(before) == 200
    assert "120" not in after
    assert "299" in after
    again_ = after.draft()
    again_.put(TaskRunId("0"), None)
    small = again_.settled()
    assert len(small) == len(expected) - 1
    assert small.get(TaskRunId("0")) is None
    assert "0" not in set(small)
