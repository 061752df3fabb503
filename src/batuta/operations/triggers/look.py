"""States of triggers as they are, and the lock that keeps one from firing (03 §11)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batuta.model.ids import FlowKey
from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalStateError, NotFoundError
from batuta.operations.query import TRIGGER, Condition, Page, Search, to_query
from batuta.operations.services import Services
from batuta.store.query import Filter, Op, Query, Sort
from batuta.store.query import Page as Rows
from batuta.store.rows import TriggerKey, TriggerRow, Turn

_BATCH = 500
_OWN = Filter("trigger_id", Op.REGEX, r"^[^:]*$")
"""Rows with a colon in their names are the memory of flow triggers, not states of any."""


class FoundTrigger(msgspec.Struct, frozen=True):
    """`declared` is what the flow says, None where it does not define the trigger any more."""

    row: TriggerRow
    declared: Mapping[str, Any] | None


async def search(caller: Caller, services: Services, wanted: Search) -> Rows[FoundTrigger]:
    """Without those whose flow is gone, which are counted all the same (03 §6.9)."""
    page = await services.store.triggers.search(_query(caller, services, wanted))
    found = []
    for row in page.rows:
        compiled = await services.plans.latest(row.key.flow)
        if compiled is not None:
            triggers = compiled.flow.triggers or ()
            declared = next((each.spec for each in triggers if each.id == row.key.id), None)
            found.append(FoundTrigger(row, declared))
    return Rows(found, page.total)


async def of_flow(
    caller: Caller,
    services: Services,
    flow: FlowKey,
    *,
    part: str = "",
    page: Page,
    sort: tuple[Sort, ...] = (),
) -> Rows[TriggerRow]:
    conditions = [
        Condition("namespace", Op.EQUALS, (flow.namespace,)),
        Condition("flowId", Op.EQUALS, (flow.id,)),
        Condition("q", Op.EQUALS, (part,)),
    ]
    wanted = Search(conditions=tuple(conditions), page=page, sort=sort)
    return await services.store.triggers.search(_query(caller, services, wanted))


async def keys_of_query(
    caller: Caller, services: Services, conditions: tuple[Condition, ...]
) -> Sequence[TriggerKey]:
    """All that a bulk request by query means."""
    query = _query(caller, services, Search(conditions=conditions))
    found: list[TriggerKey] = []
    number = 1
    while True:
        batch = msgspec.structs.replace(query, page=number, size=_BATCH, total=False)
        rows = (await services.store.triggers.search(batch)).rows
        found.extend(row.key for row in rows)
        if len(rows) < _BATCH:
            return found
        number += 1


async def unlock(caller: Caller, services: Services, key: TriggerKey) -> TriggerRow:
    """Let it fire again although its execution has not ended. Raises `IllegalStateError` for one that is free."""
    row = await services.store.triggers.get(key)
    if row is None or not caller.may_see(key.flow.namespace):
        raise NotFoundError
    if row.execution_id is None and row.evaluate_running is None:
        raise IllegalStateError("Trigger is not locked")
    free = msgspec.structs.replace(
        row,
        execution_id=None,
        evaluate_running=None,
        worker_id=None,
        updated=services.clock.now(),
    )
    await services.store.commit(Turn(triggers=[free]))
    return free


async def unlock_many(caller: Caller, services: Services, keys: Sequence[TriggerKey]) -> int:
    """How many of them were locked; the others are left as they are."""
    count = 0
    for key in keys:
        try:
            await unlock(caller, services, key)
        except (IllegalStateError, NotFoundError):
            continue
        count += 1
    return count


def _query(caller: Caller, services: Services, wanted: Search) -> Query:
    query = to_query(
        caller,
        TRIGGER,
        wanted,
        now=services.clock.now(),
        system_namespace=services.settings.system_namespace,
    )
    return msgspec.structs.replace(query, filters=[*query.filters, _OWN])
