"""`/flows` (03 §7)."""

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from batuta.model.ids import FlowKey
from batuta.operations import flows
from batuta.operations.errors import IllegalArgumentError
from batuta.operations.flows import archive, topology
from batuta.store.rows import FlowRow
from batuta.web.filter import FLOW_PARAMETERS, read_conditions, read_search
from batuta.web.form import read_upload
from batuta.web.request import Ask, ConversionError, UnsupportedMediaError
from batuta.web.respond import attachment, empty, json_response, page
from batuta.web.route import Route
from batuta.web.wire.flow import (
    flow_wire,
    found_source_wire,
    part_wire,
    unreadable_wire,
    verdict_wire,
)
from batuta.web.wire.graph import graph_wire, topology_wire

_SECTIONS = {"TASKS": "task", "TRIGGERS": "trigger"}
YAML_TYPES = frozenset({"application/x-yaml", "application/yaml", "text/yaml", "text/x-yaml"})


class FlowName(msgspec.Struct, frozen=True):
    namespace: str
    id: str


async def create(ask: Ask) -> Response:
    row = await flows.create(ask.caller, ask.services, await _source(ask))
    return json_response(flow_wire(row, source=True))


async def read(ask: Ask) -> Response:
    row = await flows.get(
        ask.caller,
        ask.services,
        _key(ask),
        revision=ask.integer("revision"),
        allow_deleted=ask.flag("allowDeleted", default=False),
    )
    exception = flows.unreadable(ask.services, row)
    if exception is not None:
        return json_response(unreadable_wire(row, exception))
    return json_response(flow_wire(row, source=ask.flag("source", default=False)))


async def update(ask: Ask) -> Response:
    row = await flows.update(ask.caller, ask.services, _key(ask), source=await _source(ask))
    return json_response(flow_wire(row, source=True))


async def delete(ask: Ask) -> Response:
    await flows.delete(ask.caller, ask.services, _key(ask))
    return empty(204)


async def of_namespace(ask: Ask) -> Response:
    rows = await flows.of_namespace(ask.caller, ask.services, ask.parameters["namespace"])
    return json_response([flow_wire(row) for row in rows])


async def update_namespace(ask: Ask) -> Response:
    rows = await flows.replace_all(
        ask.caller,
        ask.services,
        await ask.source() if ask.has_body() else "",
        namespace=ask.parameters["namespace"],
        delete_others=ask.flag("delete", default=True),
    )
    return json_response([flow_wire(row, source=True) for row in rows])


async def update_bulk(ask: Ask) -> Response:
    rows = await flows.replace_all(
        ask.caller,
        ask.services,
        await ask.source() if ask.has_body() else "",
        namespace=ask.text("namespace"),
        allow_children=ask.flag("allowNamespaceChild", default=False),
        delete_others=ask.flag("delete", default=True),
    )
    return json_response([flow_wire(row, source=True) for row in rows])


async def search(ask: Ask) -> Response:
    found = await flows.search(ask.caller, ask.services, read_search(ask, FLOW_PARAMETERS))
    return page([flow_wire(row) for row in found.rows], found.total)


async def distinct_namespaces(ask: Ask) -> Response:
    part = ask.text("q") or ""
    return json_response(await flows.namespaces(ask.caller, ask.services, part=part))


async def revisions(ask: Ask) -> Response:
    rows = await flows.revisions(ask.caller, ask.services, _key(ask))
    return json_response([flow_wire(row, source=True) for row in rows])


async def validate(ask: Ask) -> Response:
    verdicts = await flows.validate(ask.caller, ask.services, await ask.source())
    return json_response([verdict_wire(verdict) for verdict in verdicts])


async def validate_task(ask: Ask) -> Response:
    """JSON is a task; for YAML the `section` tells (03 §7.1)."""
    section = "TASKS"
    if ask.media_type in YAML_TYPES:
        section = ask.required("section").upper()
    if section not in _SECTIONS:
        raise ConversionError(f"Failed to convert argument [section]: `{section}` is no section")
    return await _check_part(ask, _SECTIONS[section])


async def validate_trigger(ask: Ask) -> Response:
    return await _check_part(ask, "trigger")


async def read_task(ask: Ask) -> Response:
    found = await flows.task(
        ask.caller,
        ask.services,
        _key(ask),
        task_id=ask.parameters["task"],
        revision=ask.integer("revision"),
    )
    return json_response(found)


async def search_sources(ask: Ask) -> Response:
    found = await flows.search_sources(
        ask.caller,
        ask.services,
        words=ask.text("q") or "",
        namespace=ask.text("namespace"),
        page=ask.page(),
        sort=ask.sorts(),
    )
    return page([found_source_wire(each) for each in found.rows], found.total)


async def graph(ask: Ask) -> Response:
    drawn = await topology.graph(
        ask.caller,
        ask.services,
        _key(ask),
        revision=ask.integer("revision"),
        subflows=ask.texts("subflows"),
    )
    return json_response(graph_wire(drawn))


async def graph_of_source(ask: Ask) -> Response:
    drawn = await topology.graph_of_source(
        ask.caller, ask.services, await _source(ask), subflows=ask.texts("subflows")
    )
    return json_response(graph_wire(drawn))


