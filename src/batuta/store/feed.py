"""What one transaction changed, gathered while it runs, and the listeners that hear of it afterwards."""

import asyncio
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from batuta.engine.execution import Execution
from batuta.model.ids import ExecutionId, FlowKey
from batuta.store.rows import (
    Committed,
    ExecutionRow,
    InboxRow,
    JobRow,
    LogRow,
    TaskRunRow,
    TimerRow,
    TriggerRow,
)

Listener = Callable[[Committed], None]


class Feed:
    """Lists with the names of `Committed`."""

    __slots__ = (
        "created",
        "deleted",
        "edited",
        "executions",
        "flows",
        "inbox",
        "jobs",
        "logs",
        "task_runs",
        "timers",
        "triggers",
    )

    def __init__(self) -> None:
        self.created: list[ExecutionRow] = []
        self.executions: list[Execution] = []
        self.task_runs: list[TaskRunRow] = []
        self.logs: list[tuple[int, Sequence[LogRow]]] = []
        self.inbox: list[InboxRow] = []
        self.jobs: list[JobRow] = []
        self.timers: list[TimerRow] = []
        self.triggers: list[TriggerRow] = []
        self.flows: list[FlowKey] = []
        self.deleted: list[ExecutionId] = []
        self.edited: list[ExecutionId] = []

    def add_logs(self, logs: Sequence[LogRow], first: int) -> None:
        """Logs whose ids begin with `first`; they are numbered when somebody listens."""
        self.logs.append((first, logs))

    def absorb(self, other: "Feed") -> None:
        for name in self.__slots__:
            getattr(self, name).extend(getattr(other, name))

    def committed(self) -> Committed | None:
        """None when nothing that anybody listens for has changed."""
        lists = {name: getattr(self, name) for name in self.__slots__}
        if not any(lists.values()):
            return None
        lists["logs"] = [
            replace(row, id=first + number)
            for first, rows in self.logs
            for number, row in enumerate(rows)
        ]
        return Committed(**lists)


class Listeners:
    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def tell(self, feed: Feed) -> None:
        """On the event loop. A listener that fails is reported to the loop; the rows are committed all the same."""
        committed = feed.committed() if self._listeners else None
        if committed is None:
            return
        for listener in tuple(self._listeners):
            try:
                listener(committed)
            except Exception as error:
                asyncio.get_running_loop().call_exception_handler(
                    {"message": "a listener of the store failed", "exception": error}
                )
