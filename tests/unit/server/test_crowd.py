"""Many people order at once, on an installation with SQLite: nothing is lost, and nothing is left behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import State
from batuta.operations import bulk, control, flows, repeat, start
from batuta.operations.caller import SYSTEM
from batuta.operations.errors import OperationError
from batuta.operations.executions import delete
from batuta.operations.feed import Feed
from batuta.operations.order import is_over
from batuta.operations.plans import PlanCache
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.operations.system import SystemClock, SystemIds
from batuta.server.roles import RoleOptions, make_roles
from batuta.storage.memory import MemoryStorage
from batuta.store.rows import Committed
from batuta.store.sqlite import SqliteStore
from tests.unit.server.installation import REGISTRY

S = State
EVERY = range(64)
FLOW = """
id: busy
namespace: crowd
concurrency: {limit: 3, behavior: QUEUE}
tasks:
  - id: beside
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {id: sleep, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.05S}
      - {id: pause, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT0.1S}
  - {id: fail, type: io.kestra.plugin.core.execution.Fail}
afterExecution:
  - {id: after, type: io.kestra.plugin.core.flow.Sleep, duration: PT0.02S}
"""


class Crowd:
    """Remembers what the rows said, and what was promised."""

    def __init__(self, services: Services, seed: int) -> None:
        self.services = services
        self.random = Random(seed)
        self.ids: list[ExecutionId] = []
        self.deleted: set[ExecutionId] = set()
        self.promised: dict[ExecutionId, set[str]] = {}
        self.histories: dict[ExecutionId, tuple[Any, ...]] = {}
        self.breaches: list[str] = []
        services.store.changes(self._hear)

    def _hear(self, committed: Committed) -> None:
        for execution in committed.executions:
            known = self.histories.get(execution.id, ())
            if execution.histories[: len(known)] != known:
                self.breaches.append(f"{execution.id}: the past changed")
            self.histories[execution.id] = execution.histories

    async def work(self, orders: int) -> None:
        for _ in range(orders):
            await asyncio.sleep(self.random.random() * 0.02)
            with_id = self.random.choice(self.ids)
            try:
                await self._one(with_id)
            except OperationError:
                continue

    async def _one(self, id_: ExecutionId) -> None:
        services, name = self.services, f"l{self.random.randrange(10**6)}"
        label = [Label(name, "x")]
        runs = [row.run for row in await services.store.executions.task_runs(id_)]
        state = self.random.choice([S.SUCCESS, S.FAILED, S.RUNNING])
        orders: dict[str, Any] = {
            "restart": lambda: repeat.restart(SYSTEM, services, id_),
            "replay": lambda: self._made(repeat.replay(SYSTEM, services, id_)),
            "kill": lambda: control.kill(SYSTEM, services, id_),
            "force": lambda: control.force_run(SYSTEM, services, id_),
            "resume": lambda: control.resume(SYSTEM, services, id_, inputs={}),
            "status": lambda: control.change_status(SYSTEM, services, id_, status=S.WARNING),
            "label": lambda: self._labelled(id_, name, label),
            "delete": lambda: self._delete(id_),
        }
        if runs:
            run_id = self.random.choice(runs).id
            orders["mark"] = lambda: repeat.mark(
                SYSTEM, services, id_, task_run_id=run_id, state=state
            )
        names = [*orders, "restart", "label", "label", "mark"]
        chosen = orders.get(self.random.choice(names), orders["restart"])
        await chosen()

    async def _labelled(self, id_: ExecutionId, name: str, labels: list[Label]) -> None:
        await bulk.add_labels(SYSTEM, self.services, [id_], labels=labels)
        self.promised.setdefault(id_, set()).add(name)

    async def _made(self, order: Awaitable[Any]) -> None:
        self.ids.append((await order).id)

    async def _delete(self, id_: ExecutionId) -> None:
        if len(self.ids) - len(self.deleted) > 4:
            self.deleted.add(id_)
            await delete(SYSTEM, self.services, id_)


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    store = await SqliteStore.open(tmp_path / "batuta.db")
    clock, settings = SystemClock(), Settings(termination_grace=0)
    yield Services(
        store=store,
        storage=MemoryStorage(clock.now),
        registry=REGISTRY,
        clock=clock,
        ids=SystemIds(),
        settings=settings,
        plans=PlanCache(store, REGISTRY, settings=settings, clock=clock),
        feed=Feed(store),
        environment={},
    )
    await store.close()


async def left(services: Services, ids: list[ExecutionId], flow: FlowKey) -> list[object]:
    queues = services.store.queues
    rows = [await services.store.executions.get(id_, live=True) for id_ in ids]
    return [
        *(row.execution.id for row in rows if row is not None and not is_over(row.execution)),
        *await queues.inbox(EVERY),
        *await queues.jobs(),
        *await queues.timers(EVERY, until=Instant(1 << 60)),
        *([await queues.slots(flow)] if await queues.slots(flow) else []),
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_orders_of_a_crowd(services: Services, tmp_path: Path, seed: int) -> None:
    options = RoleOptions(owner="one", tmp_dir=tmp_path / "t", cache_dir=tmp_path / "c")
    roles = asyncio.create_task(make_roles(services, options).run())
    flow = (await flows.upsert(SYSTEM, services, FLOW)).key
    crowd = Crowd(services, seed)
    for _ in range(6):
        made = await start.start(SYSTEM, services, flow, wanted=start.Wanted())
        crowd.ids.append(made.id)
    await asyncio.gather(*(crowd.work(12) for _ in range(8)))
    async with asyncio.timeout(20):
        while remaining := await left(services, crowd.ids, flow):
            await asyncio.sleep(0.05)
    assert not remaining
    assert not crowd.breaches
    for id_ in crowd.ids:
        row = await services.store.executions.get(id_)
        assert (row is None) is (id_ in crowd.deleted), id_
        if row is None:
            continue
        keys = {label.key for label in row.execution.labels}
        assert crowd.promised.get(id_, set()) <= keys
        for before, after in pairwise(row.execution.histories):
            assert before.at <= after.at
    roles.cancel()
    await asyncio.wait((roles,))
