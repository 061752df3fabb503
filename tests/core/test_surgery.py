"""Restart, replay, mark: given task runs that ended, then these are run again and these stay (01 §8.1–8.3, §11.10, §12.1)."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from batuta.engine import events as e
from batuta.engine.plan import (
    AnyNode,
    Concurrency,
    Dag,
    Each,
    Loop,
    Parallel,
    Pause,
    Plan,
    Sequence,
    Subflow,
    WorkDir,
)
from batuta.engine.surgery import Edited, SurgeryError, mark, replay, restart
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import State
from tests.unit.engine.driving import Build, Drive, leaf, words

S = State
NEW = ExecutionId("new")
AT = Instant(7)


def fails(*paths: str) -> Any:
    """These fail at their first attempt; a name may carry a value: `t[a]`."""

    def work(run: Any, attempt: int) -> State:
        names = {run.task_id, f"{run.task_id}[{run.value}]"}
        return S.FAILED if names & set(paths) and attempt == 1 else S.SUCCESS

    return work


def edit(drive: Drive, edited: Edited) -> Drive:
    """The execution goes on with the edited rows."""
    after = drive
    if edited.execution.id != drive.execution.id:
        after = Drive(
            drive.plan, work=drive.work, render=drive.render, child=drive.child, reload=True
        )
    for run_id in edited.removed:
        after.rows.pop(run_id)
    after.rows.update({run.id: run for run in edited.saved})
    after.execution = edited.execution
    after.commands.clear()
    return after


def go(drive: Drive, edited: Edited) -> Drive:
    after = edit(drive, edited)
    first = after.execution.state is S.CREATED
    return after.send(e.Created(at=AT) if first else e.Restarted(at=AT))


def again(drive: Drive) -> Edited:
    return restart(drive.plan, drive.execution, tuple(drive.rows.values()), at=AT)


def from_task(drive: Drive, path: str | None) -> Edited:
    run_id = None if path is None else drive.run(path).id
    rows = tuple(drive.rows.values())
    return replay(drive.plan, drive.execution, rows, at=AT, new_id=NEW, task_run_id=run_id)


def marked(drive: Drive, path: str, state: State) -> Edited:
    rows = tuple(drive.rows.values())
    return mark(
        drive.plan, drive.execution, rows, task_run_id=drive.run(path).id, state=state, at=AT
    )


def ran(plan: Plan, *bad: str) -> Drive:
    return Drive(plan, work=fails(*bad), reload=True).start()


def test_106_a_restart_runs_the_failed_task_again() -> None:
    drive = ran(
        Build().plan(
            leaf("a"),
            leaf("b"),
            leaf("c"),
            errors=[leaf("e")],
            finally_=[leaf("f")],
            after=[leaf("x")],
        ),
        "b",
    )
    edited = again(drive)
    assert words(edited.execution.histories) == "CREATED RUNNING FAILED RESTARTED"
    assert edited.execution.attempt_number == 2
    assert Label("system.restarted", "true") in edited.execution.labels
    after = edit(drive, edited)
    assert after.order == ["a", "b"]
    assert after.runs["b"] == "CREATED SUBMITTED RUNNING FAILED RESTARTED"
    after.send(e.Restarted(at=AT))
    assert after.history == "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"
    assert after.order == ["a", "b", "c", "f", "x"]
    assert after.runs["b"] == "CREATED SUBMITTED RUNNING FAILED RESTARTED SUBMITTED RUNNING SUCCESS"
    assert after.attempts["b"] == "FAILED SUCCESS"


def test_107_local_and_global_errors_run_again() -> None:
    b = Build()
    sequence = b.control(Sequence, "s", tasks=[leaf("ok"), leaf("bad")], errors=[leaf("e")])
    drive = Drive(
        b.plan(sequence, errors=[leaf("g")]),
        work=lambda r, _n: S.FAILED if r.task_id == "bad" else S.SUCCESS,
    ).start()
    after = edit(drive, again(drive))
    assert after.order == ["s", "s/ok", "s/bad"]
    assert after.runs["s"] == "CREATED RUNNING FAILED RUNNING"
    after.send(e.Restarted(at=AT))
    assert after.order == ["s", "s/ok", "s/bad", "s/e", "g"]
    assert after.attempts["s/bad"] == "FAILED FAILED"
    assert after.attempts["s"] == "FAILED"
    assert len(after.run("s").attempts or ()) == 1


LOOPS = [
    # concurrency, ordered, failing, runs after the restart has ended
    (1, True, "u[b]", ["l", "l/t[a]", "l/u[a]", "l/t[b]", "l/u[b]", "l/t[c]", "l/u[c]", "end"]),
    (0, True, "t[b]", ["l", "l/t[a]", "l/t[b]", "l/t[c]", "l/u[a]", "l/u[c]", "l/u[b]", "end"]),
    (0, False, "t[b]", ["l", "l/t[a]", "l/u[a]", "l/t[b]", "l/u[b]", "l/t[c]", "l/u[c]", "end"]),
]


@pytest.mark.parametrize(("concurrency", "ordered", "bad", "order"), LOOPS)
def test_110_a_loop_goes_on_where_it_stopped(
    concurrency: int, ordered: bool, bad: str, order: list[str]
) -> None:
    b = Build()
    tasks: list[AnyNode] = [leaf("t"), leaf("u")]
    loop = b.control(
        Each, "l", values=["a", "b", "c"], concurrency=concurrency, ordered=ordered, tasks=tasks
    )
    drive = ran(b.plan(loop, leaf("end")), bad)
    assert drive.history == "CREATED RUNNING FAILED"
    after = go(drive, again(drive))
    assert after.history == "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"
    assert sorted(after.order) == sorted(order)
    assert after.runs["l"] == "CREATED RUNNING FAILED RUNNING SUCCESS"
    assert set(after.attempts.values()) <= {"SUCCESS", "FAILED SUCCESS"}


def test_a_loop_whose_values_were_bad_renders_them_again() -> None:
    b = Build()
    plan = b.plan(
        b.control(Each, "l", values="{{ x }}", tasks=[leaf("t")]),
        b.condition("c", "{{ y }}", [leaf("u")]),
    )
    answers = iter(["no x", {"values": ["a"]}, "no y", {"value": "1"}])
    drive = Drive(plan, render=lambda _r: next(answers), reload=True).start()
    drive = go(drive, again(drive))
    assert drive.history == "CREATED RUNNING FAILED RESTARTED RUNNING FAILED"
    drive = go(drive, again(drive))
    assert drive.history.endswith("RESTARTED RUNNING SUCCESS")
    assert drive.order == ["l", "l/t[a]", "c", "c/u"]


def test_a_dag_and_a_parallel_go_on() -> None:
    b = Build()
    dag = b.control(Dag, "d", tasks=[leaf("a"), leaf("b"), leaf("c")], depends_on={"c": ("a", "b")})
    drive = ran(b.plan(b.control(Parallel, "p", tasks=[dag, leaf("q")])), "b")
    after = go(drive, again(drive))
    assert after.history.endswith("SUCCESS")
    assert Counter(after.attempts.values())["FAILED SUCCESS"] == 1


def test_111_a_working_directory_runs_again_as_a_whole() -> None:
    at = Instant(0)
    results = iter([S.FAILED, S.SUCCESS])

    def work(_run: Any, _attempt: int) -> e.TaskFinished:
        state = next(results)
        children = tuple(
            e.ChildRun(task_id=name, state=state, started=at, ended=at)
            for name in ("one", "two")[: 1 + (state is S.SUCCESS)]
        )
        return e.TaskFinished(at=at, task_run_id="", attempt=0, state=state, children=children)  # type: ignore[arg-type]

    b = Build()
    drive = Drive(
        b.plan(b.control(WorkDir, "wd", tasks=[leaf("one"), leaf("two")])), work=work, reload=True
    ).start()
    after = edit(drive, again(drive))
    assert after.runs == {"wd": "CREATED RUNNING FAILED RESTARTED"}
    after.send(e.Restarted(at=AT))
    assert after.runs["wd"] == "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"
    assert after.attempts["wd"] == "FAILED SUCCESS"
    assert after.order == ["wd", "wd/one", "wd/two"]


def test_109_a_restart_with_another_revision_is_a_new_execution() -> None:
    drive = ran(Build().plan(leaf("a"), leaf("b")), "b")
    plan = msgspec.structs.replace(drive.plan, revision=2)
    edited = restart(plan, drive.execution, tuple(drive.rows.values()), at=AT, new_id=NEW)
    assert edited.execution.id == NEW
    assert edited.execution.parent_id == "exec"
    assert edited.execution.revision == 2
    assert set(edited.copies) == set(drive.rows)
    after = go(drive, edited)
    assert after.history == "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"


REFUSED = [
    (S.SUCCESS, "No task found to restart execution from!"),
    (S.KILLED, "No task found to restart execution from!"),
]


@pytest.mark.parametrize(("state", "message"), REFUSED)
def test_a_restart_needs_something_that_failed(state: State, message: str) -> None:
    drive = Drive(Build().plan(leaf("a")), work=lambda _r, _n: state).start()
    with pytest.raises(SurgeryError, match=message):
        again(drive)


def test_a_running_execution_is_not_restarted() -> None:
    drive = Drive(Build().plan(leaf("a")), work=lambda _r, _n: None).start()
    with pytest.raises(SurgeryError, match="current state is 'RUNNING'"):
        again(drive)


def test_an_execution_that_failed_before_its_first_task_is_restarted() -> None:
    denied = e.SlotDenied(at=AT, running=1, limit=1, behavior="FAIL")
    plan = Build().plan(leaf("a"), concurrency=Concurrency(limit=1))
    drive = Drive(plan, slot=lambda _d: denied).start()
    drive.slot = lambda _d: e.SlotGranted(at=AT)
    after = go(drive, again(drive))
    assert after.history == "CREATED FAILED RESTARTED RUNNING SUCCESS"


def test_122_a_restart_after_a_failure_passes_the_limit_again() -> None:
    drive = ran(Build().plan(leaf("a"), concurrency=Concurrency(limit=1)), "a")
    drive.slot = lambda _d: e.SlotDenied(at=AT, running=1, limit=1, behavior="QUEUE")
    after = go(drive, again(drive))
    assert after.history == "CREATED RUNNING FAILED RESTARTED QUEUED"
    after.send(e.SlotGranted(at=AT))
    assert after.history.endswith("QUEUED RUNNING SUCCESS")
    assert after.ended


def test_a_restart_that_is_refused_a_slot_ends_with_its_task_runs() -> None:
    b = Build()
    plan = b.plan(b.control(Sequence, "s", tasks=[leaf("a")]), concurrency=Concurrency(limit=1))
    drive = ran(plan, "a")
    drive.slot = lambda _d: e.SlotDenied(at=AT, running=1, limit=1, behavior="CANCEL")
    after = go(drive, again(drive))
    assert after.history == "CREATED RUNNING FAILED RESTARTED CANCELLED"
    assert after.runs["s/a"].endswith("RESTARTED KILLED")
    assert after.runs["s"].endswith("RUNNING KILLED")


def test_a_paused_execution_is_restarted_and_does_not_pause_again() -> None:
    b = Build()
    drive = Drive(
        b.plan(b.control(Pause, "p", duration="PT9S", tasks=[leaf("t")]), leaf("z")), reload=True
    ).start()
    after = go(drive, again(drive))
    assert after.runs["p"] == "CREATED RUNNING PAUSED RUNNING SUCCESS"
    assert after.history == "CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS"


def child(state: State, **fields: Any) -> tuple[Drive, list[Any]]:
    node = Subflow(id="call", type="t", namespace="ns", flow_id="f", **fields)  # type: ignore[arg-type]
    drive = Drive(Build().plan(node), child=lambda _c: "kid", reload=True).start()
    run_id = drive.run("call").id
    drive.send(
        e.ChildEnded(at=AT, task_run_id=run_id, execution_id=ExecutionId("kid"), state=state)
    )
    after = go(drive, again(drive))
    return after, [command for command in after.commands if type(command).__name__ == "StartChild"]


@pytest.mark.parametrize(("restart_failed", "kid"), [(True, "kid"), (False, None)])
def test_a_failed_subflow_is_restarted_or_called_anew(
    restart_failed: bool, kid: str | None
) -> None:
    _, starts = child(S.FAILED, restart_failed=restart_failed)
    assert [start.restart for start in starts] == [kid]
    assert [start.attempt for start in starts] == [2]


def batches(*states: State | None, **fields: Any) -> Drive:
    """A ForEachItem whose batches ended so; None: could not be made."""
    call = Subflow(id="each_items", type="t", namespace="ns", flow_id="f", **fields)  # type: ignore[arg-type]
    b = Build()
    plan = b.plan(b.each_item("each", call))
    lines = "\n".join(f"f{n}" for n in range(len(states)))
    drive = Drive(plan, render=lambda _r: {"splits": lines}, reload=True)
    drive.child = lambda start: None if states[start.index or 0] is None else f"kid{start.index}"
    drive.start()
    for number, state in enumerate(states):
        if state is not None:
            end_batch(drive, number, state)
    return drive


def end_batch(drive: Drive, number: int, state: State) -> None:
    run_id = drive.run("each/each_items").id
    drive.send(
        e.ChildEnded(
            at=AT,
            task_run_id=run_id,
            execution_id=ExecutionId(f"kid{number}"),
            index=number,
            state=state,
        )
    )


def names(drive: Drive) -> Counter[str]:
    return Counter(type(command).__name__ for command in drive.commands)


def test_only_failed_batches_are_restarted_and_those_without_execution_made() -> None:
    drive = batches(S.SUCCESS, S.FAILED, None, S.FAILED)
    assert drive.history == "CREATED RUNNING FAILED"
    drive.child = lambda start: f"kid{start.index}"
    after = go(drive, again(drive))
    assert names(after)["RestartChildren"] == 1
    assert names(after)["StartChild"] == 1
    for number in (1, 2, 3):
        assert after.history.endswith("RUNNING")
        end_batch(after, number, S.SUCCESS)
    assert after.history == "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"
    assert after.output("each/each_items")["iterations"] == {
        "CREATED": 0,
        "RUNNING": 0,
        "SUCCESS": 4,
        "FAILED": 0,
    }


def test_batches_that_cannot_be_restarted_stay_failed() -> None:
    drive = batches(S.SUCCESS, S.FAILED)
    after = go(drive, again(drive))
    run = after.run("each/each_items")
    gone = e.ChildStarted(at=AT, task_run_id=run.id, attempt=2, problem="deleted")
    after.send(gone)
    assert after.history.endswith("RUNNING FAILED")


def test_all_batches_are_made_anew_on_request() -> None:
    drive = batches(S.SUCCESS, S.FAILED, restart_failed=False)
    after = go(drive, again(drive))
    assert names(after)["StartChild"] == 2


def test_112_a_replay_from_the_start_is_a_fresh_execution() -> None:
    drive = ran(Build().plan(leaf("a"), leaf("b")), "b")
    edited = from_task(drive, None)
    assert words(edited.execution.histories) == "CREATED"
    assert edited.saved == ()
    assert Label("system.replay", "true") in edited.execution.labels
    assert edited.execution.original_id == "exec"
    assert go(drive, edited).history == "CREATED RUNNING FAILED"


def test_113_a_replay_from_a_task_keeps_what_was_before_it() -> None:
    drive = ran(Build().plan(*(leaf(name) for name in "abcde"), errors=[leaf("e1")]))
    edited = from_task(drive, "b")
    after = edit(drive, edited)
    assert after.order == ["a", "b"]
    assert after.runs["b"] == "CREATED SUBMITTED RUNNING SUCCESS RESTARTED"
    after.send(e.Restarted(at=AT))
    assert after.order == list("abcde")
    assert after.history == "CREATED RUNNING SUCCESS RESTARTED RUNNING SUCCESS"


def test_a_replay_from_a_failed_task_continues_although_there_are_errors() -> None:
    drive = ran(Build().plan(leaf("a"), leaf("b"), errors=[leaf("e")]), "a")
    after = go(drive, from_task(drive, "a"))
    assert after.order == ["a", "b"]
    assert after.history.endswith("RUNNING SUCCESS")


def tree(kind: str) -> Plan:
    """The nested flows of 01 §11.10, 115."""
    b = Build()
    if kind == "parallel":
        inner = b.control(Parallel, "132", tasks=[leaf("1321"), leaf("1322")])
        middle = b.control(Parallel, "13", tasks=[leaf("131"), inner, leaf("133")])
        return b.plan(
            b.control(Parallel, "1", tasks=[leaf("11"), leaf("12"), middle, leaf("14")]), leaf("2")
        )
    if kind == "each":
        inner = b.control(Each, "12", values=["a", "b"], tasks=[leaf("121"), leaf("122")])
        outer = b.control(
            Each, "1", values=["s1", "s2", "s3"], tasks=[leaf("11"), inner, leaf("13")]
        )
        return b.plan(outer, leaf("2"))
    sequence = b.control(Sequence, "21", tasks=[leaf("t1"), leaf("t2")])
    outer = b.control(
        Each, "1", values=["1", "2", "3"], concurrency=0, ordered=False, tasks=[sequence]
    )
    return b.plan(outer, leaf("2"))


REPLAYS = [
    # flow, runs, target, runs kept
    ("parallel", 11, "1/13/132", 8),
    ("each", 23, "1/12[s1]", 5),
    ("each", 23, "1/12[s1]/121[a]", 6),
    ("concurrent", 11, "1/21[1]", 8),
]


@pytest.mark.parametrize(("kind", "total", "target", "kept"), REPLAYS)
def test_115_a_replay_inside_control_tasks_keeps_what_does_not_follow(
    kind: str, total: int, target: str, kept: int
) -> None:
    drive = ran(tree(kind))
    assert len(drive.rows) == total
    after = edit(drive, from_task(drive, target))
    assert len(after.rows) == kept
    assert not set(after.rows) & set(drive.rows)
    after.send(e.Restarted(at=AT))
    assert after.history.endswith("RESTARTED RUNNING SUCCESS")
    assert sorted(after.order) == sorted(drive.order)


def test_a_replay_in_a_dag_drops_only_what_depends_on_the_task() -> None:
    b = Build()
    needs = {"b": ("a",), "c": ("b",), "e": ("d",)}
    plan = b.plan(b.control(Dag, "g", tasks=[leaf(name) for name in "abcde"], depends_on=needs))
    drive = ran(plan)
    after = edit(drive, from_task(drive, "g/b"))
    assert sorted(after.order) == ["g", "g/a", "g/b", "g/d", "g/e"]
    assert after.send(e.Restarted(at=AT)).history.endswith("SUCCESS")


def test_a_replay_of_errors_keeps_the_failure() -> None:
    drive = ran(Build().plan(leaf("a"), errors=[leaf("e1"), leaf("e2")], finally_=[leaf("f")]), "a")
    after = go(drive, from_task(drive, "e1"))
    assert after.history == "CREATED RUNNING FAILED RESTARTED RUNNING FAILED"
    assert after.order == ["a", "e1", "e2", "f"]
    assert after.attempts["a"] == "FAILED"


def test_a_replay_from_a_loop_or_a_choice_begins_it_anew() -> None:
    b = Build()
    plan = b.plan(
        b.condition("c", "{{ x }}", [leaf("yes")], [leaf("no")]),
        b.control(Loop, "u", condition="{{ x }}", interval="PT1S", tasks=[leaf("t")]),
    )
    drive = Drive(
        plan, render=lambda r: {**r.values, "value": "1", "condition": "1"}, reload=True
    ).start()
    drive.render = lambda r: {**r.values, "value": "0", "condition": "1"}
    after = go(drive, from_task(drive, "c"))
    assert after.order == ["c", "c/no", "u", "u/t#0"]
    again_ = go(drive, from_task(drive, "u"))
    assert again_.order == ["c", "c/yes", "u", "u/t#0"]


NO_REPLAY = ["x", "dyn"]


@pytest.mark.parametrize("path", NO_REPLAY)
def test_some_task_runs_cannot_be_replayed(path: str) -> None:
    at = Instant(0)
    dynamic = e.ChildRun(task_id="dyn", state=S.SUCCESS, started=at, ended=at, dynamic=True)
    answer = e.TaskFinished(at=at, task_run_id="", attempt=0, state=S.SUCCESS, children=(dynamic,))  # type: ignore[arg-type]
    drive = Drive(
        Build().plan(leaf("a"), after=[leaf("x")]),
        work=lambda r, _n: answer if r.task_id == "a" else S.SUCCESS,
    ).start()
    with pytest.raises(SurgeryError, match="cannot be"):
        from_task(drive, path)
    with pytest.raises(SurgeryError, match="cannot be run again"):
        marked(drive, path, S.RUNNING)


def test_unknown_task_runs_are_refused() -> None:
    drive = ran(Build().plan(leaf("a")))
    rows = tuple(drive.rows.values())
    with pytest.raises(SurgeryError, match="does not exist"):
        replay(drive.plan, drive.execution, rows, at=AT, new_id=NEW, task_run_id=TaskRunId("zz"))
    with pytest.raises(SurgeryError, match="does not exist"):
        mark(drive.plan, drive.execution, rows, task_run_id=TaskRunId("zz"), state=S.FAILED, at=AT)


def test_a_running_execution_is_replayed_with_what_runs_restarted() -> None:
    b = Build()
    loop = b.control(Each, "l", values=["a", "b"], concurrency=0, tasks=[leaf("t", inline=False)])
    drive = Drive(b.plan(loop), work=lambda _r, _n: None).start()
    edited = from_task(drive, "l/t[a]")
    assert [run.state for run in edited.saved] == [S.RUNNING, S.RESTARTED, S.RESTARTED]


def test_117_a_marked_task_run_lets_the_flow_go_on() -> None:
    drive = ran(Build().plan(leaf("bad"), leaf("next"), errors=[leaf("e")]), "bad")
    edited = marked(drive, "bad", S.SUCCESS)
    after = edit(drive, edited)
    assert after.runs == {"bad": "CREATED SUBMITTED RUNNING FAILED SUCCESS"}
    assert after.attempts == {"bad": "SUCCESS"}
    after.send(e.Restarted(at=AT))
    assert after.order == ["bad", "next"]
    assert after.history == "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"


def test_117_a_marked_failure_goes_up() -> None:
    drive = ran(tree("concurrent"))
    edited = marked(drive, "1/21[1]", S.FAILED)
    after = edit(drive, edited)
    assert len(after.rows) == 11
    assert after.runs["1/21[1]"] == "CREATED RUNNING SUCCESS FAILED"
    assert after.runs["1"] == "CREATED RUNNING SUCCESS RUNNING"
    after.send(e.Restarted(at=AT))
    assert after.history.endswith("RESTARTED RUNNING FAILED")


def test_a_task_run_marked_running_is_run_again() -> None:
    drive = ran(Build().plan(leaf("a"), leaf("b")))
    after = go(drive, marked(drive, "b", S.RUNNING))
    assert (
        after.runs["b"] == "CREATED SUBMITTED RUNNING SUCCESS RESTARTED SUBMITTED RUNNING SUCCESS"
    )


def test_marks_of_working_directories_and_of_their_children() -> None:
    at = Instant(0)
    runs = tuple(
        e.ChildRun(task_id=name, state=state, started=at, ended=at)
        for name, state in (("one", S.SUCCESS), ("two", S.FAILED))
    )
    answer = e.TaskFinished(at=at, task_run_id="", attempt=0, state=S.FAILED, children=runs)  # type: ignore[arg-type]
    b = Build()
    plan = b.plan(b.control(WorkDir, "wd", tasks=[leaf("one"), leaf("two"), leaf("three")]))
    drive = Drive(
        plan, work=lambda r, _n: answer if r.task_id == "wd" else S.SUCCESS, reload=True
    ).start()
    after = go(drive, marked(drive, "wd/two", S.SUCCESS))
    assert after.order == ["wd", "wd/one", "wd/two", "wd/three"]
    assert after.history.endswith("SUCCESS")
    whole = go(after, marked(after, "wd", S.RUNNING))
    assert whole.order == ["wd", "wd/one", "wd/two"]


def test_a_mark_beside_a_pause_leaves_the_execution_paused() -> None:
    b = Build()
    pauses = [
        b.control(Pause, "p", duration="PT9S"),
        b.control(Pause, "q"),
        leaf("bad", allow_failure=True),
    ]
    plan = b.plan(b.control(Parallel, "par", tasks=pauses))
    drive = Drive(plan, work=fails("bad"), reload=True).start()
    after = go(drive, marked(drive, "par/p", S.RUNNING))
    assert after.runs["par/p"] == "CREATED RUNNING PAUSED SUCCESS"
    assert after.history == "CREATED RUNNING PAUSED"
    after.send(e.Resumed(at=AT))
    assert after.history == "CREATED RUNNING PAUSED RESTARTED RUNNING WARNING"


def test_a_mark_in_after_execution_changes_only_the_task_run() -> None:
    drive = ran(Build().plan(leaf("a"), after=[leaf("x")]))
    edited = marked(drive, "x", S.FAILED)
    assert edited.execution is drive.execution
    after = go(drive, edited)
    assert after.history == "CREATED RUNNING SUCCESS"
    assert after.runs["x"].endswith("SUCCESS FAILED")


def test_a_mark_in_errors_runs_what_follows_again() -> None:
    drive = ran(
        Build().plan(
            leaf("a"), errors=[leaf("e1"), leaf("e2")], finally_=[leaf("f")], after=[leaf("x")]
        ),
        "a",
    )
    after = edit(drive, marked(drive, "e1", S.RUNNING))
    assert after.order == ["a", "e1", "e2"]
    after.send(e.Restarted(at=AT))
    assert after.order == ["a", "e1", "e2", "f", "x"]
    assert after.history.endswith("RESTARTED RUNNING FAILED")


def test_a_live_execution_is_marked() -> None:
    b = Build()
    loop = b.control(
        Each,
        "l",
        values=["a", "b"],
        concurrency=0,
        tasks=[leaf("t", inline=False)],
        finally_=[leaf("f")],
    )
    drive = Drive(
        b.plan(loop), work=lambda r, _n: S.SUCCESS if r.task_id == "f" else None, reload=True
    ).start()
    after = go(drive, marked(drive, "l/t[a]", S.SUCCESS))
    assert after.history == "CREATED RUNNING RESTARTED RUNNING"
    after.finish("l/t[b]")
    assert after.order == ["l", "l/t[a]", "l/t[b]", "l/f"]
    assert after.history.endswith("SUCCESS")
