"""Every state of an execution × every event: there is an answer, and impossible events mean nothing (09 §5)."""

from collections.abc import Callable
from typing import Any

import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.execution import Execution
from batuta.engine.plan import Concurrency, Parallel, Pause, Plan
from batuta.engine.step import step
from batuta.engine.surgery import Edited, SurgeryError, mark, replay, restart
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import State
from tests.core.operating import NEW, again, edit, go
from tests.unit.engine.driving import Build, Drive, leaf, retry, words

S = State
AT = Instant(9)
NOBODY = TaskRunId("nobody")


def plan(*tasks: Any, **fields: Any) -> Plan:
    return Build().plan(*(tasks or (leaf("a", inline=False),)), **fields)


def waiting(_run: Any, _attempt: int) -> None:
    return None


def paused() -> Drive:
    b = Build()
    return Drive(b.plan(b.control(Pause, "p"))).start()


def denied() -> e.SlotDenied:
    return e.SlotDenied(at=AT, running=1, limit=1, behavior="QUEUE")


def queued() -> Drive:
    return Drive(plan(concurrency=Concurrency(limit=1)), slot=lambda _d: denied()).start()


def exiting() -> Drive:
    """A task left the execution, another one still runs."""
    b = Build()
    tasks = [leaf("a", inline=False), leaf("b", inline=False)]
    drive = Drive(b.plan(b.control(Parallel, "p", tasks=tasks)), work=waiting).start()
    return drive.finish("p/a", S.WARNING, exit_state=S.WARNING)


def restarted(**fields: Any) -> Drive:
    """The rows are edited, and the executor was not told yet."""
    drive = Drive(plan(**fields), work=lambda _r, _n: S.FAILED).start()
    drive = edit(drive, again(drive))
    drive.work = lambda _r, _n: S.SUCCESS
    return drive


def restarted_queued() -> Drive:
    """Failed, restarted, and refused a slot at once."""
    answers = iter([e.SlotGranted(at=AT), denied()])
    drive = Drive(
        plan(concurrency=Concurrency(limit=1)),
        work=lambda _r, _n: S.FAILED,
        slot=lambda _d: next(answers),
    ).start()
    drive.work = lambda _r, _n: S.SUCCESS
    return go(drive, again(drive))


SITUATIONS: dict[str, Callable[[], Drive]] = {
    "new": lambda: Drive(plan()),
    "scheduled": lambda: Drive(plan(), header={"schedule_date": 99}).start(),
    "queued": queued,
    "running": lambda: Drive(plan(), work=waiting).start(),
    "paused": paused,
    "paused by hand": lambda: Drive(plan(), work=waiting).start().send(e.PauseRequested(at=AT)),
    "retrying": lambda: Drive(plan(leaf("a", retry=retry())), work=lambda _r, _n: S.FAILED).start(),
    "breakpoint": lambda: Drive(plan(), header={"breakpoints": (("a", None),)}).start(),
    "killing": lambda: Drive(plan(), work=waiting).start().send(e.KillRequested(at=AT)),
    "after": lambda: Drive(plan(leaf("a"), after=[leaf("x", inline=False)]), work=lambda r, _n: None if r.task_id == "x" else S.SUCCESS).start(),
    "success": lambda: Drive(plan(leaf("a"))).start(),
    "failed": lambda: Drive(plan(leaf("a")), work=lambda _r, _n: S.FAILED).start(),
    "killed": lambda: Drive(plan(leaf("a")), work=lambda _r, _n: S.KILLED).start(),
    "warning": lambda: Drive(plan(leaf("a")), work=lambda _r, _n: S.WARNING).start(),
    "cancelled": lambda: Drive(plan(), work=waiting).start().finish("a", S.CANCELLED, exit_state=S.CANCELLED),
    "retried": lambda: Drive(plan(leaf("a", retry=retry(new_execution=True))), work=lambda _r, _n: S.FAILED).start(),
    "exiting": exiting,
    "restarted": restarted,
    "restarted, queued": restarted_queued,
}  # fmt: skip

