"""A task that a worker, or the executor itself, runs: attempts, results, retries."""

from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.engine import retry
from batuta.engine.commands import KillTask, Render, RunTask
from batuta.engine.ending import give_up
from batuta.engine.events import (
    AttemptLost,
    AttemptRefused,
    ChildRun,
    Rendered,
    TaskFinished,
    TaskStarted,
)
from batuta.engine.execution import Attempt, Progress, TaskRun
from batuta.engine.kind import Kind
from batuta.engine.plan import Leaf, WorkDir
from batuta.engine.rollup import forgiven
from batuta.engine.turn import Turn
from batuta.engine.values import is_template, to_duration
from batuta.model.ids import TaskId
from batuta.model.instant import Instant, Micros
from batuta.model.label import merge_labels
from batuta.model.state import Histories, History, State

_replace = msgspec.structs.replace


_TERMS = "timeout"
"""Purpose of the rendering of what must be known before an attempt is given out."""


def enter(turn: Turn, node: Leaf | WorkDir, run: TaskRun) -> None:
    terms = _terms(node)
    templates = {name: value for name, value in terms.items() if is_template(value)}
    if templates:
        turn.note(run, waiting=_TERMS)
        turn.emit(Render(request_id=f"{run.id}/{_TERMS}", values=templates, frame=run))
    else:
        _give_out(turn, node, run, terms=terms)


