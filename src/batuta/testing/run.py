"""Run a flow as a test: in memory, on this event loop's roles, and read what it did."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batuta.model.state import State
from batuta.sdk.definition import Plugin

QUIET = frozenset({"TRACE", "DEBUG"})


class FlowRun(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `outputs` are those of the tasks by id (the last run of each), `flow_outputs` those of the flow."""

    state: State
    task_states: Mapping[str, State]
    outputs: Mapping[str, Any]
    flow_outputs: Mapping[str, Any]
    messages: Sequence[str]
    """What tasks logged from INFO upward, in order."""


class FlowTimeoutError(TimeoutError):
    """The flow did not end in time; the message says in which state it is."""


def run_flow(
    source: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    subflows: Sequence[str] = (),
    secrets: Mapping[str, str] | None = None,
    plugins: Sequence[type[Plugin]] = (),
    seconds: float = 30,
) -> FlowRun:
    """Save the flow (and its subflows), run it to its end, and say what happened.

    `plugins` are task types of the test's own. Raises `OperationError` for a flow or inputs that are wrong, and
    `FlowTimeoutError`. Starts an event loop of its own; inside one, use `System`.
    """
    return asyncio.run(
        _run([source, *subflows], inputs or {}, secrets or {}, plugins=plugins, seconds=seconds)
    )


async def _run(
    sources: Sequence[str],
    inputs: Mapping[str, Any],
    secrets: Mapping[str, str],
    *,
    plugins: Sequence[type[Plugin]],
    seconds: float,
) -> FlowRun:
    from batuta.testing.conformance.record import record_of
    from batuta.testing.system import Surroundings, System, is_over

    async with System.open(Surroundings(secrets=secrets, plugins=tuple(plugins))) as system:
        for source in sources:
            await system.save_flow(source)
        execution_id = await system.start(system.flow_keys[0], inputs=inputs)
        view = await system.until(execution_id, is_over, seconds=seconds)
        if not is_over(view):
            state = view.row.execution.state
            raise FlowTimeoutError(f"the flow is {state} after {seconds:g} seconds")
        record = await record_of(system.services, view)
    return FlowRun(
        state=State(record["state"]),
        task_states={run["taskId"]: State(run["state"]) for run in record["taskRuns"]},
        outputs={run["taskId"]: run["outputs"] for run in record["taskRuns"] if "outputs" in run},
        flow_outputs=record["outputs"] or {},
        messages=[log["message"] for log in record["logs"] if log["level"] not in QUIET],
    )
