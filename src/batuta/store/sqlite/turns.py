"""Turns of many callers, written table by table with as few statements as possible."""

from collections.abc import Sequence
from typing import NoReturn

from batuta.engine.events import AnyEvent
from batuta.engine.execution import Execution
from batuta.model.ids import ExecutionId, FlowKey, TaskRunId
from batuta.store import record
from batuta.store._generated import sqlite as sql
from batuta.store.errors import ChangedError, FencedError, GoneError
from batuta.store.record import Record, partition
from batuta.store.rows import (
    Edit,
    Fire,
    InboxRow,
    JobRow,
    LogRow,
    MetricRow,
    OutputRow,
    TaskRunRow,
    Timer,
    TimerRow,
    TriggerKey,
    TriggerRow,
    Turn,
)
from batuta.store.slot import settle
from batuta.store.sqlite.session import MAX_ROWS, Transaction


class TurnBatch:
    """Gathers turns with `add`; `write` puts them into the transaction.

    Where two turns change the same row the later one counts, as if they had been written one after the other.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._feed = transaction.feed
        self._clear()

    def _clear(self) -> None:
        self._size = 0
        self._fences: dict[int, int] = {}
        self._executions: dict[ExecutionId, Execution] = {}
        self._runs: dict[tuple[ExecutionId, int], TaskRunRow] = {}
        self._outputs: dict[tuple[ExecutionId, int], OutputRow] = {}
        self._timers: dict[Timer, TimerRow | None] = {}
        self._triggers: dict[TriggerKey, TriggerRow] = {}
        self._created: list[Record] = []
        self._logs: list[LogRow] = []
        self._metrics: list[MetricRow] = []
        self._jobs: list[JobRow] = []
        self._fires: list[Fire] = []
        self._inbox: list[InboxRow] = []
        self._inbox_done: list[Record] = []
        self._jobs_done: dict[tuple[TaskRunId, int], None] = {}

    def add(self, turn: Turn) -> None:
        """Raises `FencedError` when turns of one batch hold different epochs of a partition, and `ChangedError`."""
        if self._size and self._depends(turn):
            self.write()
        self._size += 1
        if turn.fences:
            self._add_fences(turn)
        if turn.removed_runs or turn.edits:
            self._check_fences()
            for edit in turn.edits:
                self._edit(edit)
            self._remove_runs(turn)
        self._add_rows(turn)
        self._add_queues(turn)
        for operation in turn.slots:
            for mail in settle(_Slots(self._transaction), operation):
                self._add_mail(mail.execution_id, mail.event)

    def write(self) -> None:
        """Raises `FencedError`, `GoneError`, `ChangedError`, and `sqlite3.IntegrityError` for a row that exists."""
        if not self._size:
            return
        self._check_fences()
        self._write_executions()
        self._write_runs()
        self._write_triggers()
        self._write_numbered()
        self._write_queues()
        self._clear()

    def _depends(self, turn: Turn) -> bool:
        """Whether the turn has to come after what is gathered, which is written in another order than it was asked for."""
        return (
            bool(turn.removed_runs)
            or bool(turn.edits)
            or any(row.execution.id in self._executions for row in turn.created)
            or any((row.task_run_id, row.attempt) in self._jobs_done for row in turn.jobs)
        )

    def _add_fences(self, turn: Turn) -> None:
        for part, epoch in turn.fences.items():
            if self._fences.setdefault(part, epoch) != epoch:
                raise FencedError({part: epoch})

    def _add_rows(self, turn: Turn) -> None:
        for row in turn.created:
            self._created.append(record.execution_record(row))
            self._feed.created.append(row)
        for execution in turn.executions:
            self._executions[execution.id] = execution
        for run in turn.task_runs:
            self._add_run(run)
        for output in turn.outputs:
            self._outputs[output.execution_id, output.ordinal] = output
        for trigger in turn.triggers:
            self._triggers[trigger.key] = trigger
        self._fires += turn.fires
        self._logs += turn.logs
        self._metrics += turn.metrics

    def _add_run(self, row: TaskRunRow) -> None:
        key = (row.execution_id, row.run.ordinal)
        if row.items_known:
            former = self._runs.get(key)
            if former is not None and not former.items_known:
                # The items have not been written yet, an earlier turn of this batch brings them.
                row = TaskRunRow(execution_id=row.execution_id, run=row.run)
        self._runs[key] = row

    def _add_queues(self, turn: Turn) -> None:
        for mail in turn.inbox:
            self._add_mail(mail.execution_id, mail.event)
        self._inbox_done += [(id_,) for id_ in turn.inbox_done]
        self._jobs += turn.jobs
        self._jobs_done |= dict.fromkeys(turn.jobs_done)
        for timer in turn.timers:
            self._timers[timer.execution_id, timer.timer_id] = timer
        for cleared in turn.timers_cleared:
            self._timers[cleared] = None

    def _add_mail(self, execution_id: ExecutionId, event: AnyEvent) -> None:
        self._inbox.append(InboxRow(0, partition(execution_id), execution_id, event))

    def _check_fences(self) -> None:
        if not self._fences:
            return
        held = self._transaction.bulk_count(sql.LEASE_CHECK, list(self._fences.items()))
        if held != len(self._fences):
            raise FencedError(self._fences)

    def _remove_runs(self, turn: Turn) -> None:
        by_execution: dict[ExecutionId, list[str]] = {}
        for execution_id, task_run_id in turn.removed_runs:
            by_execution.setdefault(execution_id, []).append(task_run_id)
        for execution_id, ids in by_execution.items():
            for start in range(0, len(ids), MAX_ROWS):
                self._remove_some(execution_id, ids[start : start + MAX_ROWS])

    def _remove_some(self, execution_id: ExecutionId, ids: list[str]) -> None:
        found = self._transaction.all(sql.TASK_RUN_DESCENDANTS, execution_id=execution_id, ids=ids)
        self._transaction.bulk(
            sql.TASK_RUN_REMOVE, [(execution_id, ordinal) for ordinal, _ in found]
        )
        by_task: dict[str, list[int]] = {}
        for ordinal, task_id in found:
            by_task.setdefault(task_id, []).append(ordinal)
        for task_id, ordinals in by_task.items():
            for start in range(0, len(ordinals), MAX_ROWS):
                self._transaction.run(
                    sql.OUTPUT_REMOVE,
                    execution_id=execution_id,
                    task_id=task_id,
                    ordinals=ordinals[start : start + MAX_ROWS],
                )

    def _write_executions(self) -> None:
        bulk = self._transaction.bulk
        if self._created:
            bulk(sql.EXECUTION_INSERT, self._created)
        if self._executions:
            executions = list(self._executions.values())
            changed = bulk(sql.EXECUTION_UPDATE, [*map(record.execution_change, executions)])
            if changed != len(executions):
                self._refuse([*self._executions])
            self._feed.executions += executions

    def _edit(self, edit: Edit) -> None:
        id_ = edit.after.id
        if not self._transaction.run(sql.EXECUTION_EDIT, **record.execution_edit(edit)):
            self._refuse([id_])
        self._feed.executions.append(edit.after)
        self._feed.edited.append(id_)

    def _refuse(self, ids: list[ExecutionId]) -> NoReturn:
        """At least one of the executions is not there, or not as it was."""
        for start in range(0, len(ids), MAX_ROWS):
            some = ids[start : start + MAX_ROWS]
            found = {row[0] for row in self._transaction.all(sql.EXECUTION_GET, ids=some)}
            gone = [id_ for id_ in some if id_ not in found]
            if gone:
                raise GoneError(f"execution {gone[0]} is gone")
        raise ChangedError(f"one of the executions {', '.join(ids)} was edited meanwhile")

    def _write_runs(self) -> None:
        bulk = self._transaction.bulk
        plain: list[Record] = []
        with_items: list[Record] = []
        for row in self._runs.values():
            values = record.task_run_record(row)
            progress = row.run.progress
            if progress is None or progress.items is None or row.items_known:
                plain.append(values)
            else:
                with_items.append((*values, record.task_run_items(row)))
        bulk(sql.TASK_RUN_PUT, plain)
        bulk(sql.TASK_RUN_PUT_ITEMS, with_items)
        bulk(sql.OUTPUT_PUT, [*map(record.output_record, self._outputs.values())])
        self._feed.task_runs += self._runs.values()

    def _write_numbered(self) -> None:
        bulk, feed = self._transaction.bulk, self._feed
        sizes = [len(self._jobs), len(self._inbox), len(self._logs) + len(self._metrics)]
        if not any(sizes):
            return
        first = self._transaction.take_ids(sum(sizes))
        jobs = [_numbered_job(row, first + number) for number, row in enumerate(self._jobs)]
        first += len(jobs)
        inbox = [
            InboxRow(first + number, row.partition, row.execution_id, row.event)
            for number, row in enumerate(self._inbox)
        ]
        bulk(sql.JOB_INSERT, [*map(record.job_record, jobs)])
        bulk(sql.INBOX_INSERT, [*map(record.inbox_record, inbox)])
        append_journal(self._transaction, self._logs, self._metrics, first=first + len(inbox))
        feed.jobs += jobs
        feed.inbox += inbox

    def _write_queues(self) -> None:
        bulk = self._transaction.bulk
        timers = [row for row in self._timers.values() if row is not None]
        bulk(sql.INBOX_DELETE, self._inbox_done)
        bulk(sql.JOB_DELETE, [*self._jobs_done])
        bulk(sql.TIMER_PUT, [*map(record.timer_record, timers)])
        bulk(sql.TIMER_CLEAR, [key for key, row in self._timers.items() if row is None])
        self._feed.timers += timers

    def _write_triggers(self) -> None:
        self._transaction.bulk(sql.FIRE_INSERT, [*map(record.fire_record, self._fires)])
        triggers = list(self._triggers.values())
        self._transaction.bulk(sql.TRIGGER_PUT, [*map(record.trigger_record, triggers)])
        self._feed.triggers += triggers


def append_journal(
    transaction: Transaction, logs: Sequence[LogRow], metrics: Sequence[MetricRow], *, first: int
) -> None:
    """With ids from `first` on, logs before metrics."""
    transaction.bulk(
        sql.LOG_INSERT, [record.log_record(row, first + number) for number, row in enumerate(logs)]
    )
    after = first + len(logs)
    transaction.bulk(
        sql.METRIC_INSERT,
        [record.metric_record(row, after + number) for number, row in enumerate(metrics)],
    )
    if logs:
        transaction.feed.add_logs(logs, first)


def _numbered_job(row: JobRow, id_: int) -> JobRow:
    return JobRow(
        execution_id=row.execution_id,
        task_run_id=row.task_run_id,
        attempt=row.attempt,
        payload=row.payload,
        worker_group=row.worker_group,
        worker_id=row.worker_id,
        id=id_,
    )


class _Slots:
    """The book of `batuta.store.slot` in this transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def running(self, flow: FlowKey) -> int:
        found = self._transaction.one(sql.SLOT_GET, **_flow(flow))
        return int(found[0]) if found else 0

    def set_running(self, flow: FlowKey, running: int) -> None:
        self._transaction.run(sql.SLOT_PUT, **_flow(flow), running=running)

    def first(self, flow: FlowKey) -> ExecutionId | None:
        found = self._transaction.one(sql.SLOT_QUEUE_FIRST, **_flow(flow))
        return ExecutionId(found[0]) if found else None

    def enqueue(self, flow: FlowKey, execution_id: ExecutionId) -> None:
        id_ = self._transaction.take_ids(1)
        self._transaction.run(
            sql.SLOT_QUEUE_INSERT, **_flow(flow), execution_id=execution_id, id=id_
        )

    def dequeue(self, execution_id: ExecutionId) -> None:
        self._transaction.run(sql.SLOT_QUEUE_DELETE, execution_id=execution_id)


def _flow(flow: FlowKey) -> dict[str, str]:
    return {"tenant": flow.tenant, "namespace": flow.namespace, "flow_id": flow.id}
