"""`/plugins` (03 §16): below `/api/v1` only."""

from importlib.metadata import version

from starlette.responses import Response

from batuta.operations.plugins import listing
from batuta.web.request import Ask
from batuta.web.respond import document, json_response
from batuta.web.route import Route


async def plugins(ask: Ask) -> Response:
    return document(ask.request, await ask.services.documents.plugins())


async def subgroups(ask: Ask) -> Response:
    return document(ask.request, await ask.services.documents.subgroups())


async def icons(ask: Ask) -> Response:
    return document(ask.request, await ask.services.documents.icons())


async def group_icons(ask: Ask) -> Response:
    return document(ask.request, await ask.services.documents.group_icons())


async def inputs(ask: Ask) -> Response:
    return json_response(listing.inputs())


async def input_type(ask: Ask) -> Response:
    found = await ask.services.documents.of_input(ask.parameters["type"])
    return document(ask.request, found)


async def schema(ask: Ask) -> Response:
    found = await ask.services.documents.schema(
        ask.parameters["type"], array=ask.flag("arrayOf", default=False)
    )
    return document(ask.request, found)


async def properties(ask: Ask) -> Response:
    found = await ask.services.documents.properties(ask.parameters["type"])
    return document(ask.request, found)


async def plugin(ask: Ask) -> Response:
    found = await ask.services.documents.of_type(
        ask.parameters["cls"], everything=ask.flag("all", default=False)
    )
    return document(ask.request, found)


async def versions(ask: Ask) -> Response:
    name = ask.parameters["cls"]
    await ask.services.documents.of_type(name, everything=False)
    return json_response({"type": name, "versions": [version("batuta")]})


UNTENANTED = (
    Route("GET", "/plugins", plugins),
    Route("GET", "/plugins/groups/subgroups", subgroups),
    Route("GET", "/plugins/icons", icons),
    Route("GET", "/plugins/icons/groups", group_icons),
    Route("GET", "/plugins/inputs", inputs),
    Route("GET", "/plugins/inputs/{type}", input_type),
    Route("GET", "/plugins/schemas/{type}", schema),
    Route("GET", "/plugins/properties/{type}", properties),
    Route("GET", "/plugins/{cls}", plugin),
    Route("GET", "/plugins/{cls}/versions", versions),
    Route("GET", "/plugins/{cls}/versions/{version}", plugin),
)
