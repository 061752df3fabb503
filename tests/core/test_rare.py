"""What happens seldom: results that come between an edit and its restart, kills and losses at odd moments."""

from typing import Any

import pytest

from batuta.engine import events as e
from batuta.engine.execution import Attempt, Progress, TaskRun
from batuta.engine.live import live_runs
from batuta.engine.nodes import dag
from batuta.engine.plan import Concurrency, Dag, Parallel, Pause
from batuta.engine.turn import Turn
from batuta.model.ids import TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.state import History, State
from tests.core.operating import AT, again, edit, marked
from tests.unit.engine.driving import Build, Drive, leaf, retry

S = State


def waiting(*names: str) -> Any:
    """These are left running."""
    return lambda run, _number: None if run.task_id in names else S.SUCCESS


def test_a_failure_that_is_taken_back_lets_the_errors_end_and_nothing_follow() -> None:
    """01 §4.7: what has gone over to `errors` does not come back."""
    plan = Build().plan(leaf("a"), leaf("b"), errors=[leaf("e", inline=False)])
    drive = Drive(
        plan,
        work=lambda r, _n: {"a": S.FAILED, "e": None}.get(r.task_id, S.SUCCESS),
        reload=True,
    ).start()
    after = edit(drive, marked(drive, "a", S.SUCCESS)).send(e.Restarted(at=AT))
    after.finish("e")
    assert list(after.runs) == ["a", "e"]
    assert after.history.endswith("RESTARTED RUNNING SUCCESS")


def test_a_kill_while_a_task_after_the_end_waits_for_its_retry() -> None:
    plan = Build().plan(leaf("a"), after=[leaf("x", retry=retry()), leaf("y")])
    drive = Drive(plan, work=lambda r, _n: S.FAILED if r.task_id == "x" else S.SUCCESS, reload=True)
    drive.start().send(e.KillRequested(at=Instant(0)))
    assert not drive.ended
    drive.send(e.KillRequested(at=Instant(0), after=True))
    assert drive.ended
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert drive.runs["x"].endswith("FAILED RETRYING KILLED")
    assert "y" not in drive.runs


def test_a_result_between_an_edit_and_its_restart_unlocks_what_depends_on_it() -> None:
    b = Build()
    node = b.control(
        Dag,
        "g",
        tasks=[leaf("a", inline=False), leaf("b", inline=False), leaf("c")],
        depends_on={"c": ("a",)},
    )
    drive = Drive(b.plan(node), work=waiting("a", "b"), reload=True).start()
    after = edit(drive, marked(drive, "g/b", S.SUCCESS))
    after.finish("g/a")
    assert "g/c" not in after.runs
    after.send(e.Restarted(at=AT))
    assert after.runs["g/c"].endswith("SUCCESS")
    assert after.history.endswith("RESTARTED RUNNING SUCCESS")


def test_a_child_that_a_dag_does_not_know_counts_for_nothing() -> None:
    b = Build()
    drive = Drive(
        b.plan(b.control(Dag, "g", tasks=[leaf("a", inline=False)])),
        work=waiting("a"),
    ).start()
    turn = Turn(drive.plan, drive.execution, AT)
    run = turn.runs[drive.run("g").id]
    before = turn.progress(run)
    stranger = TaskRun(
        id=TaskRunId("x"), task_id=TaskId("x"), ordinal=9, histories=(History(S.SUCCESS, AT),)
    )
    dag.counted(turn, run, stranger)
    assert turn.progress(run) == before


def test_a_timeout_that_cannot_be_rendered_any_more_fails_a_task_that_was_lost() -> None:
    plan = Build().plan(leaf("a", inline=False, timeout="{{ x }}"))
    drive = Drive(plan, work=waiting("a"), render=lambda _r: {"timeout": "PT1S"}, reload=True)
    drive.start()
    drive.render = lambda _r: "no x"
    drive.send(e.AttemptLost(at=drive.now, task_run_id=drive.run("a").id, attempt=1))
    assert drive.attempts["a"] == "RESUBMITTED FAILED"
    assert drive.history == "CREATED RUNNING FAILED"
    assert drive.runs["a"].count("RUNNING") == 1


