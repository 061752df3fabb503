"""Checked inputs as the API shows them (03 §6.15)."""

from typing import Any

from batuta.flow.inputs import Resolved, ResolvedInput
from batuta.model.ids import FlowKey


def inputs_wire(flow: FlowKey, resolved: Resolved) -> dict[str, Any]:
    return {
        "id": flow.id,
        "namespace": flow.namespace,
        "inputs": [_input(each) for each in resolved.inputs],
    }


def _input(each: ResolvedInput) -> dict[str, Any]:
    declared = each.declared.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_unset=True
    )
    declared.setdefault("required", each.declared.required)
    if each.choices is not None:
        declared["values"] = list(each.choices)
    wire: dict[str, Any] = {"input": declared, "enabled": each.enabled}
    if each.value is not None:
        wire["value"] = each.value
    wire["isDefault"] = each.is_default
    wire["errors"] = [{"message": problem.message} for problem in each.problems]
    return wire
