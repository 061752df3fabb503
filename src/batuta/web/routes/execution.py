"""`/executions` (03 §8)."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import msgspec
from starlette.responses import RedirectResponse, Response

from batuta.model.ids import ExecutionId, FlowKey, TaskRunId
from batuta.model.instant import Instant, to_iso
from batuta.model.label import Label
from batuta.model.state import State
from batuta.operations import control, executions, files, repeat, start
from batuta.operations.errors import OperationError
from batuta.operations.order import is_over
from batuta.store.rows import ExecutionRow
from batuta.web.filter import EXECUTION_PARAMETERS, read_search
from batuta.web.form import Given, read_inputs
from batuta.web.request import Ask, ConversionError
from batuta.web.respond import big_response, download, empty, encoded, json_response
from batuta.web.route import Route
from batuta.web.routes.execution_bulk import read_parts, to_state
from batuta.web.stream import KEEP_ALIVE, event_stream, sse_event, sse_line
from batuta.web.wire.execution import execution_wire, stub_wire, with_url
from batuta.web.wire.input import inputs_wire


class FlowName(msgspec.Struct, frozen=True):
    namespace: str
    id: str


class NewState(msgspec.Struct, frozen=True, rename="camel"):
    task_run_id: str
    state: str


async def create(ask: Ask) -> Response:
    async with read_inputs(ask) as given:
        execution = await start.start(
            ask.caller,
            ask.services,
            _flow(ask),
            wanted=_wanted(ask, given),
            revision=ask.integer("revision"),
        )
    if ask.flag("wait", default=False):
        view = await executions.wait(ask.caller, ask.services, execution.id)
    else:
        view = executions.ExecutionView(row=ExecutionRow(execution=execution))
    now, settings = ask.services.clock.now(), ask.services.settings
    return await big_response(
        lambda: with_url(execution_wire(view, now), settings), parts=len(view.runs)
    )


async def validate_inputs(ask: Ask) -> Response:
    async with read_inputs(ask) as given:
        checked = await start.check_inputs(
            ask.caller,
            ask.services,
            _flow(ask),
            wanted=_wanted(ask, given),
            revision=ask.integer("revision"),
        )
    return json_response(inputs_wire(_flow(ask), checked))


async def read(ask: Ask) -> Response:
    return await _answer(ask, _id(ask))


async def search(ask: Ask) -> Response:
    wanted = read_search(ask, EXECUTION_PARAMETERS)
    found = await executions.search(ask.caller, ask.services, wanted)
    return await _page(ask, found)


async def of_flow(ask: Ask) -> Response:
    flow = FlowKey(ask.caller.tenant, ask.required("namespace"), ask.required("flowId"))
    found = await executions.of_flow(ask.caller, ask.services, flow, page=ask.page())
    return await _page(ask, found)


async def latest(ask: Ask) -> Response:
    names = await ask.json(list[FlowName])
    flows = [FlowKey(ask.caller.tenant, name.namespace, name.id) for name in names]
    found = await executions.latest(ask.caller, ask.services, flows)
    return json_response(
        [
            {
                "id": item.execution.id,
                "flowId": item.flow.id,
                "namespace": item.flow.namespace,
                "startDate": to_iso(item.execution.histories[0].at),
                "status": item.execution.state.value,
            }
            for item in found
        ]
    )


async def follow(ask: Ask) -> Response:
    return event_stream(_events(ask))


async def delete(ask: Ask) -> Response:
    await executions.delete(ask.caller, ask.services, _id(ask), parts=read_parts(ask))
    return empty(204)


async def kill(ask: Ask) -> Response:
    cascade = ask.flag("isOnKillCascade", default=True)
    await control.kill(ask.caller, ask.services, _id(ask), cascade=cascade)
    return Response(status_code=202, media_type="text/json")


async def pause(ask: Ask) -> Response:
    await control.pause(ask.caller, ask.services, _id(ask))
    return empty()


async def resume(ask: Ask) -> Response:
    async with read_inputs(ask) as given:
        await control.resume(
            ask.caller, ask.services, _id(ask), inputs=given.values, uploads=given.uploads
        )
    return empty(204)


async def check_resume(ask: Ask) -> Response:
    async with read_inputs(ask) as given:
        checked = await control.check_resume(
            ask.caller, ask.services, _id(ask), inputs=given.values, uploads=given.uploads
        )
    row = await executions.get_row(ask.caller, ask.services, _id(ask))
    return json_response(inputs_wire(row.execution.flow, checked))


async def restart(ask: Ask) -> Response:
    execution = await repeat.restart(
        ask.caller, ask.services, _id(ask), revision=ask.integer("revision")
    )
    return await _answer(ask, execution.id)


async def replay(ask: Ask) -> Response:
    return await _replay(ask, None)


async def replay_with_inputs(ask: Ask) -> Response:
    async with read_inputs(ask) as given:
        wanted = start.Wanted(inputs=given.values, uploads=given.uploads)
        return await _replay(ask, wanted)


async def resume_from_breakpoint(ask: Ask) -> Response:
    await control.resume_from_breakpoint(
        ask.caller,
        ask.services,
        _id(ask),
        breakpoints=start.read_breakpoints(ask.text("breakpoints")),
    )
    return empty()


async def change_task_run(ask: Ask) -> Response:
    wanted = await ask.json(NewState)
    await repeat.mark(
        ask.caller,
        ask.services,
        _id(ask),
        task_run_id=TaskRunId(wanted.task_run_id),
        state=to_state("state", wanted.state),
    )
    return await _answer(ask, _id(ask))


async def unqueue(ask: Ask) -> Response:
    state = to_state("state", ask.text("state") or State.RUNNING.value)
    await control.unqueue(ask.caller, ask.services, _id(ask), state=state)
    return await _answer(ask, _id(ask))


async def force_run(ask: Ask) -> Response:
    await control.force_run(ask.caller, ask.services, _id(ask))
    return await _answer(ask, _id(ask))


async def change_status(ask: Ask) -> Response:
    status = to_state("status", ask.required("status"))
    await control.change_status(ask.caller, ask.services, _id(ask), status=status)
    return await _answer(ask, _id(ask))


async def set_labels(ask: Ask) -> Response:
    labels = await ask.json(list[Label])
    try:
        await control.set_labels(ask.caller, ask.services, _id(ask), labels=labels)
    except control.NotTerminatedError as error:
        return json_response(error.message, status=400)
    return await _answer(ask, _id(ask))


async def file(ask: Ask) -> Response:
    try:
        found = await files.open_file(ask.caller, ask.services, _id(ask), path=ask.required("path"))
    except files.OtherExecutionError as other:
        return _elsewhere(ask, other.execution_id, "file")
    return download(found.chunks, found.name, size=found.size)


async def file_size(ask: Ask) -> Response:
    try:
        found = await files.open_file(ask.caller, ask.services, _id(ask), path=ask.required("path"))
    except files.OtherExecutionError as other:
        return _elsewhere(ask, other.execution_id, "file/metas")
    return json_response({"size": found.size})


ROUTES = (
    Route("GET", "/executions", of_flow),
    Route("GET", "/executions/search", search),
    Route("POST", "/executions/latest", latest),
    Route("GET", "/executions/{id}", read),
    Route("DELETE", "/executions/{id}", delete),
    Route("POST", "/executions/{namespace}/{flow}", create),
    Route("POST", "/executions/trigger/{namespace}/{flow}", create),
    Route("POST", "/executions/{namespace}/{flow}/validate", validate_inputs),
    Route("GET", "/executions/{id}/follow", follow),
    Route("DELETE", "/executions/{id}/kill", kill),
    Route("POST", "/executions/{id}/pause", pause),
    Route("POST", "/executions/{id}/resume", resume),
    Route("POST", "/executions/{id}/resume/validate", check_resume),
    Route("POST", "/executions/{id}/restart", restart),
    Route("POST", "/executions/{id}/replay", replay),
    Route("POST", "/executions/{id}/replay-with-inputs", replay_with_inputs),
    Route("POST", "/executions/{id}/resume-from-breakpoint", resume_from_breakpoint),
    Route("POST", "/executions/{id}/state", change_task_run),
    Route("POST", "/executions/{id}/unqueue", unqueue),
    Route("POST", "/executions/{id}/force-run", force_run),
    Route("POST", "/executions/{id}/change-status", change_status),
    Route("POST", "/executions/{id}/labels", set_labels),
    Route("GET", "/executions/{id}/file", file),
    Route("GET", "/executions/{id}/file/metas", file_size),
)


async def _events(ask: Ask) -> AsyncIterator[bytes]:
    """What goes wrong after the first event ends the stream without a word (03 §5)."""
    yield sse_event("start", stub_wire(_id(ask)))
    try:
        async for view in executions.follow(ask.caller, ask.services, _id(ask)):
            if view is None:
                yield KEEP_ALIVE
                continue
            name = "end" if is_over(view.row.execution) else "progress"
            yield sse_line(name, await _json(view, ask.services.clock.now()))
    except (OperationError, TimeoutError):
        return


def _elsewhere(ask: Ask, execution_id: str, what: str) -> Response:
    """Files of another execution are asked for there (03 §8.13)."""
    prefix = ask.services.settings.context_path
    path = quote(ask.required("path"), safe="")
    return RedirectResponse(
        f"{prefix}/api/v1/main/executions/{quote(execution_id, safe='')}/{what}?path={path}"
    )


async def _replay(ask: Ask, given: start.Wanted | None) -> Response:
    task_run = ask.text("taskRunId")
    execution = await repeat.replay(
        ask.caller,
        ask.services,
        _id(ask),
        task_run_id=TaskRunId(task_run) if task_run else None,
        revision=ask.integer("revision"),
        changes=repeat.Changes(
            breakpoints=start.read_breakpoints(ask.text("breakpoints")), given=given
        ),
    )
    return await _answer(ask, execution.id)


async def _answer(ask: Ask, execution_id: ExecutionId) -> Response:
    view = await executions.get(ask.caller, ask.services, execution_id)
    data = await _json(view, ask.services.clock.now())
    return Response(data, media_type="application/json")


async def _json(view: executions.ExecutionView, now: Instant) -> bytes:
    return await encoded(lambda: execution_wire(view, now), parts=len(view.runs))


async def _page(ask: Ask, found: executions.ExecutionViews) -> Response:
    now = ask.services.clock.now()
    return await big_response(
        lambda: {
            "results": [execution_wire(view, now) for view in found.views],
            "total": found.total,
        },
        parts=sum(len(view.runs) for view in found.views),
    )


def _id(ask: Ask) -> ExecutionId:
    return ExecutionId(ask.parameters["id"])


def _flow(ask: Ask) -> FlowKey:
    return FlowKey(ask.caller.tenant, ask.parameters["namespace"], ask.parameters["flow"])


def _wanted(ask: Ask, given: Given) -> start.Wanted:
    kind = ask.text("kind")
    return start.Wanted(
        inputs=given.values,
        uploads=given.uploads,
        labels=ask.labels(),
        schedule_date=ask.instant("scheduleDate"),
        breakpoints=start.read_breakpoints(ask.text("breakpoints")),
        kind=_kind(kind) if kind else None,
    )


def _kind(text: str) -> str | None:
    kind = text.upper()
    if kind not in {"NORMAL", "TEST", "PLAYGROUND"}:
        raise ConversionError(
            f"Failed to convert argument [kind]: `{text}` is no kind of execution"
        )
    return None if kind == "NORMAL" else kind
