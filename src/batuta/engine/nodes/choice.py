"""If and Switch: a rendered text chooses the list that is run in order (01 §6.4, §6.5)."""

from typing import Any

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.commands import Render
from batuta.engine.events import Rendered
from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import sequence
from batuta.engine.plan import Choice
from batuta.engine.rollup import forgiven
from batuta.engine.turn import Turn
from batuta.engine.values import is_template, is_truthy
from batuta.model.ids import TaskId
from batuta.model.state import State


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


def rendered(turn: Turn, node: Choice, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    if event.problem is None:
        _choose(turn, node, run, value=event.values.get(purpose))
        return
    for part in ("state", "outputs"):
        turn.log("ERROR", f"Unable to resolve {part} from the Flowable task: {event.problem}", run)
    state = forgiven(
        State.FAILED, allow_failure=node.allow_failure, allow_warning=node.allow_warning
    )
    turn.end(run, state)  # the attempt stays RUNNING, as recorded


def _choose(turn: Turn, node: Choice, run: TaskRun, *, value: Any) -> None:
    if node.is_condition:
        holds = is_truthy(value)
        turn.note(run, choice="true" if holds else "false")
        turn.outputs(run, {"evaluationResult": holds})
    else:
        text = _switch_text(value)
        turn.note(run, choice=text)
        turn.outputs(run, {"value": text, "defaults": text not in node.cases})
        if text not in node.cases and node.defaults is None:
            place = f"flow '{turn.plan.flow}', task '{run.task_id}'"
            where = f"{place}, execution '{turn.execution.id}'"
            turn.log("WARN", f"No task found on {where}", run)
            branch.close(turn, node, run, state=State.FAILED)
            return
    turn.advance(run)


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


KIND = Kind(enter, sequence.killed, Flowing(schedule, branch.conclude), rendered)
