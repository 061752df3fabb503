"""Events that wait for a turn: rows of the inbox, and what workers and the server itself found out."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence

from batuta.engine.events import AnyEvent
from batuta.model.ids import ExecutionId, TaskRunId, partition_of
from batuta.store.rows import InboxRow, LogRow, MetricRow

AT_ONCE = 256
"""Events of either kind taken into one turn."""
MAX_STRANDED = 1_000
"""Results of attempts whose executions are no longer ours that are kept."""


class Local:
    """An event that has no inbox row: a worker's answer, and the job that it ends."""

    __slots__ = ("event", "execution_id", "job", "logs", "metrics")

    def __init__(
        self,
        execution_id: ExecutionId,
        event: AnyEvent | None,
        *,
        job: tuple[TaskRunId, int] | None = None,
        logs: Sequence[LogRow] = (),
        metrics: Sequence[MetricRow] = (),
    ) -> None:
        self.execution_id = execution_id
        self.event = event
        self.job = job
        self.logs = logs
        self.metrics = metrics


class Waiting:
    """In their order. Nothing is built on what may not hold: those of executions in open turns are parked.

    `dropped` is told of what is given up because another server owns the execution.
    """

    def __init__(self, dropped: Callable[[Local], None]) -> None:
        self._dropped = dropped
        self._rows: deque[InboxRow] = deque()
        self._known: set[int] = set()
        self._local: deque[Local] = deque()
        self._stranded: deque[Local] = deque()
        self._parked: dict[ExecutionId, list[InboxRow | Local]] = {}
        self.busy: set[ExecutionId] = set()
        """Executions in turns that are not committed."""

    def __bool__(self) -> bool:
        return bool(self._rows or self._local)

    def enqueue(self, rows: Iterable[InboxRow]) -> None:
        """Rows that are here already are not taken twice, until they are forgotten."""
        for row in rows:
            if row.id not in self._known:
                self._known.add(row.id)
                self._rows.append(row)

    def forget(self, rows: Iterable[InboxRow]) -> None:
        """They are done, or will be read again."""
        self._known.difference_update(row.id for row in rows)

    def deliver(self, local: Local) -> None:
        self._local.append(local)

    def take_rows(self, owned: Collection[int]) -> list[InboxRow]:
        taken = []
        for _ in range(min(len(self._rows), AT_ONCE)):
            row = self._rows.popleft()
            if row.partition not in owned:
                self._known.discard(row.id)
            elif row.execution_id in self.busy:
                self._parked.setdefault(row.execution_id, []).append(row)
            else:
                taken.append(row)
        return taken

    def take_local(self, owned: Collection[int]) -> list[Local]:
        taken = []
        for _ in range(min(len(self._local), AT_ONCE)):
            local = self._local.popleft()
            if partition_of(local.execution_id) not in owned:
                self._strand(local)
            elif local.execution_id in self.busy:
                self._parked.setdefault(local.execution_id, []).append(local)
            else:
                taken.append(local)
        return taken

    def take_again(self, rows: Iterable[InboxRow], local: Sequence[Local]) -> None:
        """Of a turn that was not written: before all later ones."""
        self._rows = deque(sorted((*self._rows, *rows), key=lambda row: row.id))
        self._local.extendleft(reversed(local))

    def release(self, executions: Iterable[ExecutionId]) -> None:
        """Their turn is over."""
        for execution_id in executions:
            self.busy.discard(execution_id)
            for item in reversed(self._parked.pop(execution_id, ())):
                if isinstance(item, InboxRow):
                    self._rows.appendleft(item)
                else:
                    self._local.appendleft(item)

    def bring_back(self) -> None:
        """Partitions are ours again: what came while they were away may still count."""
        self._local.extendleft(reversed(self._stranded))
        self._stranded.clear()

    def _strand(self, local: Local) -> None:
        if local.event is None:  # found out from what may be old
            self._dropped(local)
            return
        self._stranded.append(local)
        if len(self._stranded) > MAX_STRANDED:
            self._dropped(self._stranded.popleft())