ASKED: dict[str, e.AnyEvent] = {
    "kill": e.KillRequested(at=AT),
    "pause": e.PauseRequested(at=AT),
    "resume": e.Resumed(at=AT),
    "force": e.StatusForced(at=AT, state=S.RUNNING),
    "cancel": e.StatusForced(at=AT, state=S.CANCELLED),
    "breakpoint": e.BreakpointResumed(at=AT),
    "restarted": e.Restarted(at=AT),
    "resume nobody": e.Resumed(at=AT, task_run_id=NOBODY),
    "resume to kill": e.Resumed(at=AT, to=S.KILLING),
    "force fail": e.StatusForced(at=AT, state=S.FAILED),
    "force success": e.StatusForced(at=AT, state=S.SUCCESS),
    "granted": e.SlotGranted(at=AT),
    "delete": e.KillRequested(at=AT, cascade=False, after=True),
    "restart without rows": e.RestartRequested(at=AT),
    "mark without rows": e.MarkRequested(at=AT, task_run_id=NOBODY, state=S.SUCCESS),
}

ANSWERS = {
    # what is asked: situation → last state; situations that are not named stay as they are
    "kill": {
        "new": "KILLED", "scheduled": "KILLED", "queued": "KILLED", "running": "KILLING", "paused": "KILLED", "paused by hand": "KILLING",
        "retrying": "KILLED", "breakpoint": "KILLED", "exiting": "KILLING", "restarted": "KILLED", "restarted, queued": "KILLED",
    },
    "pause": {"running": "PAUSED"},
    "resume": {"paused": "SUCCESS", "paused by hand": "RUNNING"},
    "force": {"scheduled": "SUCCESS", "queued": "SUCCESS", "restarted, queued": "SUCCESS", "paused": "SUCCESS", "paused by hand": "RUNNING"},
    "cancel": {"scheduled": "CANCELLED", "queued": "CANCELLED", "restarted, queued": "CANCELLED", "after": "CANCELLED", "success": "CANCELLED", "failed": "CANCELLED", "killed": "CANCELLED", "warning": "CANCELLED", "retried": "CANCELLED"},
    "force fail": {"scheduled": "FAILED", "queued": "FAILED", "restarted, queued": "FAILED", "after": "FAILED", "success": "FAILED", "killed": "FAILED", "warning": "FAILED", "cancelled": "FAILED", "retried": "FAILED"},
    "force success": {"scheduled": "SUCCESS", "queued": "SUCCESS", "restarted, queued": "SUCCESS", "failed": "SUCCESS", "killed": "SUCCESS", "warning": "SUCCESS", "cancelled": "SUCCESS", "retried": "SUCCESS"},
    "resume nobody": {},
    "resume to kill": {"paused": "KILLED", "paused by hand": "KILLING"},
    "granted": {"queued": "SUCCESS", "restarted, queued": "SUCCESS"},
    "breakpoint": {"breakpoint": "SUCCESS"},
    "restarted": {"restarted": "SUCCESS"},
    "delete": {
        "new": "KILLED", "scheduled": "KILLED", "queued": "KILLED", "running": "KILLING", "paused": "KILLED", "paused by hand": "KILLING",
        "retrying": "KILLED", "breakpoint": "KILLED", "exiting": "KILLING", "after": "SUCCESS", "restarted": "KILLED", "restarted, queued": "KILLED",
    },
    "restart without rows": {},
    "mark without rows": {},
}  # fmt: skip


