"""Executions that belong to others: the iterations of Loops, and what task runs have started otherwise."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from batuta.engine.execution import Execution
from batuta.engine.plan import Iterations
from batuta.model.ids import ExecutionId
from batuta.model.state import TERMINAL
from batuta.operations.errors import NotFoundError
from batuta.operations.plans import InvalidFlowError
from batuta.operations.query import LOOP
from batuta.operations.services import Services
from batuta.store.query import Filter, Op, Query, Sort
from batuta.store.rows import ExecutionRow, LoopItem, ParentLink

NOT_ENDED = Filter("state", Op.NOT_IN, tuple(sorted(str(state) for state in TERMINAL)))
_BATCH = 1_000


async def children_of(
    services: Services, execution_id: ExecutionId, *filters: Filter
) -> AsyncIterator[ExecutionRow]:
    """Executions that task runs of this one have started, in the order of their ids."""
    after = ""
    while True:
        query = Query(
            filters=[
                Filter("link_execution_id", Op.EQUALS, execution_id),
                *filters,
                Filter("id", Op.GREATER_THAN, after),
            ],
            sort=[Sort("id")],
            size=_BATCH,
            total=False,
        )
        rows = (await services.store.executions.search(query)).rows
        for row in rows:
            yield row
        if len(rows) < _BATCH:
            return
        after = rows[-1].execution.id


async def newest_children_of(
    services: Services, execution_id: ExecutionId
) -> AsyncIterator[ExecutionRow]:
    """The same, the newest first, for somebody who looks for a few of the last ones."""
    page = 1
    while True:
        query = Query(
            filters=[Filter("link_execution_id", Op.EQUALS, execution_id)],
            sort=[Sort("start", descending=True)],
            page=page,
            size=_BATCH,
            total=False,
        )
        rows = (await services.store.executions.search(query)).rows
        for row in rows:
            yield row
        if len(rows) < _BATCH:
            return
        page += 1


async def iterations_of(
    services: Services, executions: Sequence[Execution]
) -> AsyncIterator[Sequence[ExecutionRow]]:
    """Those of the executions' Loops, some at a time, the innermost first; each group may be deleted at once."""
    for execution in executions:
        if not await _may_loop(services, execution, None):
            continue
        async for group in _groups(services, execution.id):
            yield group


async def _groups(
    services: Services, execution_id: ExecutionId
) -> AsyncIterator[Sequence[ExecutionRow]]:
    some: list[ExecutionRow] = []
    async for row in children_of(services, execution_id, Filter("kind", Op.EQUALS, LOOP)):
        if await _may_loop(services, row.execution, row.link):
            async for group in _groups(services, row.execution.id):
                yield group
        some.append(row)
        if len(some) == _BATCH:
            yield some
            some = []
    if some:
        yield some


async def _may_loop(services: Services, execution: Execution, link: ParentLink | None) -> bool:
    """Whether what it does has Loops; also when nobody knows that any more."""
    try:
        compiled = await services.plans.get(execution.flow, execution.revision)
        plan = compiled.plan_of(link)
    except (NotFoundError, InvalidFlowError):
        return True
    return any(isinstance(node, Iterations) for node in plan.nodes.values())


async def around(services: Services, row: ExecutionRow) -> Sequence[ExecutionRow]:
    """The execution, then those whose Loops it is inside of, the nearest first."""
    found = [row]
    while (link := found[-1].link) is not None and link.item is not None:
        outer = await services.store.executions.get(link.execution_id)
        if outer is None:
            break
        found.append(outer)
    return found


def item_variable(item: LoopItem) -> dict[str, Any]:
    """`item` inside an iteration of a Loop; `parents` are the loops around, the nearest first."""
    chain = []
    at: LoopItem | None = item
    while at is not None:
        chain.append(at)
        at = at.parent
    own, *parents = (
        {"value": one.value, "index": one.index, **({} if one.key is None else {"key": one.key})}
        for one in chain
    )
    return {**own, "parent": parents[0], "parents": parents} if parents else own
