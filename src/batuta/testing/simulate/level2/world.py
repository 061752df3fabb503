"""One installation on virtual time, and everything that happens to it."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog

from batuta.model.ids import FlowKey
from batuta.model.instant import SECOND, Instant, from_iso
from batuta.model.label import Label
from batuta.model.state import State
from batuta.operations import control, executions, flows, repeat, start
from batuta.operations.caller import Caller
from batuta.operations.errors import OperationError
from batuta.operations.executions import is_over
from batuta.operations.feed import Feed
from batuta.operations.plans import PlanCache
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.sdk.registry import Registry
from batuta.server.executor.reports import Reports
from batuta.server.roles import RoleOptions, make_roles
from batuta.storage.memory import MemoryStorage
from batuta.store.errors import StoreError
from batuta.store.rows import ExecutionRow
from batuta.testing.clock import SeededIds
from batuta.testing.simulate.dice import Dice
from batuta.testing.simulate.level2.flows import random_flows, without_triggers
from batuta.testing.simulate.level2.happening import Happening, random_happenings
from batuta.testing.simulate.level2.loop import VirtualLoop
from batuta.testing.simulate.level2.store import SimulatedStore
from batuta.testing.simulate.level2.watch import Watch
from batuta.testing.simulate.level2.workers import Workers

START = from_iso("2025-01-01T00:00:00Z")
USER = Caller(user="user")
LOOKS = 120
LOOK_SECONDS = 15.0
"""After all that happens the world has half an hour to become quiet."""
TTL = 30 * SECOND
FAULTS = frozenset({"execution.failed", "work.failed"})
"""What the executor logs when it met a fault of ours."""
CALM = frozenset({State.PAUSED, State.BREAKPOINT})


class SteppedClock:
    """Follows the loop, with steps."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.ahead = 0
        """Microseconds."""

    def now(self) -> Instant:
        return Instant(START + self._loop.micros() + self.ahead)

    def monotonic(self) -> float:
        return self._loop.time()