EDITS: dict[str, Callable[[Drive], Edited]] = {
    "restart": lambda d: restart(d.plan, d.execution, d.rows.values(), at=AT),
    "restart as copy": lambda d: restart(d.plan, d.execution, d.rows.values(), at=AT, new_id=NEW),
    "replay": lambda d: replay(d.plan, d.execution, d.rows.values(), at=AT, new_id=NEW),
    "replay task": lambda d: replay(d.plan, d.execution, d.rows.values(), at=AT, new_id=NEW, task_run_id=first(d)),
    "mark SUCCESS": lambda d: mark(d.plan, d.execution, d.rows.values(), at=AT, task_run_id=first(d), state=S.SUCCESS),
    "mark FAILED": lambda d: mark(d.plan, d.execution, d.rows.values(), at=AT, task_run_id=first(d), state=S.FAILED),
    "mark RUNNING": lambda d: mark(d.plan, d.execution, d.rows.values(), at=AT, task_run_id=first(d), state=S.RUNNING),
}  # fmt: skip

BEFORE = {"new", "scheduled", "queued"}
"""Situations without a task run."""
EDITED = {
    # what is asked: situations in which it is refused, and those that do not end as `usual`
    "restart": (set(SITUATIONS) - {"paused", "failed"}, "SUCCESS", {}),
    "restart as copy": (set(SITUATIONS) - {"paused", "failed"}, "SUCCESS", {}),
    "replay": (set(), "SUCCESS", {"scheduled": "CREATED", "paused": "PAUSED", "breakpoint": "BREAKPOINT"}),
    "replay task": (BEFORE, "SUCCESS", {"breakpoint": "BREAKPOINT"}),
    "mark SUCCESS": (BEFORE | {"killing", "exiting"}, "SUCCESS", {}),
    "mark FAILED": (BEFORE | {"killing", "exiting"}, "FAILED", {}),
    "mark RUNNING": (BEFORE | {"killing", "exiting"}, "SUCCESS", {"breakpoint": "BREAKPOINT"}),
}  # fmt: skip


def first(drive: Drive) -> TaskRunId:
    return next(iter(drive.rows), NOBODY)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("asked", EDITS)
def test_what_people_edit(asked: str, situation: str) -> None:
    drive = SITUATIONS[situation]()
    refused, usual, others = EDITED[asked]
    if situation in refused:
        with pytest.raises(SurgeryError):
            EDITS[asked](drive)
        return
    edited = EDITS[asked](drive)
    drive.work = lambda _r, _n: S.SUCCESS
    assert go(drive, edited).execution.state.value == others.get(situation, usual)


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("asked", ASKED)
def test_what_people_ask_for(asked: str, situation: str) -> None:
    drive = SITUATIONS[situation]()
    before = drive.execution
    drive.send(ASKED[asked])
    expected = ANSWERS[asked].get(situation)
    if expected is None:
        assert drive.execution == before
    else:
        assert drive.execution.state.value == expected


@pytest.mark.parametrize("situation", SITUATIONS)
def test_labels_are_taken_in_whatever_state(situation: str) -> None:
    drive = SITUATIONS[situation]()
    state = drive.execution.state
    label = Label("by", "hand")
    drive.send(e.Labelled(at=AT, labels=(label,)))
    assert label in drive.execution.labels
    assert drive.execution.state is state
    before = drive.execution
    drive.send(e.Labelled(at=AT, labels=(label,)))
    assert drive.execution == before


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("silent", [False, True])
def test_nothing_runs_in_an_execution_that_is_to_be_deleted(
    situation: str, *, silent: bool
) -> None:
    """Whether its tasks answer or not, a minute later all of them are given up."""
    drive = SITUATIONS[situation]()
    drive.send(ASKED["delete"])
    given = [run for run in drive.execution.runs.values() if run.progress and run.progress.attempt]
    if not silent:
        for run in given:
            number = run.progress.attempt if run.progress else 0
            drive.send(e.TaskFinished(at=AT, task_run_id=run.id, attempt=number, state=S.KILLED))
    drive.send(e.TimerFired(at=AT, timer_id="kill"))
    assert not drive.execution.runs
    assert drive.execution.state.is_terminal
    assert not drive.execution.holds_slot


