"""The variables that templates see, from an execution's state (02 §3, 01 §6.0)."""

from collections.abc import Iterator, Mapping
from typing import Any

from batuta.engine.execution import Execution, TaskRun
from batuta.engine.plan import Plan
from batuta.model.instant import to_iso
from batuta.operations.start import nested_labels
from batuta.sdk.context import attempt_key
from batuta.server.context.outputs import OutputTree


class Surroundings:
    """What is the same for all executions of a server: environment, globals, and where it is reached."""

    __slots__ = ("constants",)

    def __init__(
        self,
        *,
        envs: Mapping[str, str],
        global_variables: Mapping[str, Any],
        kestra: Mapping[str, Any],
    ) -> None:
        self.constants: Mapping[str, Any] = {
            "envs": dict(envs),
            "globals": dict(global_variables),
            "kestra": dict(kestra),
        }


def execution_variables(
    plan: Plan, execution: Execution, *, root: Execution | None = None
) -> dict[str, Any]:
    """Variables that do not depend on a task run, apart from `outputs`, `tasks` and `vars`.

    `root` is the execution that an iteration of a Loop is part of: its inputs and trigger count.
    """
    root = root or execution
    header: dict[str, Any] = {
        "id": execution.id,
        "startDate": to_iso(execution.histories[0].at),
        "originalId": execution.original_id or execution.id,
        "state": execution.state.value,
    }
    if execution.outputs:
        header["outputs"] = execution.outputs
    variables: dict[str, Any] = {
        "flow": {
            "id": plan.flow.id,
            "namespace": plan.flow.namespace,
            "revision": plan.revision,
            "tenantId": plan.flow.tenant,
        },
        "execution": header,
        "labels": nested_labels(execution.labels),
    }
    if root.inputs:
        variables["inputs"] = root.inputs
    if root.trigger is not None:
        trigger = root.trigger.get("variables") or {}
        variables["trigger"] = trigger
        if str(root.trigger.get("type", "")).endswith(".Schedule"):
            variables["schedule"] = trigger
    return variables


def frame_variables(
    plan: Plan, execution: Execution, run: TaskRun, *, trees: Mapping[str, OutputTree]
) -> dict[str, Any]:
    """Variables of one task run: `task`, `taskrun`, `idempotencyKey`, `parent` and `parents`."""
    node = plan.nodes.get(run.task_id)
    taskrun: dict[str, Any] = {
        "id": run.id,
        "startDate": to_iso(run.histories[0].at),
        "attemptsCount": _finished_attempts(run),
    }
    if run.parent_id is not None:
        taskrun["parentId"] = run.parent_id
    if run.value is not None:
        taskrun["value"] = run.value
    if run.iteration is not None:
        taskrun["iteration"] = run.iteration
    variables: dict[str, Any] = {
        "task": {"id": run.task_id, "type": node.type if node is not None else ""},
        "taskrun": taskrun,
        "idempotencyKey": attempt_key(execution.id, run.id, run.attempt_number),
    }
    parents = list(_parents(execution, run, trees))
    if parents:
        variables["parent"] = parents[0]
        variables["parents"] = parents
    return variables


def _parents(
    execution: Execution, run: TaskRun, trees: Mapping[str, OutputTree]
) -> Iterator[dict[str, Any]]:
    """Ancestors that have a value or outputs, the nearest first."""
    parent_id = run.parent_id
    while parent_id is not None:
        parent = execution.runs.get(parent_id)
        if parent is None:
            return
        entry: dict[str, Any] = {}
        if parent.value is not None:
            entry["taskrun"] = {"value": parent.value}
        tree = trees.get(parent.task_id)
        outputs = tree.at(parent.path) if tree is not None else None
        if outputs:
            entry["outputs"] = outputs
        if entry:
            yield entry
        parent_id = parent.parent_id


def _finished_attempts(run: TaskRun) -> int:
    """Attempts before the one that renders: 0 on the first (01 §4.4)."""
    return sum(1 for attempt in run.attempts or () if attempt.state.is_terminal)