class World:
    """Everything in it follows from the seed, and from the happenings if other ones are given."""

    def __init__(self, seed: int, happenings: Sequence[Happening] | None = None) -> None:
        dice = Dice(seed)
        self.seed = seed
        self.sources = random_flows(dice)
        planned = random_happenings(dice)
        self.happenings = planned if happenings is None else tuple(happenings)
        self.orders = 0
        """Orders that were accepted."""
        self.commits = 0
        self._delays = Dice(seed + 1)
        self._loop = VirtualLoop(self._delay)
        self._clock = SteppedClock(self._loop)
        self._store = SimulatedStore(self._delay)
        self._services = self._make_services()
        self._watch = Watch(self._store)
        self._keys: list[FlowKey] = []
        self._roles: asyncio.Task[None] | None = None
        self._workers: Workers | None = None
        self._lives = 0
        self._is_calm = False
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self) -> str | None:
        """Run the world to its end; what went wrong, or None."""
        loop = self._loop
        loop.set_exception_handler(self._on_fault)
        asyncio.set_event_loop(loop)
        with structlog.testing.capture_logs() as entries:
            try:
                problem = loop.run_until_complete(self._live())
            except Exception as error:
                problem = repr(error)
            finally:
                asyncio.set_event_loop(None)
                loop.close()
        self.commits = self._watch.commits
        return _fault(entries) or next(iter(self._watch.breaches), None) or problem

    async def _live(self) -> str | None:
        for source in self.sources:
            row = await flows.create(USER, self._services, source)
            self._keys.append(row.key)
            compiled = self._services.plans.compiled(row)
            if compiled.plan.concurrency is not None:
                self._watch.limits[row.key] = compiled.plan.concurrency.limit
        self._up()
        for happening in self.happenings:
            self._loop.call_at(happening.at, self._happen, happening)
        await asyncio.sleep(max((each.at for each in self.happenings), default=0) + 1)
        try:
            return await self._calm_down()
        finally:
            await self._down()
            for task in tuple(self._tasks):
                task.cancel()

    async def _calm_down(self) -> str | None:
        """No faults any more: everything must come to its end."""
        self._is_calm = True
        self._store.losing = self._store.doubtful = 0
        for source in self.sources:
            if "triggers:" in source:
                await flows.upsert(USER, self._services, without_triggers(source))
        left: str | None = None
        for _ in range(LOOKS):
            await asyncio.sleep(LOOK_SECONDS)
            if self._watch.breaches:
                return None
            left = await self._watch.left()
            if left is None:
                return None
            for row in await self._watch.rows():
                if row.execution.state in CALM:
                    await self._ask(
                        control.resume(USER, self._services, row.execution.id, inputs={})
                    )
        return left

    # -- the server ----------------------------------------------------------------------------------------

    def _make_services(self) -> Services:
        registry = _registry()
        settings = Settings(termination_grace=0)
        return Services(
            store=self._store,
            storage=MemoryStorage(self._clock.now),
            registry=registry,
            clock=self._clock,
            ids=SeededIds(self.seed),
            settings=settings,
            plans=PlanCache(self._store, registry, settings=settings, clock=self._clock),
            feed=Feed(self._store),
            environment={},
        )

    def _up(self) -> None:
        if self._roles is not None:
            return
        self._lives += 1
        self._watch.new_life()
        folder = Path("nowhere")
        options = RoleOptions(owner="server", tmp_dir=folder, cache_dir=folder)
        roles = make_roles(self._services, options, make_pool=self._make_workers)
        self._roles = self._loop.create_task(roles.run())
        self._roles.add_done_callback(self._on_end)

    def _make_workers(self, reports: Reports) -> Workers:
        self._workers = Workers(
            reports, seed=self.seed, now=self._clock.now, submitted=self._watch.submitted
        )
        return self._workers

    def _on_end(self, roles: asyncio.Task[None]) -> None:
        """Whoever watches over the server starts it again when its store failed it."""
        if self._roles is roles:
            self._roles = None
            if self._workers is not None:
                self._workers.vanish()
            self._loop.call_later(1.0, self._up)
        if not roles.cancelled() and (error := roles.exception()) is not None:
            self._watch.breaches += [f"the server ended with {each!r}" for each in _leaves(error)]

    async def _down(self, *, crash: bool = False) -> None:
        roles, self._roles = self._roles, None
        if roles is None:
            return
        if crash and self._workers is not None:
            self._workers.vanish()
        self._store.is_cut_off = crash
        roles.cancel()
        await asyncio.wait((roles,))
        self._store.is_cut_off = False

    # -- what happens --------------------------------------------------------------------------------------

    def _happen(self, happening: Happening) -> None:
        if not self._is_calm:
            task = self._loop.create_task(self._do(happening.kind, happening.number))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _do(self, kind: str, number: int) -> None:
        if kind in _ORDERS or kind == "start" or kind == "save":
            await self._order(kind, number)
        elif kind in ("crash", "stop"):
            if kind == "crash" and number % 2:
                self._store.lose()
            elif kind == "crash":
                self._store.settle()
            await self._down(crash=kind == "crash")
            await asyncio.sleep((0.1, 5.0, 40.0)[number % 3])
            self._up()
        elif kind == "steal":
            seconds = (1, 12, 40)[number % 3]
            await self._steal(seconds * SECOND)
        elif kind == "step":
            self._clock.ahead += (-30, -2, 5, 90)[number % 4] * SECOND
        elif kind == "lose":
            self._store.losing += 1 + number % 3
        elif kind == "doubt":
            self._store.doubtful += 1
        elif kind == "die" and self._workers is not None:
            self._workers.die()

    async def _steal(self, length: int) -> None:
        """Another server believes that this one is dead, takes everything over, and dies."""
        far = 10**12
        now = Instant(self._clock.now() + far)
        try:
            await self._store.queues.acquire_partitions("thief", now=now, ttl=length - far)
        except StoreError:
            return

    async def _order(self, kind: str, number: int) -> None:
        """Somebody wants something; what is refused is refused."""
        if kind == "start":
            key = self._keys[number % len(self._keys)]
            await self._ask(self._start(key))
        elif kind == "save":
            await self._ask(
                flows.upsert(USER, self._services, self.sources[number % len(self.sources)])
            )
        else:
            rows = await self._watch.rows()
            if rows:
                row = rows[number % len(rows)]
                await self._ask(self._treat(kind, row, number))

    async def _start(self, key: FlowKey) -> None:
        execution = await start.start(USER, self._services, key, wanted=start.Wanted())
        self._watch.acknowledged.add(execution.id)

    async def _treat(self, kind: str, row: ExecutionRow, number: int) -> None:
        services, id_ = self._services, row.execution.id
        watch = self._watch
        match kind:
            case "kill":
                await control.kill(USER, services, id_, cascade=number % 3 > 0)
            case "restart" if is_over(row.execution):
                await repeat.restart(USER, services, id_)
            case "replay":
                made = await repeat.replay(USER, services, id_)
                watch.acknowledged.add(made.id)
            case "pause":
                await control.pause(USER, services, id_)
            case "resume":
                await control.resume(USER, services, id_, inputs={})
            case "force":
                watch.forced.add(id_)
                await control.force_run(USER, services, id_)
            case "unqueue":
                watch.forced.add(id_)
                state = (State.RUNNING, State.CANCELLED)[number % 2]
                await control.unqueue(USER, services, id_, state=state)
            case "status":
                watch.forced.add(id_)
                await control.change_status(USER, services, id_, status=State.WARNING)
            case "labels":
                labels = [Label("n", str(number))]
                await control.set_labels(USER, services, id_, labels=labels)
            case "delete":
                watch.deleted.add(id_)
                await executions.delete(USER, services, id_)

    async def _ask(self, order: Coroutine[Any, Any, Any]) -> None:
        try:
            await order
        except (OperationError, StoreError):
            return
        self.orders += 1

    # -- odds and ends of time -----------------------------------------------------------------------------

    def _delay(self) -> float:
        """Seconds that a write or a thread takes."""
        return self._delays.pick((0.0, 0.0001, 0.001, 0.01, 0.2))

    def _on_fault(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        if not isinstance(context.get("exception"), StoreError):  # its writer is gone in a crash
            self._watch.breaches.append(f"{context.get('message')}: {context.get('exception')!r}")


_ORDERS = frozenset(
    (
        "kill",
        "restart",
        "replay",
        "pause",
        "resume",
        "force",
        "unqueue",
        "status",
        "labels",
        "delete",
    )
)


def _fault(entries: Sequence[Mapping[str, Any]]) -> str | None:
    return next((str(entry) for entry in entries if entry["event"] in FAULTS), None)


def _leaves(error: BaseException) -> Sequence[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]


@lru_cache(maxsize=1)
def _registry() -> Registry:
    return Registry.installed()
