"""Orders to executions that exist: kill, pause, resume, labels (01 §8, 03 §8.6 to §8.9).

An order puts an event into the inbox; the executor decides what follows from it. A bulk order is all or nothing.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec.structs import replace

from batuta.engine.events import KillRequested, PauseRequested, StatusForced
from batuta.engine.execution import Execution
from batuta.model.ids import ExecutionId
from batuta.model.label import Label, is_system, merge_labels
from batuta.model.state import State
from batuta.operations.caller import Caller
from batuta.operations.errors import (
    BadRequestError,
    BulkError,
    IllegalArgumentError,
    IllegalStateError,
    NotFoundError,
)
from batuta.operations.executions import get_row, is_over, is_visible
from batuta.operations.services import Services
from batuta.store.rows import ExecutionRow, Mail, Turn

Refusal = Callable[[Execution], str | None]
"""Why an execution cannot be treated, or None."""


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
    await _send(services, [Mail(execution_id, KillRequested(at=at, cascade=cascade))])
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
    return await _send(services, mails)


async def pause(caller: Caller, services: Services, execution_id: ExecutionId) -> None:
    """Tasks that run finish, nothing new begins."""
    row = await get_row(caller, services, execution_id)
    if row.execution.state is not State.RUNNING:
        raise IllegalArgumentError("The execution is not running")
    await _send(services, [Mail(execution_id, PauseRequested(at=services.clock.now()))])


async def pause_many(caller: Caller, services: Services, ids: Sequence[ExecutionId]) -> int:
    rows = await rows_for_bulk(
        caller,
        services,
        ids,
        name="invalid bulk pause",
        refuse=lambda e: None if e.state is State.RUNNING else "execution not in state RUNNING",
    )
    at = services.clock.now()
    return await _send(services, [Mail(row.execution.id, PauseRequested(at=at)) for row in rows])


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
    await _send(services, [Mail(execution_id, StatusForced(at=at, state=status))])


async def set_labels(
    caller: Caller, services: Services, execution_id: ExecutionId, *, labels: Sequence[Label]
) -> None:
    """Replace the labels of an ended execution; system labels stay (03 §8.9)."""
    row = await services.store.executions.get(execution_id, live=True)
    if row is None or not is_visible(caller, row.execution):
        raise NotFoundError
    execution = row.execution
    if not is_over(execution):
        raise NotTerminatedError("The execution is not terminated")
    given = [label for label in labels if label.key or label.value]
    system = [label for label in execution.labels if is_system(label)]
    check_system_labels(label for label in given if label not in system)
    own = merge_labels(label for label in given if not is_system(label))
    changed = replace(execution, labels=(*own, *system))
    await services.store.commit(Turn(executions=[changed]))


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


def check_system_labels(labels: Iterable[Label]) -> None:
    """Raises `IllegalArgumentError` for the first label that only the system may set (01 §1.3)."""
    for label in labels:
        if is_system(label):
            raise IllegalArgumentError(
                "System labels can only be set by Kestra itself,"
                f" offending label: {label.key}={label.value}"
            )


async def _kill_children(services: Services, execution_id: ExecutionId) -> None:
    at = services.clock.now()
    children = await services.store.executions.children(execution_id)
    await _send(
        services,
        [
            Mail(row.execution.id, KillRequested(at=at))
            for row in children
            if not row.execution.state.is_terminal
        ],
    )


async def _send(services: Services, mails: Sequence[Mail]) -> int:
    if mails:
        await services.store.commit(Turn(inbox=mails))
    return len(mails)
