"""The rows in memory, and how a turn changes them: first everything that can fail is checked, then it is applied."""

from collections.abc import Container, Hashable, Sequence

from msgspec.structs import replace

from batuta.engine.execution import Execution, TaskRun
from batuta.model.ids import ExecutionId, FlowKey, TaskRunId
from batuta.store.errors import ChangedError, ConflictError, FencedError, GoneError
from batuta.store.feed import Feed
from batuta.store.record import partition
from batuta.store.rows import (
    ExecutionRow,
    Fire,
    FlowRow,
    InboxRow,
    JobRow,
    KvRow,
    LogRow,
    Mail,
    MetricRow,
    OutputRow,
    Timer,
    TimerRow,
    TriggerKey,
    TriggerRow,
    Turn,
)
from batuta.store.slot import settle

Lease = tuple[str | None, int, int]
"""Owner, epoch, until."""
Used = tuple[TriggerKey, str, int]
"""Trigger, scope and time of a fire."""


class Tables:
    def __init__(self) -> None:
        self.executions: dict[ExecutionId, ExecutionRow] = {}
        self.runs: dict[ExecutionId, dict[int, TaskRun]] = {}
        self.outputs: dict[ExecutionId, dict[int, OutputRow]] = {}
        self.logs: dict[int, LogRow] = {}
        self.metrics: dict[int, MetricRow] = {}
        self.inbox: dict[int, InboxRow] = {}
        self.jobs: dict[tuple[TaskRunId, int], JobRow] = {}
        self.timers: dict[Timer, TimerRow] = {}
        self.slots: dict[FlowKey, int] = {}
        self.queue: dict[ExecutionId, FlowKey] = {}
        self.leases: dict[int, Lease] = {}
        self.flows: dict[FlowKey, list[FlowRow]] = {}
        self.templates: dict[FlowKey, list[FlowRow]] = {}
        self.kv: dict[tuple[str, str, str], list[KvRow]] = {}
        self.triggers: dict[TriggerKey, TriggerRow] = {}
        self.fires: dict[Used, Fire] = {}
        self.settings: dict[str, bytes] = {}
        self._last_id = 0

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def apply(self, turn: Turn, feed: Feed) -> None:
        """Raises `FencedError`, `ConflictError`, `GoneError`, `ChangedError`; then nothing has changed."""
        self._check(turn)
        for execution_id, task_run_id in turn.removed_runs:
            self._remove_run(execution_id, task_run_id)
        self._apply_executions(turn, feed)
        self._apply_runs(turn, feed)
        self._apply_queues(turn, feed)
        for trigger in turn.triggers:
            self.triggers[trigger.key] = trigger
            feed.triggers.append(trigger)
        self.fires |= {_used(fire): fire for fire in turn.fires}
        self.append(turn.logs, turn.metrics, feed=feed)

    def append(self, logs: Sequence[LogRow], metrics: Sequence[MetricRow], *, feed: Feed) -> None:
        first = self._last_id + 1
        for log in logs:
            id_ = self.next_id()
            self.logs[id_] = replace(log, id=id_)
        for metric in metrics:
            id_ = self.next_id()
            self.metrics[id_] = replace(metric, id=id_)
        if logs:
            feed.add_logs(logs, first)

    def delete(self, id_: ExecutionId) -> bool:
        """Everything of the execution but logs and metrics; whether it was there."""
        self.runs.pop(id_, None)
        self.outputs.pop(id_, None)
        self.queue.pop(id_, None)
        self.inbox = {key: row for key, row in self.inbox.items() if row.execution_id != id_}
        self.jobs = {key: row for key, row in self.jobs.items() if row.execution_id != id_}
        self.timers = {key: row for key, row in self.timers.items() if key[0] != id_}
        return self.executions.pop(id_, None) is not None

    def _check(self, turn: Turn) -> None:
        lost = {
            part: epoch
            for part, epoch in turn.fences.items()
            if self.leases.get(part, (None, 0, 0))[1] != epoch
        }
        if lost:
            raise FencedError(lost)
        new = [row.execution.id for row in turn.created]
        _refuse("execution", new, self.executions)
        for execution in turn.executions:
            if execution.id not in new:
                self._check_header(execution)
        for edit in turn.edits:
            self._check_header(edit.after)
            if self.executions[edit.after.id].execution.histories != edit.before.histories:
                raise ChangedError(f"execution {edit.after.id} has moved meanwhile")
        _refuse("fire", [_used(fire) for fire in turn.fires], self.fires)
        _refuse("job", [(row.task_run_id, row.attempt) for row in turn.jobs], self.jobs)

    def _check_header(self, execution: Execution) -> None:
        former = self.executions.get(execution.id)
        if former is None:
            raise GoneError(f"execution {execution.id} is gone")
        if former.execution.edits != execution.edits:
            raise ChangedError(f"execution {execution.id} was edited meanwhile")

    def _remove_run(self, execution_id: ExecutionId, task_run_id: TaskRunId) -> None:
        runs = self.runs.get(execution_id, {})
        gone = {task_run_id}
        # A parent is created before its children, so one pass in the order of creation finds all descendants.
        for ordinal in sorted(runs):
            run = runs[ordinal]
            if run.id in gone or run.parent_id in gone:
                gone.add(run.id)
                del runs[ordinal]
                self.outputs.get(execution_id, {}).pop(ordinal, None)

    def _apply_executions(self, turn: Turn, feed: Feed) -> None:
        for row in turn.created:
            bare = replace(row, execution=replace(row.execution, runs={}))
            self.executions[row.execution.id] = bare
            feed.created.append(row)
        for execution in turn.executions:
            former = self.executions[execution.id]
            self.executions[execution.id] = replace(
                former, execution=_changed(former.execution, execution)
            )
            feed.executions.append(execution)
        for edit in turn.edits:
            former = self.executions[edit.after.id]
            changed = _changed(former.execution, edit.after)
            edited = replace(changed, edits=changed.edits + 1)
            self.executions[edit.after.id] = replace(former, execution=edited)
            feed.executions.append(edit.after)
            feed.edited.append(edit.after.id)

    def _apply_runs(self, turn: Turn, feed: Feed) -> None:
        for row in turn.task_runs:
            self.runs.setdefault(row.execution_id, {})[row.run.ordinal] = row.run
            feed.task_runs.append(row)
        for output in turn.outputs:
            self.outputs.setdefault(output.execution_id, {})[output.ordinal] = output

    def _apply_queues(self, turn: Turn, feed: Feed) -> None:
        for job in turn.jobs:
            numbered = replace(job, id=self.next_id())
            self.jobs[job.task_run_id, job.attempt] = numbered
            feed.jobs.append(numbered)
        for mail in turn.inbox:
            self._post(mail, feed)
        for id_ in turn.inbox_done:
            self.inbox.pop(id_, None)
        for done in turn.jobs_done:
            self.jobs.pop(done, None)
        for timer in turn.timers:
            self.timers[timer.execution_id, timer.timer_id] = timer
            feed.timers.append(timer)
        for cleared in turn.timers_cleared:
            self.timers.pop(cleared, None)
        for operation in turn.slots:
            for mail in settle(_Slots(self), operation):
                self._post(mail, feed)

    def _post(self, mail: Mail, feed: Feed) -> None:
        row = InboxRow(self.next_id(), partition(mail.execution_id), mail.execution_id, mail.event)
        self.inbox[row.id] = row
        feed.inbox.append(row)


