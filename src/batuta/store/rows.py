"""The rows of the store as values, and `Turn`, everything that is written together.

Instants are integer microseconds. Fields called `data` or `payload` are JSON that the caller has encoded with
`batuta.model.codec`; every other value is encoded here, once. An `id` of 0 is given by the store on insert: such
ids grow and are never used again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batuta.engine.events import AnyEvent
from batuta.engine.execution import Execution, TaskRun
from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Labels
from batuta.model.state import State

MAX_PAYLOAD = 32 * 1024
"""Longer payloads are put into internal storage by the caller; the row gets the URI (09 §6)."""

Timer = tuple[ExecutionId, str]
"""Execution and timer id."""


class LoopItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The value that an iteration of a Loop is made for; `item` of its templates."""

    loop: TaskId
    index: int
    value: str
    key: str | None = None
    """Where the values are a map."""
    parent: "LoopItem | None" = None
    """That of the loop around."""


class ParentLink(msgspec.Struct, frozen=True, kw_only=True):
    """The task run of another execution that started this one (01 §6.13), and how to answer it.

    With an `item` the execution is an iteration of a Loop of the same flow, and part of that other execution.
    """

    execution_id: ExecutionId
    task_run_id: TaskRunId
    attempt: int = 1
    index: int | None = None
    wait: bool = True
    item: LoopItem | None = None


class ExecutionRow(msgspec.Struct, frozen=True, kw_only=True):
    """An execution. `execution.runs` is empty except where a method promises the live task runs."""

    execution: Execution
    link: ParentLink | None = None

    @property
    def updated(self) -> Instant:
        """When the state changed last."""
        return self.execution.histories[-1].at


class TaskRunRow(msgspec.Struct, frozen=True, kw_only=True):
    execution_id: ExecutionId
    run: TaskRun
    items_known: bool = False
    """`run.progress.items` was written by an earlier turn and is the same: do not write it again."""


