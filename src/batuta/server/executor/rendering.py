"""Templates evaluated on behalf of the engine, and for inline tasks."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from batuta.engine.commands import Render
from batuta.engine.course import OUTPUTS
from batuta.engine.events import Rendered
from batuta.engine.execution import TaskRun
from batuta.expr import ExpressionError
from batuta.expr.host import Host
from batuta.expr.host import Settings as ExprSettings
from batuta.flow.inputs import typed_output
from batuta.model import codec
from batuta.model.ids import TaskId
from batuta.model.instant import Instant
from batuta.operations.services import Services
from batuta.server.context.outputs import NotInMemoryError, OutputTree, Stored
from batuta.server.context.variables import Surroundings, frame_variables
from batuta.server.executor.draft import Draft
from batuta.server.executor.live import MOST_OUTPUTS, Live
from batuta.server.executor.lookup import GuardedOutputs, ImmediateHost, NeedsOutputsError
from batuta.server.executor.loops.iterations import Iterations
from batuta.server.worker.render import JobRenderer
from batuta.store.rows import OutputRow

T = TypeVar("T")

FIRST_REACH = 32
"""Task runs around one whose outputs are read back whose outputs are read too; more with each time in one rendering."""


class Rendering:
    """Makes renderers over the variables of an execution or task run, and loads what they miss."""

    def __init__(
        self, services: Services, *, surroundings: Surroundings, settings: ExprSettings
    ) -> None:
        self._services = services
        self._surroundings = surroundings
        self._lazy = services.settings.lazy_variables
        self.immediate = ImmediateHost(
            settings, now=services.clock.now, entropy=services.ids.entropy
        )

    def renderer(
        self,
        live: Live,
        run: TaskRun | None,
        *,
        host: Host,
        items: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> JobRenderer:
        variables = self.variables(live, run, items=items)
        if extra:
            variables.update(extra)
        return JobRenderer(variables, host, lazy_variables=self._lazy)

    def variables(
        self, live: Live, run: TaskRun | None, *, items: str | None = None
    ) -> dict[str, Any]:
        """What templates of this task run see; `vars` unrendered (02 §3)."""
        execution = live.execution
        variables: dict[str, Any] = {
            **self._surroundings.constants,
            **live.header_variables(),
            "outputs": GuardedOutputs(live),
        }
        if execution.variables:
            variables["vars"] = execution.variables
        if live.states is not None:
            variables["tasks"] = live.task_states()
        if run is not None:
            variables.update(frame_variables(live.plan, execution, run, trees=live.trees))
            if items is not None:
                variables["taskrun"]["items"] = items
        return variables

    async def attempt(
        self,
        live: Live,
        run: TaskRun | None,
        *,
        compute: Callable[[JobRenderer], T],
        items: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> T:
        """Evaluate from memory, reading missing outputs from the store; `extra` over the other variables.

        Raises `NeedsLookUpError` when a template looks something else up; `compute` must then run on a thread.
        """
        reach = FIRST_REACH
        while True:
            try:
                host = self.immediate
                return compute(self.renderer(live, run, host=host, items=items, extra=extra))
            except NeedsOutputsError as missing:
                await self.load_outputs(live, missing.task_id)
            except NotInMemoryError as missing:
                await self.bring_back(live, missing.stored, reach=reach)
                reach *= 2

    async def bring_back(self, live: Live, stored: Stored, *, reach: int) -> None:
        """Read outputs that were let go, and those of up to `reach` task runs before and after: what comes next."""
        keeper = next(one for one in live.around if one.execution.id == stored.execution_id)
        ordinals = (stored.ordinal - reach, stored.ordinal + reach)
        task_id = stored.task_id
        is_there = False
        for row in await self._services.store.executions.outputs(
            stored.execution_id, task_id=task_id, ordinals=ordinals
        ):
            outputs = await stored_outputs(self._services, keeper.plan.flow.tenant, row)
            place = Stored(stored.execution_id, task_id, row.ordinal)
            keeper.bring_back(place, row.path, outputs)
            is_there |= place == stored
        if not is_there:
            raise LookupError(f"the outputs of '{task_id}' are gone from the store")

    async def outputs_of(self, live: Live, run: TaskRun) -> Mapping[str, Any] | None:
        """What the task run has, as far as it is known here."""
        tree = live.trees.get(run.task_id)
        while tree is not None:
            try:
                return tree.at(run.path)
            except NotInMemoryError as missing:
                await self.bring_back(live, missing.stored, reach=FIRST_REACH)
        return None

    async def load_outputs(self, live: Live, task_id: TaskId | None) -> None:
        """Bring outputs of earlier task runs into memory; None: those of all tasks, also of the executions around."""
        if task_id is None:
            for one in live.around:
                await self._load(one, None)
        else:
            await self._load(live.keeper(task_id), task_id)

    async def _load(self, live: Live, task_id: TaskId | None) -> None:
        if live.is_loaded(task_id) if task_id is not None else live.loaded is None:
            return
        rows = await self._services.store.executions.outputs(live.execution.id, task_id=task_id)
        runs = await self._services.store.executions.task_runs(
            live.execution.id, ids=[row.task_run_id for row in rows]
        )
        by_id = {row.run.id: row.run for row in runs}
        found: list[tuple[TaskRun, Mapping[str, Any] | None]] = []
        for place, row in enumerate(rows):
            run = by_id.get(row.task_run_id)
            if run is None or live.is_gone(run):
                continue
            if run.path and place < len(rows) - MOST_OUTPUTS:
                found.append((run, None))
            else:
                tenant = live.plan.flow.tenant
                found.append((run, await stored_outputs(self._services, tenant, row)))
        self._take_in(live, task_id, found)
        if task_id is None:
            live.loaded = None
        elif live.loaded is not None:
            live.loaded.add(task_id)

    @staticmethod
    def _take_in(
        live: Live,
        task_id: TaskId | None,
        found: Iterable[tuple[TaskRun, Mapping[str, Any] | None]],
    ) -> None:
        """All in the order of creation, None for what stays there; what was in memory is newer than the store."""
        former = {
            name: live.trees.pop(name)
            for name in list(live.trees)
            if task_id is None or name == task_id
        }
        for run, outputs in found:
            if outputs is None:
                live.put_stored(run)
            else:
                live.put_outputs(run, outputs)
        for name, tree in former.items():
            live.trees.setdefault(name, OutputTree()).adopt(tree)


async def stored_outputs(services: Services, tenant: str, row: OutputRow) -> Mapping[str, Any]:
    """What a row of outputs holds, or points to when it is large."""
    data = row.data
    if data is None and row.uri is not None:
        data = await services.storage.read(tenant, row.uri)
    outputs: Mapping[str, Any] = {} if data is None else codec.decode(data)
    return outputs


class Replies:
    """Answers to the engine's `Render`."""

    def __init__(
        self, rendering: Rendering, iterations: Iterations, *, now: Callable[[], Instant]
    ) -> None:
        self._rendering = rendering
        self._iterations = iterations
        self._now = now

    async def at_once(self, live: Live, command: Render, draft: Draft) -> Rendered:
        """Raises `NeedsLookUpError`."""
        return await self._rendering.attempt(
            live,
            frame_of(live, command),
            compute=lambda renderer: self.answer(live, command, renderer),
            items=command.items,
            extra=await self.extra_of(command, draft),
        )

    async def extra_of(self, command: Render, draft: Draft | None = None) -> Mapping[str, Any]:
        """Variables that only this request has."""
        return await self._iterations.variables(command.iteration, draft)

    def answer(self, live: Live, command: Render, renderer: JobRenderer) -> Rendered:
        """Evaluate the templates of the engine; what is wrong with them is a problem in the answer."""
        values: Mapping[str, Any] = {}
        problem = None
        try:
            values = render_all(renderer, command.values, typed=command.typed)
            if command.types is not None:
                values = {
                    name: typed_output(name, type_name, values[name], encrypt=live.encrypt)
                    for name, type_name in command.types.items()
                }
        except (ExpressionError, ValueError) as error:
            problem = str(error)
            if command.request_id == OUTPUTS:
                live.output_problem = problem
        return Rendered(
            at=self._now(), request_id=command.request_id, values=values, problem=problem
        )


def frame_of(live: Live, command: Render) -> TaskRun | None:
    """The task run as it is now; the iteration may be that of a batch (01 §6.8)."""
    frame = command.frame
    run = frame and live.execution.runs.get(frame.id)
    if run is None or frame is None or run.iteration == frame.iteration:
        return run or frame
    return replace(run, iteration=frame.iteration)


def render_all(renderer: JobRenderer, values: Mapping[str, Any], *, typed: bool) -> dict[str, Any]:
    """Every value under its name; `typed` keeps the type of a text that is one expression."""
    if not typed:
        return {name: renderer.render(value) for name, value in values.items()}
    return {
        name: renderer.render_typed(value) if isinstance(value, str) else renderer.render(value)
        for name, value in values.items()
    }
