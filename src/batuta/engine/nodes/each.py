"""ForEach, EachSequential, EachParallel: the tasks once for each value (01 §6.6, §6.7).

The memory of a loop is its values, a cursor and counters; children that ended are only counted.
"""

from collections.abc import Sequence
from typing import Any

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.commands import Render
from batuta.engine.events import Rendered
from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import parallel, sequence
from batuta.engine.nodes.parallel import has_room
from batuta.engine.plan import Each
from batuta.engine.rollup import STOPPING
from batuta.engine.turn import Turn
from batuta.engine.values import is_template, to_items


def enter(turn: Turn, _node: Each, run: TaskRun) -> None:
    turn.advance(branch.open_run(turn, run))


def rendered(turn: Turn, node: Each, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    if purpose == parallel.LIMIT:
        parallel.rendered(turn, node, run, event=event, purpose=purpose)
    elif event.problem is None:
        _begin(turn, node, run, values=event.values.get(purpose))
    else:
        branch.refuse(turn, run, problem=event.problem)


def _begin(turn: Turn, node: Each, run: TaskRun, *, values: Any) -> None:
    try:
        items = to_items(values)
    except ValueError as error:
        branch.refuse(turn, run, problem=str(error))
        return
    turn.note(run, items=items)
    turn.advance(run)


def schedule(turn: Turn, node: Each, run: TaskRun) -> bool:
    """First go on with values that were begun, then begin others."""
    items = turn.progress(run).items
    if items is None:
        _ask(turn, node, run)
        return False
    limit = parallel.limit_of(turn, run, node.concurrency)
    if limit is None:
        return False
    # Without a limit what was begun goes on, however many run: a window is only for what begins.
    while turn.progress(run).open and (not limit or has_room(turn, run, limit)):
        place, *rest = turn.progress(run).open
        _start(turn, node, run, place=place, open=tuple(rest))
    width = 1 if node.ordered else len(node.tasks)
    end = len(items) * width if node.tasks else 0
    while turn.progress(run).cursor < end and has_room(turn, run, limit):
        cursor = turn.progress(run).cursor
        _start(turn, node, run, place=divmod(cursor, width), cursor=cursor + 1)
    return turn.progress(run).cursor >= end and not turn.progress(run).open


def _ask(turn: Turn, node: Each, run: TaskRun) -> None:
    if not is_template(node.values):
        _begin(turn, node, run, values=node.values)
    else:
        turn.note(run, waiting="values")
        values = {"values": node.values}
        turn.emit(Render(request_id=f"{run.id}/values", values=values, frame=turn.runs[run.id]))


def _start(
    turn: Turn, node: Each, run: TaskRun, *, place: tuple[int, int], **memory: object
) -> None:
    index, position = place
    items = turn.progress(run).items or ()
    task_id = node.tasks[position]
    branch.start(turn, run, task_id, value=items[index], iteration=index, **memory)


def number_of(child: TaskRun, items: Sequence[str]) -> int:
    """Which value a child is about. A LoopUntil counts its passes on top of that number."""
    number = child.iteration or 0
    if child.value is None or items[number : number + 1] == (child.value,):
        return number
    return items.index(child.value) if child.value in items else number


def counted(turn: Turn, run: TaskRun, child: TaskRun) -> None:
    """The next task of the value, if tasks of one value follow each other and the child did not stop it."""
    node = turn.plan.nodes.get(run.task_id)
    if not isinstance(node, Each) or not node.ordered or child.state in STOPPING:
        return
    position = node.tasks.index(child.task_id) + 1
    if position < len(node.tasks):
        progress = turn.progress(run)
        begun = sorted((*progress.open, (number_of(child, progress.items or ()), position)))
        turn.note(run, open=tuple(begun))


KIND = Kind(enter, sequence.killed, Flowing(schedule, branch.conclude, counted=counted), rendered)
