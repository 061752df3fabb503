"""`/triggers` (03 §11): states, the switch and the lock. Backfills are not offered."""

from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from batuta.model.ids import FlowKey
from batuta.operations import flows, triggers
from batuta.operations.errors import BadRequestError, IllegalArgumentError, NotFoundError
from batuta.store.rows import TriggerKey
from batuta.web.filter import TRIGGER_PARAMETERS, read_conditions, read_search
from batuta.web.request import Ask
from batuta.web.respond import json_response, page
from batuta.web.route import Route
from batuta.web.wire.trigger import trigger_wire


class NamedTrigger(msgspec.Struct, frozen=True, rename="camel"):
    namespace: str
    flow_id: str
    trigger_id: str


class ChangedTrigger(NamedTrigger, frozen=True, rename="camel"):
    """`disabled` that is missing switches on (03 §11)."""

    disabled: bool = False
    backfill: Any = None


class Switch(msgspec.Struct, frozen=True):
    triggers: list[NamedTrigger]
    disabled: bool


async def search(ask: Ask) -> Response:
    found = await triggers.search(ask.caller, ask.services, read_search(ask, TRIGGER_PARAMETERS))
    return page([_found(each) for each in found.rows], found.total)


async def of_flow(ask: Ask) -> Response:
    found = await triggers.of_flow(
        ask.caller,
        ask.services,
        FlowKey(ask.caller.tenant, ask.parameters["namespace"], ask.parameters["flow"]),
        part=ask.text("q") or "",
        page=ask.page(),
        sort=ask.sorts(),
    )
    return page([trigger_wire(row) for row in found.rows], found.total)


async def change(ask: Ask) -> Response:
    wanted = await ask.json(ChangedTrigger)
    if wanted.backfill is not None:
        raise BadRequestError("Backfills are not available in this installation")
    key = _key(ask, wanted)
    await _require_declared(ask, key)
    row = await triggers.set_disabled(ask.caller, ask.services, key, disabled=wanted.disabled)
    return json_response(trigger_wire(row))


async def unlock(ask: Ask) -> Response:
    names = ask.parameters
    flow = FlowKey(ask.caller.tenant, names["namespace"], names["flow"])
    row = await triggers.unlock(ask.caller, ask.services, TriggerKey(flow, names["trigger"]))
    return json_response(trigger_wire(row))


async def unlock_by_triggers(ask: Ask) -> Response:
    named = await ask.json(list[NamedTrigger])
    keys = [_key(ask, each) for each in named]
    return _count(await triggers.unlock_many(ask.caller, ask.services, keys))


async def unlock_by_query(ask: Ask) -> Response:
    return _count(await triggers.unlock_many(ask.caller, ask.services, await _chosen(ask)))


async def switch_by_triggers(ask: Ask) -> Response:
    wanted = await ask.json(Switch)
    if not wanted.triggers:
        raise IllegalArgumentError("No trigger is named")
    return await _switch(
        ask, [_key(ask, each) for each in wanted.triggers], disabled=wanted.disabled
    )


async def switch_by_query(ask: Ask) -> Response:
    disabled = ask.flag("disabled", default=True)
    return await _switch(ask, await _chosen(ask), disabled=disabled)


ROUTES = (
    Route("GET", "/triggers/search", search),
    Route("GET", "/triggers/{namespace}/{flow}", of_flow),
    Route("PUT", "/triggers", change),
    Route("POST", "/triggers/{namespace}/{flow}/{trigger}/unlock", unlock),
    Route("POST", "/triggers/unlock/by-triggers", unlock_by_triggers),
    Route("POST", "/triggers/unlock/by-query", unlock_by_query),
    Route("POST", "/triggers/set-disabled/by-triggers", switch_by_triggers),
    Route("POST", "/triggers/set-disabled/by-query", switch_by_query),
)


async def _require_declared(ask: Ask, key: TriggerKey) -> None:
    """Tells which of the two is missing."""
    try:
        row = await flows.get(ask.caller, ask.services, key.flow)
    except NotFoundError:
        raise NotFoundError(f"Flow of trigger {key.id} not found") from None
    declared = ask.services.plans.compiled(row).flow.triggers or ()
    if not any(each.id == key.id for each in declared):
        raise NotFoundError(f"Flow {key.flow.id} has no trigger {key.id}")


async def _switch(ask: Ask, keys: Sequence[TriggerKey], *, disabled: bool) -> Response:
    return _count(
        await triggers.set_many_disabled(ask.caller, ask.services, keys, disabled=disabled)
    )


async def _chosen(ask: Ask) -> Sequence[TriggerKey]:
    conditions = read_conditions(ask, TRIGGER_PARAMETERS)
    return await triggers.keys_of_query(ask.caller, ask.services, conditions)


def _key(ask: Ask, named: NamedTrigger) -> TriggerKey:
    return TriggerKey(FlowKey(ask.caller.tenant, named.namespace, named.flow_id), named.trigger_id)


def _found(each: triggers.FoundTrigger) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    if each.declared is not None:
        wire["abstractTrigger"] = each.declared
    return {**wire, "triggerContext": trigger_wire(each.row)}


def _count(count: int) -> Response:
    return json_response({"count": count})
