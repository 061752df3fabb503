"""Dag: a task starts when all that it depends on have ended, in whatever state (01 §6.3)."""

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import sequence
from batuta.engine.nodes.parallel import has_room
from batuta.engine.plan import Dag
from batuta.engine.turn import Turn


def enter(turn: Turn, _node: Dag, run: TaskRun) -> None:
    turn.advance(branch.open_run(turn, run))


def schedule(turn: Turn, node: Dag, run: TaskRun) -> bool:
    begun, done = set(turn.progress(run).begun), set(turn.progress(run).done)
    # A dependency that is disabled is no obstacle.
    waiting = set(node.tasks) - done
    for task_id in node.tasks:
        if task_id in begun or not waiting.isdisjoint(node.depends_on.get(task_id, ())):
            continue
        if not has_room(turn, run, node.concurrent):
            return False
        begun.add(task_id)
        turn.note(run, begun=(*turn.progress(run).begun, task_id))
        branch.start(turn, run, task_id)
    return len(begun) == len(node.tasks)


def counted(turn: Turn, run: TaskRun, child: TaskRun) -> None:
    turn.note(run, done=(*turn.progress(run).done, child.task_id))


KIND = Kind(enter, sequence.killed, Flowing(schedule, branch.conclude, counted=counted))
