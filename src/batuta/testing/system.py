"""A whole small installation in memory, for tests: store, storage, executor, scheduler, tasks on threads of this process."""

import asyncio
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from batuta.model import codec
from batuta.model.ids import ExecutionId, FlowKey, TaskRunId
from batuta.model.instant import Instant, Micros
from batuta.model.label import Label
from batuta.model.state import State
from batuta.operations import control, flows, repeat, start
from batuta.operations.caller import Caller
from batuta.operations.errors import InvalidEntityError
from batuta.operations.executions import ExecutionView, view_of
from batuta.operations.feed import Feed
from batuta.operations.files import upload_of
from batuta.operations.plans import PlanCache
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.operations.system import SystemClock, SystemIds
from batuta.sdk.definition import Plugin
from batuta.sdk.registry import Registry
from batuta.server.roles import RoleOptions, make_roles
from batuta.storage.layout import namespace_files_path, to_uri
from batuta.storage.memory import MemoryStorage
from batuta.store.memory import MemoryStore
from batuta.store.query import Query, Sort
from batuta.store.rows import Committed

SOMEBODY = Caller()
"""A person without a name."""
MOST_EXECUTIONS = 1000
EXISTS = "flow.id"
"""Where the violation stands that says that a flow exists already."""
LOOK_SECONDS = 0.02
"""How often something is looked at that no signal announces."""


@dataclass(frozen=True)
class Surroundings:
    """What an installation is configured with. `secrets` are plain here."""

    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    globals: Mapping[str, Any] = field(default_factory=dict)
    encryption_key: str | None = None
    plugins: tuple[type[Plugin], ...] = ()
    """Task types that no installed package offers."""
    plugin_configurations: tuple[Mapping[str, Any], ...] = ()
    """As `kestra.plugins.configurations`."""


