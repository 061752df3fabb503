"""What an execution did, from its rows, in the shape of the recorded flow cases (`conformance/flows/README.md`)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from batuta.engine.execution import Execution, TaskRun
from batuta.model import codec
from batuta.model.ids import TaskRunId
from batuta.model.label import is_system
from batuta.model.state import Histories
from batuta.operations.executions import ExecutionView
from batuta.operations.services import Services
from batuta.store.query import Filter, Op, Query
from batuta.store.rows import LogRow

MOST_LOGS = 10_000


async def record_of(services: Services, view: ExecutionView) -> dict[str, Any]:
    """One execution with its task runs, their order, and the messages of its tasks."""
    runs = [found.run for found in view.runs]
    by_execution = (Filter("execution_id", Op.EQUALS, view.row.execution.id),)
    query = Query(filters=by_execution, size=MOST_LOGS, total=False)
    logs = (await services.store.journal.logs(query)).rows
    return {
        **header_of(view.row.execution),
        **_runs_of(runs, view.outputs),
        "logs": _logs_of(logs, runs),
    }


def header_of(execution: Execution) -> dict[str, Any]:
    labels = {label.key: label.value for label in execution.labels if not is_system(label)}
    system = {label.key: label.value for label in execution.labels if is_system(label)}
    record: dict[str, Any] = {
        "flowId": execution.flow.id,
        "state": str(execution.state),
        "histories": _states(execution.histories),
        "inputs": execution.inputs,
        "outputs": execution.outputs,
        "variables": execution.variables,
        "labels": labels,
        "systemLabels": system,
        "trigger": execution.trigger,
    }
    unusual = {
        "hasParentId": True if execution.parent_id else None,
        "attemptNumber": execution.attempt_number if execution.attempt_number != 1 else None,
        "flowRevision": execution.revision if execution.revision != 1 else None,
    }
    record |= {key: value for key, value in unusual.items() if value is not None}
    plain: dict[str, Any] = codec.to_plain(record)
    return plain


def _runs_of(runs: Sequence[TaskRun], outputs: Mapping[TaskRunId, msgspec.Raw]) -> dict[str, Any]:
    paths = paths_of(runs)
    values = {run_id: codec.decode(bytes(data)) for run_id, data in outputs.items()}
    return {
        "taskRuns": [_run(run, paths, values.get(run.id)) for run in runs],
        "order": [paths[run.id] for run in runs],
    }


def paths_of(runs: Iterable[TaskRun]) -> dict[TaskRunId, str]:
    """The name of every task run below its parents: `loop/cond[a]`, `loop/t[#2]`."""
    paths: dict[TaskRunId, str] = {}
    for run in runs:
        name = str(run.task_id)
        if run.value is not None:
            name += f"[{run.value}]"
        elif run.iteration is not None:
            name += f"[#{run.iteration}]"
        above = paths.get(run.parent_id) if run.parent_id else None
        paths[run.id] = f"{above}/{name}" if above else name
    return paths


def _run(
    run: TaskRun, paths: Mapping[TaskRunId, str], outputs: Mapping[str, Any] | None
) -> dict[str, Any]:
    attempts = run.attempts or ()
    states = [str(attempt.state) for attempt in attempts]
    record: dict[str, Any] = {
        **_place(run, paths),
        "state": str(run.state),
        "attempts": len(attempts),
        "histories": _states(run.histories),
    }
    if any(state != run.state for state in states):
        record["attemptStates"] = states
    if outputs:
        record["outputs"] = outputs
    return record


def _place(run: TaskRun, paths: Mapping[TaskRunId, str]) -> dict[str, Any]:
    place: dict[str, Any] = {"taskId": str(run.task_id)}
    if run.value is not None:
        place["value"] = run.value
    if run.iteration is not None:
        place["iteration"] = run.iteration
    if run.parent_id:
        place["parent"] = paths.get(run.parent_id)
    return place


def _logs_of(logs: Sequence[LogRow], runs: Sequence[TaskRun]) -> list[dict[str, Any]]:
    """Messages that belong to a task; those of the execution itself are no part of a case."""
    paths = paths_of(runs)
    by_id = {run.id: run for run in runs}
    again = {_failure(log) for log in logs if log.task_run_id in by_id} - {None}
    messages = []
    for log in logs:
        run = by_id.get(log.task_run_id) if log.task_run_id else None
        # A failure that is the same once more after a restart is recorded once.
        if log.task_id is None or (run is None and _failure(log) in again):
            continue
        place = _place(run, paths) if run else {"taskId": str(log.task_id)}
        messages.append({"level": log.level, **place, "message": log.message})
    return messages


def _failure(log: LogRow) -> tuple[str, str] | None:
    return (str(log.task_id), log.message) if log.level == "ERROR" else None


def _states(histories: Histories) -> list[str]:
    return [str(entry.state) for entry in histories]
