"""Whether an execution that changed its state satisfies a Flow trigger (04 §10.2 to §10.6). Called on a thread."""

from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.engine.execution import Execution
from batuta.expr.temporal import Zone
from batuta.model.instant import Instant, to_iso
from batuta.model.label import CORRELATION_ID, Label
from batuta.operations.start import nested_labels
from batuta.plugins.core.trigger.flow import Flow as FlowTrigger
from batuta.server.listening.preconditions import Heard, Memory, hear
from batuta.server.worker.render import JobRenderer


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`memory` is what preconditions remember from now on; None where nothing is to be remembered."""

    fires: bool = False
    outputs: Mapping[str, Any] = {}
    memory: Memory | None = None


def judge(
    trigger: FlowTrigger,
    execution: Execution,
    memory: Memory,
    *,
    at: Instant,
    zone: Zone,
    listener: Mapping[str, Any],
    renderer: JobRenderer,
) -> Verdict:
    """`listener` is the listening flow's id and namespace. Raises what conditions and templates raise."""
    facts = {
        "flow": listener,
        "execution": subject(execution),
        "trigger": trigger_variables(execution),
    }
    if not all(each.test(facts, renderer.render) for each in trigger.conditions or ()):
        return Verdict()
    outputs = execution.outputs or {}
    if trigger.preconditions is None:
        return Verdict(fires=True, outputs=outputs)
    heard: Heard = hear(
        trigger.preconditions, memory, execution, at=at, zone=zone, render=renderer.render
    )
    changed = heard.memory if heard.memory != memory else None
    return Verdict(fires=heard.fires, outputs=heard.outputs, memory=changed)


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
