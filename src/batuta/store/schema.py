"""The tables, for both databases. Used by the generator and tests only: run time never imports SQLAlchemy.

Columns are texts, integers (instants and lengths in microseconds, flags as 0 and 1), floats, and bytes of JSON.
Ids of executions grow with time (`batuta.model.ids.timed_id`), so keys that begin with one are appended to.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData()
# SQLite makes a column the row's own number only when its type is INTEGER.
_Long = BigInteger().with_variant(Integer(), "sqlite")


Kind = TypeEngine[Any] | type[TypeEngine[Any]]


def _column(name: str, kind: Kind) -> Column[Any]:
    """A name that ends in `?` may be empty."""
    return Column(name.removesuffix("?"), kind, nullable=name.endswith("?"))


def _columns(kind: Kind, names: str) -> list[Column[Any]]:
    return [_column(name, kind) for name in names.split()]


def _table(name: str, key: str, *columns: Column[Any], rowid: bool = False) -> Table:
    keys = key.split()
    for column in columns:
        column.primary_key = column.name in keys
    table = Table(name, metadata, *columns, sqlite_with_rowid=rowid)
    for column in table.columns:
        column.autoincrement = False
    return table


execution = _table(
    "execution",
    "id",
    *_columns(Text, "id tenant namespace flow_id"),
    *_columns(Integer, "revision partition"),
    *_columns(Text, "state"),
    *_columns(_Long, "start end? updated"),
    *_columns(Text, "kind? labels? trigger_id? trigger_execution_id? parent_id? original_id?"),
    *_columns(Text, "link_execution_id?"),
    *_columns(LargeBinary, "link? histories inputs? outputs? variables? trigger? breakpoints?"),
    *_columns(Integer, "attempt_number"),
    *_columns(_Long, "original_created? schedule_date?"),
    *_columns(Integer, "created_runs holds_slot"),
    *_columns(LargeBinary, "progress?"),
    Column("edits", Integer, nullable=False, server_default=text("0")),
    rowid=True,
)
Index("execution_start", execution.c.tenant, execution.c.start)
Index("execution_state", execution.c.tenant, execution.c.state, execution.c.start)
Index(
    "execution_flow",
    execution.c.tenant,
    execution.c.namespace,
    execution.c.flow_id,
    execution.c.start,
)
_LINKED = text("link_execution_id IS NOT NULL")
Index(
    "execution_link",
    execution.c.link_execution_id,
    execution.c.id,
    sqlite_where=_LINKED,
    postgresql_where=_LINKED,
)

task_run = _table(
    "task_run",
    "execution_id ordinal",
    *_columns(Text, "execution_id"),
    *_columns(Integer, "ordinal"),
    *_columns(Text, "id task_id parent_id? value?"),
    *_columns(Integer, "iteration?"),
    *_columns(LargeBinary, "path?"),
    *_columns(Text, "state"),
    *_columns(_Long, "start end?"),
    *_columns(LargeBinary, "histories attempts?"),
    *_columns(Integer, "dynamic"),
    *_columns(LargeBinary, "progress? items?"),
)
Index("task_run_id", task_run.c.execution_id, task_run.c.id, unique=True)
_NESTED = text("parent_id IS NOT NULL")
Index(
    "task_run_parent",
    task_run.c.execution_id,
    task_run.c.parent_id,
    sqlite_where=_NESTED,
    postgresql_where=_NESTED,
)
_ACTIVE = text('"end" IS NULL')
Index("task_run_active", task_run.c.execution_id, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE)

output = _table(
    "output",
    "execution_id task_id ordinal",
    *_columns(Text, "execution_id task_id"),
    *_columns(Integer, "ordinal"),
    *_columns(Text, "task_run_id"),
    *_columns(LargeBinary, "path? data?"),
    *_columns(Text, "uri?"),
)

log = _table(
    "log",
    "id",
    *_columns(_Long, "id at"),
    *_columns(Integer, "level"),
    *_columns(Text, "tenant namespace flow_id execution_id? task_id? task_run_id?"),
    *_columns(Integer, "attempt?"),
    *_columns(Text, "trigger_id? thread? kind? message"),
    rowid=True,
)
Index("log_at", log.c.tenant, log.c.at)
_OF_EXECUTION = text("execution_id IS NOT NULL")
Index(
    "log_execution",
    log.c.execution_id,
    log.c.id,
    sqlite_where=_OF_EXECUTION,
    postgresql_where=_OF_EXECUTION,
)

metric = _table(
    "metric",
    "id",
    *_columns(_Long, "id at"),
    *_columns(Text, "type name"),
    *_columns(Float, "value"),
    *_columns(Text, "tenant namespace flow_id execution_id? task_id? task_run_id?"),
    *_columns(LargeBinary, "tags?"),
    *_columns(Text, "kind?"),
    rowid=True,
)
Index("metric_flow", metric.c.tenant, metric.c.namespace, metric.c.flow_id, metric.c.at)
Index(
    "metric_execution",
    metric.c.execution_id,
    metric.c.id,
    sqlite_where=_OF_EXECUTION,
    postgresql_where=_OF_EXECUTION,
)

inbox = _table(
    "inbox",
    "id",
    *_columns(_Long, "id"),
    *_columns(Integer, "partition"),
    *_columns(Text, "execution_id"),
    *_columns(LargeBinary, "event"),
    rowid=True,
)
Index("inbox_execution", inbox.c.execution_id)

job = _table(
    "job",
    "task_run_id attempt",
    *_columns(Text, "task_run_id"),
    *_columns(Integer, "attempt"),
    *_columns(_Long, "id"),
    *_columns(Text, "execution_id worker_group? worker_id?"),
    *_columns(LargeBinary, "payload"),
)
Index("job_execution", job.c.execution_id)

timer = _table(
    "timer",
    "execution_id timer_id",
    *_columns(Text, "execution_id timer_id"),
    *_columns(Integer, "partition"),
    *_columns(_Long, "due"),
)
Index("timer_due", timer.c.due)

slot = _table(
    "slot",
    "tenant namespace flow_id",
    *_columns(Text, "tenant namespace flow_id"),
    *_columns(Integer, "running"),
)
slot_queue = _table(
    "slot_queue",
    "execution_id",
    *_columns(Text, "execution_id tenant namespace flow_id"),
    *_columns(_Long, "id"),
)
Index(
    "slot_queue_flow",
    slot_queue.c.tenant,
    slot_queue.c.namespace,
    slot_queue.c.flow_id,
    slot_queue.c.id,
)

lease = _table(
    "lease",
    "partition",
    *_columns(Integer, "partition"),
    *_columns(Text, "owner?"),
    *_columns(_Long, "epoch until"),
)

_LATEST = text("latest = 1")


def _sources(name: str) -> Table:
    """Texts of authors by namespace and id: a row for each revision, the last one marked."""
    table = _table(
        name,
        "tenant namespace id revision",
        *_columns(Text, "tenant namespace id"),
        *_columns(Integer, "revision latest disabled deleted"),
        *_columns(_Long, "updated"),
        *_columns(Text, "description? labels?"),
        *_columns(LargeBinary, "data"),
        *_columns(Text, "source"),
        rowid=True,
    )
    Index(
        f"{name}_latest",
        table.c.tenant,
        table.c.namespace,
        table.c.id,
        unique=True,
        sqlite_where=_LATEST,
        postgresql_where=_LATEST,
    )
    return table


flow = _sources("flow")
template = _sources("template")

kv = _table(
    "kv",
    "tenant namespace key version",
    *_columns(Text, "tenant namespace key"),
    *_columns(Integer, "version latest deleted"),
    *_columns(_Long, "created updated expires?"),
    *_columns(Text, "description? value"),
    rowid=True,
)
Index(
    "kv_latest",
    kv.c.tenant,
    kv.c.namespace,
    kv.c.key,
    unique=True,
    sqlite_where=_LATEST,
    postgresql_where=_LATEST,
)

trigger = _table(
    "trigger_state",
    "tenant namespace flow_id trigger_id",
    *_columns(Text, "tenant namespace flow_id trigger_id"),
    *_columns(_Long, "date? next_date?"),
    *_columns(Integer, "disabled"),
    *_columns(Text, "execution_id?"),
    *_columns(_Long, "evaluate_running? updated?"),
    *_columns(Text, "worker_id?"),
    *_columns(LargeBinary, "backfill? stop_after? memory?"),
)
_SCHEDULED = text("next_date IS NOT NULL AND disabled = 0")
Index(
    "trigger_state_next",
    trigger.c.next_date,
    sqlite_where=_SCHEDULED,
    postgresql_where=_SCHEDULED,
)

fire = _table(
    "fire",
    "tenant namespace flow_id trigger_id scope time",
    *_columns(Text, "tenant namespace flow_id trigger_id scope"),
    *_columns(_Long, "time"),
    *_columns(Text, "execution_id?"),
)

setting = _table("setting", "key", *_columns(Text, "key"), *_columns(LargeBinary, "data"))

sequence = _table("sequence", "name", *_columns(Text, "name"), *_columns(_Long, "last"))