class System:
    """Ask it as a person would ask a server; `open` starts one and stops it."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.flow_keys: list[FlowKey] = []
        self._changed = asyncio.Event()
        self._last_change = services.clock.monotonic()
        services.store.changes(self._on_commit)

    @classmethod
    @asynccontextmanager
    async def open(cls, surroundings: Surroundings = Surroundings()) -> AsyncIterator["System"]:
        """A running installation of its own; everything is gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="batuta-system-") as folder:
            services = _services(surroundings)
            options = RoleOptions(
                owner="system",
                tmp_dir=Path(folder) / "tmp",
                cache_dir=Path(folder) / "cache",
            )
            roles = asyncio.create_task(make_roles(services, options).run())
            try:
                yield cls(services)
            finally:
                roles.cancel()
                await asyncio.wait((roles,))
                await services.store.close()
            if not roles.cancelled() and (error := roles.exception()) is not None:
                raise error

    # -- flows and files -----------------------------------------------------------------------------------

    async def save_flow(self, source: str) -> FlowKey:
        """Create the flow, or a new revision of it. Raises `OperationError` with every problem."""
        try:
            row = await flows.create(SOMEBODY, self.services, source)
        except InvalidEntityError as error:
            if not any(violation.path == EXISTS for violation in error.violations):
                raise
            row = await flows.upsert(SOMEBODY, self.services, source)
        if row.key not in self.flow_keys:
            self.flow_keys.append(row.key)
        return row.key

    def find_flow(self, flow_id: str | None, namespace: str | None) -> FlowKey:
        """A saved flow by id and namespace, where they are given; else the first one."""
        for key in self.flow_keys:
            if flow_id in (None, key.id) and namespace in (None, key.namespace):
                return key
        raise LookupError(f"no flow {flow_id} was saved")

    async def put_namespace_file(self, namespace: str, path: str, content: bytes) -> None:
        parts = (*namespace_files_path(namespace), *path.strip("/").split("/"))
        await self.services.storage.put(SOMEBODY.tenant, to_uri(parts), content)

    # -- executions ----------------------------------------------------------------------------------------

    async def start(
        self,
        flow: FlowKey,
        *,
        inputs: Mapping[str, Any] | None = None,
        files: Mapping[str, Mapping[str, str]] | None = None,
        labels: Mapping[str, str] | None = None,
        revision: int | None = None,
        after: Micros | None = None,
        breakpoints: str | None = None,
    ) -> ExecutionId:
        """Start as a form post does: `files` maps inputs to `name` and `content`, `after` schedules it for later."""
        due = None if after is None else Instant(self.services.clock.now() + after)
        wanted = start.Wanted(
            inputs={name: _form_text(value) for name, value in (inputs or {}).items()},
            uploads={
                name: upload_of(name, file["name"], file["content"].encode())
                for name, file in (files or {}).items()
            },
            labels=tuple(Label(key, str(value)) for key, value in (labels or {}).items()),
            schedule_date=due,
            breakpoints=start.read_breakpoints(breakpoints),
        )
        execution = await start.start(
            SOMEBODY, self.services, flow, wanted=wanted, revision=revision
        )
        return execution.id

    async def view(self, execution_id: ExecutionId) -> ExecutionView:
        row = await self.services.store.executions.get(execution_id)
        if row is None:
            raise LookupError(f"there is no execution {execution_id}")
        return await view_of(self.services, row)

    async def executions(self) -> Sequence[ExecutionView]:
        """All there are, oldest first."""
        query = Query(sort=[Sort("start")], size=MOST_EXECUTIONS, total=False)
        page = await self.services.store.executions.search(query)
        return [await view_of(self.services, row) for row in page.rows]

    # -- orders --------------------------------------------------------------------------------------------

    async def kill(self, execution_id: ExecutionId, *, cascade: bool = True) -> None:
        await control.kill(SOMEBODY, self.services, execution_id, cascade=cascade)

    async def pause(self, execution_id: ExecutionId) -> None:
        await control.pause(SOMEBODY, self.services, execution_id)

    async def resume(
        self, execution_id: ExecutionId, *, inputs: Mapping[str, Any] | None = None
    ) -> None:
        given = {name: _form_text(value) for name, value in (inputs or {}).items()}
        await control.resume(SOMEBODY, self.services, execution_id, inputs=given)

    async def force_run(self, execution_id: ExecutionId) -> None:
        await control.force_run(SOMEBODY, self.services, execution_id)

    async def unqueue(self, execution_id: ExecutionId, *, state: State = State.RUNNING) -> None:
        await control.unqueue(SOMEBODY, self.services, execution_id, state=state)

    async def change_status(self, execution_id: ExecutionId, state: State) -> None:
        await control.change_status(SOMEBODY, self.services, execution_id, status=state)

    async def restart(
        self, execution_id: ExecutionId, *, revision: int | None = None
    ) -> ExecutionView:
        made = await repeat.restart(SOMEBODY, self.services, execution_id, revision=revision)
        return await self.view(made.id)

    async def replay(
        self,
        execution_id: ExecutionId,
        *,
        task_id: str | None = None,
        value: str | None = None,
        revision: int | None = None,
    ) -> ExecutionView:
        run_id = await self._run_id(execution_id, task_id, value) if task_id else None
        made = await repeat.replay(
            SOMEBODY,
            self.services,
            execution_id,
            task_run_id=run_id,
            revision=revision,
            labelled=False,
        )
        return await self.view(made.id)

    async def mark(
        self, execution_id: ExecutionId, *, task_id: str, state: State, value: str | None = None
    ) -> ExecutionView:
        run_id = await self._run_id(execution_id, task_id, value)
        made = await repeat.mark(
            SOMEBODY, self.services, execution_id, task_run_id=run_id, state=state, labelled=False
        )
        return await self.view(made.id)

    # -- waiting -------------------------------------------------------------------------------------------

    async def until(
        self,
        execution_id: ExecutionId,
        is_done: Callable[[ExecutionView], bool],
        *,
        seconds: float = 30,
    ) -> ExecutionView:
        """The execution when the condition holds, or as it stands when the time is over."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self._changed.clear()
                    view = await self.view(execution_id)
                    if is_done(view):
                        return view
                    await self._changed.wait()
        except TimeoutError:
            return await self.view(execution_id)

    async def quiet(
        self, settle: float, is_done: Callable[[], Awaitable[bool]], *, seconds: float
    ) -> None:
        """Until nothing has changed for `settle` seconds and the condition holds, or the time is over."""
        clock = self.services.clock
        deadline = clock.monotonic() + seconds
        while (now := clock.monotonic()) < deadline:
            rest = self._last_change + settle - now
            if rest <= 0 and await is_done():
                return
            await asyncio.sleep(max(rest, LOOK_SECONDS))

    async def _run_id(
        self, execution_id: ExecutionId, task_id: str, value: str | None
    ) -> TaskRunId:
        for row in (await self.view(execution_id)).runs:
            if row.run.task_id == task_id and value in (None, row.run.value):
                return row.run.id
        raise LookupError(f"there is no task run of {task_id}")

    def _on_commit(self, _: Committed) -> None:
        self._last_change = self.services.clock.monotonic()
        self._changed.set()


def is_over(view: ExecutionView) -> bool:
    """Ended, its afterExecution tasks included."""
    return view.row.execution.state.is_terminal and all(
        row.run.state.is_terminal for row in view.runs
    )


@lru_cache(maxsize=1)
def _registry() -> Registry:
    """Reading the catalogues takes longer than running a small flow."""
    return Registry.installed()


def _services(surroundings: Surroundings) -> Services:
    clock = SystemClock()
    settings = Settings(
        globals=surroundings.globals,
        encryption_key=surroundings.encryption_key,
        plugin_configurations=surroundings.plugin_configurations,
        termination_grace=0,
    )
    store = MemoryStore()
    registry = Registry.installed() if surroundings.plugins else _registry()
    for plugin in surroundings.plugins:
        registry.add(plugin)
    secrets = {
        f"{settings.secret_prefix}{name}": b64encode(text.encode()).decode()
        for name, text in surroundings.secrets.items()
    }
    return Services(
        store=store,
        storage=MemoryStorage(clock.now),
        registry=registry,
        clock=clock,
        ids=SystemIds(),
        settings=settings,
        plans=PlanCache(store, registry, settings=settings, clock=clock),
        feed=Feed(store),
        environment={**surroundings.environment, **secrets},
    )


def _form_text(value: Any) -> str:
    """What a form field holds: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else codec.encode_text(value)
