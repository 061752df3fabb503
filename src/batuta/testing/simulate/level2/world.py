"""One installation on virtual time, and everything that happens to it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import structlog

from batuta.engine.events import AnyEvent
from batuta.model.instant import SECOND, Instant, from_iso
from batuta.sdk.registry import Registry
from batuta.storage.memory import MemoryStorage
from batuta.store.errors import StoreError
from batuta.store.memory.tables import Tables
from batuta.store.rows import Committed
from batuta.testing.clock import SeededIds
from batuta.testing.simulate.dice import Dice
from batuta.testing.simulate.level2.edges import edges
from batuta.testing.simulate.level2.flows import random_flows
from batuta.testing.simulate.level2.happening import Happening, random_happenings
from batuta.testing.simulate.level2.loop import VirtualLoop
from batuta.testing.simulate.level2.orders import KINDS, Orders
from batuta.testing.simulate.level2.schedule import SETTLED, sure_schedules, times
from batuta.testing.simulate.level2.server import Server, make_services
from batuta.testing.simulate.level2.store import SimulatedStore
from batuta.testing.simulate.level2.watch import Watch

START = from_iso("2025-01-01T00:00:00Z")
LOOKS = 40
LOOK_SECONDS = 15.0
"""After all that happens the world may become quiet; if nothing happens for ten minutes, nothing will."""
FAR = 10**12
"""Microseconds after which every lease has run out."""
FAULTS = frozenset({"execution.failed", "work.failed"})
"""What the executor logs when it met a fault of ours."""


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
    """Everything in it follows from the seed, and from the happenings and flows if other ones are given."""

    def __init__(
        self,
        seed: int,
        happenings: Sequence[Happening] | None = None,
        *,
        sources: Sequence[str] | None = None,
    ) -> None:
        dice = Dice(seed)
        self.seed = seed
        made = random_flows(dice)
        self.sources = made if sources is None else tuple(sources)
        planned = random_happenings(dice)
        self.happenings = planned if happenings is None else tuple(happenings)
        self._delays = Dice(seed + 1)
        self._answers = Dice(seed + 2)
        self._loop = VirtualLoop(self._delay)
        self._clock = SteppedClock(self._loop)
        self._tables = Tables()
        self._storage = MemoryStorage(self._clock.now)
        self._watch = Watch(self._tables)
        self._server, self._rival = self._make_server(), self._make_server()
        self._store = self._server.store
        self._orders = Orders(self._server.services, self._watch, self.sources)
        self._elsewhere = Orders(self._rival.services, self._watch, self.sources)
        """The same, given to another server."""
        self._faults: Mapping[str, Callable[[int], Awaitable[None]]] = {
            "crash": self._crash,
            "stop": self._stop,
            "steal": self._steal,
            "rival": self._compete,
            "step": self._step,
            "lose": self._lose,
            "doubt": self._doubt,
            "blind": self._blind,
            "die": self._die,
        }
        self.events: Counter[str] = Counter()
        """That executions took in, by kind."""
        self._is_calm = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def commits(self) -> int:
        return self._watch.commits

    @property
    def orders(self) -> Counter[str]:
        """Those that were not refused."""
        return self._orders.accepted + self._elsewhere.accepted

    @property
    def kinds(self) -> set[str]:
        """Of the nodes of all task runs that are left."""
        found = set()
        for row in self._watch.live():
            nodes = self._watch.plans[row.execution.flow].nodes
            runs = self._tables.runs.get(row.execution.id, {}).values()
            found |= {type(nodes[run.task_id]).__name__ for run in runs if run.task_id in nodes}
        return found

    def listen(self, listener: Callable[[Committed], None]) -> None:
        """To all commits."""
        for server in (self._server, self._rival):
            server.store.changes(listener)

    def run(self) -> str | None:
        """Run the world to its end; what went wrong, or None."""
        loop = self._loop
        loop.set_exception_handler(self._on_fault)
        asyncio.set_event_loop(loop)
        with structlog.testing.capture_logs() as entries, edges(self._answers, self._hear):
            try:
                problem = loop.run_until_complete(self._live())
            except Exception as error:
                problem = repr(error)
            finally:
                asyncio.set_event_loop(None)
                loop.close()
        return _fault(entries) or next(iter(self._watch.breaches), None) or problem

    async def _live(self) -> str | None:
        await self._orders.prepare()
        self._elsewhere.share(self._orders)
        self._server.up("server")
        for happening in self.happenings:
            self._loop.call_at(happening.at, self._happen, happening)
        await asyncio.sleep(max((each.at for each in self.happenings), default=0) + 1)
        try:
            return await self._calm_down()
        finally:
            await self._server.down()
            await self._rival.down()
            for task in tuple(self._tasks):
                task.cancel()

    async def _calm_down(self) -> str | None:
        """No faults any more: everything must come to its end."""
        self._is_calm = True
        for store in (self._store, self._rival.store):
            store.losing = store.doubtful = store.failing = 0
        await self._check_schedules()
        await self._orders.calm()
        left: str | None = None
        idle = commits = 0
        while idle < LOOKS:
            await asyncio.sleep(LOOK_SECONDS)
            idle, commits = 0 if self.commits > commits else idle + 1, self.commits
            if self._watch.breaches:
                return None
            left = self._watch.left()
            if left is None:
                return None
            await self._orders.help(self._watch.live())
        return left

    async def _check_schedules(self) -> None:
        """Each fire time has started an execution."""
        kinds = {each.kind for each in self.happenings}
        sure = tuple(sure_schedules(self.sources, kinds))
        if sure:
            await asyncio.sleep(SETTLED)
        for flow_id, every in sure:
            for date in times(START, self._clock.now(), every):
                self._watch.require_fire(flow_id, date)

    def _make_server(self) -> Server:
        number = self._delays.number()
        store = SimulatedStore(self._tables, self._delay)
        self._watch.listen(store)
        services = make_services(
            store,
            self._storage,
            registry=installed(),
            clock=self._clock,
            ids=SeededIds(number),
        )
        return Server(
            services,
            store,
            seed=self.seed,
            handed_out=self._watch.handed_out,
            on_fault=self._watch.breaches.append,
        )

    # -- what happens --------------------------------------------------------------------------------------

    def _happen(self, happening: Happening) -> None:
        if self._is_calm:
            return
        task = self._loop.create_task(self._do(happening.kind, happening.number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, kind: str, number: int) -> None:
        if kind in KINDS:
            orders = self._elsewhere if number // 4 % 4 == 0 else self._orders
            await orders.give(kind, number, self._watch.live())
        else:
            await self._faults[kind](number)

    async def _crash(self, number: int) -> None:
        """With what waits to be written, or just after it was written."""
        if number % 2:
            self._store.lose()
        else:
            self._store.settle()
        await self._server.down(crash=True)
        await self._return(number)

    async def _stop(self, number: int) -> None:
        await self._server.down()
        await self._return(number)

    async def _return(self, number: int) -> None:
        """Under its name, or as a new server that has to wait until the leases of the old one have run out."""
        await asyncio.sleep((0.1, 5.0, 40.0)[number % 3])
        self._server.up(("server", "server", f"server{number}")[number // 3 % 3])

    async def _steal(self, number: int) -> None:
        """Somebody believes that the server is dead, takes everything over, and does nothing."""
        await self._take("thief", number)

    async def _compete(self, number: int) -> None:
        """The same, but by a second server that works, for a while."""
        await self._take("rival", number)
        self._rival.up("rival")
        await asyncio.sleep((2.0, 20.0, 60.0)[number % 3])
        await self._rival.down(crash=number % 2 == 0)

    async def _take(self, owner: str, number: int) -> None:
        seconds = (1, 12, 40)[number % 3]
        now = Instant(self._clock.now() + FAR)
        try:
            await self._rival.store.queues.acquire_partitions(
                owner, now=now, ttl=seconds * SECOND - FAR
            )
        except StoreError:
            return

    async def _step(self, number: int) -> None:
        self._clock.ahead += (-30, -2, 5, 90)[number % 4] * SECOND

    async def _lose(self, number: int) -> None:
        self._store.losing += 1 + number % 3

    async def _doubt(self, _: int) -> None:
        self._store.doubtful += 1

    async def _blind(self, number: int) -> None:
        self._store.failing += 1 + number % 3

    async def _die(self, _: int) -> None:
        self._server.lose_workers()

    def _hear(self, event: AnyEvent) -> None:
        self.events[type(event).__name__] += 1

    def _delay(self) -> float:
        """Seconds that a write, a slow read or a thread takes."""
        return self._delays.pick((0.0, 0.0001, 0.001, 0.01, 0.2))

    def _on_fault(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, StoreError):  # then its writer ended before the write
            self._watch.breaches.append(f"{context.get('message')}: {error!r}")


def _fault(entries: Sequence[Mapping[str, Any]]) -> str | None:
    return next((str(entry) for entry in entries if entry["event"] in FAULTS), None)


@lru_cache(maxsize=1)
def installed() -> Registry:
    return Registry.installed()
