"""An installation whose roles can be stopped at any moment and started again on the same rows."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from batuta.engine.execution import Execution
from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.state import State
from batuta.operations import flows, start
from batuta.operations.caller import SYSTEM
from batuta.operations.executions import ExecutionView, is_over, view_of
from batuta.operations.feed import Feed
from batuta.operations.plans import PlanCache
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.operations.system import Clock, SystemClock, SystemIds
from batuta.sdk.registry import Registry
from batuta.server.roles import MakePool, RoleOptions, make_roles
from batuta.storage.memory import MemoryStorage
from batuta.store.memory import MemoryStore
from batuta.store.query import Filter, Op, Query
from batuta.store.rows import Committed, LogRow, TriggerKey, TriggerRow

T = TypeVar("T")
REGISTRY = Registry.installed()


class Installation:
    def __init__(self, folder: Path, *, clock: Clock | None = None, **settings: object) -> None:
        self.folder = folder
        self.store = MemoryStore()
        ticking = clock or SystemClock()
        configured = Settings(termination_grace=0, **settings)  # type: ignore[arg-type]
        self.services = Services(
            store=self.store,
            storage=MemoryStorage(ticking.now),
            registry=REGISTRY,
            clock=ticking,
            ids=SystemIds(),
            settings=configured,
            plans=PlanCache(self.store, REGISTRY, settings=configured, clock=ticking),
            feed=Feed(self.store),
            environment={"SECRET_TOKEN": b64encode(b"tell-nobody").decode()},
        )
        self._roles: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.store.changes(self._on_commit)

    def run(self, make_pool: MakePool | None = None) -> None:
        options = RoleOptions(owner="one", tmp_dir=self.folder / "t", cache_dir=self.folder / "c")
        self.roles = make_roles(self.services, options, make_pool=make_pool)
        self._roles = asyncio.create_task(self.roles.run())

    async def crash(self) -> None:
        """Everything in memory is gone; rows stay."""
        if self._roles is not None:
            self._roles.cancel()
            await asyncio.wait((self._roles,))
            self._roles = None

    async def save(self, source: str) -> FlowKey:
        return (await flows.upsert(SYSTEM, self.services, source)).key

    async def start(self, flow: FlowKey, **inputs: str) -> ExecutionId:
        wanted = start.Wanted(inputs=inputs)
        return (await start.start(SYSTEM, self.services, flow, wanted=wanted)).id

    async def ended(self, execution_id: ExecutionId) -> ExecutionView:
        """The execution when it is over."""
        await self.until(execution_id, is_over)
        row = await self.store.executions.get(execution_id)
        assert row is not None
        return await view_of(self.services, row)

    async def until(
        self, execution_id: ExecutionId, holds: Callable[[Execution], bool]
    ) -> Execution:
        while True:
            self._changed.clear()
            row = await self.store.executions.get(execution_id, live=True)
            if row is not None and holds(row.execution):
                return row.execution
            await self._changed.wait()

    async def when(self, find: Callable[[], Awaitable[T | None]]) -> T:
        """What `find` gives, as soon as it gives something; asked again after each commit."""
        while True:
            self._changed.clear()
            found = await find()
            if found is not None:
                return found
            await self._changed.wait()

    async def trigger(self, key: TriggerKey) -> TriggerRow:
        """The row, once the scheduler has made it."""
        return await self.when(lambda: self.store.triggers.get(key))

    async def logs(self, execution_id: ExecutionId) -> list[LogRow]:
        query = Query(filters=[Filter("execution_id", Op.EQUALS, execution_id)], size=1000)
        return list((await self.store.journal.logs(query)).rows)

    async def all_executions(self) -> list[Execution]:
        page = await self.store.executions.search(Query(size=1000))
        return [row.execution for row in page.rows]

    def _on_commit(self, _: Committed) -> None:
        self._changed.set()


def states(view: ExecutionView) -> dict[str, State]:
    return {row.run.task_id: row.run.state for row in view.runs}
