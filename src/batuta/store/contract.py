"""The durable truth: one store, its parts by purpose, the same for every database (09 §6).

Every method is a transaction of its own; what must be written together goes into one `Turn`. `now` is the caller's
clock. Anything may raise `StoreUnavailableError`; other errors are named where they happen.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.model.instant import Instant, Micros
from batuta.model.state import State
from batuta.store.query import Page, Query
from batuta.store.rows import (
    Committed,
    ExecutionRow,
    FlowRow,
    InboxRow,
    JobRow,
    KvRow,
    LogRow,
    MetricRow,
    OutputRow,
    TaskRunRow,
    TimerRow,
    TriggerKey,
    TriggerRow,
    Turn,
)

Listener = Callable[[Committed], None]


class Executions(Protocol):
    async def get(self, execution_id: ExecutionId, *, live: bool = False) -> ExecutionRow | None:
        """The execution. `live`: with the task runs that have not ended in `execution.runs`."""

    async def get_many(self, ids: Sequence[ExecutionId]) -> Sequence[ExecutionRow]:
        """Those that exist, in no particular order, without task runs."""

    async def search(self, query: Query) -> Page[ExecutionRow]:
        """EXECUTION_FIELDS. Without a sort: newest start first."""

    async def children(self, execution_id: ExecutionId) -> Sequence[ExecutionRow]:
        """Executions that task runs of this one started (`link`), oldest first."""

    async def task_runs(
        self,
        execution_id: ExecutionId,
        *,
        states: Collection[State] | None = None,
        task_id: TaskId | None = None,
        ids: Collection[TaskRunId] | None = None,
        after: int = -1,
        limit: int | None = None,
    ) -> Sequence[TaskRunRow]:
        """In the order of creation; None does not restrict. `after` is an ordinal, for pages."""

    async def ancestors(
        self, execution_id: ExecutionId, task_run_id: TaskRunId
    ) -> Sequence[TaskRunRow]:
        """The task run and its parents, itself first. Without loop items."""

    async def outputs(
        self,
        execution_id: ExecutionId,
        *,
        task_id: TaskId | None = None,
        task_run_ids: Collection[TaskRunId] | None = None,
        ordinals: tuple[int, int] | None = None,
    ) -> Sequence[OutputRow]:
        """In the order of creation of the task runs; None does not restrict. `ordinals`: the first and the last."""

    async def delete(
        self,
        ids: Sequence[ExecutionId],
        *,
        logs: bool = True,
        metrics: bool = True,
        idle: bool = False,
    ) -> int:
        """Remove the executions with all that belongs to them; how many there were.

        `idle`: only those that are over, hold no slot, and find nothing in their inbox; the others stay as they are.
        """


class Queues(Protocol):
    """What waits for executors and workers: inbox, timers, jobs, and who owns which partition."""

    async def acquire_partitions(
        self, owner: str, *, now: Instant, ttl: Micros
    ) -> Mapping[int, int]:
        """Take every partition that is free or whose lease ran out; all that `owner` holds now, with epochs.

        `owner` is another one after each start of a process, or two processes could hold one epoch.
        A partition that changes hands gets the next epoch. Own leases are renewed.
        """

    async def release_partitions(self, owner: str) -> None:
        """Give all of them back, so that others need not wait for the leases to run out."""

    async def inbox(
        self, partitions: Collection[int], *, after: int = 0, limit: int = 1000
    ) -> Sequence[InboxRow]:
        """The oldest events with an id above `after`. They stay until a turn names them in `inbox_done`.

        `after` saves reading what is in work already; start from 0 now and then where several processes write.
        """

    async def timers(
        self, partitions: Collection[int], *, until: Instant, limit: int = 1000
    ) -> Sequence[TimerRow]:
        """Timers due up to `until`, earliest first. They stay until a turn clears or sets them."""

    async def next_timer(self, partitions: Collection[int]) -> Instant | None:
        """When the earliest timer is due."""

    async def jobs(self, *, execution_id: ExecutionId | None = None) -> Sequence[JobRow]:
        """Jobs that are not done, in the order of dispatch, those that a worker has taken included."""

    async def assign_jobs(
        self, jobs: Collection[tuple[TaskRunId, int]], *, worker_id: str | None
    ) -> None:
        """Note which worker has taken these attempts (None: nobody)."""

    async def slots(self, flow: FlowKey) -> int:
        """How many executions of the flow are counted against its limit."""

    async def set_slots(self, flow: FlowKey, running: int) -> None:
        """Repair the count (03 §22)."""

    async def all_slots(self, tenant: str) -> Sequence[tuple[FlowKey, int]]:
        """The counts of all flows that have had one."""


class Flows(Protocol):
    async def save(self, row: FlowRow) -> None:
        """Add a revision. Raises `ConflictError` unless `row.revision` is one above the latest (1 for a new flow).

        A deletion is a revision with `deleted`.
        """

    async def get(self, key: FlowKey, *, revision: int | None = None) -> FlowRow | None:
        """The latest revision, even a deleted one, or the one asked for."""

    async def revisions(self, key: FlowKey) -> Sequence[FlowRow]:
        """All revisions, oldest first."""

    async def search(self, query: Query) -> Page[FlowRow]:
        """FLOW_FIELDS over the latest revisions that are not deleted, unless a filter names `deleted`.

        Without a sort: by namespace and id.
        """

    async def namespaces(self, tenant: str) -> Sequence[str]:
        """Distinct namespaces of flows that are not deleted, in order."""


class Journal(Protocol):
    """Logs and metrics. A turn writes them too, together with the state they belong to."""

    async def append(self, logs: Sequence[LogRow], metrics: Sequence[MetricRow] = ()) -> None:
        """Durable on return."""

    async def logs(self, query: Query) -> Page[LogRow]:
        """LOG_FIELDS. Without a sort: by time, then id. Follow with `id` GREATER_THAN the last one seen."""

    async def metrics(self, query: Query) -> Page[MetricRow]:
        """METRIC_FIELDS. Without a sort: by time, then id."""

    async def delete_logs(self, query: Query) -> int:
        """Delete all that the filters choose, whatever the page; how many there were."""

    async def delete_metrics(self, query: Query) -> int:
        """Delete all that the filters choose, whatever the page; how many there were."""


class KeyValues(Protocol):
    async def put(self, row: KvRow, *, expected: int | None = None) -> KvRow:
        """Add a version; the row as stored, with its version and first creation.

        `expected`: the version that must be there now, 0 for none. A key that is deleted or expired at
        `row.updated` counts as none. Raises `ConflictError`.
        """

    async def get(
        self, tenant: str, namespace: str, key: str, *, version: int | None = None
    ) -> KvRow | None:
        """The last version, even one that is deleted or expired; or the one asked for."""

    async def delete(self, tenant: str, namespace: str, key: str, *, now: Instant) -> bool:
        """Mark the last version deleted; whether there was a value that had not expired."""

    async def search(self, query: Query, *, now: Instant | None = None) -> Page[KvRow]:
        """KV_FIELDS over last versions that are not expired at `now` (None: expired ones too).

        They are not deleted either, unless a filter names `deleted`. Without a sort: by namespace and key.
        """

    async def versions(self, tenant: str, namespace: str, key: str) -> Sequence[KvRow]:
        """All versions, oldest first."""

    async def purge(
        self, tenant: str, namespace: str, key: str, *, versions: Collection[int]
    ) -> int:
        """Remove these versions for good; how many there were."""


class Triggers(Protocol):
    """States of triggers. A turn writes them together with executions and fire times."""

    async def get(self, key: TriggerKey) -> TriggerRow | None: ...

    async def of_flow(self, flow: FlowKey) -> Sequence[TriggerRow]:
        """By trigger id."""

    async def due(self, *, until: Instant, limit: int = 1000) -> Sequence[TriggerRow]:
        """Enabled triggers with `next_date` up to `until`, earliest first."""

    async def next_date(self) -> Instant | None:
        """The earliest `next_date` of an enabled trigger."""

    async def search(self, query: Query) -> Page[TriggerRow]:
        """TRIGGER_FIELDS. Without a sort: by namespace, flow id and trigger id."""

    async def delete(self, keys: Sequence[TriggerKey]) -> None:
        """Forget the states. Fire times stay until `purge_fires`: another server may be about to use one again."""

    async def purge_fires(self, *, before: Instant) -> int:
        """Forget fire times before this; how many there were."""


class Settings(Protocol):
    """Small documents of the installation by key, such as the user of basic authentication."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, data: bytes) -> None: ...

    async def delete(self, key: str) -> bool: ...

    async def keys(self, prefix: str = "") -> Sequence[str]: ...


class Store(Protocol):
    """Opened by its constructor's factory, closed by `close`; used on one event loop."""

    @property
    def executions(self) -> Executions: ...
    @property
    def queues(self) -> Queues: ...
    @property
    def flows(self) -> Flows: ...
    @property
    def templates(self) -> Flows:
        """Templates as flows are kept: a row for each revision. Nobody is told of changes."""
        ...

    @property
    def journal(self) -> Journal: ...
    @property
    def kv(self) -> KeyValues: ...
    @property
    def triggers(self) -> Triggers: ...
    @property
    def settings(self) -> Settings: ...

    async def commit(self, turn: Turn) -> None:
        """Write the turn; durable on return. Turns of many callers share one transaction, errors do not.

        Raises `FencedError`, `ConflictError`, `GoneError`, `ChangedError`; then nothing of the turn was written.
        """

    async def quiet(self) -> bool:
        """Wait until what was asked to be written is written, or was refused; whether there was anything."""

    def changes(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the event loop after each transaction, before its writers go on. Returns how to stop."""

    async def close(self) -> None:
        """Finish what is queued, then release everything. Calling it again does nothing."""
