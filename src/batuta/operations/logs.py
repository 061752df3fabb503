"""Logs: search, read, follow, delete (03 §9)."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from batuta.model.ids import ExecutionId, FlowKey
from batuta.operations.caller import Caller
from batuta.operations.errors import NotFoundError
from batuta.operations.query import LOG, Search, to_level, to_query, visible
from batuta.operations.services import Services
from batuta.store.query import Filter, Op, Page, Query, Sort
from batuta.store.rows import LogRow

BATCH = 1000
"""Rows read at once; memory for a log stays this small whatever its length."""


class LogChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines of an execution. A task id makes task run and attempt meaningless (03 §9)."""

    min_level: str | None = None
    task_id: str | None = None
    task_run_id: str | None = None
    attempt: int | None = None
    task_ids: tuple[str, ...] = ()
    """Any of these."""


async def search(caller: Caller, services: Services, search: Search) -> Page[LogRow]:
    query = to_query(
        caller,
        LOG,
        search,
        now=services.clock.now(),
        system_namespace=services.settings.system_namespace,
    )
    return await services.store.journal.logs(query)


async def read(
    caller: Caller, services: Services, execution_id: ExecutionId, *, choice: LogChoice
) -> AsyncIterator[Sequence[LogRow]]:
    """All chosen lines by time, in batches; nothing for an unknown execution."""
    page = 1
    while True:
        rows = await batch(caller, services, execution_id, choice=choice, page=page)
        if rows:
            yield rows
        if len(rows) < BATCH:
            return
        page += 1


async def batch(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    choice: LogChoice,
    page: int,
) -> Sequence[LogRow]:
    """The chosen lines by time, BATCH of them at once; pages count from 1."""
    query = Query(
        filters=_filters(caller, execution_id, choice),
        sort=[Sort("at"), Sort("id")],
        page=page,
        size=BATCH,
        total=False,
    )
    return (await services.store.journal.logs(query)).rows


async def newer(
    caller: Caller, services: Services, execution_id: ExecutionId, *, after: int
) -> AsyncIterator[Sequence[LogRow]]:
    """The lines with an id above `after`, in batches, in the order in which they were written."""
    filters = _filters(caller, execution_id, LogChoice())
    while rows := await _batch(services, filters, after):
        yield rows
        after = rows[-1].id


async def require_execution(caller: Caller, services: Services, execution_id: ExecutionId) -> bool:
    """Whether the execution is still running. Raises `NotFoundError`."""
    row = await services.store.executions.get(execution_id)
    if row is None or not caller.may_see(row.execution.flow.namespace):
        raise NotFoundError(f"Execution '{execution_id}' not found.")
    return not row.execution.state.is_terminal


async def follow(
    caller: Caller, services: Services, execution_id: ExecutionId, *, min_level: str | None
) -> AsyncIterator[Sequence[LogRow]]:
    """The lines there are, then new ones as they come; an empty batch when there was nothing for a while."""
    filters = _filters(caller, execution_id, LogChoice(min_level=min_level))
    last = 0
    with services.feed.watch(execution_id) as watcher:
        while not services.feed.is_closed:
            rows = await _batch(services, filters, last)
            if rows:
                last = rows[-1].id
            yield rows
            if len(rows) < BATCH:
                await watcher.changed()


async def delete(
    caller: Caller, services: Services, execution_id: ExecutionId, *, choice: LogChoice
) -> int:
    return await services.store.journal.delete_logs(
        Query(filters=_filters(caller, execution_id, choice))
    )


async def delete_of_flow(
    caller: Caller, services: Services, flow: FlowKey, *, trigger_id: str | None
) -> int:
    if not caller.may_see(flow.namespace):
        raise NotFoundError
    filters = [
        Filter("tenant", Op.EQUALS, flow.tenant),
        Filter("namespace", Op.EQUALS, flow.namespace),
        Filter("flow_id", Op.EQUALS, flow.id),
    ]
    if trigger_id is not None:
        filters.append(Filter("trigger_id", Op.EQUALS, trigger_id))
    return await services.store.journal.delete_logs(Query(filters=filters))


async def _batch(services: Services, filters: list[Filter], after: int) -> Sequence[LogRow]:
    query = Query(
        filters=[*filters, Filter("id", Op.GREATER_THAN, after)],
        sort=[Sort("id")],
        size=BATCH,
        total=False,
    )
    return (await services.store.journal.logs(query)).rows


def _filters(caller: Caller, execution_id: ExecutionId, choice: LogChoice) -> list[Filter]:
    filters = [
        Filter("tenant", Op.EQUALS, caller.tenant),
        Filter("execution_id", Op.EQUALS, execution_id),
        *visible(caller),
    ]
    if choice.min_level is not None:
        filters.append(Filter("level", Op.EQUALS, to_level(choice.min_level)))
    if choice.task_id is not None:
        filters.append(Filter("task_id", Op.EQUALS, choice.task_id))
    elif choice.task_run_id is not None:
        filters.append(Filter("task_run_id", Op.EQUALS, choice.task_run_id))
        if choice.attempt is not None:
            filters.append(Filter("attempt", Op.EQUALS, choice.attempt))
    if choice.task_ids:
        filters.append(Filter("task_id", Op.IN, choice.task_ids))
    return filters
