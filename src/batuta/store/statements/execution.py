"""Executions, their task runs and outputs."""

from sqlalchemy import bindparam, delete, exists, literal, select, update

from batuta.store.query import EXECUTION_FIELDS, OUTPUT_FIELDS, TASK_RUN_FIELDS
from batuta.store.record import CHANGED
from batuta.store.schema import (
    execution,
    inbox,
    job,
    log,
    metric,
    output,
    slot_queue,
    task_run,
    timer,
)
from batuta.store.statements.build import (
    Indexed,
    SearchRows,
    among,
    delete_rows,
    equals,
    insert_rows,
    put_rows,
    update_rows,
)

_RUN_COLUMNS = [
    task_run.c[name]
    for name in [
        "execution_id",
        "ordinal",
        "id",
        "task_id",
        "parent_id",
        "value",
        "iteration",
        "path",
        "histories",
        "attempts",
        "dynamic",
        "progress",
        "items",
    ]
]

execution_insert = insert_rows(execution)
execution_update = update_rows(execution, "id", CHANGED, same=["edits"])
execution_edit = (
    update(execution)
    .values(
        {name: bindparam(f"new_{name}", type_=execution.c[name].type) for name in CHANGED}
        | {"edits": execution.c.edits + 1}
    )
    .where(
        *[
            execution.c[name] == bindparam(f"old_{name}", type_=execution.c[name].type)
            for name in ("id", "edits", "histories")
        ]
    )
)
execution_get = select(execution).where(among(execution.c.id, "ids"))
execution_children = (
    select(execution)
    .where(execution.c.link_execution_id == bindparam("id"))
    .order_by(execution.c.start, execution.c.id)
)
execution_search = SearchRows(
    table=execution,
    columns=list(execution.columns),
    fields=EXECUTION_FIELDS,
    key=[execution.c.id],
    order=[execution.c.start.desc(), execution.c.id.desc()],
    places={
        "duration": execution.c.end - execution.c.start,
        "child": execution.c.link_execution_id,
    },
    words={
        "q": [
            execution.c.id,
            execution.c.namespace,
            execution.c.flow_id,
            execution.c.labels,
            execution.c.trigger_id,
        ]
    },
)
execution_idle = Indexed(
    select(execution.c.id)
    .where(
        among(execution.c.id, "ids"),
        among(execution.c.state, "states"),
        execution.c.holds_slot == literal(0),
        ~exists().where(task_run.c.execution_id == execution.c.id, task_run.c.end.is_(None)),
        ~exists().where(inbox.c.execution_id == execution.c.id),
    )
    .with_for_update(of=execution),
    place="FROM task_run WHERE",
    index="task_run_active",
)
execution_delete = delete(execution).where(among(execution.c.id, "ids"))

task_run_put = put_rows(task_run, without=["items"])
task_run_put_items = put_rows(task_run)
task_run_active = Indexed(
    select(*_RUN_COLUMNS)
    .where(equals(task_run, "execution_id"), task_run.c.end.is_(None))
    .order_by(task_run.c.ordinal),
    place="FROM task_run WHERE",
    index="task_run_active",
)
task_run_search = SearchRows(
    table=task_run,
    columns=_RUN_COLUMNS,
    fields=TASK_RUN_FIELDS,
    key=[task_run.c.ordinal],
    order=[task_run.c.ordinal],
)
_up = (
    select(task_run.c.id, task_run.c.parent_id, task_run.c.ordinal)
    .where(equals(task_run, "execution_id", "id"))
    .cte("up", recursive=True)
)
_up = _up.union_all(
    select(task_run.c.id, task_run.c.parent_id, task_run.c.ordinal).where(
        equals(task_run, "execution_id"), task_run.c.id == _up.c.parent_id
    )
)
task_run_ancestors = (
    select(*[column for column in _RUN_COLUMNS if column.name != "items"])
    .where(
        equals(task_run, "execution_id"),
        task_run.c.ordinal.in_(select(_up.c.ordinal)),
    )
    .order_by(task_run.c.ordinal.desc())
)
_down = (
    select(task_run.c.id, task_run.c.ordinal, task_run.c.task_id)
    .where(equals(task_run, "execution_id"), among(task_run.c.id, "ids"))
    .cte("down", recursive=True)
)
_down = _down.union(
    select(task_run.c.id, task_run.c.ordinal, task_run.c.task_id).where(
        equals(task_run, "execution_id"),
        task_run.c.parent_id == _down.c.id,
    )
)
task_run_descendants = Indexed(
    select(_down.c.ordinal, _down.c.task_id), place="FROM task_run, down", index="task_run_parent"
)
task_run_remove = delete_rows(task_run, "execution_id", "ordinal")

output_put = put_rows(output)
output_remove = delete(output).where(
    equals(output, "execution_id", "task_id"), among(output.c.ordinal, "ordinals")
)
output_search = SearchRows(
    table=output,
    columns=[
        output.c[name]
        for name in ["execution_id", "ordinal", "task_id", "task_run_id", "path", "data", "uri"]
    ],
    fields=OUTPUT_FIELDS,
    key=[output.c.ordinal],
    order=[output.c.ordinal],
)

task_run_delete = delete(task_run).where(among(task_run.c.execution_id, "ids"))
output_delete = delete(output).where(among(output.c.execution_id, "ids"))
inbox_delete_of = delete(inbox).where(among(inbox.c.execution_id, "ids"))
job_delete_of = delete(job).where(among(job.c.execution_id, "ids"))
timer_delete_of = delete(timer).where(among(timer.c.execution_id, "ids"))
slot_queue_delete_of = delete(slot_queue).where(among(slot_queue.c.execution_id, "ids"))
log_delete_of = delete(log).where(among(log.c.execution_id, "ids"))
metric_delete_of = delete(metric).where(among(metric.c.execution_id, "ids"))