async def dependencies(ask: Ask) -> Response:
    found = await topology.dependencies(
        ask.caller,
        ask.services,
        _key(ask),
        destination_only=ask.flag("destinationOnly", default=False),
        expand_all=ask.flag("expandAll", default=False),
    )
    return json_response(topology_wire(found))


async def import_file(ask: Ask) -> Response:
    name, content = await read_upload(ask, "fileUpload")
    done = await archive.import_file(ask.caller, ask.services, name, content=content)
    return json_response(done.failed)


async def export_by_query(ask: Ask) -> Response:
    rows = await flows.chosen(ask.caller, ask.services, read_conditions(ask, FLOW_PARAMETERS))
    return attachment(archive.export(rows, separator="-"), "flows.zip")


async def export_by_ids(ask: Ask) -> Response:
    rows = [await flows.get(ask.caller, ask.services, key) for key in await _named(ask)]
    return attachment(archive.export(rows, separator="."), "flows.zip")


async def delete_by_query(ask: Ask) -> Response:
    return await _delete(ask, [row.key for row in await _chosen(ask)])


async def delete_by_ids(ask: Ask) -> Response:
    return await _delete(ask, await _named(ask))


async def disable_by_query(ask: Ask) -> Response:
    return await _switch(ask, [row.key for row in await _chosen(ask)], disabled=True)


async def disable_by_ids(ask: Ask) -> Response:
    return await _switch(ask, await _named(ask), disabled=True)


async def enable_by_query(ask: Ask) -> Response:
    return await _switch(ask, [row.key for row in await _chosen(ask)], disabled=False)


async def enable_by_ids(ask: Ask) -> Response:
    return await _switch(ask, await _named(ask), disabled=False)


ROUTES = (
    Route("POST", "/flows", create),
    Route("GET", "/flows/search", search),
    Route("GET", "/flows/distinct-namespaces", distinct_namespaces),
    Route("POST", "/flows/validate", validate),
    Route("POST", "/flows/validate/task", validate_task),
    Route("POST", "/flows/validate/trigger", validate_trigger),
    Route("GET", "/flows/source", search_sources),
    Route("POST", "/flows/graph", graph_of_source),
    Route("POST", "/flows/import", import_file),
    Route("POST", "/flows/bulk", update_bulk),
    Route("GET", "/flows/export/by-query", export_by_query),
    Route("POST", "/flows/export/by-ids", export_by_ids),
    Route("DELETE", "/flows/delete/by-query", delete_by_query),
    Route("DELETE", "/flows/delete/by-ids", delete_by_ids),
    Route("POST", "/flows/disable/by-query", disable_by_query),
    Route("POST", "/flows/disable/by-ids", disable_by_ids),
    Route("POST", "/flows/enable/by-query", enable_by_query),
    Route("POST", "/flows/enable/by-ids", enable_by_ids),
    Route("GET", "/flows/{namespace}", of_namespace),
    Route("POST", "/flows/{namespace}", update_namespace),
    Route("GET", "/flows/{namespace}/{id}", read),
    Route("PUT", "/flows/{namespace}/{id}", update),
    Route("DELETE", "/flows/{namespace}/{id}", delete),
    Route("GET", "/flows/{namespace}/{id}/revisions", revisions),
    Route("GET", "/flows/{namespace}/{id}/tasks/{task}", read_task),
    Route("GET", "/flows/{namespace}/{id}/graph", graph),
    Route("GET", "/flows/{namespace}/{id}/dependencies", dependencies),
)


async def _source(ask: Ask) -> str:
    if ask.media_type not in YAML_TYPES:
        shown = ask.media_type or "none"
        raise UnsupportedMediaError(
            f"Content Type [{shown}] not allowed. Allowed types: [application/x-yaml]"
        )
    source = await ask.source()
    if not source.strip():
        raise IllegalArgumentError("The body holds no flow")
    return source


async def _check_part(ask: Ask, kind: str) -> Response:
    reading = flows.check_part(ask.services, await ask.source(), kind=kind)
    return json_response(part_wire(reading))


async def _chosen(ask: Ask) -> Sequence[FlowRow]:
    return await flows.chosen(ask.caller, ask.services, read_conditions(ask, FLOW_PARAMETERS))


async def _named(ask: Ask) -> list[FlowKey]:
    names = await ask.json(list[FlowName])
    return [FlowKey(ask.caller.tenant, name.namespace, name.id) for name in names]


async def _delete(ask: Ask, keys: Sequence[FlowKey]) -> Response:
    for key in keys:
        await flows.delete(ask.caller, ask.services, key)
    return json_response({"count": len(keys)})


async def _switch(ask: Ask, keys: Sequence[FlowKey], *, disabled: bool) -> Response:
    changed = [
        await flows.set_disabled(ask.caller, ask.services, key, disabled=disabled) for key in keys
    ]
    return json_response({"count": sum(changed)})


def _key(ask: Ask) -> FlowKey:
    return FlowKey(ask.caller.tenant, ask.parameters["namespace"], ask.parameters["id"])
