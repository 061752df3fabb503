"""Parallel: all tasks beside each other, at most `concurrent` of them not ended (01 §6.2, §12.1)."""

from typing import Any

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.commands import Render
from batuta.engine.events import Rendered
from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import sequence
from batuta.engine.plan import Expression, Parallel
from batuta.engine.turn import WINDOW, Turn
from batuta.engine.values import is_template, to_int

LIMIT = "concurrent"


def enter(turn: Turn, _node: Parallel, run: TaskRun) -> None:
    turn.advance(branch.open_run(turn, run))


def schedule(turn: Turn, node: Parallel, run: TaskRun) -> bool:
    limit = limit_of(turn, run, node.concurrent)
    if limit is None:
        return False
    while turn.progress(run).cursor < len(node.tasks) and has_room(turn, run, limit):
        cursor = turn.progress(run).cursor
        branch.start(turn, run, node.tasks[cursor], cursor=cursor + 1)
    return turn.progress(run).cursor >= len(node.tasks)


def limit_of(turn: Turn, run: TaskRun, limit: Expression) -> int | None:
    """How many children may be in progress at once, 0 for all; None while that is being rendered."""
    if not is_template(limit):
        return int(limit)
    known = turn.progress(run).limit
    if known is None:
        turn.note(run, waiting=LIMIT)
        frame = turn.runs[run.id]
        turn.emit(Render(request_id=f"{run.id}/{LIMIT}", values={LIMIT: limit}, frame=frame))
    return known


def rendered(turn: Turn, _node: Any, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    """The limit is known."""
    if event.problem is not None:
        branch.refuse(turn, run, problem=event.problem)
        return
    try:
        limit = max(to_int(event.values.get(purpose)), 0)
    except ValueError as error:
        branch.refuse(turn, run, problem=str(error))
    else:
        turn.note(run, limit=limit)
        turn.advance(run)


def has_room(turn: Turn, run: TaskRun, limit: int) -> bool:
    """Whether one more child may start: within the task's limit or, without one (0), the execution's window."""
    live = turn.progress(run).live
    return live == 0 or (live < limit if limit else len(turn.runs) < WINDOW)


KIND = Kind(enter, sequence.killed, Flowing(schedule, branch.conclude), rendered)
