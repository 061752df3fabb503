"""Orders to many executions at once: all of them, or none and the reasons (03 §3.8, §8.10).

What depends on states is checked for every execution before the first one is touched. Kill, pause and resume of many
are in `operations.control`.
"""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from batuta.engine.events import Labelled, StatusForced
from batuta.engine.execution import Execution
from batuta.model.ids import ExecutionId
from batuta.model.label import Label, is_system, merge_labels
from batuta.model.state import State
from batuta.operations import executions, repeat
from batuta.operations.caller import Caller
from batuta.operations.control import rows_for_bulk
from batuta.operations.errors import BulkError, IllegalArgumentError, NotFoundError
from batuta.operations.order import Ordered, carry_out, is_over, live_row
from batuta.operations.services import Services
from batuta.operations.start import check_system_labels
from batuta.store.rows import Edit, ExecutionRow, Mail, Turn

Ids = Sequence[ExecutionId]
Refusal = Callable[[Execution], str | None]


async def restart(caller: Caller, services: Services, ids: Ids) -> int:
    name = "invalid bulk restart"
    rows = await _rows(caller, services, ids, name=name, refuse=_unless_failed)
    invalids = []
    for row in rows:
        try:
            await repeat.check_restart(caller, services, row.execution.id)
        except (IllegalArgumentError, NotFoundError) as error:
            invalids.append((error.message, row.execution.id))
    if invalids:
        raise BulkError(name, invalids)
    for row in rows:
        await repeat.restart(caller, services, row.execution.id)
    return len(rows)


async def replay(
    caller: Caller, services: Services, ids: Ids, *, latest_revision: bool = False
) -> int:
    """From the start, on the revision that each had, or on the latest. Raises `NotFoundError` for a flow that is gone."""
    rows = await _rows(caller, services, ids, name="invalid bulk replay", refuse=_never)
    revisions = {}
    for row in rows:
        execution = row.execution
        wanted = None if latest_revision else execution.revision
        await repeat.check_flow(services, execution)
        compiled = await services.plans.get(execution.flow, wanted)
        revisions[execution.id] = compiled.row.revision
    for row in rows:
        await repeat.replay(
            caller, services, row.execution.id, revision=revisions[row.execution.id]
        )
    return len(rows)


async def change_status(caller: Caller, services: Services, ids: Ids, *, status: State) -> int:
    if not status.is_terminal:
        raise IllegalArgumentError(
            "You can only change the state of an execution to a terminal state."
        )
    rows = await _rows(
        caller,
        services,
        ids,
        name="invalid bulk change executions state",
        refuse=lambda e: None if e.state.is_terminal else "execution not in a terminated state",
    )
    return await _force(services, rows, status)


async def unqueue(caller: Caller, services: Services, ids: Ids, *, state: State) -> int:
    if state not in {State.RUNNING, State.CANCELLED, State.FAILED}:
        raise IllegalArgumentError(f"Invalid target state: {state}")
    rows = await _rows(
        caller,
        services,
        ids,
        name="invalid bulk unqueue",
        refuse=lambda e: None if e.state is State.QUEUED else "execution not in state QUEUED",
    )
    return await _force(services, rows, state)


async def force_run(caller: Caller, services: Services, ids: Ids) -> int:
    rows = await _rows(
        caller,
        services,
        ids,
        name="invalid bulk force run",
        refuse=lambda e: "execution in a terminated state" if e.state.is_terminal else None,
    )
    return await _force(services, rows, State.RUNNING)


async def add_labels(
    caller: Caller, services: Services, ids: Ids, *, labels: Sequence[Label]
) -> int:
    """Merge with the labels that each has; a new value wins (03 §8.9). Raises `IllegalArgumentError` for system labels."""
    given = [label for label in labels if label.key or label.value]
    check_system_labels(given)
    name = "invalid bulk set labels"
    rows = await _rows(caller, services, ids, name=name, refuse=_unless_terminated)
    # Of an execution whose afterExecution runs, the header belongs to the executor.
    invalids = []
    for row in rows:
        live = await live_row(caller, services, row.execution.id)
        if not is_over(live.execution):
            invalids.append(("execution is not terminated", row.execution.id))
    if invalids:
        raise BulkError(name, invalids)

    async def decide(row: ExecutionRow) -> Ordered:
        """One that is restarted meanwhile gets them from its executor."""
        if not is_over(row.execution):
            told = Labelled(at=services.clock.now(), labels=tuple(given))
            return Ordered(Turn(inbox=[Mail(row.execution.id, told)]), row.execution)
        changed = _labelled(row.execution, given)
        return Ordered(Turn(edits=[Edit(row.execution, changed)]), changed)

    for row in rows:
        await carry_out(caller, services, row.execution.id, decide=decide)
    return len(rows)


async def delete(
    caller: Caller,
    services: Services,
    ids: Ids,
    *,
    parts: executions.Parts,
    include_running: bool = False,
) -> int:
    """Those that run are refused unless `include_running`."""
    rows = await _rows(
        caller,
        services,
        ids,
        name="invalid bulk delete",
        refuse=lambda e: None if include_running or e.state.is_terminal else "execution not found",
    )
    await executions.delete_all(services, [row.execution for row in rows], parts=parts)
    return len(rows)


async def _rows(
    caller: Caller, services: Services, ids: Ids, *, name: str, refuse: Refusal
) -> Sequence[ExecutionRow]:
    unique = tuple(dict.fromkeys(ids))
    return await rows_for_bulk(caller, services, unique, name=name, refuse=refuse)


async def _force(services: Services, rows: Sequence[ExecutionRow], state: State) -> int:
    event = StatusForced(at=services.clock.now(), state=state)
    if rows:
        await services.store.commit(Turn(inbox=[Mail(row.execution.id, event) for row in rows]))
    return len(rows)


def _labelled(execution: Execution, given: Sequence[Label]) -> Execution:
    system = [label for label in execution.labels if is_system(label)]
    own = [label for label in execution.labels if not is_system(label)]
    return replace(execution, labels=(*merge_labels(own, given), *system))


def _unless_failed(execution: Execution) -> str | None:
    return None if execution.state is State.FAILED else "execution not in state FAILED"


def _unless_terminated(execution: Execution) -> str | None:
    return None if execution.state.is_terminal else "execution is not terminated"


def _never(_: Execution) -> str | None:
    return None
