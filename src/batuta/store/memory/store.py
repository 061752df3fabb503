"""The store as plain dicts: deterministic, and gone with the process."""

from collections.abc import Callable

from batuta.store.feed import Listener, Listeners
from batuta.store.memory.executions import MemoryExecutions, MemoryJournal
from batuta.store.memory.flows import (
    MemoryFlows,
    MemoryKeyValues,
    MemorySettings,
    MemoryTriggers,
)
from batuta.store.memory.gate import Gate
from batuta.store.memory.queues import MemoryQueues
from batuta.store.memory.tables import Tables
from batuta.store.rows import Turn


class MemoryStore:
    """With `held`, writes wait until `settle` commits them or `lose` forgets them, as a simulation chooses.

    `on_waiting` is called for each write that waits.
    """

    def __init__(self, *, held: bool = False, on_waiting: Callable[[], None] | None = None) -> None:
        self._listeners = Listeners()
        self._gate = gate = Gate(self._listeners, held=held, on_waiting=on_waiting)
        self._tables = tables = Tables()
        self.executions = MemoryExecutions(tables, gate)
        self.queues = MemoryQueues(tables, gate)
        self.flows = MemoryFlows(tables.flows, gate)
        self.templates = MemoryFlows(tables.templates, gate, name="template")
        self.journal = MemoryJournal(tables, gate)
        self.kv = MemoryKeyValues(tables, gate)
        self.triggers = MemoryTriggers(tables, gate)
        self.settings = MemorySettings(tables, gate)

    async def commit(self, turn: Turn) -> None:
        await self._gate.write(lambda feed: self._tables.apply(turn, feed))

    async def quiet(self) -> bool:
        return await self._gate.quiet()

    def changes(self, listener: Listener) -> Callable[[], None]:
        return self._listeners.add(listener)

    def settle(self) -> int:
        """Commit what waits; the number of writes."""
        return self._gate.settle()

    def lose(self) -> int:
        """Forget what waits, as a crash before the commit would; the number of writes."""
        return self._gate.lose()

    async def close(self) -> None:
        self._gate.close()
