"""Executions as they are: read, search, follow, wait, delete (03 §8). `start` makes them, `control` moves them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from batuta.engine.execution import Execution
from batuta.model import codec
from batuta.model.ids import ExecutionId, FlowKey, TaskRunId
from batuta.model.instant import Instant
from batuta.operations.caller import Caller
from batuta.operations.errors import NotFoundError
from batuta.operations.family import iterations_of
from batuta.operations.order import end, is_over, is_visible, remove
from batuta.operations.query import (
    EXECUTION,
    HIDDEN_KINDS,
    LOOP,
    Condition,
    Page,
    Search,
    to_query,
    visible,
)
from batuta.operations.services import Services
from batuta.storage.layout import execution_path, to_uri
from batuta.store.query import MAX_TOTAL, Filter, Op, Query, Sort
from batuta.store.rows import ExecutionRow, OutputRow, TaskRunRow

FIRST_SIGHT_SECONDS = 10.0
"""How long a live view waits for an execution that does not exist yet (03 §5)."""
IDLE_SECONDS = 3600.0
"""A live view of an execution that does not move for so long is given up (03 §5)."""
MIN_INTERVAL_SECONDS = 0.05
"""Changes that come faster are shown together."""
REST_FACTOR = 4.0
"""A view that takes long to make and to send (a loop of thousands) is made less often: the rest is for the work."""
BATCH = 500


class ExecutionView(msgspec.Struct, frozen=True, kw_only=True):
    """An execution with all that the API shows of it. Outputs are JSON as it was stored."""

    row: ExecutionRow
    runs: Sequence[TaskRunRow] = ()
    outputs: Mapping[TaskRunId, msgspec.Raw] = {}


class ExecutionViews(msgspec.Struct, frozen=True):
    views: Sequence[ExecutionView]
    total: int


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What goes together with an execution that is deleted."""

    logs: bool = True
    metrics: bool = True
    files: bool = True


