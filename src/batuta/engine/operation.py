"""What people ask of an execution that is live: kill, pause, resume, go on after a restart, force (01 §8)."""

from batuta.engine import course, retry
from batuta.engine.commands import ClearTimer
from batuta.engine.ending import rouse, stop
from batuta.engine.events import (
    BreakpointResumed,
    KillRequested,
    Labelled,
    Resumed,
    StatusForced,
)
from batuta.engine.execution import Enter, Phase, Slot, TaskRun
from batuta.engine.nodes import pause as pause_node
from batuta.engine.plan import Pause
from batuta.engine.turn import Turn
from batuta.model.label import merge_labels
from batuta.model.state import State

_BEGUN = frozenset({Phase.RUNNING, Phase.OUTPUTS})
_OVER = frozenset({Phase.AFTER, Phase.ENDED})
_TO_BEGIN = frozenset({State.RESTARTED, State.CREATED, State.BREAKPOINT})
"""Of task runs that begin when a restarted execution goes on, unless they are given out already."""


def kill(turn: Turn, event: KillRequested) -> None:
    """01 §4.9. A second request changes nothing."""
    memory = turn.course
    if memory.ending is not None and memory.hard:
        return
    if memory.phase in _OVER or turn.state.is_terminal:
        if memory.phase is Phase.AFTER and event.after:
            stop(turn, turn.state, hard=True, cascade=event.cascade)
        return
    rouse(turn)
    if memory.phase is Phase.SCHEDULED:
        turn.emit(ClearTimer(timer_id="schedule"))
    turn.become(State.KILLING)
    stop(turn, event.to, hard=True, cascade=event.cascade)


def pause(turn: Turn) -> None:
    """Running tasks finish, nothing new is scheduled."""
    if turn.state is State.RUNNING and turn.course.phase in _BEGUN and turn.course.ending is None:
        turn.remember(held=True)
        turn.become(State.PAUSED)


def resume(turn: Turn, event: Resumed) -> None:
    """The Pause that is meant, or the first one, goes on; without one a pause by hand ends (01 §8.4)."""
    if turn.course.ending is not None or turn.course.phase in _OVER:
        return
    meant = [
        (run, node)
        for run in sorted(turn.runs.values(), key=lambda run: run.ordinal)
        if isinstance(node := turn.plan.nodes.get(run.task_id), Pause)
        and run.state is State.PAUSED
        and event.task_run_id in {None, run.id}
    ]
    if event.to is State.KILLING:
        if meant or turn.course.held:
            kill(turn, KillRequested(at=event.at))
    elif meant:
        run, node = meant[0]
        pause_node.resumed(turn, node, run, event=event)
    elif turn.course.held and event.task_run_id is None:
        turn.remember(held=False)
        turn.become(State.RUNNING)


def label(turn: Turn, event: Labelled) -> None:
    labels = merge_labels(turn.execution.labels, event.labels)
    if labels != turn.execution.labels:
        turn.change(labels=labels)


def is_breakpoint(turn: Turn, run: TaskRun) -> bool:
    """Whether the task run has to stop before it begins; nothing stops twice, or once the execution is over."""
    passed = turn.progress(run).passed or turn.course.phase is not Phase.RUNNING
    return not passed and any(
        task_id == run.task_id and value in {None, run.value}
        for task_id, value in turn.execution.breakpoints
    )


def leave_breakpoint(turn: Turn, event: BreakpointResumed) -> None:
    """01 §8: what stood at a breakpoint begins, and the breakpoints are replaced."""
    if turn.state is not State.BREAKPOINT:
        return
    waiting = [run for run in turn.runs.values() if run.state is State.BREAKPOINT]
    turn.change(breakpoints=event.breakpoints)
    for run in sorted(waiting, key=lambda run: run.ordinal):
        turn.note(turn.mark(run, State.CREATED), passed=True)
        turn.agenda.append(Enter(run.id))
    turn.become(State.PAUSED if _waits(turn) else State.RUNNING)


def _waits(turn: Turn) -> bool:
    """01 §6.12: the execution stays PAUSED until no Pause waits, so that somebody can resume it."""
    return any(pause_node.is_waiting(turn, run) for run in turn.runs.values())


def restarted(turn: Turn) -> None:
    """`surgery` has edited the rows: pass the concurrency limit again after a failure, then go on (01 §8.1)."""
    edited = turn.state in {State.RESTARTED, State.PAUSED} and turn.course.phase is Phase.NEW
    if not edited:
        return
    for run in sorted(turn.runs.values(), key=lambda run: run.ordinal):
        memory = turn.progress(run)
        if run.state in _TO_BEGIN and not memory.attempt and memory.due is None:
            turn.agenda.append(Enter(run.id))
        elif run.state is State.RUNNING:
            turn.advance(run)
    histories = turn.execution.histories
    if turn.state is State.PAUSED:
        turn.remember(phase=Phase.RUNNING)  # a Pause waits beside what was edited
    elif len(histories) > 1 and histories[-2].state is State.FAILED:
        course.admit(turn)
    else:
        course.begin(turn)
        if _waits(turn):  # a Pause beside a breakpoint
            turn.become(State.PAUSED)
    retry.take_up(turn)


def force(turn: Turn, event: StatusForced) -> None:
    """Unqueue, force-run, and the change of a last state for another one (01 §8)."""
    phase = turn.course.phase
    if phase in {Phase.SCHEDULED, Phase.ADMISSION}:
        _let_go(turn, event.state)
    elif event.state.is_terminal and turn.state.is_terminal:
        turn.become(event.state)
    elif phase is Phase.RUNNING and event.state is State.RUNNING and turn.state is State.PAUSED:
        resume(turn, Resumed(at=event.at))


def _let_go(turn: Turn, state: State) -> None:
    """Leave the queue: run although the limit is reached, or end."""
    if turn.course.phase is Phase.SCHEDULED:
        turn.emit(ClearTimer(timer_id="schedule"))
    if turn.course.slot is Slot.REQUESTED:
        course.leave_queue(turn)
    if state is State.RUNNING:
        course.begin(turn)
    elif state.is_terminal:
        stop(turn, state, hard=True)
