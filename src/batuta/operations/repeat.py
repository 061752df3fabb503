"""Doing it again: restart, replay, and the change of a task run's state (01 §8.1 to §8.3).

What changes is decided by `engine.surgery` over all task runs. Of an execution that is over the rows are edited here,
and the executor is told to take it up again; one that moves is edited by its executor, which is sent the order.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from batuta.engine import surgery
from batuta.engine.events import (
    Created,
    Labelled,
    MarkRequested,
    Restarted,
    RestartRequested,
)
from batuta.engine.execution import Execution, TaskRun
from batuta.engine.plan import Plan
from batuta.engine.surgery import Edited, SurgeryError
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Label, merge_labels
from batuta.model.state import State
from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalArgumentError, IllegalStateError, NotFoundError
from batuta.operations.executions import get_row
from batuta.operations.files import store_files
from batuta.operations.order import Ordered, carry_out, is_over, live_row
from batuta.operations.plans import Compiled
from batuta.operations.services import Services
from batuta.operations.start import Wanted, checked_inputs
from batuta.store.rows import Edit, ExecutionRow, Mail, OutputRow, TaskRunRow, Turn

_replace = msgspec.structs.replace
_RESTARTED = Label("system.restarted", "true")
_REPLAYED = Label("system.replayed", "true")


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is not as it was in the execution that is replayed."""

    breakpoints: tuple[tuple[str, str | None], ...] = ()
    given: Wanted | None = None
    """Inputs and uploads in place of all that the source had; None keeps those."""


NO_CHANGES = Changes()


async def restart(
    caller: Caller, services: Services, execution_id: ExecutionId, *, revision: int | None = None
) -> Execution:
    """Run again what failed; with a revision as a new execution of it.

    Raises `NotFoundError`, `IllegalStateError` for one that runs, `IllegalArgumentError` when nothing is to restart.
    """

    async def decide(row: ExecutionRow) -> Ordered:
        edited = await _restarted(services, row, revision=revision)
        if revision is not None or is_over(row.execution):
            return Ordered(await _turn_of(services, row, edited), edited.execution)
        mail = Mail(execution_id, RestartRequested(at=services.clock.now()))
        return Ordered(Turn(inbox=[mail]), edited.execution)

    return await carry_out(caller, services, execution_id, decide=decide)


async def check_restart(caller: Caller, services: Services, execution_id: ExecutionId) -> None:
    """Raises what `restart` would raise; changes nothing."""
    await _restarted(services, await live_row(caller, services, execution_id), revision=None)


async def _restarted(services: Services, row: ExecutionRow, *, revision: int | None) -> Edited:
    state = row.execution.state
    if not state.is_terminal and state is not State.PAUSED:
        raise IllegalStateError(
            f"Execution must be terminated to be restarted, current state is '{state}' !"
        )
    _refuse_iteration(row)
    compiled = await _startable(services, row.execution, revision)
    plan = compiled.plan_of(row.link)
    runs = await _runs(services, row.execution.id)
    new_id = services.ids.execution_id() if revision is not None else None
    at = services.clock.now()
    return _operate(lambda: surgery.restart(plan, row.execution, runs, at=at, new_id=new_id))


async def replay(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    task_run_id: TaskRunId | None = None,
    revision: int | None = None,
    changes: Changes = NO_CHANGES,
    labelled: bool = True,
) -> Execution:
    """A new execution, from the start or from a task run on; the source is labelled `system.replayed`.

    Raises `NotFoundError`, `IllegalArgumentError` for a task run that cannot be replayed, `InvalidEntityError` with
    every wrong input.
    """
    new_id = services.ids.execution_id()
    if changes.given is not None:
        changes = await _checked(
            caller, services, execution_id, revision=revision, changes=changes, new_id=new_id
        )

    async def decide(row: ExecutionRow) -> Ordered:
        _refuse_iteration(row)
        compiled = await _startable(services, row.execution, revision)
        plan = compiled.plan
        runs = await _runs(services, execution_id)
        at = services.clock.now()
        edited = _operate(
            lambda: surgery.replay(
                plan, row.execution, runs, at=at, new_id=new_id, task_run_id=task_run_id
            )
        )
        made = _changed(edited.execution, changes)
        turn = await _turn_of(services, row, _replace(edited, execution=made))
        return Ordered(_labelled(turn, row, at=at) if labelled else turn, made)

    return await carry_out(caller, services, execution_id, decide=decide)


async def _checked(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    revision: int | None,
    changes: Changes,
    new_id: ExecutionId,
) -> Changes:
    """With the inputs as the new execution gets them; its files are stored."""
    execution = (await get_row(caller, services, execution_id)).execution
    compiled = await _startable(services, execution, revision)
    wanted = changes.given or Wanted()
    checked = await checked_inputs(caller, services, compiled, wanted=wanted, execution_id=new_id)
    await store_files(services, execution.flow.tenant, checked.files)
    return _replace(changes, given=_replace(wanted, inputs=checked.values))


def _changed(execution: Execution, changes: Changes) -> Execution:
    if changes.given is not None:
        execution = _replace(execution, inputs=changes.given.inputs)
    if changes.breakpoints:
        execution = _replace(execution, breakpoints=changes.breakpoints)
    return execution


def _labelled(turn: Turn, source: ExecutionRow, *, at: Instant) -> Turn:
    """One that moves gets its label from its executor."""
    execution = source.execution
    if is_over(execution):
        labels = merge_labels(execution.labels, [_REPLAYED])
        return _replace(turn, edits=[Edit(execution, _replace(execution, labels=labels))])
    told = Mail(execution.id, Labelled(at=at, labels=(_REPLAYED,)))
    return _replace(turn, inbox=[*turn.inbox, told])


