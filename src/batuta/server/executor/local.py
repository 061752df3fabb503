"""Events that wait for a turn: rows of the inbox, and what workers and the server itself found out."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from batuta.engine.events import AnyEvent
from batuta.model.ids import ExecutionId, TaskRunId, partition_of
from batuta.server.executor.turn.share import BESIDE
from batuta.store.rows import InboxRow, LogRow, MetricRow

AT_ONCE = 256
"""Events taken into one turn."""
MAX_DELETED = 1_000
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


Item = InboxRow | Local


class Waiting:
    """In the order of each execution; the executions take turns. Nothing is built on what may not hold: an execution
    in an open turn is `busy`, and what comes for it waits.

    `dropped` is told of what is given up because another server owns the execution.
    """

    def __init__(self, dropped: Callable[[Local], None]) -> None:
        self._dropped = dropped
        self._items: dict[ExecutionId, deque[Item]] = {}
        self._ready: deque[ExecutionId] = deque()
        """Executions in `_items` that are not busy, each once."""
        self._known: set[int] = set()
        self._stranded: deque[Local] = deque()
        self._deleted: dict[ExecutionId, None] = {}
        """The last ones; what their tasks still say is dropped."""
        self.busy: set[ExecutionId] = set()
        """Executions in turns that are not committed."""

    def __bool__(self) -> bool:
        return bool(self._ready)

    def enqueue(self, rows: Iterable[InboxRow]) -> None:
        """Rows that are here already are not taken twice, until they are forgotten."""
        for row in rows:
            if row.id not in self._known:
                self._known.add(row.id)
                self._queue(row.execution_id).append(row)

    def forget(self, rows: Iterable[InboxRow]) -> None:
        """They are done, or will be read again."""
        self._known.difference_update(row.id for row in rows)

    def deliver(self, local: Local) -> None:
        self._queue(local.execution_id).append(local)

    def note_deleted(self, execution_id: ExecutionId) -> None:
        self._deleted[execution_id] = None
        if len(self._deleted) > MAX_DELETED:
            del self._deleted[next(iter(self._deleted))]

    def is_deleted(self, execution_id: ExecutionId) -> bool:
        return execution_id in self._deleted

    def take(self, owned: Collection[int]) -> Mapping[ExecutionId, Sequence[Item]]:
        """What one turn takes in, of each execution no more than its share; an execution that has an event among it is busy until it is released."""
        taken: dict[ExecutionId, list[Item]] = {}
        left = AT_ONCE
        again: list[ExecutionId] = []
        while self._ready and left > 0:
            execution_id = self._ready.popleft()
            items = self._items[execution_id]
            if partition_of(execution_id) not in owned:
                del self._items[execution_id]
                self._give_up(items)
                continue
            share = [items.popleft() for _ in range(min(len(items), left, BESIDE))]
            taken[execution_id] = share
            left -= len(share)
            if any(item.event is not None for item in share):
                self.busy.add(execution_id)
            elif items:
                again.append(execution_id)
            if not items:
                del self._items[execution_id]
        self._ready.extend(again)
        return taken

    def take_again(self, rows: Sequence[InboxRow], local: Sequence[Local]) -> None:
        """Of a turn that was not written: before all later ones."""
        items: list[Item] = [*rows, *local]
        for item in reversed(items):
            self._queue(item.execution_id).appendleft(item)

    def release(self, executions: Iterable[ExecutionId]) -> None:
        """Their turn is over."""
        for execution_id in executions:
            if execution_id in self.busy:
                self.busy.remove(execution_id)
                if execution_id in self._items:
                    self._ready.append(execution_id)

    def bring_back(self) -> None:
        """Partitions are ours again: what came while they were away may still count."""
        stranded = tuple(self._stranded)
        self._stranded.clear()
        self.take_again((), stranded)

    def _queue(self, execution_id: ExecutionId) -> deque[Item]:
        items = self._items.get(execution_id)
        if items is None:
            items = self._items[execution_id] = deque()
            if execution_id not in self.busy:
                self._ready.append(execution_id)
        return items

    def _give_up(self, items: Iterable[Item]) -> None:
        for item in items:
            if isinstance(item, Local):
                self._strand(item)
            else:
                self._known.discard(item.id)

    def _strand(self, local: Local) -> None:
        if local.event is None:  # found out from what may be old
            self._dropped(local)
            return
        self._stranded.append(local)
        if len(self._stranded) > MAX_STRANDED:
            self._dropped(self._stranded.popleft())
