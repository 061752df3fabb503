"""`/executions`: what can be looked at besides the execution itself (03 §8)."""

from starlette.responses import Response

from batuta.model.ids import ExecutionId, FlowKey, TaskRunId
from batuta.operations import executions, files, flows
from batuta.operations.flows import topology
from batuta.operations.preview import preview
from batuta.operations.rendering.evaluate import evaluate
from batuta.web.request import Ask
from batuta.web.respond import json_response
from batuta.web.route import Route
from batuta.web.wire.graph import execution_graph_wire
from batuta.web.wire.reduced import flow_for_execution_wire


async def graph(ask: Ask) -> Response:
    view = await executions.get(ask.caller, ask.services, _id(ask))
    execution = view.row.execution
    drawn = await topology.graph(
        ask.caller,
        ask.services,
        execution.flow,
        revision=execution.revision,
        subflows=ask.texts("subflows"),
    )
    return json_response(execution_graph_wire(drawn, view, now=ask.services.clock.now()))


async def flow_of_execution(ask: Ask) -> Response:
    execution = (await executions.get_row(ask.caller, ask.services, _id(ask))).execution
    compiled = await ask.services.plans.get(execution.flow, execution.revision)
    return json_response(flow_for_execution_wire(compiled.row, compiled.flow))


async def flow(ask: Ask) -> Response:
    key = FlowKey(ask.caller.tenant, ask.parameters["namespace"], ask.parameters["flow"])
    row = await flows.get(ask.caller, ask.services, key, revision=ask.integer("revision"))
    return json_response(flow_for_execution_wire(row, ask.services.plans.compiled(row).flow))


async def namespaces(ask: Ask) -> Response:
    return json_response(await flows.namespaces(ask.caller, ask.services))


async def flows_of_namespace(ask: Ask) -> Response:
    """Those that can be read; the others cannot be executed either."""
    rows = await flows.of_namespace(ask.caller, ask.services, ask.parameters["namespace"])
    readable = [row for row in rows if flows.unreadable(ask.services, row) is None]
    return json_response(
        [flow_for_execution_wire(row, ask.services.plans.compiled(row).flow) for row in readable]
    )


async def evaluate_in_task_run(ask: Ask) -> Response:
    return await _evaluate(ask, TaskRunId(ask.parameters["run"]))


async def evaluate_in_execution(ask: Ask) -> Response:
    return await _evaluate(ask, None)


async def file_preview(ask: Ask) -> Response:
    found = await files.open_for_preview(
        ask.caller, ask.services, _id(ask), path=ask.required("path")
    )
    shown = await preview(
        found,
        ask.services.settings,
        max_rows=ask.integer("maxRows"),
        encoding=ask.text("encoding") or "UTF-8",
    )
    return json_response(shown)


ROUTES = (
    Route("POST", "/executions/{id}/eval", evaluate_in_execution),
    Route("POST", "/executions/{id}/eval/{run}", evaluate_in_task_run),
    Route("GET", "/executions/{id}/file/preview", file_preview),
    Route("GET", "/executions/{id}/graph", graph),
    Route("GET", "/executions/{id}/flow", flow_of_execution),
    Route("GET", "/executions/flows/{namespace}/{flow}", flow),
    Route("GET", "/executions/namespaces", namespaces),
    Route("GET", "/executions/namespaces/{namespace}/flows", flows_of_namespace),
)


async def _evaluate(ask: Ask, run: TaskRunId | None) -> Response:
    found = await evaluate(
        ask.caller, ask.services, _id(ask), expression=await ask.source(), task_run_id=run
    )
    if found.error is not None:
        # Ours are no Java exceptions: the place is part of the message, there is no stack to show.
        return json_response({"error": found.error, "stackTrace": found.error})
    return json_response({"result": found.result})


def _id(ask: Ask) -> ExecutionId:
    return ExecutionId(ask.parameters["id"])
