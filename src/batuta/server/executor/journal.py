"""Rows of what tasks and the engine wrote: log entries, metrics and outputs."""

from collections.abc import Iterable, Mapping
from typing import Any

from batuta.engine.commands import Logged
from batuta.engine.execution import TaskRun
from batuta.model import codec
from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.operations.services import Services
from batuta.sdk.context import RunInfo
from batuta.server.executor.live import Live
from batuta.server.protocol import LogLine, MetricLine
from batuta.storage.layout import message_path, to_uri
from batuta.store.rows import MAX_PAYLOAD, LogRow, MetricRow, OutputRow

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


async def output_row(
    services: Services, live: Live, run: TaskRun, *, outputs: Mapping[str, Any]
) -> OutputRow:
    """Long outputs are put into a file (09 §6)."""
    data: bytes | None = codec.encode(outputs)
    uri = None
    if data is not None and len(data) > MAX_PAYLOAD:
        place = to_uri(message_path(run.id))
        uri = await services.storage.put(live.plan.flow.tenant, place, data)
        data = None
    return OutputRow(
        execution_id=live.execution.id,
        ordinal=run.ordinal,
        task_id=run.task_id,
        task_run_id=run.id,
        path=run.path,
        data=data,
        uri=uri,
    )
