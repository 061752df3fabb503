"""Dag: a task starts when all that it depends on have ended, in whatever state (01 §6.3)."""

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import parallel, sequence
from batuta.engine.nodes.places import to_number
from batuta.engine.plan import Dag
from batuta.engine.turn import Turn


def enter(turn: Turn, _node: Dag, run: TaskRun) -> None:
    turn.advance(branch.open_run(turn, run))


def schedule(turn: Turn, node: Dag, run: TaskRun) -> bool:
    """Those that may start, in the order in which they are written."""
    limit = parallel.limit_of(turn, run, node.concurrent)
    if limit is None:
        return False
    progress = turn.progress(run)
    begun = to_number(progress.begun)
    ready = _ready(node, progress.ready, begun=begun, done=to_number(progress.done))
    while ready and parallel.has_room(turn, run, limit):
        first = ready & -ready
        ready ^= first
        begun |= first
        branch.start(turn, run, node.tasks[first.bit_length() - 1])
    turn.note(run, begun=f"{begun:x}", ready=f"{ready:x}")
    return begun.bit_count() == len(node.tasks)


def _ready(node: Dag, known: str | None, *, begun: int, done: int) -> int:
    """Looked for among all tasks once; afterwards whatever ends tells."""
    if known is not None:
        return to_number(known)
    ready = 0
    for place, task_id in enumerate(node.tasks):
        if not to_number(node.needs.get(task_id)) & ~done:
            ready |= 1 << place
    return ready & ~begun


def counted(turn: Turn, run: TaskRun, child: TaskRun) -> None:
    """What depends on the task and on nothing else that has not ended may start."""
    node, progress = turn.plan.nodes.get(run.task_id), turn.progress(run)
    if not isinstance(node, Dag) or child.task_id not in node.places:
        return
    begun = to_number(progress.begun)
    done = to_number(progress.done) | 1 << node.places[child.task_id]
    ready = progress.ready
    if ready is not None:
        found = to_number(ready)
        for task_id in node.dependents.get(child.task_id, ()):
            if not to_number(node.needs.get(task_id)) & ~done:
                found |= 1 << node.places[task_id]
        ready = f"{found & ~begun:x}"
    turn.note(run, done=f"{done:x}", ready=ready)


KIND = Kind(
    enter,
    sequence.killed,
    Flowing(schedule, branch.conclude, counted=counted),
    parallel.rendered,
)
