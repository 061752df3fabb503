"""`/kv` and `/namespaces/{ns}/kv` (03 §14)."""

import msgspec
from starlette.responses import Response

from batuta.model.duration import parse_duration
from batuta.model.instant import Instant
from batuta.operations import keyvalues
from batuta.operations.errors import IllegalArgumentError
from batuta.sdk.context import KeyValue
from batuta.web.filter import read_search
from batuta.web.request import Ask
from batuta.web.respond import empty, json_response, page
from batuta.web.route import Route
from batuta.web.wire.keyvalue import entry_wire, value_wire

PARAMETERS = frozenset({"q", "namespace"})


class Keys(msgspec.Struct, frozen=True):
    keys: list[str]


async def search(ask: Ask) -> Response:
    found = await keyvalues.search(ask.caller, ask.services, read_search(ask, PARAMETERS))
    return page([entry_wire(row) for row in found.rows], found.total)


async def of_namespace(ask: Ask) -> Response:
    rows = await keyvalues.entries(ask.caller, ask.services, ask.parameters["namespace"])
    return json_response([entry_wire(row) for row in rows])


async def inherited(ask: Ask) -> Response:
    rows = await keyvalues.inherited(ask.caller, ask.services, ask.parameters["namespace"])
    return json_response([entry_wire(row) for row in rows])


async def read(ask: Ask) -> Response:
    entry = await keyvalues.read(
        ask.caller, ask.services, ask.parameters["namespace"], key=ask.parameters["key"]
    )
    return json_response(value_wire(entry))


async def put(ask: Ask) -> Response:
    """Value, time to live and description are replaced together."""
    kind, value = keyvalues.parse_value(await ask.source())
    entry = KeyValue(
        key=ask.parameters["key"],
        value=value,
        kind=kind,
        description=ask.request.headers.get("description") or None,
        expires=_expires(ask),
    )
    await keyvalues.put(ask.caller, ask.services, ask.parameters["namespace"], entry=entry)
    return empty()


async def delete(ask: Ask) -> Response:
    done = await keyvalues.delete(
        ask.caller, ask.services, ask.parameters["namespace"], key=ask.parameters["key"]
    )
    return json_response(done)


async def delete_many(ask: Ask) -> Response:
    wanted = await ask.json(Keys)
    namespace = ask.parameters["namespace"]
    deleted = [
        key
        for key in wanted.keys
        if await keyvalues.delete(ask.caller, ask.services, namespace, key=key)
    ]
    return json_response({"keys": deleted})


ROUTES = (
    Route("GET", "/kv", search),
    Route("GET", "/namespaces/{namespace}/kv", of_namespace),
    Route("GET", "/namespaces/{namespace}/kv/inheritance", inherited),
    Route("GET", "/namespaces/{namespace}/kv/{key}", read),
    Route("PUT", "/namespaces/{namespace}/kv/{key}", put),
    Route("DELETE", "/namespaces/{namespace}/kv/{key}", delete),
    Route("DELETE", "/namespaces/{namespace}/kv", delete_many),
)


def _expires(ask: Ask) -> Instant | None:
    text = ask.request.headers.get("ttl")
    if not text:
        return None
    try:
        return Instant(ask.services.clock.now() + parse_duration(text))
    except ValueError:
        raise IllegalArgumentError(f"Invalid duration: {text}") from None
