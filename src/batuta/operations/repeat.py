"""Doing it again: restart, replay, and the change of a task run's state (01 §8.1 to §8.3).

What changes is decided by `engine.surgery` over all task runs; here the rows are read and written, and the executor is
told to take the execution up again.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from batuta.engine import surgery
from batuta.engine.events import Created, Restarted
from batuta.engine.execution import Execution, TaskRun
from batuta.engine.surgery import Edited, SurgeryError
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.label import Label, merge_labels
from batuta.model.state import State
from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalArgumentError, IllegalStateError
from batuta.operations.executions import get_row
from batuta.operations.files import store_files
from batuta.operations.plans import Compiled
from batuta.operations.services import Services
from batuta.operations.start import Wanted, checked_inputs
from batuta.store.rows import ExecutionRow, Mail, OutputRow, TaskRunRow, Turn

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
    row, edited = await _restarted(caller, services, execution_id, revision=revision)
    turn = await _turn_of(services, row, edited)
    await services.store.commit(turn)
    return edited.execution


async def check_restart(caller: Caller, services: Services, execution_id: ExecutionId) -> None:
    """Raises what `restart` would raise; changes nothing."""
    await _restarted(caller, services, execution_id, revision=None)


async def _restarted(
    caller: Caller, services: Services, execution_id: ExecutionId, *, revision: int | None
) -> tuple[ExecutionRow, Edited]:
    row = await get_row(caller, services, execution_id)
    state = row.execution.state
    if not state.is_terminal and state is not State.PAUSED:
        raise IllegalStateError(
            f"Execution must be terminated to be restarted, current state is '{state}' !"
        )
    compiled = await _compiled(services, row.execution, revision)
    runs = await _runs(services, execution_id)
    new_id = services.ids.execution_id() if revision is not None else None
    edited = _operate(
        lambda: surgery.restart(
            compiled.plan, row.execution, runs, at=services.clock.now(), new_id=new_id
        )
    )
    return row, edited


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
    row = await get_row(caller, services, execution_id)
    compiled = await _compiled(services, row.execution, revision)
    runs = await _runs(services, execution_id)
    new_id = services.ids.execution_id()
    edited = _operate(
        lambda: surgery.replay(
            compiled.plan,
            row.execution,
            runs,
            at=services.clock.now(),
            new_id=new_id,
            task_run_id=task_run_id,
        )
    )
    if changes.given is not None:
        checked = await checked_inputs(
            caller, services, compiled, wanted=changes.given, execution_id=new_id
        )
        await store_files(services, row.execution.flow.tenant, checked.files)
        edited = _replace(edited, execution=_replace(edited.execution, inputs=checked.values))
    if changes.breakpoints:
        stopped = _replace(edited.execution, breakpoints=changes.breakpoints)
        edited = _replace(edited, execution=stopped)
    turn = await _turn_of(services, row, edited)
    source = row.execution
    if labelled and source.state.is_terminal:
        marked = _replace(source, labels=merge_labels(source.labels, [_REPLAYED]))
        turn = _replace(turn, executions=[*turn.executions, marked])
    await services.store.commit(turn)
    return edited.execution


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
    row = await get_row(caller, services, execution_id)
    compiled = await _compiled(services, row.execution, None)
    runs = await _runs(services, execution_id)
    edited = _operate(
        lambda: surgery.mark(
            compiled.plan,
            row.execution,
            runs,
            task_run_id=task_run_id,
            state=state,
            at=services.clock.now(),
        )
    )
    if labelled:
        labels = merge_labels(edited.execution.labels, [_RESTARTED])
        edited = _replace(edited, execution=_replace(edited.execution, labels=labels))
    await services.store.commit(await _turn_of(services, row, edited))
    return edited.execution


async def restart_turn(services: Services, execution_id: ExecutionId) -> Turn | None:
    """What restarts a failed child, for its parent to commit; None when it is not FAILED or has nothing to restart."""
    row = await services.store.executions.get(execution_id)
    if row is None or row.execution.state is not State.FAILED:
        return None
    compiled = await _compiled(services, row.execution, None)
    runs = await _runs(services, execution_id)
    try:
        edited = surgery.restart(compiled.plan, row.execution, runs, at=services.clock.now())
    except SurgeryError:
        return None
    return await _turn_of(services, row, edited)


async def _compiled(services: Services, execution: Execution, revision: int | None) -> Compiled:
    return await services.plans.get(execution.flow, revision or execution.revision)


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
        executions=() if is_new else [header],
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
