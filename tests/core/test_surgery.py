"""Restart, replay, mark: given task runs that ended, then these are run again and these stay (01 §8.1–8.3, §11.10, §12.1)."""

from collections import Counter
from typing import Any

import msgspec
import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.plan import (
    AnyNode,
    Concurrency,
    Dag,
    Each,
    Parallel,
    Pause,
    Sequence,
    Subflow,
    WorkDir,
)
from batuta.engine.surgery import SurgeryError, replay, restart
from batuta.model.ids import ExecutionId
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import State
from tests.core.operating import AT, NEW, S, again, edit, fails, go, marked, ran, tree
from tests.unit.engine.driving import Build, Drive, leaf, words


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


@pytest.mark.parametrize("gone", [False, True])
def test_what_runs_beside_a_pause_runs_anew_in_a_copy(*, gone: bool) -> None:
    """Its attempt belongs to the source, and is not waited for; without its task it is left out."""

    def make(*beside: AnyNode) -> Drive:
        b = Build()
        tasks = [b.control(Pause, "p"), *beside]
        plan = b.plan(b.control(Parallel, "both", tasks=tasks))
        return Drive(plan, work=lambda run, _n: None if run.task_id == "t" else S.SUCCESS)

    drive = make(leaf("t", inline=False)).start()
    plan = make().plan if gone else drive.plan
    rows = tuple(drive.rows.values())
    after = Drive(plan, reload=True)
    after = edit(after, restart(plan, drive.execution, rows, at=AT, new_id=NEW))
    after.send(e.Restarted(at=AT))
    assert after.history == "CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS"
    states = (
        {} if gone else {"both/t": "CREATED SUBMITTED RUNNING RESTARTED SUBMITTED RUNNING SUCCESS"}
    )
    assert {path: words for path, words in after.runs.items() if path.endswith("/t")} == states


@pytest.mark.parametrize("order", ["restart", "replay"])
def test_a_working_directory_that_runs_beside_begins_anew_in_a_copy(order: str) -> None:
    """With a child from before, as after a mark of that child."""
    at = Instant(0)
    one = e.ChildRun(task_id="one", state=S.SUCCESS, started=at, ended=at)
    job = e.TaskFinished(at=at, task_run_id="", attempt=0, state=S.SUCCESS, children=(one,))  # type: ignore[arg-type]
    b = Build()
    tasks = [b.control(Pause, "p"), b.control(WorkDir, "wd", tasks=[leaf("one")])]
    plan = b.plan(b.control(Parallel, "both", tasks=tasks))
    drive = Drive(plan, work=lambda _r, _n: job).start()
    rows = [
        msgspec.structs.replace(run, histories=run.histories[:-1]) if run.task_id == "wd" else run
        for run in drive.rows.values()
    ]
    assert [run.state for run in rows if run.task_id in {"wd", "one"}] == [S.RUNNING, S.SUCCESS]
    if order == "restart":
        edited = restart(plan, drive.execution, rows, at=AT, new_id=NEW)
    else:
        target = drive.run("both/p").id
        edited = replay(plan, drive.execution, rows, at=AT, new_id=NEW, task_run_id=target)
    after = edit(Drive(plan, work=lambda _r, _n: job, reload=True), edited)
    assert after.runs["both/wd"] == "CREATED RUNNING RESTARTED"
    assert "both/wd/one" not in after.runs
    after.send(e.Restarted(at=AT))
    assert after.runs["both/wd/one"] == "CREATED RUNNING SUCCESS"


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


def test_batches_that_cannot_be_restarted_wait_for_those_that_are_being_made() -> None:
    drive = batches(S.FAILED, None)
    drive.starting = False
    after = go(drive, again(drive))
    run = after.run("each/each_items")
    attempt = after.told(c.RestartChildren)[0].attempt
    after.send(e.ChildStarted(at=AT, task_run_id=run.id, attempt=attempt, problem="deleted"))
    assert after.history.endswith("RESTARTED RUNNING")
    kid = ExecutionId("kid1")
    after.send(
        e.ChildStarted(at=AT, task_run_id=run.id, attempt=attempt, index=1, execution_id=kid)
    )
    end_batch(after, 1, S.SUCCESS)
    assert after.history.endswith("RUNNING FAILED")


def test_only_what_was_never_made_is_made_at_a_restart() -> None:
    drive = batches(S.SUCCESS, None)
    after = go(drive, again(drive))
    assert not after.told(c.RestartChildren)
    assert [start.index for start in after.told(c.StartChild)] == [1]


def test_all_batches_are_made_anew_on_request() -> None:
    drive = batches(S.SUCCESS, S.FAILED, restart_failed=False)
    after = go(drive, again(drive))
    assert names(after)["StartChild"] == 2


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


@pytest.mark.parametrize("first", [None, S.SUCCESS])
def test_batches_that_nobody_waits_for_are_made_again(first: State | None) -> None:
    drive = batches(first, None, wait=False)
    assert drive.history == "CREATED RUNNING FAILED"
    drive.child = lambda start: f"kid{start.index}"
    after = go(drive, again(drive))
    assert after.output("each/each_items")["iterations"]["SUCCESS"] == 2
    assert after.history.endswith("RESTARTED RUNNING SUCCESS")
