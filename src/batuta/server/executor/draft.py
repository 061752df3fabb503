"""What the current turn will commit, gathered while executions move."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from msgspec.structs import replace

from batuta.engine.events import AnyEvent
from batuta.engine.execution import Execution, TaskRun
from batuta.model.ids import ExecutionId, TaskRunId, partition_of
from batuta.model.instant import Instant
from batuta.server.executor.live import Live
from batuta.server.executor.local import Item, Local, Waiting
from batuta.store.rows import (
    Edit,
    ExecutionRow,
    InboxRow,
    JobRow,
    LogRow,
    Mail,
    MetricRow,
    OutputRow,
    SlotRelease,
    SlotRequest,
    TaskRunRow,
    TimerRow,
    TriggerKey,
    TriggerRow,
    Turn,
)

log = structlog.get_logger()

NOT_HELD = -1
"""No partition ever has this epoch."""


class Draft:
    """The last word on a row counts: a task run that changed ten times in a turn is written once."""

    def __init__(self, epochs: Mapping[int, int]) -> None:
        self.epochs = epochs
        """Of the partitions that the executor held when the turn began."""
        self.taken: dict[ExecutionId, None] = {}
        """Whose events the turn takes in."""
        self.touched: dict[ExecutionId, Live] = {}
        self.before: dict[ExecutionId, Execution] = {}
        self.created: list[ExecutionRow] = []
        self.executions: list[Execution] = []
        """Headers of executions that are not in memory."""
        self.edits: list[Edit] = []
        self.rows: list[TaskRunRow] = []
        """Task runs of executions that are not in memory."""
        self.logs: list[LogRow] = []
        self.metrics: list[MetricRow] = []
        self.inbox: list[Mail] = []
        self.rows_taken: list[InboxRow] = []
        self.jobs: dict[tuple[TaskRunId, int], JobRow] = {}
        self.jobs_done: list[tuple[TaskRunId, int]] = []
        self.slots: list[SlotRequest | SlotRelease] = []
        self.triggers: list[TriggerRow] = []
        self.remembered: dict[TriggerKey, Callable[[], TriggerRow | None]] = {}
        """Rows that other turns change, too: written as they are at the commit; None was written by another."""
        self.ended: list[Live] = []
        self.kills: list[tuple[TaskRunId, int]] = []
        """Attempts to be stopped."""
        self.locals: list[Local] = []
        """Events without a row, to be taken in again when the commit fails."""
        self.fired: list[tuple[ExecutionId, str]] = []
        """Timers that fired; they go unless the turn sets them anew."""
        self.runs: dict[TaskRunId, tuple[Live, TaskRun]] = {}
        self.removed: list[tuple[ExecutionId, TaskRunId]] = []
        self.outputs: dict[TaskRunId, OutputRow] = {}
        self.timers: dict[tuple[ExecutionId, str], Instant | None] = {}

    def take(self, items: Iterable[Item], *, is_silent: bool = False) -> None:
        """Rows and orders that come with what happened; the events themselves are the mover's."""
        for item in items:
            if item.event is not None:
                self.taken[item.execution_id] = None
            if isinstance(item, InboxRow):
                self.rows_taken.append(item)
                continue
            self.locals.append(item)
            if item.job is not None:
                self.finish_job(*item.job)
            if not is_silent:
                self.logs.extend(item.logs)
                self.metrics.extend(item.metrics)

    def touch(self, live: Live) -> None:
        """Note the execution before it moves for the first time in this turn."""
        execution_id = live.execution.id
        if execution_id not in self.touched:
            self.touched[execution_id] = live
            self.before[execution_id] = live.execution

    def save_run(self, live: Live, run: TaskRun) -> None:
        self.runs[run.id] = (live, run)

    def remove_runs(self, live: Live, ids: Iterable[TaskRunId]) -> None:
        for run_id in ids:
            self.removed.append((live.execution.id, run_id))
            self.runs.pop(run_id, None)
            self.outputs.pop(run_id, None)
            live.items_saved.discard(run_id)

    def save_outputs(self, row: OutputRow) -> None:
        self.outputs[row.task_run_id] = row

    def create(self, row: ExecutionRow, *events: AnyEvent) -> None:
        """A new execution, and what happens to it first."""
        self.created.append(row)
        self.inbox.extend(Mail(row.execution.id, event) for event in events)

    def take_mail(self, execution_id: ExecutionId) -> list[AnyEvent]:
        """Events for an execution that need not wait for the commit."""
        found = [mail.event for mail in self.inbox if mail.execution_id == execution_id]
        if found:
            self.inbox = [mail for mail in self.inbox if mail.execution_id != execution_id]
        return found

    def take_over(self, turn: Turn) -> None:
        """What an order about an execution that is not in memory would have written."""
        self.executions.extend(turn.executions)
        self.edits.extend(turn.edits)
        self.rows.extend(turn.task_runs)
        self.removed.extend(turn.removed_runs)
        self.inbox.extend(turn.inbox)

    def set_timer(self, execution_id: ExecutionId, timer_id: str, due: Instant | None) -> None:
        """`due` None clears it."""
        self.timers[execution_id, timer_id] = due

    def finish_job(self, run_id: TaskRunId, attempt: int) -> None:
        self.jobs_done.append((run_id, attempt))

    def fire(self, key: tuple[ExecutionId, str]) -> None:
        self.taken[key[0]] = None
        self.fired.append(key)

    def instead(self, other: "Draft") -> "Draft":
        """What was taken in, and what another one made of it."""
        draft = Draft(self.epochs)
        draft.take((*self.rows_taken, *self.locals))
        for key in self.fired:
            draft.fire(key)
        draft.merge(other)
        return draft

    def merge(self, part: "Draft") -> None:
        """Take over what belongs to one execution; no other part holds the same rows."""
        self.taken |= part.taken
        self.touched |= part.touched
        self.before |= part.before
        self.runs |= part.runs
        self.outputs |= part.outputs
        self.timers |= part.timers
        self.jobs |= part.jobs
        self.remembered |= part.remembered
        for mine, theirs in zip(self.lists(), part.lists(), strict=True):
            mine.extend(theirs)

    def lists(self) -> tuple[list[Any], ...]:
        return (
            self.created,
            self.executions,
            self.edits,
            self.rows,
            self.logs,
            self.metrics,
            self.inbox,
            self.rows_taken,
            self.locals,
            self.fired,
            self.jobs_done,
            self.slots,
            self.triggers,
            self.ended,
            self.kills,
            self.removed,
        )

    def is_empty(self) -> bool:
        return not (
            self.touched
            or self.rows_taken
            or self.fired
            or self.logs
            or self.metrics
            or self.jobs_done
            or self.executions
        )

    def to_turn(self) -> Turn:
        for key in self.fired:
            self.timers.setdefault(key, None)
        created = [self._as_it_is(row) for row in self.created]
        new = {row.execution.id for row in created}
        moved = [
            live.execution
            for execution_id, live in self.touched.items()
            if live.execution is not self.before[execution_id] and execution_id not in new
        ]
        return Turn(
            fences={part: self.epochs.get(part, NOT_HELD) for part in self._partitions()},
            created=created,
            executions=[*moved, *self.executions],
            edits=self.edits,
            removed_runs=self.removed,
            task_runs=[
                *self.rows,
                *(self._run_row(live, run) for live, run in self.runs.values()),
            ],
            outputs=list(self.outputs.values()),
            logs=self.logs,
            metrics=self.metrics,
            inbox=self.inbox,
            inbox_done=[row.id for row in self.rows_taken],
            jobs=list(self.jobs.values()),
            jobs_done=self.jobs_done,
            timers=[TimerRow(*key, due) for key, due in self.timers.items() if due is not None],
            timers_cleared=[key for key, due in self.timers.items() if due is None],
            slots=self.slots,
            triggers=[*self.triggers, *filter(None, (row() for row in self.remembered.values()))],
        )

    def _as_it_is(self, row: ExecutionRow) -> ExecutionRow:
        """An execution that was made in this turn may have moved, too."""
        live = self.touched.get(row.execution.id)
        return row if live is None else replace(row, execution=replace(live.execution, runs={}))

    def _partitions(self) -> set[int]:
        """Of every execution that the turn took something from or changes."""
        touched = {*self.touched, *(local.execution_id for local in self.locals)}
        touched.update(execution_id for execution_id, _ in self.fired)
        return {*map(partition_of, touched), *(row.partition for row in self.rows_taken)}

    def _run_row(self, live: Live, run: TaskRun) -> TaskRunRow:
        known = run.id in live.items_saved
        if run.progress is not None and run.progress.items is not None and not known:
            live.items_saved.add(run.id)
        return TaskRunRow(execution_id=live.execution.id, run=run, items_known=known)


def parts_of(
    waiting: Waiting, epochs: Mapping[int, int]
) -> tuple[dict[ExecutionId, Draft], dict[ExecutionId, list[AnyEvent]]]:
    """A draft for each execution of which something was taken in, and the events of those that have some."""
    parts: dict[ExecutionId, Draft] = {}
    events: dict[ExecutionId, list[AnyEvent]] = {}
    for execution_id, items in waiting.take(epochs).items():
        part = parts[execution_id] = Draft(epochs)
        part.take(items, is_silent=waiting.is_deleted(execution_id))
        found = [item.event for item in items if item.event is not None]
        if found:
            events[execution_id] = found
        for item in items:
            if isinstance(item, InboxRow) and item.event is None:
                # 01 §11.13, 151: it is not told to anybody, and goes with the turn
                log.error("event.unreadable", execution=execution_id, id=item.id)
    return parts, events
