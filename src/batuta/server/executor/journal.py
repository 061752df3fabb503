"""Rows of what tasks and the engine wrote: log entries and metrics."""

from collections.abc import Iterable

from batuta.engine.commands import Logged
from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.sdk.context import RunInfo
from batuta.server.executor.live import Live
from batuta.server.protocol import LogLine, MetricLine
from batuta.store.rows import LogRow, MetricRow

MILLIS = 1000.0


def log_rows(info: RunInfo, lines: Iterable[LogLine], *, kind: str | None) -> list[LogRow]:
    """A line of another task run (a WorkingDirectory's child) names it. `kind` is the execution's."""
    flow = FlowKey(info.tenant, info.namespace, info.flow_id)
    return [
        LogRow(
            at=line.at,
            level=line.level,
            message=line.message,
            flow=flow,
            execution_id=ExecutionId(info.execution_id),
            task_id=TaskId(line.task_id or info.task_id),
            task_run_id=TaskRunId(line.task_run_id or info.task_run_id),
            attempt=info.attempt - 1,
            thread=line.thread,
            kind=kind,
        )
        for line in lines
    ]


def metric_rows(info: RunInfo, lines: Iterable[MetricLine], *, kind: str | None) -> list[MetricRow]:
    """Timers are stored in milliseconds (01 §9.3)."""
    flow = FlowKey(info.tenant, info.namespace, info.flow_id)
    return [
        MetricRow(
            at=line.at,
            type=line.kind,
            name=line.name,
            value=line.value * MILLIS if line.kind == "timer" else line.value,
            flow=flow,
            execution_id=ExecutionId(info.execution_id),
            task_id=TaskId(line.task_id or info.task_id),
            task_run_id=TaskRunId(line.task_run_id or info.task_run_id),
            tags=line.tags,
            kind=kind,
        )
        for line in lines
    ]


def engine_log(live: Live, logged: Logged) -> LogRow:
    run = logged.task_run
    return LogRow(
        at=logged.at,
        level=logged.level,
        message=live.masks.apply(logged.message),
        flow=live.plan.flow,
        execution_id=live.execution.id,
        task_id=run.task_id if run is not None else None,
        task_run_id=run.id if run is not None else None,
        attempt=max(len(run.attempts or ()) - 1, 0) if run is not None else None,
        kind=live.execution.kind,
    )
