"""Puts the roles of one process together from `Services`. `cli.wiring` and the test kit choose what is inside those."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from batuta.expr.host import Settings as ExprSettings
from batuta.expr.temporal import find_zone
from batuta.operations.cipher import cipher_of
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.operations.start import environment_variables
from batuta.server.answers import Answers
from batuta.server.context.variables import Surroundings
from batuta.server.executor.children import Children
from batuta.server.executor.executor import Executor
from batuta.server.executor.inline import InlineRunner
from batuta.server.executor.move import Mover
from batuta.server.executor.patient import PatientRendering
from batuta.server.executor.rendering import Rendering
from batuta.server.executor.reports import LocalGateway, Reports
from batuta.server.executor.residents import Residents
from batuta.server.executor.work import Pool, Work
from batuta.server.listening import Ear
from batuta.server.protocol import Setup, StorageAccess
from batuta.server.scheduler import SchedulerRole
from batuta.server.worker.pool import PoolOptions, WorkerPool
from batuta.server.worker.workplace import Workplace

MakePool = Callable[[Reports, str | None], Pool]
"""The workers of a group; None: those without a tag."""


class RoleOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is particular to this process."""

    owner: str
    """Names the process among executors, for the leases of partitions."""
    tmp_dir: Path
    cache_dir: Path
    storage: StorageAccess | None = None
    """How a worker process reaches internal storage; None runs worker tasks on threads of this process."""


class Roles(msgspec.Struct, frozen=True):
    executor: Executor
    scheduler: SchedulerRole
    pools: tuple[Pool, ...]

    async def run(self) -> None:
        """Until cancelled; then jobs that run get their grace and the leases are given back."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.executor.run())
                group.create_task(self.scheduler.run())
        finally:
            await asyncio.gather(*(pool.close() for pool in self.pools))


def make_roles(
    services: Services, options: RoleOptions, *, make_pool: MakePool | None = None
) -> Roles:
    """On the running event loop. `make_pool` puts other workers in place of this server's own."""
    settings = services.settings
    surroundings = Surroundings(
        envs=environment_variables(services.environment, settings.env_prefix),
        global_variables=settings.globals,
        kestra=_kestra(settings),
    )
    expr = ExprSettings(
        zone=find_zone(settings.zone),
        recursive_rendering=settings.recursive_rendering,
        url=settings.url,
    )
    rendering = Rendering(services, surroundings=surroundings, settings=expr)
    patient = PatientRendering(rendering, lazy_variables=settings.lazy_variables)
    residents = Residents(services, cipher=cipher_of(settings, services.ids))
    listeners = Ear(services, settings=expr)
    mover = Mover(
        services,
        rendering=rendering,
        patient=patient,
        inline=InlineRunner(services.registry, now=services.clock.now),
        children=Children(services, rendering=rendering, patient=patient),
        residents=residents,
        listeners=listeners,
    )
    work = Work(services, rendering=rendering, mover=mover, residents=residents, patient=patient)
    reports = Reports(work=work, residents=residents, answers=Answers(services))
    patient.place = place = _place(services, options, reports, rendering=expr)
    work.on_finished = reports.finished
    make_pool = make_pool or _pools(services, options)
    if make_pool is not None:
        work.pool = make_pool(reports, None)
        work.groups = {group: make_pool(reports, group) for group in settings.worker_groups}
    executor = Executor(
        services,
        owner=options.owner,
        mover=mover,
        residents=residents,
        work=work,
        listeners=listeners,
    )
    scheduler = SchedulerRole(services, surroundings=surroundings, settings=expr, place=place)
    pools = () if work.pool is None else (work.pool, *work.groups.values())
    return Roles(executor, scheduler, pools)


def _place(
    services: Services, options: RoleOptions, reports: Reports, *, rendering: ExprSettings
) -> Workplace:
    """Where attempts run that this process runs itself."""
    settings = services.settings
    return Workplace(
        worker_id=options.owner,
        gateway=LocalGateway(reports, asyncio.get_running_loop()),
        storage=services.storage,
        registry=services.registry,
        clock=services.clock,
        ids=services.ids,
        tmp_dir=options.tmp_dir,
        cache_dir=options.cache_dir,
        settings=settings.plugin_settings,
        rendering=rendering,
        allowed_paths=tuple(Path(path) for path in settings.allowed_paths),
    )


def _pools(services: Services, options: RoleOptions) -> MakePool | None:
    """Worker processes of this machine, one for each group, started on demand."""
    storage = options.storage
    if storage is None:
        return None
    return lambda reports, group: _pool(services, options, reports, storage=storage, group=group)


def _pool(
    services: Services,
    options: RoleOptions,
    reports: Reports,
    *,
    storage: StorageAccess,
    group: str | None,
) -> WorkerPool:
    settings = services.settings
    threads = settings.worker_threads if group is None else settings.worker_groups[group]
    setup = Setup(
        worker_id=options.owner if group is None else f"{options.owner}-{group}",
        storage=storage,
        tmp_dir=str(options.tmp_dir),
        cache_dir=str(options.cache_dir),
        settings=settings.plugin_settings,
        allowed_paths=settings.allowed_paths,
        zone=settings.zone,
        recursive_rendering=settings.recursive_rendering,
        url=settings.url,
    )
    return WorkerPool(
        PoolOptions(
            setup=setup,
            capacity=threads,
            grace=settings.termination_grace,
            liveness=settings.liveness_timeout,
        ),
        events=reports,
        clock=services.clock,
    )


def _kestra(settings: Settings) -> dict[str, str]:
    found = {"environment": settings.environment_name, "url": settings.url}
    return {name: value for name, value in found.items() if value is not None}