class LatestExecution(msgspec.Struct, frozen=True):
    flow: FlowKey
    execution: Execution


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions to count: those that started between `start` and `end`, in any state when none is named."""

    namespace: str
    start: Instant
    end: Instant
    flow_id: str | None = None
    states: tuple[str, ...] = ()


async def get(caller: Caller, services: Services, execution_id: ExecutionId) -> ExecutionView:
    """Raises `NotFoundError`, also for what the caller may not see."""
    return await view_of(services, await get_row(caller, services, execution_id))


async def get_row(caller: Caller, services: Services, execution_id: ExecutionId) -> ExecutionRow:
    row = await services.store.executions.get(execution_id)
    if row is None or not is_visible(caller, row.execution):
        raise NotFoundError
    return row


async def search(caller: Caller, services: Services, wanted: Search) -> ExecutionViews:
    page = await services.store.executions.search(_query(caller, services, wanted))
    return ExecutionViews([await view_of(services, row) for row in page.rows], page.total)


async def of_flow(
    caller: Caller, services: Services, flow: FlowKey, *, page: Page
) -> ExecutionViews:
    """The executions of one flow, whatever their age, the newest first."""
    if not caller.may_see(flow.namespace):
        return ExecutionViews((), 0)
    filters = [
        Filter("tenant", Op.EQUALS, flow.tenant),
        Filter("namespace", Op.EQUALS, flow.namespace),
        Filter("flow_id", Op.EQUALS, flow.id),
        Filter("kind", Op.NOT_EQUALS, LOOP),
    ]
    found = await services.store.executions.search(
        Query(filters=filters, page=page.number, size=page.size)
    )
    return ExecutionViews([await view_of(services, row) for row in found.rows], found.total)


async def latest(
    caller: Caller, services: Services, flows: Sequence[FlowKey]
) -> Sequence[LatestExecution]:
    """The newest normal execution of each flow that has one (03 §8.12)."""
    found: list[LatestExecution] = []
    for flow in dict.fromkeys(flows):
        if not caller.may_see(flow.namespace):
            continue
        filters = [
            Filter("tenant", Op.EQUALS, flow.tenant),
            Filter("namespace", Op.EQUALS, flow.namespace),
            Filter("flow_id", Op.EQUALS, flow.id),
            Filter("kind", Op.NOT_IN, HIDDEN_KINDS),
        ]
        query = Query(filters=filters, sort=[Sort("start", descending=True)], size=1, total=False)
        page = await services.store.executions.search(query)
        found.extend(LatestExecution(flow, row.execution) for row in page.rows)
    return found


async def count(caller: Caller, services: Services, wanted: Tally) -> int:
    """How many normal executions there are. Exact also where the store gives up counting."""
    filters = [
        Filter("tenant", Op.EQUALS, caller.tenant),
        *visible(caller),
        Filter("namespace", Op.EQUALS, wanted.namespace),
        Filter("kind", Op.NOT_IN, HIDDEN_KINDS),
        Filter("start", Op.GREATER_THAN_OR_EQUAL_TO, wanted.start),
        Filter("start", Op.LESS_THAN_OR_EQUAL_TO, wanted.end),
    ]
    if wanted.flow_id is not None:
        filters.append(Filter("flow_id", Op.EQUALS, wanted.flow_id))
    if wanted.states:
        filters.append(Filter("state", Op.IN, wanted.states))
    counted = 0
    after: list[Filter] = []
    while True:
        query = Query(filters=[*filters, *after], sort=[Sort("id")], size=1)
        total = (await services.store.executions.search(query)).total
        if total < MAX_TOTAL:
            return counted + total
        counted += MAX_TOTAL
        last = msgspec.structs.replace(query, page=MAX_TOTAL, total=False)
        rows = (await services.store.executions.search(last)).rows
        if not rows:
            return counted
        after = [Filter("id", Op.GREATER_THAN, rows[0].execution.id)]


async def ids_of_query(
    caller: Caller, services: Services, conditions: tuple[Condition, ...]
) -> tuple[ExecutionId, ...]:
    """All executions that a bulk request by query means, oldest id first."""
    query = _query(caller, services, Search(conditions=conditions))
    found: list[ExecutionId] = []
    while True:
        after = [Filter("id", Op.GREATER_THAN, found[-1])] if found else []
        batch = msgspec.structs.replace(
            query, filters=[*query.filters, *after], sort=[Sort("id")], size=BATCH, total=False
        )
        page = await services.store.executions.search(batch)
        found.extend(row.execution.id for row in page.rows)
        if len(page.rows) < BATCH:
            return tuple(found)


async def follow(
    caller: Caller, services: Services, execution_id: ExecutionId
) -> AsyncIterator[ExecutionView | None]:
    """The execution now and after each change, the last time when it is over; None where nothing changed for a while.

    Raises `NotFoundError` when it does not appear, `TimeoutError` when it does not move for an hour.
    """
    clock = services.clock
    with services.feed.watch(execution_id) as watcher:
        changed = clock.monotonic()
        last: Execution | None = None
        while not services.feed.is_closed:
            row = await services.store.executions.get(execution_id, live=True)
            if row is not None and not is_visible(caller, row.execution):
                row = None
            if row is not None and row.execution != last:
                last, changed = row.execution, clock.monotonic()
                yield await view_of(services, row)
                if is_over(last):
                    return
                spent = clock.monotonic() - changed
                await asyncio.sleep(max(MIN_INTERVAL_SECONDS, spent * REST_FACTOR))
            else:
                _check_patience(
                    execution_id, seen=last is not None, idle=clock.monotonic() - changed
                )
                yield None
            await watcher.changed()


async def wait(caller: Caller, services: Services, execution_id: ExecutionId) -> ExecutionView:
    """The execution when it is over, or as it stands when it does not move for an hour."""
    latest_view: ExecutionView | None = None
    try:
        async for view in follow(caller, services, execution_id):
            latest_view = view or latest_view
    except TimeoutError:
        return await get(caller, services, execution_id)
    return latest_view or await get(caller, services, execution_id)


async def delete(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    parts: Parts = Parts(),  # noqa: B008 - frozen
) -> None:
    """Remove the execution for good, with the parts that are named (03 §8)."""
    execution = (await get_row(caller, services, execution_id)).execution
    await delete_all(services, [execution], parts=parts)


async def delete_all(services: Services, executions: Sequence[Execution], *, parts: Parts) -> None:
    """All together, so that those that move are ended at the same time; the iterations of their Loops first."""
    ids = [execution.id for execution in executions]
    await end(services, [each.id for each in executions if not each.state.is_terminal])
    async for group in iterations_of(services, executions):
        inner = [row.execution for row in group]
        inner_ids = [execution.id for execution in inner]
        await remove(services, inner_ids, logs=parts.logs, metrics=parts.metrics)
        await _delete_files(services, inner, parts)
    await remove(services, ids, logs=parts.logs, metrics=parts.metrics)
    await _delete_files(services, executions, parts)


async def _delete_files(services: Services, executions: Sequence[Execution], parts: Parts) -> None:
    if parts.files:
        for execution in executions:
            path = execution_path(execution.flow.namespace, execution.flow.id, execution.id)
            await services.storage.delete_by_prefix(execution.flow.tenant, to_uri(path))


async def view_of(services: Services, row: ExecutionRow) -> ExecutionView:
    execution = row.execution
    runs = await services.store.executions.task_runs(execution.id)
    outputs = await services.store.executions.outputs(execution.id) if runs else ()
    return ExecutionView(
        row=row,
        runs=runs,
        outputs={
            output.task_run_id: _without_nulls(output.data)
            if output.data is not None
            else await _data(services, row, output)
            for output in outputs
        },
    )


async def _data(services: Services, row: ExecutionRow, output: OutputRow) -> msgspec.Raw:
    """Long outputs are files; the API always expands them (03 §6.6)."""
    if output.uri is None:
        return msgspec.Raw(b"{}")
    try:
        data = await services.storage.read(row.execution.flow.tenant, output.uri)
    except FileNotFoundError:
        return msgspec.Raw(b"null")
    return _without_nulls(data)


def _without_nulls(data: bytes) -> msgspec.Raw:
    """Templates see an output that is null, the API shows none (03 §3.2). Values inside of outputs stay as they are."""
    if b"null" in data:
        fields: Mapping[str, msgspec.Raw] = codec.decode_as(dict[str, msgspec.Raw], data)
        left = {name: value for name, value in fields.items() if bytes(value) != b"null"}
        if len(left) < len(fields):
            return msgspec.Raw(codec.encode(left))
    return msgspec.Raw(data)


def _check_patience(execution_id: ExecutionId, *, seen: bool, idle: float) -> None:
    if not seen and idle > FIRST_SIGHT_SECONDS:
        raise NotFoundError(f"Execution '{execution_id}' not found.")
    if idle > IDLE_SECONDS:
        raise TimeoutError


def _query(caller: Caller, services: Services, wanted: Search) -> Query:
    return to_query(
        caller,
        EXECUTION,
        wanted,
        now=services.clock.now(),
        system_namespace=services.settings.system_namespace,
    )
