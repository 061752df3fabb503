"""Ending an execution before its tasks are done: kill, exit, cancel, SLA, replacement (01 §4.9, §6.17, §7.2).

From the moment it is decided nothing is started any more. When `hard`, what runs is stopped as well; the execution
gets its last state when everything has ended. A timer bounds the waiting, so that a kill always ends.
"""

from batuta.engine.commands import SetTimer
from batuta.engine.execution import Phase, Stop, TaskRun
from batuta.engine.turn import Turn
from batuta.model.instant import MINUTE, Instant, Micros
from batuta.model.state import State

KILL_GRACE: Micros = MINUTE
"""Time that stopped tasks have to report; then they are taken for KILLED."""


def give_up(turn: Turn, run: TaskRun | None, state: State, *, hard: bool) -> None:
    """End the execution in `state` on behalf of a task run, whose ancestors get the state too.

    An execution that is over and works on `afterExecution` keeps the state that it has.
    """
    if turn.course.phase is not Phase.RUNNING:
        return
    if turn.course.ending is None:
        stop(turn, state, hard=hard)
    parent = _parent(turn, run)
    while parent is not None:
        turn.note(parent, floor=state)
        parent = _parent(turn, parent)


def stop(turn: Turn, state: State, *, hard: bool, cascade: bool = True) -> None:
    """Start nothing more, and let the execution end in `state`."""
    turn.remember(ending=state, hard=hard, held=False, asserting=False)
    turn.agenda.append(Stop(cascade))


def rouse(turn: Turn) -> None:
    """01 §4.9: a PAUSED execution in which something pauses is resumed, to be stopped at once."""
    if turn.state is State.PAUSED and any(r.state is State.PAUSED for r in turn.runs.values()):
        turn.change(attempt_number=turn.execution.attempt_number + 1)
        turn.become(State.RESTARTED)


def bound(turn: Turn) -> None:
    """Tasks were told to stop and have not ended: wait for them, but not for ever."""
    if turn.runs and turn.course.hard:
        turn.remember(bounded=True)
        turn.emit(SetTimer(timer_id="kill", due=Instant(turn.at + KILL_GRACE)))


def _parent(turn: Turn, run: TaskRun | None) -> TaskRun | None:
    return None if run is None or run.parent_id is None else turn.runs.get(run.parent_id)
