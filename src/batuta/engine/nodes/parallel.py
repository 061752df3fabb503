"""Parallel: all tasks beside each other, at most `concurrent` of them not ended (01 §6.2, §12.1)."""

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import sequence
from batuta.engine.plan import Parallel
from batuta.engine.turn import WINDOW, Turn


def enter(turn: Turn, _node: Parallel, run: TaskRun) -> None:
    turn.advance(branch.open_run(turn, run))


def schedule(turn: Turn, node: Parallel, run: TaskRun) -> bool:
    while turn.progress(run).cursor < len(node.tasks) and has_room(turn, run, node.concurrent):
        cursor = turn.progress(run).cursor
        branch.start(turn, run, node.tasks[cursor], cursor=cursor + 1)
    return turn.progress(run).cursor >= len(node.tasks)


def has_room(turn: Turn, run: TaskRun, limit: int) -> bool:
    """Whether one more child may start: within the task's limit or, without one (0), the execution's window."""
    live = turn.progress(run).live
    return live == 0 or (live < limit if limit else len(turn.runs) < WINDOW)


KIND = Kind(enter, sequence.killed, Flowing(schedule, branch.conclude))
