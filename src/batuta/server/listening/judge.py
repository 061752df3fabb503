"""Whether an execution that changed its state satisfies a Flow trigger (04 §10.2 to §10.6). Called on a thread."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from batuta.engine.execution import Execution, TaskRun
from batuta.expr.temporal import Zone
from batuta.model.instant import Instant, to_iso
from batuta.model.label import CORRELATION_ID, Label
from batuta.operations.start import nested_labels
from batuta.plugins.core.condition.group import MultipleCondition
from batuta.plugins.core.trigger.flow import Flow as FlowTrigger
from batuta.server.listening.preconditions import (
    Heard,
    Memory,
    hear,
    merged,
    of_multiple,
    of_preconditions,
)
from batuta.server.worker.render import JobRenderer

Memories = Mapping[str, Memory]
"""By the id of the preconditions, or of the MultipleCondition."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`memories` are what the trigger remembers from now on; None where that is what it was.

    `problems`: requirements that could not be judged.
    """

    fires: bool = False
    outputs: Mapping[str, Any] = {}
    memories: Memories | None = None
    problems: tuple[str, ...] = ()


def judge(
    trigger: FlowTrigger,
    execution: Execution,
    memories: Memories,
    *,
    at: Instant,
    zone: Zone,
    facts: Mapping[str, Any],
    renderer: JobRenderer,
) -> Verdict:
    """Raises what conditions and templates raise."""
    conditions = trigger.conditions or ()
    plain = [each for each in conditions if not isinstance(each, MultipleCondition)]
    if not all(each.test(facts, renderer.render) for each in plain):
        return Verdict()
    needed = {
        each.id: of_multiple(each, facts, renderer.render)
        for each in conditions
        if isinstance(each, MultipleCondition)
    }
    if trigger.preconditions is not None:
        own = of_preconditions(trigger.preconditions, execution, renderer.render)
        needed[trigger.preconditions.id] = own
    if not needed:
        return Verdict(fires=True, outputs=execution.outputs or {})
    heard = {
        name: hear(each, memories.get(name, Memory()), execution, at=at, zone=zone)
        for name, each in needed.items()
    }
    problems = tuple(problem for each in needed.values() for problem in each.problems)
    return replace(_together(heard, memories), problems=problems)


def _together(heard: Mapping[str, Heard], memories: Memories) -> Verdict:
    """The trigger fires when all are complete; those that are wait for the others."""
    fires = all(each.fires for each in heard.values())
    now = {name: each.after if fires else each.memory for name, each in heard.items()}
    kept = {name: memory for name, memory in now.items() if memory != Memory()}
    outputs: Mapping[str, Any] = {}
    for each in heard.values():
        outputs = merged(outputs, each.outputs)
    return Verdict(fires=fires, outputs=outputs, memories=None if kept == memories else kept)


def facts_of(
    execution: Execution, *, listener: Mapping[str, Any], runs: Iterable[TaskRun] = ()
) -> Mapping[str, Any]:
    """What conditions look at. `listener` is the listening flow's id and namespace."""
    return {
        "flow": listener,
        "execution": {**subject(execution), "taskRunList": [_task_run(run) for run in runs]},
        "trigger": trigger_variables(execution),
    }


def _task_run(run: TaskRun) -> dict[str, Any]:
    attempts = [{"state": {"current": each.state.value}} for each in run.attempts or ()]
    return {"taskId": run.task_id, "attempts": attempts}


def trigger_variables(execution: Execution) -> dict[str, Any]:
    """The `trigger` variables of an execution that is started (04 §10.7)."""
    labels = [label for label in execution.labels if label.key != CORRELATION_ID]
    variables: dict[str, Any] = {
        "executionId": execution.id,
        "executionLabels": nested_labels(labels),
        "state": execution.state.value,
        "namespace": execution.flow.namespace,
        "flowId": execution.flow.id,
        "flowRevision": execution.revision,
    }
    if execution.outputs:
        variables["outputs"] = execution.outputs
    return variables


def subject(execution: Execution) -> dict[str, Any]:
    """The execution as conditions look at it: the fields of its JSON."""
    return {
        "id": execution.id,
        "namespace": execution.flow.namespace,
        "flowId": execution.flow.id,
        "flowRevision": execution.revision,
        "labels": [_label(label) for label in execution.labels],
        "inputs": execution.inputs,
        "outputs": execution.outputs or {},
        "variables": execution.variables,
        "trigger": execution.trigger,
        "metadata": {"attemptNumber": execution.attempt_number},
        "state": {
            "current": execution.state.value,
            "histories": [
                {"state": entry.state.value, "date": to_iso(entry.at)}
                for entry in execution.histories
            ],
        },
    }


def _label(label: Label) -> dict[str, str]:
    return {"key": label.key, "value": label.value}
