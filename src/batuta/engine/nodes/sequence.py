"""Sequential, AllowFailure and Template: one task after another (01 §6.1, §6.11, §6.14)."""

from collections.abc import Mapping
from typing import Any

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.commands import Render
from batuta.engine.events import Rendered
from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind
from batuta.engine.plan import Sequence
from batuta.engine.rollup import forgiven
from batuta.engine.turn import Turn
from batuta.engine.values import is_template
from batuta.model.state import State


def enter(turn: Turn, _node: Sequence, run: TaskRun) -> None:
    turn.advance(branch.open_run(turn, run))


def schedule(turn: Turn, node: Sequence, run: TaskRun) -> bool:
    if node.args is not None and turn.progress(run).choice is None and not _begin(turn, node, run):
        return False
    return branch.schedule_in_order(turn, run, node.tasks)


def _begin(turn: Turn, node: Sequence, run: TaskRun) -> bool:
    """Whether the arguments of a Template are known; then they are put out."""
    if not is_template(node.args):
        _put_out(turn, run, node.args or {})
        return True
    turn.note(run, waiting="args")
    values = {"args": node.args}
    turn.emit(Render(request_id=f"{run.id}/args", values=values, frame=turn.runs[run.id]))
    return False


def rendered(turn: Turn, node: Sequence, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    """The arguments of a Template."""
    if event.problem is None:
        _put_out(turn, run, event.values[purpose])
        turn.advance(turn.runs[run.id])
        return
    turn.log("ERROR", event.problem, run)
    state = forgiven(
        State.FAILED, allow_failure=node.allow_failure, allow_warning=node.allow_warning
    )
    turn.end(run, state)


def _put_out(turn: Turn, run: TaskRun, args: Mapping[str, Any]) -> None:
    turn.note(run, choice="args")
    turn.outputs(turn.runs[run.id], {"args": args})


def killed(turn: Turn, _node: object, run: TaskRun, *, hard: bool, cascade: bool) -> None:
    """A control task is KILLED when its children have ended; at once when it has none (01 §4.9)."""
    del hard, cascade
    if turn.progress(run).live == 0:
        turn.end(run, turn.progress(run).floor or State.KILLED)


KIND = Kind(enter, killed, Flowing(schedule, branch.conclude), rendered)
