"""Compiled flows: each revision is read and compiled once, and kept while it is in use (09 §4)."""

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from batuta.engine.execution import Execution
from batuta.engine.iteration import iteration_plans
from batuta.engine.plan import Plan
from batuta.flow.compile import Templates, compile_flow, templates_of
from batuta.flow.defaults import Default, defaults_in
from batuta.flow.definition import Flow
from batuta.flow.read import Reading, read_flow
from batuta.flow.rules import Offers
from batuta.flow.template import read_template
from batuta.model import codec
from batuta.model.ids import ExecutionId, FlowKey, TaskId
from batuta.model.instant import Instant
from batuta.operations.errors import IllegalStateError, NotFoundError
from batuta.operations.query import LOOP
from batuta.operations.settings import Settings
from batuta.operations.system import Clock
from batuta.sdk.registry import Registry
from batuta.store.contract import Store
from batuta.store.rows import Committed, FlowRow, ParentLink

KEPT = 1000
"""Compiled revisions in memory."""
FRESH_SECONDS = 1.0
"""How long the latest revision is believed without asking the store; changes of this process are seen at once."""


class InvalidFlowError(IllegalStateError):
    """The stored flow can no longer be read (a plugin is missing); it can be looked at, not executed."""


class Compiled(msgspec.Struct, frozen=True):
    row: FlowRow
    flow: Flow
    plan: Plan
    iterations: Mapping[TaskId, Plan] = {}
    """What one iteration does, for every Loop of the flow."""
    calls: tuple[tuple[str, str], ...] = ()
    """Namespaces and ids of the templates that its tasks name."""
    templates: tuple[FlowKey | int, ...] = ()
    """Those that stand in the plan, each with its revision behind it."""

    def plan_of(self, link: ParentLink | None) -> Plan:
        """The plan of an execution with this link. Raises `InvalidFlowError` for a loop that the flow does not have."""
        if link is None or link.item is None:
            return self.plan
        found = self.iterations.get(link.item.loop)
        if found is None:
            raise InvalidFlowError(f"The flow has no loop `{link.item.loop}`")
        return found


class _Latest(msgspec.Struct, frozen=True):
    row: FlowRow | None
    since: float


class PlanCache:
    def __init__(
        self, store: Store, registry: Registry, *, settings: Settings, clock: Clock
    ) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._defaults = defaults_of(settings)
        self._offers = Offers(
            groups=frozenset(settings.worker_groups), templates=settings.templates
        )
        self._compiled: OrderedDict[tuple[FlowKey, int], Compiled] = OrderedDict()
        self._latest: OrderedDict[FlowKey, _Latest] = OrderedDict()
        self._templates = _TemplateCache(store, self._read_template)
        self._changes = 0
        store.changes(self._on_commit)

    @property
    def defaults(self) -> tuple[Default, ...]:
        """Plugin defaults of the installation."""
        return self._defaults

    @property
    def offers(self) -> Offers:
        """What flows may ask the installation for."""
        return self._offers

    async def get(self, key: FlowKey, revision: int | None = None) -> Compiled:
        """A revision (None: the latest that is not deleted).

        Raises `NotFoundError` where there is none, `InvalidFlowError` where it cannot be read any more.
        """
        if revision is not None and (found := self._compiled.get((key, revision))) is not None:
            self._compiled.move_to_end((key, revision))
            return found
        if revision is None:
            row = await self.latest_row(key)
            if row is None or row.deleted:
                raise NotFoundError(f"Unable to find flow {key}")
        else:
            row = await self._store.flows.get(key, revision=revision)
            if row is None:
                raise NotFoundError(f"Unable to find revision {revision} on flow {key}")
        return self.compiled(row)

    async def of(self, execution: Execution, revision: int | None = None) -> Compiled:
        """The revision of the execution (or another one), with the templates that it began with. Raises as `get`."""
        found = await self.get(execution.flow, revision or execution.revision)
        if not found.calls:
            return found
        whole = await self._whole(execution)
        return await self._templates.expanded(found, at=whole.histories[0].at)

    async def _whole(self, execution: Execution) -> Execution:
        """An iteration of a Loop is part of the execution around it."""
        while execution.kind == LOOP:
            variables = (execution.trigger or {}).get("variables") or {}
            around = ExecutionId(str(variables.get("executionId")))
            row = await self._store.executions.get(around)
            if row is None:
                break
            execution = row.execution
        return execution

    async def latest(self, key: FlowKey) -> Compiled | None:
        """The latest revision, or None where it is gone or unreadable."""
        try:
            return await self.get(key)
        except (NotFoundError, InvalidFlowError):
            return None

    async def latest_row(self, key: FlowKey) -> FlowRow | None:
        """The latest revision, even a deleted one."""
        known = self._latest.get(key)
        now = self._clock.monotonic()
        if known is not None and now - known.since < FRESH_SECONDS:
            return known.row
        changes = self._changes
        row = await self._store.flows.get(key)
        if changes == self._changes:  # what was read before a change must not be kept after it
            self._latest[key] = _Latest(row, now)
            self._latest.move_to_end(key)
            _shrink(self._latest)
        return row

    def compiled(self, row: FlowRow) -> Compiled:
        place = (row.key, row.revision)
        found = self._compiled.get(place)
        if found is None:
            found = self._compile(row)
            self._compiled[place] = found
            _shrink(self._compiled)
        self._compiled.move_to_end(place)
        return found

    def _compile(self, row: FlowRow) -> Compiled:
        reading = read_flow(
            row.source,
            self._registry,
            defaults=self._defaults,
            strict=False,
            offers=self._offers,
        )
        if reading.flow is None:
            _refuse(reading)
        return _compiled(row, reading.flow, {})

    def _read_template(self, row: FlowRow, defaults: Sequence[Default]) -> Flow | None:
        defaults = (*defaults, *self._defaults)
        reading = read_template(row.source, self._registry, defaults=defaults, offers=self._offers)
        return reading.flow

    def _on_commit(self, committed: Committed) -> None:
        self._changes += len(committed.flows)
        for key in committed.flows:
            self._latest.pop(key, None)