class _Slots:
    """The book of `batuta.store.slot`; a dict keeps the order of waiting."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def running(self, flow: FlowKey) -> int:
        return self._tables.slots.get(flow, 0)

    def set_running(self, flow: FlowKey, running: int) -> None:
        self._tables.slots[flow] = running

    def first(self, flow: FlowKey) -> ExecutionId | None:
        waiting = (id_ for id_, other in self._tables.queue.items() if other == flow)
        return next(waiting, None)

    def enqueue(self, flow: FlowKey, execution_id: ExecutionId) -> None:
        self._tables.queue.setdefault(execution_id, flow)

    def dequeue(self, execution_id: ExecutionId) -> None:
        self._tables.queue.pop(execution_id, None)


def _changed(former: Execution, latter: Execution) -> Execution:
    """What `Turn.executions` says is written."""
    return replace(
        former,
        revision=latter.revision,
        histories=latter.histories,
        outputs=latter.outputs,
        variables=latter.variables,
        labels=latter.labels,
        attempt_number=latter.attempt_number,
        breakpoints=latter.breakpoints,
        created_runs=latter.created_runs,
        holds_slot=latter.holds_slot,
        progress=latter.progress,
    )


def _used(fire: Fire) -> Used:
    return fire.key, fire.scope, fire.time


def _refuse(table: str, keys: Sequence[Hashable], present: Container[Hashable]) -> None:
    if len(set(keys)) != len(keys) or any(key in present for key in keys):
        raise ConflictError(f"a row of `{table}` with this key exists already", table=table)
