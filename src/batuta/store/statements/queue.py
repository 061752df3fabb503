"""Inbox, jobs, timers, slots, leases, and the source of ids."""

from sqlalchemy import bindparam, func, select, update

from batuta.store.schema import inbox, job, lease, sequence, slot, slot_queue, timer
from batuta.store.statements.build import (
    ManyRows,
    Upsert,
    all_columns,
    among,
    delete_rows,
    equals,
    insert_rows,
    is_one_of,
    limited,
    put_rows,
)

inbox_insert = insert_rows(inbox)
inbox_delete = delete_rows(inbox, "id")
inbox_claim = limited(
    select(inbox)
    .where(among(inbox.c.partition, "partitions"), inbox.c.id > bindparam("after"))
    .order_by(inbox.c.id)
)

job_insert = insert_rows(job)
job_delete = delete_rows(job, "task_run_id", "attempt")
job_all = select(job).order_by(job.c.id)
job_of = select(job).where(equals(job, "execution_id")).order_by(job.c.id)
job_assign = (
    update(job)
    .values(worker_id=bindparam("worker_id"))
    .where(job.c.task_run_id == bindparam("run"), job.c.attempt == bindparam("number"))
)

timer_put = put_rows(timer)
timer_clear = delete_rows(timer, "execution_id", "timer_id")
timer_due = limited(
    select(timer.c.execution_id, timer.c.timer_id, timer.c.due)
    .where(among(timer.c.partition, "partitions"), timer.c.due <= bindparam("until"))
    .order_by(timer.c.due, timer.c.execution_id, timer.c.timer_id)
)
timer_next = (
    select(timer.c.due).where(among(timer.c.partition, "partitions")).order_by(timer.c.due).limit(1)
)

_FLOW = ("tenant", "namespace", "flow_id")
slot_get = select(slot.c.running).where(equals(slot, *_FLOW))
slot_put = Upsert(slot, all_columns(slot), ["running"])
slot_all = (
    select(slot.c.namespace, slot.c.flow_id, slot.c.running)
    .where(equals(slot, "tenant"))
    .order_by(slot.c.namespace, slot.c.flow_id)
)
slot_queue_insert = Upsert(slot_queue, all_columns(slot_queue), [])
slot_queue_first = (
    select(slot_queue.c.execution_id)
    .where(equals(slot_queue, *_FLOW))
    .order_by(slot_queue.c.id)
    .limit(1)
)
slot_queue_delete = slot_queue.delete().where(equals(slot_queue, "execution_id"))

lease_all = select(lease).order_by(lease.c.partition)
lease_put = put_rows(lease)
lease_release = (
    update(lease)
    .values(owner=None, until=0, epoch=lease.c.epoch + 1)
    .where(lease.c.owner == bindparam("released"))
)
lease_forget = update(lease).values(owner=None, until=0, epoch=lease.c.epoch + 1)
lease_check = ManyRows(
    select(func.count()).select_from(lease).where(is_one_of(lease, "partition", "epoch")),
    lease,
    ("partition", "epoch"),
)

sequence_take = (
    update(sequence)
    .values(last=sequence.c.last + bindparam("count"))
    .where(equals(sequence, "name"))
    .returning(sequence.c.last)
)
