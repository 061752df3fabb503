"""Subflow: an execution of another flow, waited for or not (01 §6.13)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.engine import retry
from batuta.engine.commands import KillChild, Render, StartChild
from batuta.engine.events import ChildEnded, ChildStarted, Rendered
from batuta.engine.execution import Attempt, Progress, TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import leaf
from batuta.engine.plan import Expression, Subflow
from batuta.engine.rollup import forgiven
from batuta.engine.turn import Turn
from batuta.engine.values import is_template, is_truthy, to_instant, to_text
from batuta.model.ids import ExecutionId
from batuta.model.label import Label, Labels, is_system
from batuta.model.state import History, State

_TRANSMITTED = frozenset({State.FAILED, State.KILLED, State.WARNING})


def enter(turn: Turn, node: Subflow, run: TaskRun) -> None:
    number = leaf.next_number(turn, run)
    turn.note(run, attempt=number, given=number)
    run = turn.runs[run.id]
    values = properties(node)
    if any(map(is_template, values.values())):
        purpose = f"call{number}"
        turn.note(run, waiting=purpose)
        turn.emit(Render(request_id=f"{run.id}/{purpose}", values=values, frame=run))
    else:
        _call(turn, node, run, values=values)


def properties(node: Subflow) -> dict[str, Expression]:
    """What is rendered before a child is made."""
    return {
        "namespace": node.namespace,
        "flowId": node.flow_id,
        "inputs": node.inputs,
        "labels": node.labels,
        "inheritLabels": node.inherit_labels,
        "scheduleDate": node.schedule_date,
    }


def rendered(turn: Turn, node: Subflow, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    del purpose
    if event.problem is None:
        _call(turn, node, run, values=event.values)
    else:
        _fail(turn, node, run, problem=event.problem)


def _call(turn: Turn, node: Subflow, run: TaskRun, *, values: Mapping[str, Any]) -> None:
    again = run.state is State.RESTARTED and node.restart_failed
    try:
        command = start_command(turn, node, run, values=values)
    except ValueError as error:
        _fail(turn, node, run, problem=str(error))
        return
    previous = turn.progress(run).child if again else None
    turn.note(run, link=flow_link(command))
    turn.emit(msgspec.structs.replace(command, restart=previous))


def start_command(
    turn: Turn, node: Subflow, run: TaskRun, *, values: Mapping[str, Any]
) -> StartChild:
    """Raises `ValueError` for labels or a date that cannot be read."""
    date = values.get("scheduleDate")
    return StartChild(
        task_run=run,
        attempt=turn.progress(run).attempt,
        namespace=str(values["namespace"]),
        flow_id=str(values["flowId"]),
        revision=node.revision,
        inputs=values.get("inputs") or {},
        labels=_labels(values.get("labels")),
        inherit_labels=is_truthy(values.get("inheritLabels")),
        wait=node.wait,
        schedule_date=None if date is None or date == "" else to_instant(date),
        outputs=node.outputs,
    )


def _labels(labels: Any) -> Labels:
    match labels:
        case None:
            return ()
        case Mapping():
            found = [Label(str(key), to_text(value)) for key, value in labels.items()]
        case list() | tuple():
            found = [Label(str(label["key"]), to_text(label["value"])) for label in labels]
        case _:
            raise ValueError(f"labels are a map or a list of keys and values, not `{labels}`")
    for label in found:
        if is_system(label):
            own = f"{label.key}={label.value}"
            reserved = "System labels can only be set by Kestra itself"
            raise ValueError(f"{reserved}, offending label: {own}")
    return tuple(found)


def child_started(turn: Turn, node: Subflow, run: TaskRun, *, event: ChildStarted) -> None:
    known = run.state in {State.CREATED, State.RESTARTED}
    if not known or event.attempt != turn.progress(run).attempt:
        return
    if event.execution_id is None:
        _fail(turn, node, run, problem=event.problem or "The execution could not be created")
        return
    turn.log(
        "INFO", f"Created new execution {link(event.execution_id, turn.progress(run).link)}", run
    )
    turn.note(turn.mark(run, State.RUNNING), child=event.execution_id)
    run = turn.runs[run.id]
    if turn.course.ending is not None and turn.course.hard:
        turn.emit(KillChild(execution_id=event.execution_id))
    if node.wait:
        turn.outputs(run, {"executionId": event.execution_id})
        return
    turn.outputs(run, {"executionId": event.execution_id, "state": State.CREATED.value})
    run = turn.put(msgspec.structs.replace(run, attempts=_attempts(turn, run, State.SUCCESS)))
    _end(turn, run, State.SUCCESS)


def child_ended(turn: Turn, node: Subflow, run: TaskRun, *, event: ChildEnded) -> None:
    waits = run.state is State.RUNNING and turn.progress(run).due is None
    if not waits or event.execution_id != turn.progress(run).child:
        return
    outputs: dict[str, Any] = {"executionId": event.execution_id, "state": event.state.value}
    if event.outputs:
        outputs["outputs"] = event.outputs
    turn.outputs(run, outputs)
    problem = event.problem
    if problem is not None:
        turn.log("ERROR", f"Failed to extract outputs with the error: '{problem}'", run)
        settle(turn, node, run, shown=State.FAILED, result=State.FAILED)
        return
    result = State.SUCCESS
    if node.transmit_failed and event.state in _TRANSMITTED:
        result = event.state
        told = forgiven(result, allow_failure=node.allow_failure, allow_warning=node.allow_warning)
        if told is not State.SUCCESS:
            level = "WARN" if told is State.WARNING else "ERROR"
            where = link(event.execution_id, turn.progress(run).link)
            turn.log(level, f"Subflow execution {where} ends in {told} state", run)
    settle(turn, node, run, shown=event.state, result=result)


def settle(turn: Turn, node: Subflow, run: TaskRun, *, shown: State, result: State) -> None:
    """End the task run, or call again. The child's state stands in the histories before what it is taken for."""
    final = forgiven(result, allow_failure=node.allow_failure, allow_warning=node.allow_warning)
    if result is State.FAILED:
        turn.note(run, attempt=0)
        failed = msgspec.structs.replace(
            turn.runs[run.id], attempts=_attempts(turn, run, State.FAILED)
        )
        if retry.repeat(turn, node, failed):
            return
    again = any(attempt.state is State.FAILED for attempt in run.attempts or ())
    if final is State.SUCCESS and again and node.retry is not None and node.retry.warning_on_retry:
        final = forgiven(State.WARNING, allow_failure=False, allow_warning=node.allow_warning)
    run = turn.put(msgspec.structs.replace(run, attempts=_attempts(turn, run, final)))
    _end(turn, run, *((shown,) if shown is final else (shown, final)))


