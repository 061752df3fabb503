"""Replay: a new execution from the start or from a task run on; these stay and these are run again (01 §8.2, §11.10)."""

import pytest

from batuta.engine import events as e
from batuta.engine.plan import (
    Dag,
    Each,
    Loop,
)
from batuta.engine.surgery import SurgeryError, mark, replay
from batuta.model.ids import TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Label
from tests.core.operating import AT, NEW, S, edit, from_task, go, marked, ran, tree
from tests.unit.engine.driving import Build, Drive, leaf, words


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


def test_116_a_replay_keeps_dynamic_task_runs() -> None:
    at = Instant(0)
    dynamic = e.ChildRun(task_id="dyn", state=S.SUCCESS, started=at, ended=at, dynamic=True)
    answer = e.TaskFinished(at=at, task_run_id="", attempt=0, state=S.SUCCESS, children=(dynamic,))  # type: ignore[arg-type]
    drive = Drive(
        Build().plan(leaf("a"), leaf("b")),
        work=lambda r, _n: answer if r.task_id == "a" else S.SUCCESS,
        reload=True,
    ).start()
    edited = from_task(drive, "b")
    assert [str(run.state) for run in edited.saved] == ["SUCCESS", "SUCCESS", "RESTARTED"]
    assert go(drive, edited).history.endswith("RESTARTED RUNNING SUCCESS")


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