async def mark(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    task_run_id: TaskRunId,
    state: State,
    labelled: bool = True,
) -> Execution:
    """Give a task run another state, and go on from there. Raises `NotFoundError`, `IllegalArgumentError`."""
    labels = (_RESTARTED,) if labelled else ()

    async def decide(row: ExecutionRow) -> Ordered:
        event = MarkRequested(
            at=services.clock.now(), task_run_id=task_run_id, state=state, labels=labels
        )
        find = _startable if is_over(row.execution) else _compiled
        compiled = await find(services, row.execution, None)
        runs = await _runs(services, execution_id)
        plan = compiled.plan_of(row.link)
        edited = _operate(lambda: edit_of(plan, row.execution, runs, event=event))
        if is_over(row.execution):
            _refuse_iteration(row)
            return Ordered(await _turn_of(services, row, edited), edited.execution)
        return Ordered(Turn(inbox=[Mail(execution_id, event)]), edited.execution)

    return await carry_out(caller, services, execution_id, decide=decide)


def edit_of(
    plan: Plan,
    execution: Execution,
    rows: Collection[TaskRun],
    *,
    event: RestartRequested | MarkRequested,
) -> Edited:
    """What the order makes of all rows of an execution. Raises `SurgeryError`."""
    if isinstance(event, RestartRequested):
        return surgery.restart(plan, execution, rows, at=event.at)
    edited = surgery.mark(
        plan, execution, rows, task_run_id=event.task_run_id, state=event.state, at=event.at
    )
    labels = merge_labels(edited.execution.labels, event.labels)
    return _replace(edited, execution=_replace(edited.execution, labels=labels))


async def restart_turn(services: Services, execution_id: ExecutionId) -> Turn | None:
    """What restarts a failed child, for its parent to commit; None when it is not FAILED or has nothing to restart."""
    row = await services.store.executions.get(execution_id, live=True)
    if row is None or row.execution.state is not State.FAILED or not is_over(row.execution):
        return None
    compiled = await _startable(services, row.execution, None)
    runs = await _runs(services, execution_id)
    try:
        edited = surgery.restart(
            compiled.plan_of(row.link), row.execution, runs, at=services.clock.now()
        )
    except SurgeryError:
        return None
    return await _turn_of(services, row, edited)


async def run_again_turn(services: Services, row: ExecutionRow) -> Turn:
    """What runs an iteration of a Loop again: from where it failed, or all of it."""
    compiled = await _compiled(services, row.execution, None)
    runs = await _runs(services, row.execution.id)
    at = services.clock.now()
    try:
        edited = surgery.restart(compiled.plan_of(row.link), row.execution, runs, at=at)
    except SurgeryError:
        edited = surgery.afresh(row.execution, runs, at=at)
    return await _turn_of(services, row, edited)


def _refuse_iteration(row: ExecutionRow) -> None:
    """An iteration of a Loop is part of an execution, which alone waits for its end."""
    if row.link is not None and row.link.item is not None:
        raise IllegalArgumentError(
            f"Execution '{row.execution.id}' is an iteration of the loop '{row.link.item.loop}':"
            f" restart or replay execution '{row.link.execution_id}' instead"
        )


async def check_flow(services: Services, execution: Execution) -> None:
    """Nothing begins again when its flow was deleted; what runs goes on to its end. Raises `NotFoundError`."""
    latest = await services.plans.latest_row(execution.flow)
    if latest is None or latest.deleted:
        raise NotFoundError(f"Unable to find flow {execution.flow}")


async def _startable(services: Services, execution: Execution, revision: int | None) -> Compiled:
    await check_flow(services, execution)
    return await _compiled(services, execution, revision)


async def _compiled(services: Services, execution: Execution, revision: int | None) -> Compiled:
    return await services.plans.of(execution, revision)


async def _runs(services: Services, execution_id: ExecutionId) -> Sequence[TaskRun]:
    return [row.run for row in await services.store.executions.task_runs(execution_id)]


def _operate(edit: Callable[[], Edited]) -> Edited:
    try:
        return edit()
    except SurgeryError as error:
        raise IllegalArgumentError(str(error)) from error


async def _turn_of(services: Services, row: ExecutionRow, edited: Edited) -> Turn:
    """The rows of an edit, with the event that takes the execution up again."""
    execution = edited.execution
    is_new = execution.id != row.execution.id
    now = services.clock.now()
    fresh = execution.state is State.CREATED
    event = Created(at=now) if fresh else Restarted(at=now)
    outputs = await _copied(
        services, row.execution.id, execution.id, copies=edited.copies, runs=edited.saved
    )
    header = _replace(execution, runs={})
    return Turn(
        created=[ExecutionRow(execution=header)] if is_new else (),
        edits=() if is_new else [Edit(row.execution, header)],
        removed_runs=[(execution.id, run_id) for run_id in edited.removed],
        task_runs=[TaskRunRow(execution_id=execution.id, run=run) for run in edited.saved],
        outputs=outputs,
        inbox=[Mail(execution.id, event)],
    )


async def _copied(
    services: Services,
    source: ExecutionId,
    target: ExecutionId,
    *,
    copies: Mapping[TaskRunId, TaskRunId],
    runs: Collection[TaskRun],
) -> Sequence[OutputRow]:
    """Outputs of the task runs that a new execution takes over."""
    if not copies:
        return ()
    by_id = {run.id: run for run in runs}
    found = await services.store.executions.outputs(source, task_run_ids=list(copies))
    return [
        _replace(
            output,
            execution_id=target,
            task_run_id=copies[output.task_run_id],
            ordinal=by_id[copies[output.task_run_id]].ordinal,
        )
        for output in found
        if copies[output.task_run_id] in by_id
    ]
