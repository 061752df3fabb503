"""`/executions`: orders to many at once, by ids or by query (03 §3.8, §8)."""

from collections.abc import Sequence

import msgspec
from starlette.responses import Response

from batuta.model.ids import ExecutionId
from batuta.model.label import Label
from batuta.model.state import State
from batuta.operations import bulk, control, executions
from batuta.web.filter import EXECUTION_PARAMETERS, read_conditions
from batuta.web.request import Ask, ConversionError
from batuta.web.respond import json_response
from batuta.web.route import Route

Ids = Sequence[ExecutionId]


class NewLabels(msgspec.Struct, frozen=True, rename="camel"):
    executions_id: list[ExecutionId]
    execution_labels: list[Label]


async def kill_by_ids(ask: Ask) -> Response:
    return _count(await control.kill_many(ask.caller, ask.services, await _ids(ask)))


async def kill_by_query(ask: Ask) -> Response:
    return _count(await control.kill_many(ask.caller, ask.services, await _chosen(ask)))


async def pause_by_ids(ask: Ask) -> Response:
    return _count(await control.pause_many(ask.caller, ask.services, await _ids(ask)))


async def pause_by_query(ask: Ask) -> Response:
    return _count(await control.pause_many(ask.caller, ask.services, await _chosen(ask)))


async def resume_by_ids(ask: Ask) -> Response:
    return _count(await control.resume_many(ask.caller, ask.services, await _ids(ask)))


async def resume_by_query(ask: Ask) -> Response:
    return _count(await control.resume_many(ask.caller, ask.services, await _chosen(ask)))


async def restart_by_ids(ask: Ask) -> Response:
    return _count(await bulk.restart(ask.caller, ask.services, await _ids(ask)))


async def restart_by_query(ask: Ask) -> Response:
    return _count(await bulk.restart(ask.caller, ask.services, await _chosen(ask)))


async def replay_by_ids(ask: Ask) -> Response:
    return await _replay(ask, await _ids(ask))


async def replay_by_query(ask: Ask) -> Response:
    return await _replay(ask, await _chosen(ask))


async def change_status_by_ids(ask: Ask) -> Response:
    return await _change_status(ask, await _ids(ask))


async def change_status_by_query(ask: Ask) -> Response:
    return await _change_status(ask, await _chosen(ask))


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


async def force_run_by_ids(ask: Ask) -> Response:
    return _count(await bulk.force_run(ask.caller, ask.services, await _ids(ask)))


async def force_run_by_query(ask: Ask) -> Response:
    return _count(await bulk.force_run(ask.caller, ask.services, await _chosen(ask)))


async def set_labels_by_ids(ask: Ask) -> Response:
    wanted = await ask.json(NewLabels)
    return await _add_labels(ask, wanted.executions_id, wanted.execution_labels)


async def set_labels_by_query(ask: Ask) -> Response:
    return await _add_labels(ask, await _chosen(ask), await ask.json(list[Label]))


async def delete_by_ids(ask: Ask) -> Response:
    return await _delete(ask, await _ids(ask))


async def delete_by_query(ask: Ask) -> Response:
    return await _delete(ask, await _chosen(ask))


ROUTES = (
    Route("DELETE", "/executions/kill/by-ids", kill_by_ids),
    Route("DELETE", "/executions/kill/by-query", kill_by_query),
    Route("POST", "/executions/pause/by-ids", pause_by_ids),
    Route("POST", "/executions/pause/by-query", pause_by_query),
    Route("POST", "/executions/resume/by-ids", resume_by_ids),
    Route("POST", "/executions/resume/by-query", resume_by_query),
    Route("POST", "/executions/restart/by-ids", restart_by_ids),
    Route("POST", "/executions/restart/by-query", restart_by_query),
    Route("POST", "/executions/replay/by-ids", replay_by_ids),
    Route("POST", "/executions/replay/by-query", replay_by_query),
    Route("POST", "/executions/change-status/by-ids", change_status_by_ids),
    Route("POST", "/executions/change-status/by-query", change_status_by_query),
    Route("POST", "/executions/unqueue/by-ids", unqueue_by_ids),
    Route("POST", "/executions/unqueue/by-query", unqueue_by_query),
    Route("POST", "/executions/force-run/by-ids", force_run_by_ids),
    Route("POST", "/executions/force-run/by-query", force_run_by_query),
    Route("POST", "/executions/labels/by-ids", set_labels_by_ids),
    Route("POST", "/executions/labels/by-query", set_labels_by_query),
    Route("DELETE", "/executions/by-ids", delete_by_ids),
    Route("DELETE", "/executions/by-query", delete_by_query),
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


async def _replay(ask: Ask, ids: Ids) -> Response:
    latest = ask.flag("latestRevision", default=False)
    return _count(await bulk.replay(ask.caller, ask.services, ids, latest_revision=latest))


async def _change_status(ask: Ask, ids: Ids) -> Response:
    status = to_state("newStatus", ask.required("newStatus"))
    return _count(await bulk.change_status(ask.caller, ask.services, ids, status=status))


async def _add_labels(ask: Ask, ids: Ids, labels: Sequence[Label]) -> Response:
    return _count(await bulk.add_labels(ask.caller, ask.services, ids, labels=labels))


async def _delete(ask: Ask, ids: Ids) -> Response:
    count = await bulk.delete(
        ask.caller,
        ask.services,
        ids,
        parts=read_parts(ask),
        include_running=ask.flag("includeNonTerminated", default=False),
    )
    return _count(count)


def _count(count: int) -> Response:
    return json_response({"count": count})
