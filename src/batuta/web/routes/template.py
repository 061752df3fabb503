"""`/templates`, where they are switched on (03 §21)."""

from typing import Any

from starlette.responses import Response

from batuta.model import codec
from batuta.model.ids import FlowKey
from batuta.operations.flows import archive, templates
from batuta.store.rows import FlowRow
from batuta.web.filter import TEMPLATE_PARAMETERS, read_conditions, read_search
from batuta.web.form import read_upload
from batuta.web.request import Ask
from batuta.web.respond import attachment, empty, json_response, page
from batuta.web.route import Route
from batuta.web.routes.flow import FlowName
from batuta.web.wire.flow import template_wire, verdict_wire

_FILE = "templates.zip"


async def create(ask: Ask) -> Response:
    row = await templates.create(ask.caller, ask.services, await ask.source())
    return json_response(template_wire(row))


async def read(ask: Ask) -> Response:
    return json_response(template_wire(await templates.get(ask.caller, ask.services, _key(ask))))


async def update(ask: Ask) -> Response:
    source = await ask.source()
    row = await templates.update(ask.caller, ask.services, _key(ask), source=source)
    return json_response(template_wire(row))


async def delete(ask: Ask) -> Response:
    await templates.delete(ask.caller, ask.services, _key(ask))
    return empty(204)


async def search(ask: Ask) -> Response:
    wanted = read_search(ask, TEMPLATE_PARAMETERS)
    found = await templates.search(ask.caller, ask.services, wanted)
    return page([template_wire(row) for row in found.rows], found.total)


async def distinct_namespaces(ask: Ask) -> Response:
    return json_response(await templates.namespaces(ask.caller, ask.services))


async def update_namespace(ask: Ask) -> Response:
    """The body is a JSON list of templates."""
    given = await ask.json(list[dict[str, Any]])
    rows = await templates.replace_all(
        ask.caller,
        ask.services,
        ask.parameters["namespace"],
        sources=[codec.encode(each).decode() for each in given],
        delete_others=ask.flag("delete", default=True),
    )
    return json_response([template_wire(row) for row in rows])


async def validate(ask: Ask) -> Response:
    verdicts = templates.validate(ask.services, await ask.source())
    return json_response([verdict_wire(verdict) for verdict in verdicts])


async def export_by_query(ask: Ask) -> Response:
    rows = await templates.chosen(
        ask.caller, ask.services, read_conditions(ask, TEMPLATE_PARAMETERS)
    )
    return attachment(archive.export(rows, separator="."), _FILE)


async def export_by_ids(ask: Ask) -> Response:
    return attachment(archive.export(await _named(ask), separator="."), _FILE)


async def import_file(ask: Ask) -> Response:
    name, content = await read_upload(ask, "fileUpload")
    await templates.import_file(ask.caller, ask.services, name, content=content)
    return empty(204)


async def delete_by_query(ask: Ask) -> Response:
    rows = await templates.chosen(
        ask.caller, ask.services, read_conditions(ask, TEMPLATE_PARAMETERS)
    )
    return await _delete(ask, list(rows))


async def delete_by_ids(ask: Ask) -> Response:
    return await _delete(ask, await _named(ask))


ROUTES = (
    Route("POST", "/templates", create),
    Route("GET", "/templates/search", search),
    Route("GET", "/templates/distinct-namespaces", distinct_namespaces),
    Route("POST", "/templates/validate", validate),
    Route("POST", "/templates/import", import_file),
    Route("GET", "/templates/export/by-query", export_by_query),
    Route("POST", "/templates/export/by-ids", export_by_ids),
    Route("DELETE", "/templates/delete/by-query", delete_by_query),
    Route("DELETE", "/templates/delete/by-ids", delete_by_ids),
    Route("POST", "/templates/{namespace}", update_namespace),
    Route("GET", "/templates/{namespace}/{id}", read),
    Route("PUT", "/templates/{namespace}/{id}", update),
    Route("DELETE", "/templates/{namespace}/{id}", delete),
)


async def _named(ask: Ask) -> list[FlowRow]:
    names = await ask.json(list[FlowName])
    keys = [FlowKey(ask.caller.tenant, name.namespace, name.id) for name in names]
    return [await templates.get(ask.caller, ask.services, key) for key in keys]


async def _delete(ask: Ask, rows: list[FlowRow]) -> Response:
    for row in rows:
        await templates.delete(ask.caller, ask.services, row.key)
    return json_response({"count": len(rows)})


def _key(ask: Ask) -> FlowKey:
    return FlowKey(ask.caller.tenant, ask.parameters["namespace"], ask.parameters["id"])
