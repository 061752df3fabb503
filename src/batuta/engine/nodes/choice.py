"""If and Switch: a rendered text chooses the list that is run in order (01 §6.4, §6.5)."""

from typing import Any

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.commands import Render
from batuta.engine.events import Rendered
from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind, skip
from batuta.engine.nodes import sequence
from batuta.engine.plan import Choice
from batuta.engine.turn import Turn
from batuta.engine.values import is_template, is_truthy
from batuta.model.ids import TaskId
from batuta.model.state import State

_SKIPPED = "skipped"


def enter(turn: Turn, _node: Choice, run: TaskRun) -> None:
    turn.advance(branch.open_run(turn, run))


def schedule(turn: Turn, node: Choice, run: TaskRun) -> bool:
    progress = turn.progress(run)
    if progress.choice is not None:
        return branch.schedule_in_order(turn, run, chosen(node, progress.choice))
    if not is_template(node.value):
        _choose(turn, node, run, value=node.value)
    else:
        turn.note(run, waiting="value")
        values = {"value": node.value}
        turn.emit(Render(request_id=f"{run.id}/value", values=values, frame=turn.runs[run.id]))
    return False


def skipped(turn: Turn, node: Choice, run: TaskRun) -> None:
    """What it would have chosen is told: the outputs are known before `runIf` is looked at (01 §6.4)."""
    if is_template(node.value):
        turn.note(run, waiting=_SKIPPED)
        values = {_SKIPPED: node.value}
        turn.emit(Render(request_id=f"{run.id}/{_SKIPPED}", values=values, frame=run))
    else:
        _tell(turn, node, run, value=node.value)
        skip(turn, node, run)


def rendered(turn: Turn, node: Choice, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    if purpose == _SKIPPED:
        if event.problem is None:
            _tell(turn, node, run, value=event.values.get(purpose))
        skip(turn, node, turn.runs[run.id])
        return
    if event.problem is None:
        _choose(turn, node, run, value=event.values.get(purpose))
        return
    for part in ("state", "outputs"):
        turn.log("ERROR", f"Unable to resolve {part} from the Flowable task: {event.problem}", run)
    # The attempt stays RUNNING, as recorded. What the task allows does not count (01 §6.21).
    turn.end(run, State.FAILED)


def _choose(turn: Turn, node: Choice, run: TaskRun, *, value: Any) -> None:
    choice = _tell(turn, node, run, value=value)
    turn.note(run, choice=choice)
    if not node.is_condition and choice not in node.cases and node.defaults is None:
        place = f"flow '{turn.plan.flow}', task '{run.task_id}'"
        where = f"{place}, execution '{turn.execution.id}'"
        turn.log("WARN", f"No task found on {where}", run)
        branch.close(turn, node, run, state=State.FAILED)
    else:
        turn.advance(run)


def _tell(turn: Turn, node: Choice, run: TaskRun, *, value: Any) -> str:
    """The choice that a value means, which the outputs show."""
    if node.is_condition:
        holds = is_truthy(value)
        turn.outputs(run, {"evaluationResult": holds})
        return "true" if holds else "false"
    text = _switch_text(value)
    turn.outputs(run, {"value": text, "defaults": text not in node.cases})
    return text


def _switch_text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def chosen(node: Choice, choice: str | None) -> tuple[TaskId, ...]:
    """The tasks of a case; nothing for an If without `else`."""
    return node.cases.get(choice or "", node.defaults or ())


KIND = Kind(
    enter,
    sequence.killed,
    Flowing(schedule, branch.conclude),
    rendered,
    skipped=skipped,
)
