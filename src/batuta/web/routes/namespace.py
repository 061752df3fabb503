"""`/namespaces`, their files, and secrets by name (03 §12, §13, §15)."""

from typing import Any

import msgspec
from starlette.responses import Response

from batuta.operations import namespaces
from batuta.operations.flows import topology
from batuta.operations.namespaces import archive, files
from batuta.storage.contract import FileAttributes
from batuta.web.filter import read_conditions
from batuta.web.form import open_upload
from batuta.web.request import Ask
from batuta.web.respond import download, empty, json_response, page, streamed
from batuta.web.route import Route
from batuta.web.wire.graph import topology_wire

_MILLISECOND = 1000


class Suggest(msgspec.Struct, frozen=True, rename="camel"):
    q: str | None = None
    ids: list[str] = []
    existing_only: bool = False


async def search(ask: Ask) -> Response:
    names = list(await namespaces.names(ask.caller, ask.services, part=ask.text("q") or ""))
    sorts, wanted = ask.sorts(), ask.page()
    if sorts and sorts[0].descending:
        names.reverse()
    first = (wanted.number - 1) * wanted.size
    shown = names[first : first + wanted.size]
    # An empty page counts nothing (03 §12).
    return page([_namespace(name) for name in shown], len(names) if shown else 0)


async def read(ask: Ask) -> Response:
    """Also one that nobody has heard of: clients probe by this (03 §12)."""
    return json_response(_namespace(ask.parameters["namespace"]))


async def autocomplete(ask: Ask) -> Response:
    wanted = await ask.json(Suggest) if ask.has_body() else Suggest()
    found = await namespaces.suggestions(
        ask.caller, ask.services, part=wanted.q or "", wanted=wanted.ids
    )
    return json_response(list(found))


async def dependencies(ask: Ask) -> Response:
    found = await topology.dependencies_of_namespace(
        ask.caller, ask.services, ask.parameters["namespace"]
    )
    return json_response(topology_wire(found))


async def read_file(ask: Ask) -> Response:
    found = await files.open_file(ask.caller, ask.services, _name(ask), path=ask.required("path"))
    response = download(found.chunks, found.name, size=found.size)
    response.headers["cache-control"] = "no-cache"
    return response


async def file_stats(ask: Ask) -> Response:
    found = await files.attributes(
        ask.caller, ask.services, _name(ask), path=ask.text("path") or ""
    )
    return json_response(_attributes(found))


async def directory(ask: Ask) -> Response:
    found = await files.entries(ask.caller, ask.services, _name(ask), path=ask.text("path") or "")
    return json_response([_attributes(each) for each in found])


async def create_directory(ask: Ask) -> Response:
    path = ask.text("path") or ""
    await files.create_directory(ask.caller, ask.services, _name(ask), path=path)
    return empty()


async def upload(ask: Ask) -> Response:
    path = ask.required("path")
    async with open_upload(ask, "fileContent") as file:
        await archive.upload(ask.caller, ask.services, _name(ask), path=path, file=file)
    return empty()


async def move_file(ask: Ask) -> Response:
    source, target = ask.required("from"), ask.required("to")
    await files.move(ask.caller, ask.services, _name(ask), source=source, target=target)
    return empty()


async def delete_file(ask: Ask) -> Response:
    await files.delete(ask.caller, ask.services, _name(ask), path=ask.required("path"))
    return empty()


async def search_files(ask: Ask) -> Response:
    found = await files.search(ask.caller, ask.services, _name(ask), part=ask.required("q"))
    return json_response(list(found))


async def export_files(ask: Ask) -> Response:
    # Asked for at once: what is wrong with the namespace is said before the download begins.
    await files.paths(ask.caller, ask.services, _name(ask))
    content = archive.export(ask.caller, ask.services, _name(ask))
    return streamed(content, f"{_name(ask)}_files.zip")


async def secrets(ask: Ask) -> Response:
    conditions = read_conditions(ask, frozenset({"q"}))
    part = next((each.values[0] for each in conditions if each.field == "q"), "")
    keys = list(namespaces.secret_keys(ask.services, part=part))
    sorts, wanted = ask.sorts(), ask.page()
    if sorts and sorts[0].descending:
        keys.reverse()
    first = (wanted.number - 1) * wanted.size
    shown = [{"key": key} for key in keys[first : first + wanted.size]]
    return json_response({"readOnly": True, "results": shown, "total": len(keys)})


async def inherited_secrets(ask: Ask) -> Response:
    found = namespaces.inherited_secrets(ask.caller, ask.services, _name(ask))
    return json_response(found)


ROUTES = (
    Route("GET", "/namespaces/search", search),
    Route("POST", "/namespaces/autocomplete", autocomplete),
    Route("GET", "/namespaces/{namespace}", read),
    Route("GET", "/namespaces/{namespace}/dependencies", dependencies),
    Route("GET", "/namespaces/{namespace}/files", read_file),
    Route("POST", "/namespaces/{namespace}/files", upload),
    Route("PUT", "/namespaces/{namespace}/files", move_file),
    Route("DELETE", "/namespaces/{namespace}/files", delete_file),
    Route("GET", "/namespaces/{namespace}/files/stats", file_stats),
    Route("GET", "/namespaces/{namespace}/files/directory", directory),
    Route("POST", "/namespaces/{namespace}/files/directory", create_directory),
    Route("GET", "/namespaces/{namespace}/files/search", search_files),
    Route("GET", "/namespaces/{namespace}/files/export", export_files),
    Route("GET", "/secrets", secrets),
    Route("GET", "/namespaces/{namespace}/secrets", secrets),
    Route("GET", "/namespaces/{namespace}/inherited-secrets", inherited_secrets),
)


def _name(ask: Ask) -> str:
    return ask.parameters["namespace"]


def _namespace(name: str) -> dict[str, Any]:
    return {"id": name, "deleted": False}


def _attributes(found: FileAttributes) -> dict[str, Any]:
    """03 §6.15; times in milliseconds."""
    wire: dict[str, Any] = {
        "fileName": found.name,
        "lastModifiedTime": found.modified // _MILLISECOND,
        "creationTime": found.created // _MILLISECOND,
        "type": found.type.value,
        "size": found.size,
    }
    if found.metadata:
        wire["metadata"] = found.metadata
    return wire
