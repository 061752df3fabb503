"""`/logs` (03 §9)."""

from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from batuta.model.ids import ExecutionId, FlowKey
from batuta.operations import logs
from batuta.web.filter import LOG_PARAMETERS, read_search
from batuta.web.request import Ask
from batuta.web.respond import empty, json_response, page
from batuta.web.route import Route
from batuta.web.stream import KEEP_ALIVE, event_stream, sse_event
from batuta.web.wire.log import EMPTY, log_text, log_wire


async def search(ask: Ask) -> Response:
    found = await logs.search(ask.caller, ask.services, read_search(ask, LOG_PARAMETERS))
    return page([log_wire(row) for row in found.rows], found.total)


async def read(ask: Ask) -> Response:
    entries = [
        log_wire(row)
        async for rows in logs.read(ask.caller, ask.services, _execution(ask), choice=_choice(ask))
        for row in rows
    ]
    return json_response(entries)


async def download(ask: Ask) -> Response:
    execution_id = _execution(ask)
    running = await logs.require_execution(ask.caller, ask.services, execution_id)
    headers = {"content-disposition": f'attachment; filename="{execution_id}.log"'}
    if running:
        headers["cache-control"] = "no-cache"
    return StreamingResponse(_text(ask), media_type="text/plain", headers=headers)


async def follow(ask: Ask) -> Response:
    return event_stream(_events(ask))


async def delete(ask: Ask) -> Response:
    await logs.delete(ask.caller, ask.services, _execution(ask), choice=_choice(ask))
    return empty()


async def delete_of_flow(ask: Ask) -> Response:
    flow = FlowKey(ask.caller.tenant, ask.parameters["namespace"], ask.parameters["flow"])
    await logs.delete_of_flow(ask.caller, ask.services, flow, trigger_id=ask.text("triggerId"))
    return empty()


ROUTES = (
    Route("GET", "/logs/search", search),
    Route("GET", "/logs/{id}", read),
    Route("GET", "/logs/{id}/download", download),
    Route("GET", "/logs/{id}/follow", follow),
    Route("DELETE", "/logs/{id}", delete),
    Route("DELETE", "/logs/{namespace}/{flow}", delete_of_flow),
)


async def _text(ask: Ask) -> AsyncIterator[str]:
    separator = ""
    async for rows in logs.read(ask.caller, ask.services, _execution(ask), choice=_choice(ask)):
        yield separator + log_text(rows)
        separator = "\n"


async def _events(ask: Ask) -> AsyncIterator[bytes]:
    yield sse_event("start", EMPTY)
    async for rows in logs.follow(
        ask.caller, ask.services, _execution(ask), min_level=ask.text("minLevel")
    ):
        yield b"".join(sse_event("progress", log_wire(row)) for row in rows) or KEEP_ALIVE


def _execution(ask: Ask) -> ExecutionId:
    return ExecutionId(ask.parameters["id"])


def _choice(ask: Ask) -> logs.LogChoice:
    return logs.LogChoice(
        min_level=ask.text("minLevel"),
        task_id=ask.text("taskId"),
        task_run_id=ask.text("taskRunId"),
        attempt=ask.integer("attempt"),
    )
