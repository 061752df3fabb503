"""Orders to executions that exist: kill, pause, resume, labels (01 §8, 03 §8.6 to §8.9).

An order puts an event into the inbox; the executor decides what follows from it. A bulk order is all or nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from batuta.engine.events import (
    BreakpointResumed,
    KillRequested,
    PauseRequested,
    Resumed,
    StatusForced,
)
from batuta.engine.execution import Execution, TaskRun
from batuta.engine.plan import Pause
from batuta.flow.inputs import Resolved, sealed_values
from batuta.model.ids import ExecutionId
from batuta.model.label import Label, is_system, merge_labels
from batuta.model.state import State
from batuta.operations.caller import Caller
from batuta.operations.errors import (
    BadRequestError,
    BulkError,
    IllegalArgumentError,
    IllegalStateError,
    InvalidEntityError,
    NotFoundError,
    Violation,
)
from batuta.operations.executions import get_row
from batuta.operations.family import NOT_ENDED, children_of
from batuta.operations.files import PlacedFiles, Upload, place_files, store_files
from batuta.operations.order import Ordered, carry_out, is_over, is_visible, send, taken
from batuta.operations.query import LOOP
from batuta.operations.rendering.lookup import resolve_declared
from batuta.operations.services import Services
from batuta.operations.start import check_system_labels, execution_variables
from batuta.sdk.input import Input
from batuta.store.query import Filter, Op
from batuta.store.rows import Edit, ExecutionRow, Mail, Turn

_PAUSED_ITERATIONS = (
    Filter("kind", Op.EQUALS, LOOP),
    Filter("state", Op.EQUALS, State.PAUSED.value),
)
Refusal = Callable[[Execution], str | None]
"""Why an execution cannot be treated, or None."""


_LET_GO = frozenset({State.CREATED, State.QUEUED, State.PAUSED})
"""States that a forced run changes."""


class NotTerminatedError(BadRequestError):
    """Labels of a running execution; the answer is a bare text (03 §8.9)."""


async def kill(
    caller: Caller, services: Services, execution_id: ExecutionId, *, cascade: bool = True
) -> None:
    """With `cascade` a finished execution is accepted too: its children may still run (03 §8.7)."""
    row = await get_row(caller, services, execution_id)
    if row.execution.state.is_terminal and not cascade:
        raise IllegalStateError("Execution is already finished, can't kill it")
    at = services.clock.now()
    await send(services, [Mail(execution_id, KillRequested(at=at, cascade=cascade))])
    if row.execution.state.is_terminal:
        await _kill_children(services, execution_id)


async def kill_many(caller: Caller, services: Services, ids: Sequence[ExecutionId]) -> int:
    """Children of the executions go on (03 §8.7)."""
    rows = await rows_for_bulk(
        caller,
        services,
        ids,
        name="invalid bulk kill",
        refuse=lambda e: "execution already finished" if e.state.is_terminal else None,
    )
    at = services.clock.now()
    mails = [Mail(row.execution.id, KillRequested(at=at, cascade=False)) for row in rows]
    return await send(services, mails)


async def pause(caller: Caller, services: Services, execution_id: ExecutionId) -> None:
    """Tasks that run finish, nothing new begins."""
    row = await get_row(caller, services, execution_id)
    if row.execution.state is not State.RUNNING:
        raise IllegalArgumentError("The execution is not running")
    await send(services, [Mail(execution_id, PauseRequested(at=services.clock.now()))])


async def pause_many(caller: Caller, services: Services, ids: Sequence[ExecutionId]) -> int:
    rows = await rows_for_bulk(
        caller,
        services,
        ids,
        name="invalid bulk pause",
        refuse=lambda e: None if e.state is State.RUNNING else "execution not in state RUNNING",
    )
    at = services.clock.now()
    return await send(services, [Mail(row.execution.id, PauseRequested(at=at)) for row in rows])


async def resume(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    inputs: Mapping[str, Any],
    uploads: Mapping[str, Upload] | None = None,
) -> None:
    """Go on where a Pause waits, the first if there are several; or after a pause by hand (01 §8.4).

    The Pause may be inside an iteration of a Loop.

    Raises `IllegalStateError` for an execution that is not paused, `InvalidEntityError` with every wrong input.
    """
    execution = await _paused(caller, services, execution_id)
    found = await _waiting(services, execution)
    files = _placed(execution, found, uploads)
    resolved = await check_resume(caller, services, execution_id, inputs=inputs, uploads=uploads)
    if resolved.errors:
        raise InvalidEntityError([Violation(each.message, each.id) for each in resolved.errors])
    await store_files(services, execution.flow.tenant, files)
    event = Resumed(
        at=services.clock.now(),
        task_run_id=None if found is None else found[0].id,
        inputs=sealed_values(_asked(found), resolved.values),
        by=caller.user,
    )
    await send(services, [Mail(execution.id, event)])


async def resume_from_breakpoint(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    breakpoints: tuple[tuple[str, str | None], ...] = (),
) -> None:
    """Begin what stands at a breakpoint; `breakpoints` take the place of all there were (01 §8)."""
    execution = (await get_row(caller, services, execution_id)).execution
    if execution.state is not State.BREAKPOINT:
        raise IllegalStateError("Execution is not suspended")
    if not execution.breakpoints:
        raise IllegalStateError("Execution has no breakpoint")
    event = BreakpointResumed(at=services.clock.now(), breakpoints=breakpoints)
    await send(services, [Mail(execution_id, event)])


async def resume_many(caller: Caller, services: Services, ids: Sequence[ExecutionId]) -> int:
    """Without inputs: one that asks for some is refused."""
    rows = await rows_for_bulk(
        caller,
        services,
        ids,
        name="invalid bulk resume",
        refuse=lambda e: None if e.state is State.PAUSED else "execution not in state PAUSED",
    )
    invalids = []
    for row in rows:
        resolved = await check_resume(caller, services, row.execution.id, inputs={})
        invalids += [(each.message, row.execution.id) for each in resolved.errors]
    if invalids:
        raise BulkError("invalid bulk resume", invalids)
    for row in rows:
        await resume(caller, services, row.execution.id, inputs={})
    return len(rows)


async def check_resume(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    inputs: Mapping[str, Any],
    uploads: Mapping[str, Upload] | None = None,
) -> Resolved:
    """What the inputs of the waiting Pause would be, and what is wrong with them."""
    execution = await _paused(caller, services, execution_id)
    found = await _waiting(services, execution)
    declared = _asked(found)
    if not declared:
        return Resolved(values={}, inputs=())
    return await resolve_declared(
        caller,
        services,
        execution.flow.namespace,
        declared=declared,
        given={**inputs, **_placed(execution, found, uploads).values},
        variables=execution_variables(services, execution),
    )


async def unqueue(
    caller: Caller, services: Services, execution_id: ExecutionId, *, state: State
) -> None:
    """Leave the queue of the flow: run although the limit is reached, or end (03 §8.9)."""
    row = await get_row(caller, services, execution_id)
    if row.execution.state is not State.QUEUED:
        raise IllegalArgumentError("Only QUEUED execution can be unqueued")
    if state not in {State.RUNNING, State.CANCELLED, State.FAILED}:
        raise IllegalArgumentError(f"Invalid target state: {state}")
    at = services.clock.now()
    await send(services, [Mail(execution_id, StatusForced(at=at, state=state))])
    await taken(services, row.execution)


async def force_run(caller: Caller, services: Services, execution_id: ExecutionId) -> None:
    """Run now, whatever the execution waits for (03 §8.9)."""
    row = await get_row(caller, services, execution_id)
    if row.execution.state.is_terminal:
        raise IllegalArgumentError("Only non terminated executions can be forced run.")
    at = services.clock.now()
    await send(services, [Mail(execution_id, StatusForced(at=at, state=State.RUNNING))])
    if row.execution.state in _LET_GO:
        await taken(services, row.execution)


async def change_status(
    caller: Caller, services: Services, execution_id: ExecutionId, *, status: State
) -> None:
    """From one terminal state to another; task runs stay as they are (03 §8.6)."""
    row = await get_row(caller, services, execution_id)
    if not status.is_terminal:
        raise IllegalArgumentError(
            "You can only change the state of an execution to a terminal state."
        )
    if not row.execution.state.is_terminal:
        raise IllegalArgumentError("You can only change the state of a terminated execution.")
    at = services.clock.now()
    await send(services, [Mail(execution_id, StatusForced(at=at, state=status))])
    if row.execution.state is not status:
        await taken(services, row.execution)


async def set_labels(
    caller: Caller, services: Services, execution_id: ExecutionId, *, labels: Sequence[Label]
) -> None:
    """Replace the labels of an ended execution; system labels stay (03 §8.9)."""
    given = [label for label in labels if label.key or label.value]

    async def decide(row: ExecutionRow) -> Ordered:
        if not is_over(row.execution):
            raise NotTerminatedError("The execution is not terminated")
        system = [label for label in row.execution.labels if is_system(label)]
        check_system_labels(label for label in given if label not in system)
        own = merge_labels(label for label in given if not is_system(label))
        changed = replace(row.execution, labels=(*own, *system))
        return Ordered(Turn(edits=[Edit(row.execution, changed)]), changed)

    await carry_out(caller, services, execution_id, decide=decide)


async def rows_for_bulk(
    caller: Caller,
    services: Services,
    ids: Sequence[ExecutionId],
    *,
    name: str,
    refuse: Refusal,
) -> Sequence[ExecutionRow]:
    """The rows of all ids. Raises `BulkError` with every id that is unknown or refused."""
    found = {
        row.execution.id: row
        for row in await services.store.executions.get_many(ids)
        if is_visible(caller, row.execution)
    }
    invalids = []
    for execution_id in ids:
        row = found.get(execution_id)
        reason = "execution not found" if row is None else refuse(row.execution)
        if reason is not None:
            invalids.append((reason, execution_id))
    if invalids:
        raise BulkError(name, invalids)
    return list(found.values())


async def _paused(caller: Caller, services: Services, execution_id: ExecutionId) -> Execution:
    row = await services.store.executions.get(execution_id, live=True)
    if row is None or not is_visible(caller, row.execution):
        raise NotFoundError(f"Execution '{execution_id}' not found.")
    if row.execution.state is not State.PAUSED:
        raise IllegalStateError(f"Execution '{execution_id}' is not paused, can't resume it")
    return await _innermost(services, row.execution)


async def _innermost(services: Services, execution: Execution) -> Execution:
    """The execution itself, or the first iteration of its Loops that waits: that is why it is paused."""
    course = execution.progress.course if execution.progress is not None else None
    held = course is not None and course.held
    if held or await _waiting(services, execution) is not None:
        return execution
    async for row in children_of(services, execution.id, *_PAUSED_ITERATIONS):
        inner = await services.store.executions.get(row.execution.id, live=True)
        if inner is not None:
            return await _innermost(services, inner.execution)
    return execution


async def _waiting(services: Services, execution: Execution) -> tuple[TaskRun, Pause] | None:
    """The first Pause that waits."""
    plan = (await services.plans.of(execution)).plan
    for run in sorted(execution.runs.values(), key=lambda run: run.ordinal):
        node = plan.nodes.get(run.task_id)
        if run.state is State.PAUSED and isinstance(node, Pause):
            return run, node
    return None


def _asked(found: tuple[TaskRun, Pause] | None) -> tuple[Input, ...]:
    return () if found is None else tuple(map(Input.model_validate, found[1].on_resume))


def _placed(
    execution: Execution,
    found: tuple[TaskRun, Pause] | None,
    uploads: Mapping[str, Upload] | None,
) -> PlacedFiles:
    return place_files(execution.flow, execution.id, declared=_asked(found), uploads=uploads or {})


async def _kill_children(services: Services, execution_id: ExecutionId) -> None:
    event = KillRequested(at=services.clock.now())
    running = children_of(services, execution_id, NOT_ENDED)
    await send(services, [Mail(row.execution.id, event) async for row in running])