def _end(turn: Turn, run: TaskRun, *states: State) -> None:
    """Only the child is kept in mind, for a restart."""
    progress = turn.progress(run)
    turn.end(run, *states, progress=Progress(child=progress.child, given=progress.given))


def _fail(turn: Turn, node: Subflow, run: TaskRun, *, problem: str) -> None:
    """No child could be made."""
    turn.log("ERROR", problem, run)
    settle(turn, node, run, shown=State.FAILED, result=State.FAILED)


def _attempts(turn: Turn, run: TaskRun, state: State) -> tuple[Attempt, ...]:
    """01 §4.4: one attempt for each child, made from its result."""
    began = next(
        (entry.at for entry in reversed(run.histories) if entry.state is State.RUNNING), turn.at
    )
    made = Attempt((History(State.CREATED, began), History(state, turn.at)))
    return (*(run.attempts or ()), made)


def flow_link(command: StartChild) -> str:
    return f'flowId="{command.flow_id}" namespace="{command.namespace}"'


def link(execution_id: ExecutionId, flow: str | None) -> str:
    """How a log message points to an execution."""
    return f'[[link execution="{execution_id}" {flow}]]'


def killed(turn: Turn, _node: Subflow, run: TaskRun, *, hard: bool, cascade: bool) -> None:
    """01 §4.9: with `cascade` the child is killed first, and its end is waited for."""
    progress = turn.progress(run)
    running = run.state is State.RUNNING and progress.due is None
    asked = progress.attempt > 0 and progress.waiting is None
    if (running or asked) and (cascade or not hard):
        if hard and running and progress.child is not None:
            turn.emit(KillChild(execution_id=progress.child))
        return
    attempts = _attempts(turn, run, State.KILLED) if running else run.attempts
    turn.end(run, State.KILLED, attempts=attempts, progress=leaf.kept(turn, run))


KIND = Kind(
    enter,
    killed,
    rendered=rendered,
    fired=retry.fired,
    child_started=child_started,
    child_ended=child_ended,
)
