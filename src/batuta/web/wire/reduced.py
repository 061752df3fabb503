"""Flows as somebody sees them who may only execute them: names and types, no bodies of tasks (03 §6.3)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from batuta.flow.definition import Flow
from batuta.model import codec
from batuta.sdk.definition import TaskBase
from batuta.store.rows import FlowRow

_CALLS = ("Subflow", "ForEachItem")


def flow_for_execution_wire(row: FlowRow, flow: Flow) -> dict[str, Any]:
    definition: dict[str, Any] = codec.decode(row.data)
    wire: dict[str, Any] = {
        "id": row.key.id,
        "tenantId": row.key.tenant,
        "namespace": row.key.namespace,
        "revision": row.revision,
    }
    if definition.get("inputs"):
        wire["inputs"] = definition["inputs"]
    return {
        **wire,
        "disabled": row.disabled,
        "deleted": row.deleted,
        "tasks": _tasks(flow.tasks),
        "errors": _tasks(flow.errors),
        "finally": _tasks(flow.finally_),
        "afterExecution": _tasks(flow.after_execution),
        "triggers": [{"id": each.id, "type": each.type} for each in flow.triggers or ()],
    }


def task_wire(task: TaskBase) -> dict[str, Any]:
    wire: dict[str, Any] = {"id": task.id, "type": task.type}
    spec = task.spec
    if spec.get("onResume"):
        wire["inputs"] = spec["onResume"]
    if str(task.type).rpartition(".")[2] in _CALLS:
        names = ((name, spec.get(name)) for name in ("namespace", "flowId", "revision"))
        wire["subflowId"] = {name: value for name, value in names if value is not None}
    children = [task_wire(child) for child in _children(task)]
    if children:
        wire["tasks"] = children
    return wire


def _tasks(tasks: Sequence[TaskBase] | None) -> list[dict[str, Any]]:
    return [task_wire(task) for task in tasks or ()]


def _children(task: TaskBase) -> Iterator[TaskBase]:
    """Those of all branches, one level down."""
    for name in type(task).model_fields:
        yield from _inside(getattr(task, name))


def _inside(value: Any) -> Iterator[TaskBase]:
    if isinstance(value, TaskBase):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _inside(item)
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item)
    elif isinstance(getattr(value, "task", None), TaskBase):
        yield value.task