def rendered(turn: Turn, node: Leaf, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    """The terms of the attempt are known."""
    del purpose
    if event.problem is None:
        _give_out(turn, node, run, terms={**_terms(node), **event.values})
    else:
        _fail(turn, node, run, problem=event.problem)


def _terms(node: Leaf | WorkDir) -> Mapping[str, object]:
    group = node.worker_group
    return {"timeout": node.timeout, "group": None if group is None else group.key}


def _give_out(turn: Turn, node: Leaf | WorkDir, run: TaskRun, *, terms: Mapping[str, Any]) -> None:
    timeout, group = terms["timeout"], terms["group"]
    try:
        limit: Micros | None = None if timeout is None or timeout == "" else to_duration(timeout)
    except ValueError as error:
        _fail(turn, node, run, problem=f"timeout: {error}")
        return
    if isinstance(node, WorkDir):
        if run.state is not State.RUNNING:
            run = turn.mark(run, State.RUNNING)  # 01 §6.10: never SUBMITTED
    elif not node.updates_execution:
        run = turn.mark(run, State.SUBMITTED)
    number = next_number(turn, run)
    turn.note(run, attempt=number, given=number)
    turn.emit(
        RunTask(
            task_run=turn.runs[run.id],
            attempt=number,
            timeout=limit,
            group=str(group).strip() or None if group is not None else None,
        )
    )


def _fail(turn: Turn, node: Leaf | WorkDir, run: TaskRun, *, problem: str) -> None:
    turn.log("ERROR", problem, run)
    if run.state is not State.RUNNING:  # of one that runs again after it was lost
        run = turn.mark(run, State.RUNNING)
    attempts = _ended_attempts(turn, run, state=State.FAILED, event=None)
    settle(turn, node, turn.put(_replace(run, attempts=attempts)), state=State.FAILED)


def next_number(turn: Turn, run: TaskRun) -> int:
    """Of the next attempt; one that was given out and never begun has used up its number."""
    return max(len(run.attempts or ()), turn.progress(run).given) + 1


def kept(turn: Turn, run: TaskRun) -> Progress | None:
    """What is still to be known of a task run that ends."""
    given = turn.progress(run).given
    return Progress(given=given) if given > len(run.attempts or ()) else None


def is_out(turn: Turn, run: TaskRun, number: int) -> bool:
    """Whether this attempt is given out and has not ended."""
    return number > 0 and turn.progress(run).attempt == number


def is_begun(run: TaskRun) -> bool:
    """Whether an attempt is running."""
    return any(not attempt.state.is_terminal for attempt in (run.attempts or ())[-1:])


def started(turn: Turn, _node: Leaf, run: TaskRun, *, event: TaskStarted) -> None:
    if not is_out(turn, run, event.attempt) or is_begun(run):
        return
    run = turn.put(_replace(run, attempts=begun_attempts(run, event.at, event.worker_id)))
    if run.state is not State.RUNNING:
        turn.mark(run, State.RUNNING)


def finished(turn: Turn, node: Leaf, run: TaskRun, *, event: TaskFinished) -> None:
    if not is_out(turn, run, event.attempt):
        return
    shown = event.state is not State.FAILED or event.exit_state is not None
    if run.state is not State.RUNNING and (shown or not node.updates_execution):
        # A start that was not reported apart comes with the end.
        began = History(State.RUNNING, max(event.started or turn.at, run.histories[-1].at))
        run = _replace(run, histories=(*run.histories, began))
    state = State.SUCCESS if event.state is State.SKIPPED else event.state
    attempts = _ended_attempts(turn, run, state=event.exit_state or state, event=event)
    run = turn.put(_replace(run, attempts=attempts))
    turn.note(run, attempt=0)
    run = turn.runs[run.id]
    take_effects(turn, run, event)
    if event.exit_state is not None:
        _exit(turn, run, event.exit_state)
    else:
        settle(turn, node, run, state=event.state)


def take_effects(turn: Turn, run: TaskRun, event: TaskFinished) -> None:
    """What a result tells besides its state: outputs, labels, variables, task runs of its own."""
    if event.outputs is not None:
        turn.outputs(run, event.outputs)
    if event.labels is not None:
        turn.change(labels=merge_labels(turn.execution.labels, event.labels))
    if event.variables is not None:
        turn.change(variables=event.variables)
    for child in event.children:
        if child.dynamic:
            parent = turn.runs.get(run.parent_id) if run.parent_id else None
            add_run(turn, child, parent=parent, worker_id=event.worker_id)


def add_run(
    turn: Turn, child: ChildRun, *, parent: TaskRun | None, worker_id: str | None
) -> TaskRun:
    """The row of a task run that a worker made, as ended as it reports it."""
    created: Histories = (History(State.CREATED, child.started),)
    histories, attempts = created, None
    if child.state is not State.SKIPPED:
        histories = (*created, History(State.RUNNING, child.started))
        result = History(child.attempt_state or child.state, child.ended)
        attempts = (Attempt((*histories, result), log_file=child.log_file, worker_id=worker_id),)
    if child.dynamic:
        histories = (*histories, History(child.state, child.ended))
    run = turn.create(
        TaskId(child.task_id),
        parent,
        histories=histories,
        value=child.value,
        attempts=attempts,
        dynamic=child.dynamic,
    )
    if child.task_run_id is not None:
        run = _replace(run, id=child.task_run_id)
    if child.dynamic:
        turn.save(run)
    if child.outputs is not None:
        turn.outputs(run, child.outputs)
    return run


def lost(turn: Turn, node: Leaf, run: TaskRun, *, event: AttemptLost) -> None:
    """01 §11.13, 149–150: the attempt ends RESUBMITTED and another one is given out."""
    if not is_out(turn, run, event.attempt):
        return
    turn.note(run, attempt=0)
    run = turn.runs[run.id]
    if turn.course.ending is not None:
        attempts = _ended_attempts(turn, run, state=State.KILLED, event=None)
        turn.end(run, State.KILLED, attempts=attempts, progress=kept(turn, run))
    elif event.resubmit:
        attempts = _ended_attempts(turn, run, state=State.RESUBMITTED, event=None)
        turn.log("WARN", "The worker of the task was lost, the task is run again", run)
        again = turn.put(_replace(run, attempts=attempts))
        enter(turn, node, again)
    else:
        turn.log("ERROR", "The worker of the task was lost", run)
        attempts = _ended_attempts(turn, run, state=State.FAILED, event=None)
        if run.state is not State.RUNNING:
            run = turn.mark(run, State.RUNNING)
        settle(turn, node, turn.put(_replace(run, attempts=attempts)), state=State.FAILED)


def refused(turn: Turn, node: Leaf, run: TaskRun, *, event: AttemptRefused) -> None:
    """What the task asked for as the fallback of its worker group (01 §4.1, §5.1)."""
    again = put_back(turn, run, event.attempt)
    if again is not None and not cancelled(turn, node, again, event=event):
        _fail(turn, node, again, problem=unserved(event))


def put_back(turn: Turn, run: TaskRun, number: int) -> TaskRun | None:
    """The task run without the attempt that was given out and has not begun; None if it is not so."""
    if not is_out(turn, run, number) or is_begun(run):
        return None
    turn.note(run, attempt=0)
    return turn.runs[run.id]


def cancelled(turn: Turn, node: Leaf | WorkDir, run: TaskRun, *, event: AttemptRefused) -> bool:
    """Whether the task is to be CANCELLED when no worker may take it; then it is so now."""
    if node.worker_group is None or node.worker_group.fallback != "CANCEL":
        return False
    turn.log("WARN", f"{unserved(event)}, the task is cancelled", run)
    turn.end(run, State.CANCELLED, progress=kept(turn, run))
    return True


def unserved(event: AttemptRefused) -> str:
    return f"No worker serves the worker group `{event.group}`"


def killed(turn: Turn, _node: Leaf, run: TaskRun, *, hard: bool, cascade: bool) -> None:
    """A running attempt is told to stop and reports; what has not begun is KILLED at once (01 §4.9)."""
    del cascade
    given_out = turn.progress(run).attempt > 0
    if not hard and given_out:
        return
    if given_out:
        turn.emit(KillTask(task_run_id=run.id, attempt=turn.progress(run).attempt))
    if not (given_out and is_begun(run)):
        turn.end(run, State.KILLED, progress=kept(turn, run))


def abandon(turn: Turn, run: TaskRun) -> None:
    """A task that was told to stop did not report in time."""
    attempts = _ended_attempts(turn, run, state=State.KILLED, event=None)
    turn.end(run, State.KILLED, attempts=attempts, progress=kept(turn, run))


def _exit(turn: Turn, run: TaskRun, state: State) -> None:
    """01 §6.17. KILLED stops what runs beside; every other state lets it finish."""
    turn.end(run, state, progress=kept(turn, run))
    give_up(turn, run, state, hard=state is State.KILLED)


def settle(turn: Turn, node: Leaf | WorkDir, run: TaskRun, *, state: State) -> None:
    """Repeat the attempt, or end the task run."""
    if state is State.FAILED and retry.repeat(turn, node, run):
        return
    again = any(attempt.state is State.FAILED for attempt in (run.attempts or ())[:-1])
    if state is State.SUCCESS and again and node.retry is not None and node.retry.warning_on_retry:
        state = State.WARNING
    state = forgiven(state, allow_failure=node.allow_failure, allow_warning=node.allow_warning)
    turn.end(run, state, progress=kept(turn, run))


def begun_attempts(run: TaskRun, at: Instant, worker_id: str | None) -> tuple[Attempt, ...]:
    began = (History(State.CREATED, at), History(State.RUNNING, at))
    return (*(run.attempts or ()), Attempt(began, worker_id=worker_id))


def _ended_attempts(
    turn: Turn, run: TaskRun, *, state: State, event: TaskFinished | None
) -> tuple[Attempt, ...]:
    """The attempts of the run, the one given out last ended in `state`; made up if its start is unknown."""
    made = run.attempts or ()
    if not made or made[-1].state.is_terminal:
        began = (event.started if event is not None else None) or turn.at
        made = begun_attempts(run, began, event.worker_id if event is not None else None)
    last = made[-1]
    return (
        *made[:-1],
        Attempt(
            (*last.histories, History(state, max(turn.at, last.histories[-1].at))),
            log_file=event.log_file if event is not None else last.log_file,
            worker_id=last.worker_id,
        ),
    )


KIND = Kind(
    enter=enter,
    killed=killed,
    rendered=rendered,
    started=started,
    finished=finished,
    lost=lost,
    refused=refused,
    fired=retry.fired,
)
