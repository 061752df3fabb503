"""What tasks order about other executions, keys and triggers (05 §11.6, §13, §19)."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from batuta.model import codec
from batuta.model.ids import FlowKey
from batuta.model.state import State
from batuta.operations import executions
from batuta.operations.errors import NotFoundError
from batuta.operations.purge import (
    ExecutionPurge,
    KeyValuePurge,
    purge_executions,
    purge_key_values,
)
from batuta.server.answers.journal import target_of
from batuta.server.answers.question import Answer, Question
from batuta.store.rows import TriggerKey


async def _count(question: Question) -> int:
    arguments = question.arguments
    wanted = executions.Tally(
        namespace=arguments["namespace"],
        flow_id=arguments.get("flowId"),
        states=tuple(arguments.get("states") or ()),
        start=arguments["start"],
        end=arguments["end"],
    )
    return await executions.count(question.caller, question.services, wanted)


async def _resume(question: Question) -> None:
    from batuta.operations import control  # Few servers need it, all would wait for it.

    execution_id = question.arguments["executionId"]
    try:
        await control.resume(
            replace(question.caller, user=None),  # 01 §6.12: `by` is a person
            question.services,
            await target_of(question),
            inputs=question.arguments.get("inputs") or {},
        )
    except NotFoundError:
        raise NotFoundError(f"No execution found for execution id {execution_id}") from None


async def _purge(question: Question) -> Any:
    arguments = question.arguments
    parts = {name: arguments[name] for name in ("executions", "logs", "metrics", "files")}
    wanted = ExecutionPurge(
        end=arguments["end"],
        start=arguments.get("start"),
        namespace=arguments.get("namespace"),
        flow_id=arguments.get("flowId"),
        states=tuple(map(State, arguments.get("states") or ())),
        batch=arguments["batch"],
        **parts,
    )
    purged = await purge_executions(
        question.caller, question.services, wanted, spared=question.info.execution_id
    )
    return codec.to_plain(purged)


async def _purge_keys(question: Question) -> Any:
    """The arguments are the fields of `KeyValuePurge`."""
    wanted = codec.convert(question.arguments, KeyValuePurge)
    return codec.to_plain(await purge_key_values(question.caller, question.services, wanted))


async def _toggle(question: Question) -> None:
    from batuta.operations.triggers import set_disabled  # As above: it knows schedules.

    arguments = question.arguments
    flow = FlowKey(question.info.tenant, arguments["namespace"], arguments["flowId"])
    await set_disabled(
        question.caller,
        question.services,
        TriggerKey(flow, arguments["trigger"]),
        disabled=not arguments["enabled"],
    )


ORDERS: Mapping[str, Answer] = {
    "executions.count": _count,
    "executions.resume": _resume,
    "executions.purge": _purge,
    "kv.purge": _purge_keys,
    "triggers.toggle": _toggle,
}