class _TemplateCache:
    """Plans of flows with templates in them: one for each combination of revisions."""

    def __init__(
        self, store: Store, read: Callable[[FlowRow, Sequence[Default]], Flow | None]
    ) -> None:
        self._store = store
        self._read = read
        self._expanded: OrderedDict[tuple[FlowKey, int, tuple[FlowKey | int, ...]], Compiled] = (
            OrderedDict()
        )

    async def expanded(self, compiled: Compiled, *, at: Instant) -> Compiled:
        """With the templates as they were at this instant."""
        row = compiled.row
        defaults = defaults_in(codec.decode(row.data))
        templates: dict[tuple[str, str], Flow] = {}
        used: list[FlowKey | int] = []
        names = deque(compiled.calls)
        seen = set(names)
        while names:
            name = names.popleft()
            found = await self._row(FlowKey(row.key.tenant, *name), at=at)
            template = None if found is None else self._read(found, defaults)
            if found is None or template is None:
                continue
            templates[name] = template
            used += (found.key, found.revision)
            inner = templates_of(template)
            names += [each for each in inner if each not in seen]
            seen.update(inner)
        key = (row.key, row.revision, tuple(used))
        if key not in self._expanded:
            whole = _compiled(row, compiled.flow, templates)
            self._expanded[key] = msgspec.structs.replace(whole, templates=tuple(used))
            _shrink(self._expanded)
        self._expanded.move_to_end(key)
        return self._expanded[key]

    async def _row(self, key: FlowKey, *, at: Instant) -> FlowRow | None:
        rows = [row for row in await self._store.templates.revisions(key) if row.updated <= at]
        return rows[-1] if rows and not rows[-1].deleted else None


def _compiled(row: FlowRow, flow: Flow, templates: Templates) -> Compiled:
    plan = compile_flow(flow, key=row.key, revision=row.revision, templates=templates)
    return Compiled(row, flow, plan, iteration_plans(plan), calls=tuple(templates_of(flow)))


def defaults_of(settings: Settings) -> tuple[Default, ...]:
    return defaults_in({"pluginDefaults": list(settings.plugin_defaults)})


def _refuse(reading: Reading) -> NoReturn:
    reason = "; ".join(problem.message for problem in reading.errors)
    raise InvalidFlowError(f"Requested Flow is not valid. Error: {reason}")


def _shrink(cache: OrderedDict[Any, Any]) -> None:
    while len(cache) > KEPT:
        cache.popitem(last=False)
