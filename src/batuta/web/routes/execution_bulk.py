"""`/executions`: orders to many at once, by ids or by query (03 §3.8, §8)."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from starlette.responses import Response

from batuta.model.ids import ExecutionId
from batuta.model.label import Label
from batuta.model.state import State
from batuta.operations import bulk, control, executions
from batuta.operations.caller import Caller
from batuta.operations.services import Services
from batuta.web.filter import EXECUTION_PARAMETERS, read_conditions
from batuta.web.request import Ask, ConversionError
from batuta.web.respond import json_response
from batuta.web.route import Route

Ids = Sequence[ExecutionId]


class NewLabels(msgspec.Struct, frozen=True, rename="camel"):
    executions_id: list[ExecutionId]
    execution_labels: list[Label]


Act = Callable[[Ask, Ids], Awaitable[int]]


async def replay(ask: Ask, ids: Ids) -> int:
    latest = ask.flag("latestRevision", default=False)
    return await bulk.replay(ask.caller, ask.services, ids, latest_revision=latest)


async def change_status(ask: Ask, ids: Ids) -> int:
    status = to_state("newStatus", ask.required("newStatus"))
    return await bulk.change_status(ask.caller, ask.services, ids, status=status)


async def delete(ask: Ask, ids: Ids) -> int:
    return await bulk.delete(
        ask.caller,
        ask.services,
        ids,
        parts=read_parts(ask),
        include_running=ask.flag("includeNonTerminated", default=False),
    )


async def unqueue_by_ids(ask: Ask) -> Response:
    state = to_state("state", ask.text("state") or State.RUNNING.value)
    return _count(await bulk.unqueue(ask.caller, ask.services, await _ids(ask), state=state))


async def unqueue_by_query(ask: Ask) -> Response:
    """`state` is the target here, as the page sends it, not a filter (03 §8.9)."""
    target = ask.text("newState") or ask.text("state") or State.RUNNING.value
    state = to_state("newState", target)
    conditions = read_conditions(ask, EXECUTION_PARAMETERS - {"state"})
    ids = await executions.ids_of_query(ask.caller, ask.services, conditions)
    return _count(await bulk.unqueue(ask.caller, ask.services, ids, state=state))


async def set_labels_by_ids(ask: Ask) -> Response:
    wanted = await ask.json(NewLabels)
    return await _add_labels(ask, wanted.executions_id, wanted.execution_labels)


async def set_labels_by_query(ask: Ask) -> Response:
    return await _add_labels(ask, await _chosen(ask), await ask.json(list[Label]))


def _both(method: str, path: str, act: Act) -> tuple[Route, Route]:
    """One order by ids and by query."""

    async def by_ids(ask: Ask) -> Response:
        return _count(await act(ask, await _ids(ask)))

    async def by_query(ask: Ask) -> Response:
        return _count(await act(ask, await _chosen(ask)))

    return Route(method, f"{path}/by-ids", by_ids), Route(method, f"{path}/by-query", by_query)


def _plain(order: Callable[[Caller, Services, Ids], Awaitable[int]]) -> Act:
    """An order that takes nothing else from the request."""

    async def act(ask: Ask, ids: Ids) -> int:
        return await order(ask.caller, ask.services, ids)

    return act


ROUTES = (
    *_both("DELETE", "/executions/kill", _plain(control.kill_many)),
    *_both("POST", "/executions/pause", _plain(control.pause_many)),
    *_both("POST", "/executions/resume", _plain(control.resume_many)),
    *_both("POST", "/executions/restart", _plain(bulk.restart)),
    *_both("POST", "/executions/replay", replay),
    *_both("POST", "/executions/change-status", change_status),
    Route("POST", "/executions/unqueue/by-ids", unqueue_by_ids),
    Route("POST", "/executions/unqueue/by-query", unqueue_by_query),
    *_both("POST", "/executions/force-run", _plain(bulk.force_run)),
    Route("POST", "/executions/labels/by-ids", set_labels_by_ids),
    Route("POST", "/executions/labels/by-query", set_labels_by_query),
    *_both("DELETE", "/executions", delete),
)


def read_parts(ask: Ask) -> executions.Parts:
    return executions.Parts(
        logs=ask.flag("deleteLogs", default=True),
        metrics=ask.flag("deleteMetrics", default=True),
        files=ask.flag("deleteStorage", default=True),
    )


def to_state(name: str, text: str) -> State:
    try:
        return State(text.upper())
    except ValueError:
        raise ConversionError(
            f"Failed to convert argument [{name}]: `{text}` is no state"
        ) from None


async def _ids(ask: Ask) -> Ids:
    return await ask.json(list[ExecutionId])


async def _chosen(ask: Ask) -> Ids:
    conditions = read_conditions(ask, EXECUTION_PARAMETERS)
    return await executions.ids_of_query(ask.caller, ask.services, conditions)


async def _add_labels(ask: Ask, ids: Ids, labels: Sequence[Label]) -> Response:
    return _count(await bulk.add_labels(ask.caller, ask.services, ids, labels=labels))


def _count(count: int) -> Response:
    return json_response({"count": count})
