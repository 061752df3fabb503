"""Rows to the columns of their tables and back; the order is that of the schema. Pure."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from batuta.engine.events import AnyEvent
from batuta.engine.execution import Attempt, Execution, Progress, TaskRun
from batuta.model.codec import decode, decode_as, encode, encode_text
from batuta.model.ids import FlowKey, TaskRunId, partition_of
from batuta.model.instant import Instant
from batuta.model.label import Label, Labels
from batuta.model.state import Histories, State
from batuta.store.query import LEVELS
from batuta.store.rows import (
    Edit,
    ExecutionRow,
    Fire,
    FlowRow,
    InboxRow,
    JobRow,
    KvRow,
    LogRow,
    MetricRow,
    OutputRow,
    ParentLink,
    TaskRunRow,
    TimerRow,
    TriggerKey,
    TriggerRow,
)

Record = tuple[Any, ...]
LEVEL_NAMES = tuple(LEVELS)
CHANGED = (
    "revision",
    "state",
    "end",
    "updated",
    "labels",
    "histories",
    "outputs",
    "variables",
    "breakpoints",
    "attempt_number",
    "created_runs",
    "holds_slot",
    "progress",
)
"""Columns of an execution that a turn changes."""

Path = tuple[str, ...]
Breakpoints = tuple[tuple[str, str | None], ...]


@lru_cache(maxsize=8192)
def partition(execution_id: str) -> int:
    return partition_of(execution_id)


def _filled(value: Any) -> bytes | None:
    """JSON, or nothing for an empty value."""
    return encode(value) if value else None


def _given(value: Any) -> bytes | None:
    return None if value is None else encode(value)


def labels_text(labels: Labels) -> str | None:
    """JSON of pairs, so that a search for words finds keys and values and nothing else."""
    return encode_text([(label.key, label.value) for label in labels]) if labels else None


def pair_text(key: str, value: str) -> str:
    """What the text of labels contains when they have this pair: quotes inside of values are escaped."""
    return encode_text((key, value))


def _read_labels(text: str | None) -> Labels:
    return tuple([Label(*pair) for pair in decode(text)]) if text else ()


def _read(data: bytes | None, default: Any = None) -> Any:
    return default if data is None else decode(data)


def _read_as(kind: Any, data: bytes | None, default: Any = None) -> Any:
    return default if data is None else decode_as(kind, data)


def execution_end(execution: Execution) -> Instant | None:
    """03 §6.5: the last date of the histories, when the execution is terminated or paused."""
    last = execution.histories[-1]
    return last.at if last.state.is_terminal or last.state is State.PAUSED else None


def execution_record(row: ExecutionRow) -> Record:
    execution, link = row.execution, row.link
    trigger: Mapping[str, Any] = execution.trigger or {}
    last = execution.histories[-1]
    return (
        execution.id,
        execution.flow.tenant,
        execution.flow.namespace,
        execution.flow.id,
        execution.revision,
        partition(execution.id),
        last.state.value,
        execution.histories[0].at,
        execution_end(execution),
        last.at,
        execution.kind,
        labels_text(execution.labels),
        trigger.get("id"),
        trigger_execution_id(trigger),
        execution.parent_id,
        execution.original_id,
        link.execution_id if link else None,
        _given(link),
        encode(execution.histories),
        _filled(execution.inputs),
        _given(execution.outputs),
        _filled(execution.variables),
        _filled(trigger),
        _filled(execution.breakpoints),
        execution.attempt_number,
        execution.original_created,
        execution.schedule_date,
        execution.created_runs,
        int(execution.holds_slot),
        _given(execution.progress),
        execution.edits,
    )


def trigger_execution_id(trigger: Mapping[str, Any]) -> str | None:
    variables = trigger.get("variables")
    return variables.get("executionId") if isinstance(variables, Mapping) else None


def execution_change(execution: Execution) -> Record:
    """The id, the columns that a turn changes, and the edits that the change builds on."""
    last = execution.histories[-1]
    return (
        execution.id,
        execution.revision,
        last.state.value,
        execution_end(execution),
        last.at,
        labels_text(execution.labels),
        encode(execution.histories),
        _given(execution.outputs),
        _filled(execution.variables),
        _filled(execution.breakpoints),
        execution.attempt_number,
        execution.created_runs,
        int(execution.holds_slot),
        _given(execution.progress),
        execution.edits,
    )


def execution_edit(edit: Edit) -> Mapping[str, Any]:
    """The values of the statement that edits a row, by name."""
    id_, *columns, edits = execution_change(edit.after)
    values = {f"new_{name}": value for name, value in zip(CHANGED, columns, strict=True)}
    former = encode(edit.before.histories)
    return values | {"old_id": id_, "old_edits": edits, "old_histories": former}


def read_execution(record: Record, runs: Mapping[TaskRunId, TaskRun] | None = None) -> ExecutionRow:
    (id_, tenant, namespace, flow_id, revision, *_) = record
    (kind, labels, _, _, parent_id, original_id, _, link, histories) = record[10:19]
    (inputs, outputs, variables, trigger, breakpoints, attempt_number) = record[19:25]
    (original_created, schedule_date, created_runs, holds_slot, progress, edits) = record[25:31]
    execution = Execution(
        id=id_,
        flow=FlowKey(tenant, namespace, flow_id),
        revision=revision,
        histories=decode_as(Histories, histories),
        inputs=_read(inputs, {}),
        outputs=_read(outputs),
        variables=_read(variables, {}),
        labels=_read_labels(labels),
        trigger=_read(trigger),
        parent_id=parent_id,
        original_id=original_id,
        attempt_number=attempt_number,
        original_created=original_created,
        schedule_date=schedule_date,
        kind=kind,
        breakpoints=_read_as(Breakpoints, breakpoints, ()),
        created_runs=created_runs,
        holds_slot=bool(holds_slot),
        progress=_read_as(Progress, progress),
        edits=edits,
        runs=runs or {},
    )
    return ExecutionRow(execution=execution, link=_read_as(ParentLink, link))


def task_run_record(row: TaskRunRow) -> Record:
    """Without the items of its progress, which are a column of their own, the last one."""
    run = row.run
    last = run.histories[-1]
    progress = run.progress
    if progress is not None and progress.items is not None:
        progress = replace(progress, items=None)
    return (
        row.execution_id,
        run.ordinal,
        run.id,
        run.task_id,
        run.parent_id,
        run.value,
        run.iteration,
        _filled(run.path),
        last.state.value,
        run.histories[0].at,
        last.at if last.state.is_terminal else None,
        encode(run.histories),
        _given(run.attempts),
        int(run.dynamic),
        _given(progress),
    )


def task_run_items(row: TaskRunRow) -> bytes | None:
    return _given(row.run.progress.items) if row.run.progress else None


def read_task_run(record: Record) -> TaskRunRow:
    (execution_id, ordinal, id_, task_id, parent_id, value, iteration, path) = record[:8]
    (histories, attempts, dynamic, data, *rest) = record[8:]
    items = rest[0] if rest else None
    progress = _read_as(Progress, data)
    if items is not None:
        known = decode_as(Path, items)
        progress = replace(progress, items=known) if progress else Progress(items=known)
    run = TaskRun(
        id=id_,
        task_id=task_id,
        ordinal=ordinal,
        histories=decode_as(Histories, histories),
        parent_id=parent_id,
        value=value,
        iteration=iteration,
        path=_read_as(Path, path, ()),
        attempts=_read_as(tuple[Attempt, ...], attempts),
        dynamic=bool(dynamic),
        progress=progress,
    )
    return TaskRunRow(execution_id=execution_id, run=run, items_known=items is not None)


def output_record(row: OutputRow) -> Record:
    return (
        row.execution_id,
        row.task_id,
        row.ordinal,
        row.task_run_id,
        _filled(row.path),
        row.data,
        row.uri,
    )


def read_output(record: Record) -> OutputRow:
    (execution_id, ordinal, task_id, task_run_id, path, data, uri) = record
    return OutputRow(
        execution_id=execution_id,
        ordinal=ordinal,
        task_id=task_id,
        task_run_id=task_run_id,
        path=_read_as(Path, path, ()),
        data=data,
        uri=uri,
    )


def log_record(row: LogRow, id_: int) -> Record:
    return (
        id_,
        row.at,
        LEVELS[row.level],
        row.flow.tenant,
        row.flow.namespace,
        row.flow.id,
        row.execution_id,
        row.task_id,
        row.task_run_id,
        row.attempt,
        row.trigger_id,
        row.thread,
        row.kind,
        row.message,
    )


def read_log(record: Record) -> LogRow:
    (id_, at, level, tenant, namespace, flow_id, execution_id, task_id) = record[:8]
    (task_run_id, attempt, trigger_id, thread, kind, message) = record[8:]
    return LogRow(
        at=at,
        level=LEVEL_NAMES[level],
        message=message,
        flow=FlowKey(tenant, namespace, flow_id),
        execution_id=execution_id,
        task_id=task_id,
        task_run_id=task_run_id,
        attempt=attempt,
        trigger_id=trigger_id,
        thread=thread,
        kind=kind,
        id=id_,
    )


def metric_record(row: MetricRow, id_: int) -> Record:
    return (
        id_,
        row.at,
        row.type,
        row.name,
        float(row.value),
        row.flow.tenant,
        row.flow.namespace,
        row.flow.id,
        row.execution_id,
        row.task_id,
        row.task_run_id,
        _filled(row.tags),
        row.kind,
    )


def read_metric(record: Record) -> MetricRow:
    (id_, at, kind_of, name, value, tenant, namespace, flow_id) = record[:8]
    (execution_id, task_id, task_run_id, tags, kind) = record[8:]
    return MetricRow(
        at=at,
        type=kind_of,
        name=name,
        value=value,
        flow=FlowKey(tenant, namespace, flow_id),
        execution_id=execution_id,
        task_id=task_id,
        task_run_id=task_run_id,
        tags=_read(tags, {}),
        kind=kind,
        id=id_,
    )


def inbox_record(row: InboxRow) -> Record:
    return (row.id, row.partition, row.execution_id, encode(row.event))


def read_inbox(record: Record) -> InboxRow:
    (id_, part, execution_id, event) = record
    return InboxRow(id_, part, execution_id, read_event(event))


def read_event(data: bytes) -> AnyEvent | None:
    """None for what another version wrote and this one does not know."""
    try:
        event: AnyEvent = _read_as(AnyEvent, data)
    except ValueError:
        return None
    return event


def job_record(row: JobRow) -> Record:
    return (
        row.task_run_id,
        row.attempt,
        row.id,
        row.execution_id,
        row.worker_group,
        row.worker_id,
        row.payload,
    )


def read_job(record: Record) -> JobRow:
    (task_run_id, attempt, id_, execution_id, worker_group, worker_id, payload) = record
    return JobRow(
        execution_id=execution_id,
        task_run_id=task_run_id,
        attempt=attempt,
        payload=payload,
        worker_group=worker_group,
        worker_id=worker_id,
        id=id_,
    )


def timer_record(row: TimerRow) -> Record:
    return (row.execution_id, row.timer_id, partition(row.execution_id), row.due)


def read_timer(record: Record) -> TimerRow:
    return TimerRow(*record)


def trigger_key_record(key: TriggerKey) -> Record:
    return (key.flow.tenant, key.flow.namespace, key.flow.id, key.id)


def trigger_record(row: TriggerRow) -> Record:
    return (
        *trigger_key_record(row.key),
        row.date,
        row.next_date,
        int(row.disabled),
        row.execution_id,
        row.evaluate_running,
        row.updated,
        row.worker_id,
        _given(row.backfill),
        _filled(row.stop_after),
        _given(row.memory),
    )


def read_trigger(record: Record) -> TriggerRow:
    (tenant, namespace, flow_id, trigger_id, date, next_date, disabled) = record[:7]
    (execution_id, evaluate_running, updated, worker_id, backfill, stop_after, memory) = record[7:]
    return TriggerRow(
        key=TriggerKey(FlowKey(tenant, namespace, flow_id), trigger_id),
        date=date,
        next_date=next_date,
        disabled=bool(disabled),
        execution_id=execution_id,
        evaluate_running=evaluate_running,
        worker_id=worker_id,
        backfill=_read(backfill),
        stop_after=_read_as(tuple[State, ...], stop_after, ()),
        memory=_read(memory),
        updated=updated,
    )


def fire_record(fire: Fire) -> Record:
    return (*trigger_key_record(fire.key), fire.scope, fire.time, fire.execution_id)


def flow_record(row: FlowRow) -> Record:
    """As the latest revision."""
    return (
        row.key.tenant,
        row.key.namespace,
        row.key.id,
        row.revision,
        1,
        int(row.disabled),
        int(row.deleted),
        row.updated,
        row.description,
        labels_text(row.labels),
        row.data,
        row.source,
    )


def read_flow(record: Record) -> FlowRow:
    (tenant, namespace, id_, revision, _, disabled, deleted) = record[:7]
    (updated, description, labels, data, source) = record[7:]
    return FlowRow(
        key=FlowKey(tenant, namespace, id_),
        revision=revision,
        data=data,
        source=source,
        updated=updated,
        description=description,
        labels=_read_labels(labels),
        disabled=bool(disabled),
        deleted=bool(deleted),
    )


def kv_record(row: KvRow) -> Record:
    """As the last version."""
    return (
        row.tenant,
        row.namespace,
        row.key,
        row.version,
        1,
        int(row.deleted),
        row.created,
        row.updated,
        row.expires,
        row.description,
        row.value,
    )


def read_kv(record: Record) -> KvRow:
    (tenant, namespace, key, version, _, deleted, created, updated) = record[:8]
    (expires, description, value) = record[8:]
    return KvRow(
        tenant=tenant,
        namespace=namespace,
        key=key,
        value=value,
        created=created,
        updated=updated,
        version=version,
        description=description,
        expires=expires,
        deleted=bool(deleted),
    )