@pytest.mark.parametrize("kind", [Parallel, Dag])
def test_a_limit_that_cannot_be_rendered_fails_the_task(kind: type[Parallel | Dag]) -> None:
    b = Build()
    node = b.control(kind, "p", tasks=[leaf("a")], concurrent="{{ x }}")
    drive = Drive(b.plan(node), render=lambda _r: "no x", reload=True).start()
    assert drive.runs == {"p": "CREATED RUNNING FAILED"}
    assert drive.history == "CREATED RUNNING FAILED"


def test_a_mark_beside_a_breakpoint_and_a_pause_leaves_the_execution_paused() -> None:
    b = Build()
    node = b.control(Parallel, "p", tasks=[b.control(Pause, "wait"), leaf("stop"), leaf("t")])
    drive = Drive(b.plan(node), header={"breakpoints": (("stop", None),)}, reload=True).start()
    assert drive.state_is(S.BREAKPOINT)
    after = edit(drive, marked(drive, "p/stop", S.SUCCESS)).send(e.Restarted(at=AT))
    assert after.history.endswith("RESTARTED RUNNING PAUSED")
    after.send(e.Resumed(at=AT))
    assert after.history.endswith("SUCCESS")


def _run(*states: State, attempts: tuple[State, ...] = (), given: int = 0) -> TaskRun:
    return TaskRun(
        id=TaskRunId("r"),
        task_id=TaskId("t"),
        ordinal=0,
        histories=tuple(History(state, AT) for state in states),
        attempts=tuple(Attempt((History(state, AT),)) for state in attempts) or None,
        progress=Progress(given=given),
    )


NUMBERS = [
    (_run(S.CREATED), 1),
    (_run(S.RUNNING, attempts=(S.RUNNING,), given=1), 1),
    (_run(S.SUCCESS, attempts=(S.FAILED, S.SUCCESS), given=2), 2),
    (_run(S.RETRYING, attempts=(S.FAILED,), given=1), 2),
    (_run(S.RESTARTED, attempts=(S.FAILED,), given=3), 4),
    (_run(S.SKIPPED), 1),
]


@pytest.mark.parametrize(("run", "number"), NUMBERS)
def test_the_number_of_an_attempt_is_never_used_twice(run: TaskRun, number: int) -> None:
    assert run.attempt_number == number


def test_a_task_run_that_was_taken_out_is_not_found() -> None:
    runs = live_runs({TaskRunId("r"): _run(S.CREATED)}).draft()
    assert runs[TaskRunId("r")].state is S.CREATED
    runs.put(TaskRunId("r"), None)
    with pytest.raises(KeyError):
        runs[TaskRunId("r")]
    assert runs.get(TaskRunId("r")) is None


def _marked_while_it_waits_for_a_slot() -> Drive:
    plan = Build().plan(leaf("a"), leaf("b", inline=False), concurrency=Concurrency(limit=1))
    drive = Drive(
        plan,
        work=lambda r, _n: {"a": S.FAILED}.get(r.task_id),
        slot=lambda drive: e.SlotGranted(at=drive.now),
        reload=True,
    ).start()
    drive.slot = lambda _drive: None
    after = edit(drive, again(drive)).send(e.Restarted(at=AT))
    assert after.state_is(S.RESTARTED)
    return edit(after, marked(after, "a", S.SUCCESS)).send(e.Restarted(at=AT))


SLOTS: list[tuple[e.AnyEvent, bool]] = [
    (e.SlotGranted(at=AT), True),
    (e.SlotDenied(at=AT, running=1, limit=1, behavior="CANCEL"), False),
    (e.SlotDenied(at=AT, running=1, limit=1, behavior="FAIL"), False),
    (e.SlotDenied(at=AT, running=1, limit=1, behavior="QUEUE"), False),
]


@pytest.mark.parametrize(("answer", "holds"), SLOTS)
def test_an_answer_about_the_limit_that_comes_too_late_changes_nothing_of_the_tasks(
    answer: e.AnyEvent, *, holds: bool
) -> None:
    drive = _marked_while_it_waits_for_a_slot()
    assert drive.runs["b"] == "CREATED SUBMITTED RUNNING"
    before = drive.history
    drive.send(answer)
    assert drive.history == before
    assert drive.execution.holds_slot is holds
    assert drive.runs["b"] == "CREATED SUBMITTED RUNNING"
    drive.finish("b")
    assert drive.history == f"{before} SUCCESS"
    assert not drive.execution.holds_slot
