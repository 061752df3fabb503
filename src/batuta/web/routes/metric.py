"""`/metrics` (03 §10)."""

from starlette.responses import Response

from batuta.model.ids import ExecutionId, FlowKey
from batuta.operations import metrics
from batuta.store.query import Filter, Op
from batuta.web.request import Ask
from batuta.web.respond import json_response, page
from batuta.web.route import Route
from batuta.web.wire.metric import aggregation_wire, metric_wire


async def of_execution(ask: Ask) -> Response:
    found = await metrics.of_execution(
        ask.caller,
        ask.services,
        ExecutionId(ask.parameters["id"]),
        task=_task(ask),
        page=ask.page(),
        sort=ask.sorts(),
    )
    return page([metric_wire(row) for row in found.rows], found.total)


async def names(ask: Ask) -> Response:
    found = await metrics.names(
        ask.caller, ask.services, _flow(ask), task_id=ask.parameters.get("task")
    )
    return json_response(list(found))


async def tasks(ask: Ask) -> Response:
    return json_response(list(await metrics.tasks(ask.caller, ask.services, _flow(ask))))


async def aggregate(ask: Ask) -> Response:
    name = ask.parameters["metric"]
    wanted = metrics.Wanted(
        flow=_flow(ask),
        name=name,
        task_id=ask.parameters.get("task"),
        start=ask.instant("startDate"),
        end=ask.instant("endDate"),
        aggregation=ask.text("aggregation") or "sum",
    )
    found = await metrics.aggregate(ask.caller, ask.services, wanted)
    return json_response(aggregation_wire(found, name))


ROUTES = (
    Route("GET", "/metrics/{id}", of_execution),
    Route("GET", "/metrics/names/{namespace}/{flow}", names),
    Route("GET", "/metrics/names/{namespace}/{flow}/{task}", names),
    Route("GET", "/metrics/tasks/{namespace}/{flow}", tasks),
    Route("GET", "/metrics/aggregates/{namespace}/{flow}/{metric}", aggregate),
    Route("GET", "/metrics/aggregates/{namespace}/{flow}/{task}/{metric}", aggregate),
)


def _task(ask: Ask) -> Filter | None:
    """A task id makes the task run's meaningless (03 §10)."""
    task_id, run_id = ask.text("taskId"), ask.text("taskRunId")
    if task_id:
        return Filter("task_id", Op.EQUALS, task_id)
    return Filter("task_run_id", Op.EQUALS, run_id) if run_id else None


def _flow(ask: Ask) -> FlowKey:
    return FlowKey(ask.caller.tenant, ask.parameters["namespace"], ask.parameters["flow"])