class OutputRow(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs of one task run: `data` (JSON of a map), or `uri` of a file that holds it."""

    execution_id: ExecutionId
    ordinal: int
    """Of the task run."""
    task_id: TaskId
    task_run_id: TaskRunId
    path: tuple[str, ...] = ()
    data: bytes | None = None
    uri: str | None = None


class LogRow(msgspec.Struct, frozen=True, kw_only=True):
    """03 §6.7. `level` is TRACE, DEBUG, INFO, WARN or ERROR. Logs of a trigger have no execution."""

    at: Instant
    level: str
    message: str
    flow: FlowKey
    execution_id: ExecutionId | None = None
    task_id: TaskId | None = None
    task_run_id: TaskRunId | None = None
    attempt: int | None = None
    """Counts from 0, as in Kestra's log entries."""
    trigger_id: str | None = None
    thread: str | None = None
    kind: str | None = None
    id: int = 0


class MetricRow(msgspec.Struct, frozen=True, kw_only=True):
    """03 §6.8. `type` is counter, timer (value in milliseconds) or gauge."""

    at: Instant
    type: str
    name: str
    value: float
    flow: FlowKey
    execution_id: ExecutionId | None = None
    task_id: TaskId | None = None
    task_run_id: TaskRunId | None = None
    tags: Mapping[str, str] = {}
    kind: str | None = None
    id: int = 0


class Mail(msgspec.Struct, frozen=True):
    """An event to put into the inbox of an execution."""

    execution_id: ExecutionId
    event: AnyEvent


class InboxRow(msgspec.Struct, frozen=True):
    id: int
    partition: int
    execution_id: ExecutionId
    event: AnyEvent | None
    """None: it cannot be read."""


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that a worker has to run. There is one row for each (task run, attempt), until it is done."""

    execution_id: ExecutionId
    task_run_id: TaskRunId
    attempt: int
    payload: bytes
    worker_group: str | None = None
    worker_id: str | None = None
    """The worker that has taken it."""
    id: int = 0
    """Gives the order of dispatch."""


class TimerRow(msgspec.Struct, frozen=True, gc=False):
    execution_id: ExecutionId
    timer_id: str
    due: Instant


class SlotRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Count the execution against the limit of its flow (01 §7.1).

    The store answers with `SlotGranted` or `SlotDenied` in the execution's inbox, in the same transaction. A denied
    execution whose behaviour is QUEUE waits in a first-in-first-out queue.
    """

    flow: FlowKey
    execution_id: ExecutionId
    limit: int
    behavior: str
    at: Instant
    force: bool = False
    """Grant in any case (force run, unqueue)."""


class SlotRelease(msgspec.Struct, frozen=True, kw_only=True):
    """Give the slot back, or leave the queue (`held` false).

    As long as the count is below `limit` (None: no limit any more), the longest waiting execution is counted and
    finds `SlotGranted` in its inbox.
    """

    flow: FlowKey
    execution_id: ExecutionId
    limit: int | None
    at: Instant
    held: bool = True


class TriggerKey(msgspec.Struct, frozen=True, order=True):
    flow: FlowKey
    id: str


class TriggerRow(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a trigger (03 §6.9). `backfill` and `memory` are plain data of the trigger's own."""

    key: TriggerKey
    date: Instant | None = None
    """The fire time evaluated last."""
    next_date: Instant | None = None
    disabled: bool = False
    execution_id: ExecutionId | None = None
    """The execution that keeps the trigger from firing."""
    evaluate_running: Instant | None = None
    worker_id: str | None = None
    backfill: Any = None
    stop_after: tuple[State, ...] = ()
    memory: Any = None
    updated: Instant | None = None


class Edit(msgspec.Struct, frozen=True):
    """An order's change of an execution that is over (01 §8): its header as it was read, and as it is to be."""

    before: Execution
    after: Execution


class Fire(msgspec.Struct, frozen=True, kw_only=True):
    """A fire time was used. A turn with a fire that exists already fails with `ConflictError` (09 §7)."""

    key: TriggerKey
    time: Instant
    execution_id: ExecutionId | None = None
    scope: str = ""
    """Names the backfill; each backfill may use a fire time once more."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one caller writes together: all of it is committed, or nothing.

    The order inside a turn is: fences, removals, inserts and changes, inbox, slots. Executors set `fences` for the
    partitions of the executions that they move; operations write without.
    """

    fences: Mapping[int, int] = {}
    """Epoch that the caller holds, by partition."""
    created: Sequence[ExecutionRow] = ()
    """New executions. An id that exists already: `ConflictError`."""
    executions: Sequence[Execution] = ()
    """Changed headers. Written are: revision, histories, outputs, variables, labels, attempt_number, breakpoints,
    created_runs, holds_slot, progress; the rest, and the first entry of the histories, never changes.
    An execution that is gone: `GoneError`. One that was edited since it was read: `ChangedError`."""
    edits: Sequence[Edit] = ()
    """The same columns. `ChangedError` unless state and edits are those of `before`; then the row counts one edit more."""
    removed_runs: Sequence[tuple[ExecutionId, TaskRunId]] = ()
    """These task runs go, with their descendants and the outputs of both; before `task_runs` is written."""
    task_runs: Sequence[TaskRunRow] = ()
    """Inserted, or changed where (execution, ordinal) exists."""
    outputs: Sequence[OutputRow] = ()
    """Replace what the task run had."""
    logs: Sequence[LogRow] = ()
    metrics: Sequence[MetricRow] = ()
    inbox: Sequence[Mail] = ()
    inbox_done: Sequence[int] = ()
    jobs: Sequence[JobRow] = ()
    """An attempt that has a job already: `ConflictError`."""
    jobs_done: Sequence[tuple[TaskRunId, int]] = ()
    """Task run and attempt. Unknown ones are ignored."""
    timers: Sequence[TimerRow] = ()
    """Set, or set anew."""
    timers_cleared: Sequence[Timer] = ()
    """Applied after `timers`; unknown ones are ignored."""
    slots: Sequence[SlotRequest | SlotRelease] = ()
    """In the order given."""
    triggers: Sequence[TriggerRow] = ()
    fires: Sequence[Fire] = ()


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """What became durable in one transaction, for executors and live views of the same process.

    Only a hint: another process learns of it by reading. Rows have their ids.
    """

    created: Sequence[ExecutionRow] = ()
    executions: Sequence[Execution] = ()
    task_runs: Sequence[TaskRunRow] = ()
    logs: Sequence[LogRow] = ()
    inbox: Sequence[InboxRow] = ()
    jobs: Sequence[JobRow] = ()
    timers: Sequence[TimerRow] = ()
    triggers: Sequence[TriggerRow] = ()
    flows: Sequence[FlowKey] = ()
    deleted: Sequence[ExecutionId] = ()
    edited: Sequence[ExecutionId] = ()
    """By orders; `executions` has their headers."""


class FlowRow(msgspec.Struct, frozen=True, kw_only=True):
    """A revision of a flow. `data` is the JSON of the definition, `source` the author's text."""

    key: FlowKey
    revision: int
    data: bytes
    source: str
    updated: Instant
    description: str | None = None
    labels: Labels = ()
    disabled: bool = False
    deleted: bool = False


class KvRow(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a key (05 §11.1). `value` is the text that the caller writes and reads (Ion)."""

    tenant: str
    namespace: str
    key: str
    value: str
    created: Instant
    """Of the first version."""
    updated: Instant
    version: int = 1
    description: str | None = None
    expires: Instant | None = None
    deleted: bool = False
