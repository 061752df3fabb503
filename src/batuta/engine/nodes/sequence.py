"""Sequential and AllowFailure: one task after another (01 §6.1, §6.11)."""

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind
from batuta.engine.plan import Sequence
from batuta.engine.turn import Turn
from batuta.model.state import State


def enter(turn: Turn, _node: Sequence, run: TaskRun) -> None:
    turn.advance(branch.open_run(turn, run))


def schedule(turn: Turn, node: Sequence, run: TaskRun) -> bool:
    return branch.schedule_in_order(turn, run, node.tasks)


def killed(turn: Turn, _node: object, run: TaskRun, *, hard: bool, cascade: bool) -> None:
    """A control task is KILLED when its children have ended; at once when it has none (01 §4.9)."""
    del hard, cascade
    if turn.progress(run).live == 0:
        turn.end(run, turn.progress(run).floor or State.KILLED)


KIND = Kind(enter, killed, Flowing(schedule, branch.conclude))
