"""The fields of each kind of row."""

from collections.abc import Callable, Iterable
from typing import Any

from batuta.store.memory.match import Resource
from batuta.store.query import (
    EXECUTION_FIELDS,
    FLOW_FIELDS,
    KV_FIELDS,
    KV_STATE_FIELDS,
    LATEST_FIELD,
    LOG_FIELDS,
    METRIC_FIELDS,
    TRIGGER_FIELDS,
    Sort,
)
from batuta.store.record import execution_end, labels_text, trigger_execution_id
from batuta.store.rows import ExecutionRow, FlowRow, KvRow, LogRow, MetricRow, TriggerRow

Read = dict[str, Callable[[Any], Any]]


def _attributes(names: Iterable[str]) -> Read:
    return {name: _attribute(name) for name in names}


def _attribute(name: str) -> Callable[[Any], Any]:
    return lambda row: getattr(row, name)


def _of_flow(read: Callable[[Any], Any]) -> Read:
    return {
        "tenant": lambda row: read(row).tenant,
        "namespace": lambda row: read(row).namespace,
        "flow_id": lambda row: read(row).id,
    }


def _start(row: ExecutionRow) -> int:
    return row.execution.histories[0].at


def _duration(row: ExecutionRow) -> int | None:
    end = execution_end(row.execution)
    return None if end is None else end - _start(row)


def _trigger_id(row: ExecutionRow) -> str | None:
    return (row.execution.trigger or {}).get("id")


EXECUTIONS: Resource[ExecutionRow] = Resource(
    EXECUTION_FIELDS,
    {
        **_of_flow(lambda row: row.execution.flow),
        "q": lambda row: (
            row.execution.id,
            row.execution.flow.namespace,
            row.execution.flow.id,
            labels_text(row.execution.labels),
            _trigger_id(row),
        ),
        "id": lambda row: row.execution.id,
        "revision": lambda row: row.execution.revision,
        "state": lambda row: row.execution.state.value,
        "start": _start,
        "end": lambda row: execution_end(row.execution),
        "duration": _duration,
        "updated": lambda row: row.updated,
        "kind": lambda row: row.execution.kind,
        "labels": lambda row: row.execution.labels,
        "trigger_id": _trigger_id,
        "trigger_execution_id": lambda row: trigger_execution_id(row.execution.trigger or {}),
        "child": lambda row: row.link,
        "link_execution_id": lambda row: None if row.link is None else row.link.execution_id,
        "parent_id": lambda row: row.execution.parent_id,
        "original_id": lambda row: row.execution.original_id,
    },
    key=lambda row: (row.execution.id,),
    order=[Sort("start", descending=True)],
    descending=True,
)
FLOWS: Resource[tuple[FlowRow, bool]] = Resource(
    {**FLOW_FIELDS, **LATEST_FIELD},
    {
        "q": lambda row: (
            row[0].key.namespace,
            row[0].key.id,
            row[0].description,
            labels_text(row[0].labels),
        ),
        "source": lambda row: (row[0].source,),
        "tenant": lambda row: row[0].key.tenant,
        "namespace": lambda row: row[0].key.namespace,
        "id": lambda row: row[0].key.id,
        "revision": lambda row: row[0].revision,
        "updated": lambda row: row[0].updated,
        "disabled": lambda row: row[0].disabled,
        "deleted": lambda row: row[0].deleted,
        "labels": lambda row: row[0].labels,
        "latest": lambda row: row[1],
    },
    key=lambda row: (row[0].key.namespace, row[0].key.id, row[0].key.tenant, row[0].revision),
)
LOGS: Resource[LogRow] = Resource(
    LOG_FIELDS,
    {
        **_of_flow(lambda row: row.flow),
        **_attributes(["execution_id", "task_id", "task_run_id", "attempt", "trigger_id", "level"]),
        **_attributes(["at", "kind", "id"]),
        "q": lambda row: (
            row.message,
            row.flow.namespace,
            row.flow.id,
            row.execution_id,
            row.task_id,
            row.trigger_id,
        ),
    },
    key=lambda row: (row.id,),
    order=[Sort("at")],
)
METRICS: Resource[MetricRow] = Resource(
    METRIC_FIELDS,
    {
        **_of_flow(lambda row: row.flow),
        **_attributes(["execution_id", "task_id", "task_run_id", "name", "value"]),
        **_attributes(["at", "kind", "id"]),
    },
    key=lambda row: (row.id,),
    order=[Sort("at")],
)
TRIGGERS: Resource[TriggerRow] = Resource(
    TRIGGER_FIELDS,
    {
        **_of_flow(lambda row: row.key.flow),
        **_attributes(["worker_id", "execution_id", "next_date", "date", "disabled"]),
        "q": lambda row: (row.key.flow.namespace, row.key.flow.id, row.key.id),
        "trigger_id": lambda row: row.key.id,
    },
    key=lambda row: (
        row.key.flow.namespace,
        row.key.flow.id,
        row.key.id,
        row.key.flow.tenant,
    ),
)
VALUES: Resource[tuple[KvRow, bool]] = Resource(
    {**KV_FIELDS, **KV_STATE_FIELDS},
    {
        "q": lambda row: (row[0].namespace, row[0].key, row[0].description),
        "tenant": lambda row: row[0].tenant,
        "namespace": lambda row: row[0].namespace,
        "key": lambda row: row[0].key,
        "updated": lambda row: row[0].updated,
        "expires": lambda row: row[0].expires,
        "expired": lambda row: row[0].expires,
        "deleted": lambda row: row[0].deleted,
        "latest": lambda row: row[1],
    },
    key=lambda row: (row[0].namespace, row[0].key, row[0].tenant, row[0].version),
)
