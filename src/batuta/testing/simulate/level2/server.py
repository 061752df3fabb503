"""One server of an installation: it lives, ends in order or in a crash, and lives again on the rows."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from batuta.operations.feed import Feed
from batuta.operations.plans import PlanCache
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.operations.system import Clock, Ids
from batuta.sdk.registry import Registry
from batuta.server.executor.reports import Reports
from batuta.server.protocol import Job
from batuta.server.roles import RoleOptions, make_roles
from batuta.storage.contract import Storage
from batuta.testing.simulate.level2.store import SimulatedStore
from batuta.testing.simulate.level2.workers import Workers

NOWHERE = Path("nowhere")


def make_services(
    store: SimulatedStore, storage: Storage, *, registry: Registry, clock: Clock, ids: Ids
) -> Services:
    settings = Settings(termination_grace=0)
    return Services(
        store=store,
        storage=storage,
        registry=registry,
        clock=clock,
        ids=ids,
        settings=settings,
        plans=PlanCache(store, registry, settings=settings, clock=clock),
        feed=Feed(store),
        environment={"SECRET_KNOWN": "a25vd24="},
    )


class Server:
    """`handed_out` is told of every attempt that a worker gets, with the number of the server's life."""

    def __init__(
        self,
        services: Services,
        store: SimulatedStore,
        *,
        seed: int,
        handed_out: Callable[[str, Job], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self.services = services
        self.store = store
        self._seed = seed
        self._handed_out = handed_out
        self._on_fault = on_fault
        self._roles: asyncio.Task[None] | None = None
        self._workers: Workers | None = None
        self._lives = 0

    def up(self, owner: str) -> None:
        if self._roles is not None:
            return
        self._lives += 1
        options = RoleOptions(owner=owner, tmp_dir=NOWHERE, cache_dir=NOWHERE)
        roles = make_roles(self.services, options, make_pool=self._make_workers)
        self._roles = asyncio.get_running_loop().create_task(roles.run())
        self._roles.add_done_callback(self._on_end)

    async def down(self, *, crash: bool = False) -> None:
        """In a crash nothing more is written, and no worker says anything more."""
        roles, self._roles = self._roles, None
        if roles is None:
            return
        if crash and self._workers is not None:
            self._workers.vanish()
        self.store.is_cut_off = crash
        roles.cancel()
        await asyncio.wait((roles,))
        self.store.is_cut_off = False

    def lose_workers(self) -> None:
        if self._workers is not None:
            self._workers.die()

    def _make_workers(self, reports: Reports, _group: str | None) -> Workers:
        life = f"{id(self)}/{self._lives}"
        self._workers = Workers(
            reports,
            seed=self._seed,
            now=self.services.clock.now,
            submitted=lambda job: self._handed_out(life, job),
        )
        return self._workers

    def _on_end(self, roles: asyncio.Task[None]) -> None:
        """No fault of its store may end a server."""
        if not roles.cancelled() and (error := roles.exception()) is not None:
            for leaf in _leaves(error):
                self._on_fault(f"the server ended with {leaf!r}")


def _leaves(error: BaseException) -> Sequence[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
