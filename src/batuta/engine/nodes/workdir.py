"""WorkingDirectory: one job of a worker runs all children in a shared folder (01 §6.10).

The children arrive as ended task runs with the job's result. What is left to do after it (repeating a failed child,
the tasks behind it, `errors`, `finally`) goes like a Sequential.
"""

import msgspec

from batuta.engine import branch, retry
from batuta.engine.branch import Flowing
from batuta.engine.events import AttemptRefused, TaskFinished
from batuta.engine.execution import Ended, TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import leaf, sequence
from batuta.engine.plan import Leaf, WorkDir
from batuta.engine.rollup import worse
from batuta.engine.turn import Turn, begun
from batuta.model.state import State


def finished(turn: Turn, node: WorkDir, run: TaskRun, *, event: TaskFinished) -> None:
    if not leaf.is_out(turn, run, event.attempt):
        return
    if not leaf.is_begun(run):
        attempts = leaf.begun_attempts(run, event.started or turn.at, event.worker_id)
        run = turn.put(msgspec.structs.replace(run, attempts=attempts))
    leaf.take_effects(turn, run, event)
    reported = [child for child in event.children if not child.dynamic]
    turn.note(run, attempt=0, cursor=len(reported))
    for child in reported:
        made = leaf.add_run(turn, child, parent=run, worker_id=event.worker_id)
        _add_child(turn, node, made, state=child.state)
    run = turn.runs[run.id]
    if event.state is State.KILLED:
        turn.note(run, worst=State.KILLED)
    elif event.state is State.FAILED and all(c.state is not State.FAILED for c in reported):
        _fail(turn, node, run)
        return
    turn.advance(run)


def refused(turn: Turn, node: WorkDir, run: TaskRun, *, event: AttemptRefused) -> None:
    again = leaf.put_back(turn, run, event.attempt)
    if again is not None and not leaf.cancelled(turn, node, again, event=event):
        turn.log("ERROR", leaf.unserved(event), again)
        attempts = begun(again, turn.at)
        _fail(turn, node, turn.put(msgspec.structs.replace(again, attempts=attempts)))


def _add_child(turn: Turn, _node: WorkDir, child: TaskRun, *, state: State) -> None:
    """A child that ended counts at once; one to be repeated goes on as a task run of its own."""
    parent = turn.runs[child.parent_id] if child.parent_id else None
    node = turn.plan.nodes.get(child.task_id)
    progress = turn.progress(parent)
    turn.note(parent, live=progress.live + 1)
    turn.put(child)
    if not isinstance(node, Leaf) or state is State.SKIPPED:
        turn.end(child, state)
    else:
        leaf.settle(turn, node, turn.runs[child.id], state=state)


def _fail(turn: Turn, node: WorkDir, run: TaskRun) -> None:
    """The job failed outside its children: recorded as if it had never run."""
    _count(turn, run)
    progress = turn.progress(run)
    turn.note(run, worst=worse(progress.worst, State.FAILED))
    started = tuple(entry for entry in run.histories if entry.state is not State.RUNNING)
    attempts = (run.attempts or ())[:-1] or None
    run = msgspec.structs.replace(turn.runs[run.id], histories=started, attempts=attempts)
    if node.errors or node.finally_:
        turn.advance(turn.mark(run, State.RUNNING))
    else:
        branch.close(turn, node, turn.put(run), state=State.FAILED)


def _count(turn: Turn, run: TaskRun) -> None:
    """The children have ended, and nobody else needs to be told."""
    rest = [
        item
        for item in turn.agenda
        if not (isinstance(item, Ended) and item.run.parent_id == run.id)
    ]
    turn.agenda.clear()
    turn.agenda.extend(rest)
    turn.note(run, live=0)


def schedule(turn: Turn, node: WorkDir, run: TaskRun) -> bool:
    if turn.progress(run).attempt:
        return False  # the job is still with the worker
    return branch.schedule_in_order(turn, run, node.tasks)


def killed(turn: Turn, node: WorkDir, run: TaskRun, *, hard: bool, cascade: bool) -> None:
    if turn.progress(run).attempt:
        leaf.killed(turn, node, run, hard=hard, cascade=cascade)  # type: ignore[arg-type]
    else:
        sequence.killed(turn, node, run, hard=hard, cascade=cascade)


KIND = Kind(
    leaf.enter,
    killed,
    Flowing(schedule, branch.conclude),
    rendered=leaf.rendered,
    started=leaf.started,
    finished=finished,
    lost=leaf.lost,
    refused=refused,
    fired=retry.fired,
)
