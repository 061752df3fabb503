"""Executions and task runs as the API shows them (03 §6.4, §6.6)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.engine.execution import Attempt, Execution, TaskRun
from batuta.model.ids import TaskRunId
from batuta.model.instant import Instant, to_iso
from batuta.operations.executions import ExecutionView
from batuta.operations.settings import Settings
from batuta.web.wire.state import state_wire


def execution_wire(view: ExecutionView, now: Instant) -> dict[str, Any]:
    execution = view.row.execution
    wire: dict[str, Any] = {
        "tenantId": execution.flow.tenant,
        "id": execution.id,
        "namespace": execution.flow.namespace,
        "flowId": execution.flow.id,
        "flowRevision": execution.revision,
    }
    if view.runs:
        wire["taskRunList"] = [
            task_run_wire(row.run, execution, outputs=view.outputs, now=now) for row in view.runs
        ]
    if execution.inputs:
        wire["inputs"] = execution.inputs
    if execution.outputs:
        wire["outputs"] = execution.outputs
    wire["labels"] = [{"key": label.key, "value": label.value} for label in execution.labels]
    if execution.variables:
        wire["variables"] = execution.variables
    wire["state"] = state_wire(execution.histories, now)
    if execution.parent_id is not None:
        wire["parentId"] = execution.parent_id
    wire["originalId"] = execution.original_id or execution.id
    wire.update(_origin(execution))
    return wire


def with_url(wire: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The answer to a creation tells where the page shows the execution (03 §6.4)."""
    prefix = (settings.url or settings.context_path).rstrip("/")
    path = f"/ui/main/executions/{wire['namespace']}/{wire['flowId']}/{wire['id']}"
    return {**wire, "url": f"{prefix}{path}"}


def stub_wire(execution_id: str) -> dict[str, Any]:
    """The first event of a live view (03 §5)."""
    return {"id": execution_id, "labels": [], "deleted": False}


def _origin(execution: Execution) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    if execution.trigger is not None:
        wire["trigger"] = execution.trigger
    wire["deleted"] = False
    created = execution.original_created or execution.histories[0].at
    wire["metadata"] = {
        "attemptNumber": execution.attempt_number,
        "originalCreatedDate": to_iso(created),
    }
    if execution.schedule_date is not None:
        wire["scheduleDate"] = to_iso(execution.schedule_date)
    if execution.kind is not None:
        wire["kind"] = execution.kind
    if execution.breakpoints:
        wire["breakpoints"] = [
            {"id": task_id} if value is None else {"id": task_id, "value": value}
            for task_id, value in execution.breakpoints
        ]
    return wire


def task_run_wire(
    run: TaskRun,
    execution: Execution,
    *,
    outputs: Mapping[TaskRunId, msgspec.Raw],
    now: Instant,
) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "tenantId": execution.flow.tenant,
        "id": run.id,
        "executionId": execution.id,
        "namespace": execution.flow.namespace,
        "flowId": execution.flow.id,
        "taskId": run.task_id,
    }
    if run.parent_id is not None:
        wire["parentTaskRunId"] = run.parent_id
    if run.value is not None:
        wire["value"] = run.value
    if run.attempts is not None:
        wire["attempts"] = [_attempt(attempt, now) for attempt in run.attempts]
    wire["outputs"] = outputs.get(run.id, {})
    wire["state"] = state_wire(run.histories, now)
    if run.iteration is not None:
        wire["iteration"] = run.iteration
    if run.dynamic:
        wire["dynamic"] = True
    return wire


def _attempt(attempt: Attempt, now: Instant) -> dict[str, Any]:
    wire: dict[str, Any] = {"state": state_wire(attempt.histories, now)}
    if attempt.worker_id is not None:
        wire["workerId"] = attempt.worker_id
    if attempt.log_file is not None:
        wire["logFile"] = attempt.log_file
    return wire
