"""The switch of a trigger's row: on and off without an edit of the flow (04 §6.3, §14)."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol, runtime_checkable

from msgspec.structs import replace

from batuta.expr.temporal import Zone, find_zone
from batuta.model.instant import Instant
from batuta.operations.caller import Caller
from batuta.operations.errors import NotFoundError
from batuta.operations.services import Services
from batuta.store.rows import TriggerKey, TriggerRow, Turn


@runtime_checkable
class _Timed(Protocol):
    """A trigger that fires by the clock. Its type is loaded where a flow has one, not before."""

    def zone(self, server: Zone) -> Zone: ...
    def next_fire(self, base: Instant | None, *, now: Instant, zone: Zone) -> Instant | None: ...


async def set_disabled(
    caller: Caller, services: Services, key: TriggerKey, *, disabled: bool
) -> TriggerRow:
    """The row as it is afterwards. A schedule that is switched on goes on from now, nothing is made up for.

    Raises `NotFoundError` for an unknown flow, and for a trigger that has no row: one that was never looked at.
    """
    flow = key.flow
    if not caller.may_see(flow.namespace) or await services.plans.latest(flow) is None:
        raise NotFoundError(f"Flow {flow.id} not found in namespace {flow.namespace}")
    row = await services.store.triggers.get(key)
    if row is None:
        raise NotFoundError(f"Flow {flow.id} has no trigger {key.id} that can be switched")
    if row.disabled is disabled:
        return row
    now = services.clock.now()
    changed = replace(row, disabled=disabled, updated=now)
    if not disabled and row.next_date is not None and row.next_date < now:
        changed = replace(changed, next_date=await _from_now(services, key, now) or row.next_date)
    await services.store.commit(Turn(triggers=[changed]))
    return changed


async def set_many_disabled(
    caller: Caller, services: Services, keys: Sequence[TriggerKey], *, disabled: bool
) -> int:
    """How many were named; those that do not exist are left out silently (03 §11)."""
    for key in keys:
        with suppress(NotFoundError):
            await set_disabled(caller, services, key, disabled=disabled)
    return len(keys)


async def _from_now(services: Services, key: TriggerKey, now: Instant) -> Instant | None:
    compiled = await services.plans.latest(key.flow)
    triggers = compiled.flow.triggers or () if compiled is not None else ()
    for trigger in triggers:
        if trigger.id == key.id and isinstance(trigger, _Timed):
            zone = trigger.zone(find_zone(services.settings.zone))
            return trigger.next_fire(None, now=now, zone=zone)
    return None
