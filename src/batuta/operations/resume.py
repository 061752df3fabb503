"""Letting executions go on that wait: for a person, in a queue, for their time (01 §8.4, 03 §8.6)."""

import asyncio
from collections.abc import Mapping
from typing import Any

from batuta.engine.events import Resumed, StatusForced
from batuta.engine.execution import Execution, TaskRun
from batuta.engine.plan import Pause
from batuta.expr import Context, render_typed, render_value
from batuta.flow.inputs import Resolved, resolve_inputs
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.state import State
from batuta.operations.caller import Caller
from batuta.operations.cipher import cipher_of
from batuta.operations.errors import (
    IllegalArgumentError,
    IllegalStateError,
    InvalidEntityError,
    Violation,
)
from batuta.operations.executions import get_row
from batuta.operations.lookup import InputHost, MustWaitError
from batuta.operations.services import Services
from batuta.sdk.input import Input
from batuta.store.rows import Mail, Turn

UNQUEUED = frozenset({State.RUNNING, State.CANCELLED, State.FAILED})
"""How an execution may leave its queue."""


async def resume(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    inputs: Mapping[str, Any] | None = None,
    task_run_id: TaskRunId | None = None,
) -> None:
    """End a pause: of the task run meant, else the first one, else the one that a person ordered.

    Raises `NotFoundError`, `IllegalStateError` when nothing waits, `InvalidEntityError` with every wrong input.
    """
    execution = (await get_row(caller, services, execution_id)).execution
    if execution.state is not State.PAUSED:
        raise IllegalStateError(f"Execution '{execution_id}' is not paused, can't resume it")
    paused = await services.store.executions.task_runs(execution_id, states=[State.PAUSED])
    runs = [row.run for row in paused if task_run_id in (None, row.run.id)]
    values: Mapping[str, Any] = {}
    if runs:
        values = await _answers(caller, services, execution, run=runs[0], given=inputs or {})
    elif task_run_id is not None:
        raise IllegalStateError(f"Task run '{task_run_id}' is not paused, can't resume it")
    event = Resumed(
        at=services.clock.now(),
        task_run_id=runs[0].id if runs else None,
        inputs=values,
        by=caller.user if caller.user != "system" else None,
    )
    await services.store.commit(Turn(inbox=[Mail(execution_id, event)]))


async def force_run(caller: Caller, services: Services, execution_id: ExecutionId) -> None:
    """Run now what waits for its time, for a place, or for a person. Nothing happens to one that runs.

    Raises `NotFoundError`, `IllegalArgumentError` for an execution that has ended.
    """
    execution = (await get_row(caller, services, execution_id)).execution
    if execution.state.is_terminal:
        raise IllegalArgumentError("Only non terminated executions can be forced run.")
    await _force(services, execution_id, State.RUNNING)


async def unqueue(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    state: State = State.RUNNING,
) -> None:
    """Let an execution leave the queue of its flow although the limit is reached, or end it there.

    Raises `NotFoundError`, `IllegalArgumentError` when it is not queued or the state is none of RUNNING, CANCELLED, FAILED.
    """
    execution = (await get_row(caller, services, execution_id)).execution
    if execution.state is not State.QUEUED:
        raise IllegalArgumentError("Only QUEUED execution can be unqueued")
    if state not in UNQUEUED:
        raise IllegalArgumentError(f"An execution cannot leave its queue as {state}")
    await _force(services, execution_id, state)


async def _force(services: Services, execution_id: ExecutionId, state: State) -> None:
    event = StatusForced(at=services.clock.now(), state=state)
    await services.store.commit(Turn(inbox=[Mail(execution_id, event)]))


async def _answers(
    caller: Caller,
    services: Services,
    execution: Execution,
    *,
    run: TaskRun,
    given: Mapping[str, Any],
) -> Mapping[str, Any]:
    """The values that the Pause asks for, checked as the inputs of a flow are."""
    compiled = await services.plans.get(execution.flow, execution.revision)
    node = compiled.plan.nodes.get(run.task_id)
    asked = node.on_resume if isinstance(node, Pause) else ()
    if not asked:
        return {}
    declared = [Input.model_validate(each) for each in asked]
    cipher = cipher_of(services.settings, services.ids)
    variables = {
        "flow": {"id": execution.flow.id, "namespace": execution.flow.namespace},
        "execution": {"id": execution.id},
        "vars": execution.variables,
    }

    def resolve(host: InputHost) -> Resolved:
        def render(template: Any, inputs: Mapping[str, Any]) -> Any:
            seen = {**variables, "inputs": {**execution.inputs, **inputs}}
            context = Context(seen, host)
            text = isinstance(template, str)
            return render_typed(template, context) if text else render_value(template, context)

        return resolve_inputs(
            declared, given, render=render, encrypt=cipher.encrypt if cipher is not None else None
        )

    namespace = execution.flow.namespace
    try:
        resolved = resolve(InputHost(caller, services, namespace))
    except MustWaitError:
        host = InputHost(caller, services, namespace, loop=asyncio.get_running_loop())
        resolved = await asyncio.to_thread(resolve, host)
    if resolved.errors:
        raise InvalidEntityError([Violation(each.message, each.id) for each in resolved.errors])
    return resolved.values