STALE: list[e.AnyEvent] = [
    e.TaskStarted(at=AT, task_run_id=NOBODY, attempt=1),
    e.TaskFinished(at=AT, task_run_id=NOBODY, attempt=1, state=S.SUCCESS),
    e.AttemptLost(at=AT, task_run_id=NOBODY, attempt=1),
    e.ChildStarted(at=AT, task_run_id=NOBODY, attempt=1, execution_id=ExecutionId("x")),
    e.ChildEnded(at=AT, task_run_id=NOBODY, execution_id=ExecutionId("x"), state=S.SUCCESS),
    e.TimerFired(at=AT, timer_id="retry/nobody/1"),
    e.TimerFired(at=AT, timer_id="pause/nobody/0"),
    e.TimerFired(at=AT, timer_id="sla/nothing"),
    e.TimerFired(at=AT, timer_id="kill"),
    e.TimerFired(at=AT, timer_id="what"),
    e.Rendered(at=AT, request_id="nobody/values"),
    e.Rendered(at=AT, request_id="outputs"),
    e.Rendered(at=AT, request_id="output/x"),
    e.Rendered(at=AT, request_id="sla/1"),
    e.SlotDenied(at=AT, running=1, limit=1, behavior="FAIL"),
]


@pytest.mark.parametrize("situation", [name for name in SITUATIONS if name != "queued"])
@pytest.mark.parametrize("event", STALE, ids=lambda event: type(event).__name__)
def test_what_cannot_be_means_nothing(event: e.AnyEvent, situation: str) -> None:
    drive = SITUATIONS[situation]()
    if situation == "killing" and event == e.TimerFired(at=AT, timer_id="kill"):
        return  # that is what the timer is for
    result = step(drive.plan, drive.execution, event)
    assert result.execution is drive.execution
    assert not result.changes
    assert not result.commands


@pytest.mark.parametrize("situation", SITUATIONS)
def test_events_about_other_attempts_of_a_known_task_run_mean_nothing(situation: str) -> None:
    drive = SITUATIONS[situation]()
    for run_id in drive.rows:
        others: list[e.AnyEvent] = [
            e.TaskStarted(at=AT, task_run_id=run_id, attempt=7),
            e.TaskFinished(at=AT, task_run_id=run_id, attempt=0, state=S.SUCCESS),
            e.AttemptLost(at=AT, task_run_id=run_id, attempt=7),
            e.ChildStarted(at=AT, task_run_id=run_id, attempt=7),
            e.ChildEnded(at=AT, task_run_id=run_id, execution_id=ExecutionId("x"), state=S.SUCCESS),
            e.TimerFired(at=AT, timer_id=f"retry/{run_id}/7"),
            e.TimerFired(at=AT, timer_id=f"loop/{run_id}/7"),
            e.Rendered(at=AT, request_id=f"{run_id}/nothing"),
            e.Rendered(at=AT, request_id=f"{run_id}/batch3"),
        ]
        for event in others:
            assert step(drive.plan, drive.execution, event).execution is drive.execution


def test_created_counts_once() -> None:
    drive = Drive(plan(), work=waiting).start()
    result = step(drive.plan, drive.execution, e.Created(at=AT))
    assert result.execution is drive.execution


def test_a_task_run_whose_task_is_gone_is_killed_with_the_execution() -> None:
    drive = Drive(plan(), work=waiting).start()
    other = plan(leaf("b"))
    result = step(other, drive.execution, e.KillRequested(at=AT))
    assert words(result.execution.histories) == "CREATED RUNNING KILLING KILLED"
    assert c.End() in result.commands


def test_the_input_is_never_changed() -> None:
    drive = Drive(plan(), work=waiting).start()
    before: Execution = drive.execution
    runs = dict(before.runs)
    step(drive.plan, before, e.KillRequested(at=AT))
    assert dict(before.runs) == runs
