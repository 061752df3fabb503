"""Old executions, with their logs, metrics and files (05 §13.10)."""

from collections.abc import Sequence

import msgspec

from batuta.engine.execution import Execution
from batuta.model.ids import ExecutionId
from batuta.model.instant import Instant
from batuta.model.state import TERMINAL, State
from batuta.operations.caller import Caller
from batuta.operations.family import iterations_of
from batuta.operations.order import end, remove
from batuta.operations.query import LOOP, visible
from batuta.operations.services import Services
from batuta.storage.layout import execution_path, to_uri
from batuta.store.query import Filter, Op, Query, Sort

MAX_BATCH = 1_000


class ExecutionPurge(msgspec.Struct, frozen=True, kw_only=True):
    """What goes: executions that started at `end` or before, and which parts of them.

    Without a flow the namespace means its children, too. No states: all in which an execution has ended.
    """

    end: Instant
    start: Instant | None = None
    namespace: str | None = None
    flow_id: str | None = None
    states: tuple[State, ...] = ()
    executions: bool = True
    logs: bool = True
    metrics: bool = True
    files: bool = True
    batch: int = 100


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each kind are gone."""

    executions: int = 0
    logs: int = 0
    metrics: int = 0
    files: int = 0

    def plus(self, other: "Purged") -> "Purged":
        return Purged(
            executions=self.executions + other.executions,
            logs=self.logs + other.logs,
            metrics=self.metrics + other.metrics,
            files=self.files + other.files,
        )


async def purge_executions(
    caller: Caller, services: Services, wanted: ExecutionPurge, *, spared: str = ""
) -> Purged:
    """Batch by batch; what is done stays done when something fails. `spared` is the execution that asks."""
    filters = _filters(caller, wanted)
    size = max(1, min(wanted.batch, MAX_BATCH))
    total = Purged()
    after = ""
    while True:
        query = Query(
            filters=[*filters, Filter("id", Op.GREATER_THAN, after)],
            sort=[Sort("id")],
            size=size,
            total=False,
        )
        rows = (await services.store.executions.search(query)).rows
        found = [row.execution for row in rows if row.execution.id != spared]
        if found:
            total = total.plus(await _purge(services, wanted, found))
        if len(rows) < size:
            return total
        after = rows[-1].execution.id


def _filters(caller: Caller, wanted: ExecutionPurge) -> list[Filter]:
    states = tuple(sorted(str(state) for state in wanted.states or TERMINAL))
    filters = [
        Filter("tenant", Op.EQUALS, caller.tenant),
        *visible(caller),
        Filter("state", Op.IN, states),
        Filter("start", Op.LESS_THAN_OR_EQUAL_TO, wanted.end),
        Filter("kind", Op.NOT_EQUALS, LOOP),
    ]
    if wanted.start is not None:
        filters.append(Filter("start", Op.GREATER_THAN_OR_EQUAL_TO, wanted.start))
    if wanted.namespace is not None:
        exact = Op.PREFIX if wanted.flow_id is None else Op.EQUALS
        filters.append(Filter("namespace", exact, wanted.namespace))
    if wanted.flow_id is not None:
        filters.append(Filter("flow_id", Op.EQUALS, wanted.flow_id))
    return filters


async def _purge(services: Services, wanted: ExecutionPurge, found: Sequence[Execution]) -> Purged:
    """What moves is ended first. The iterations of Loops go before the executions that they are part of."""
    if wanted.executions:
        await end(services, [each.id for each in found if not each.state.is_terminal])
    total = Purged()
    async for group in iterations_of(services, found):
        parts = await _purge_parts(services, wanted, [row.execution for row in group])
        total = total.plus(parts)
    return total.plus(await _purge_parts(services, wanted, found))


async def _purge_parts(
    services: Services, wanted: ExecutionPurge, found: Sequence[Execution]
) -> Purged:
    """The parts before the executions: what fails half-way is found again the next time."""
    ids = [ExecutionId(execution.id) for execution in found]
    of_them = Query(filters=[Filter("execution_id", Op.IN, tuple(map(str, ids)))])
    store = services.store
    files = 0
    if wanted.files:
        for execution in found:
            flow = execution.flow
            folder = to_uri(execution_path(flow.namespace, flow.id, execution.id))
            files += len(await services.storage.delete_by_prefix(flow.tenant, folder))
    return Purged(
        files=files,
        logs=await store.journal.delete_logs(of_them) if wanted.logs else 0,
        metrics=await store.journal.delete_metrics(of_them) if wanted.metrics else 0,
        executions=await remove(services, ids, logs=wanted.logs, metrics=wanted.metrics)
        if wanted.executions
        else 0,
    )
