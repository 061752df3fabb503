"""How an order reaches an execution: as an event to its executor, or as an edit of rows that nobody works on.

An execution that moves is changed by its executor alone, which takes events in one after the other. One that is over
is edited at once, so that the caller sees the result; the store refuses an edit of rows that are not as they were read,
and then it is decided again. Nothing that happens at the same moment is lost, whichever server it happens on.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from batuta.engine.events import ChildEnded, KillRequested, SlotGranted
from batuta.engine.execution import Execution
from batuta.model.ids import ExecutionId, partition_of
from batuta.model.state import State
from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalStateError, NotFoundError
from batuta.operations.services import Services
from batuta.store.errors import ChangedError, GoneError
from batuta.store.rows import ExecutionRow, InboxRow, Mail, SlotRelease, Turn

TRIES = 20
"""After so many changes between reading and writing the caller is told to come again."""
TAKEN_SECONDS = 5.0
"""How long an order waits until the executor has taken it; then it is still carried out, only later."""
REMOVALS = 100
"""Times that executions are ended before they are deleted as they are: somebody may restart them meanwhile."""
AGAIN_SECONDS = 5.0
"""After which an execution that still moves is killed once more."""
KILL_SECONDS = 90.0
"""How long the tasks may take that are killed; the engine gives them up after a minute."""


class Ordered(msgspec.Struct, frozen=True):
    """What an order writes, and the execution as it will be."""

    turn: Turn
    execution: Execution


Decide = Callable[[ExecutionRow], Awaitable[Ordered]]
"""For an execution as it is. Raises `OperationError` to refuse."""


async def send(services: Services, mails: Sequence[Mail]) -> int:
    """Put events into inboxes; how many."""
    if mails:
        await services.store.commit(Turn(inbox=mails))
    return len(mails)


async def carry_out(
    caller: Caller, services: Services, execution_id: ExecutionId, *, decide: Decide
) -> Execution:
    """Read, decide, write; again when the execution changed meanwhile. `decide` gets the live task runs, too.

    Raises `NotFoundError`, `IllegalStateError` when it never stands still, and what `decide` raises.
    """
    for _ in range(TRIES):
        row = await live_row(caller, services, execution_id)
        ordered = await decide(row)
        try:
            await services.store.commit(ordered.turn)
        except ChangedError:
            continue
        except GoneError as error:
            raise NotFoundError from error
        asked = ordered.turn.inbox and not ordered.turn.edits and not ordered.turn.created
        if asked and replace(ordered.execution, runs={}) != replace(row.execution, runs={}):
            await taken(services, row.execution)
        return ordered.execution
    raise IllegalStateError(
        f"Execution '{execution_id}' is being changed by others all the time, please try again"
    )


async def live_row(caller: Caller, services: Services, execution_id: ExecutionId) -> ExecutionRow:
    """With the task runs that have not ended. Raises `NotFoundError`, also for what the caller may not see."""
    row = await services.store.executions.get(execution_id, live=True)
    if row is None or not is_visible(caller, row.execution):
        raise NotFoundError
    return row


async def remove(
    services: Services, ids: Sequence[ExecutionId], *, logs: bool = True, metrics: bool = True
) -> int:
    """Delete executions for good, and leave nothing behind of those that move: they are ended first; how many.

    What no executor ends in time is deleted nevertheless: its slot is given back, and its parent told.
    """
    executions = services.store.executions
    gone = 0
    left = list(ids)
    for _ in range(REMOVALS):
        gone += await executions.delete(left, logs=logs, metrics=metrics, idle=True)
        left = [row.execution.id for row in await executions.get_many(left)]
        if not left:
            return gone
        if not await end(services, left):
            break
    for row in await executions.get_many(left):
        await services.store.commit(await _farewell(services, row))
    return gone + await executions.delete(left, logs=logs, metrics=metrics)


async def _farewell(services: Services, row: ExecutionRow) -> Turn:
    """Nobody waits for the execution, in vain, any more."""
    execution, link = row.execution, row.link
    at = services.clock.now()
    latest = await services.plans.latest(execution.flow)
    limits = latest.plan.concurrency if latest is not None else None
    release = SlotRelease(
        flow=execution.flow,
        execution_id=execution.id,
        limit=limits.limit if limits is not None else None,
        at=at,
        held=execution.holds_slot or await is_granted(services, execution.id),
    )
    told = []
    if link is not None and link.wait:
        event = ChildEnded(
            at=at,
            task_run_id=link.task_run_id,
            execution_id=execution.id,
            state=State.FAILED,
            index=link.index,
            problem=f"Execution '{execution.id}' was deleted",
        )
        told.append(Mail(link.execution_id, event))
    return Turn(slots=[release], inbox=told)


async def end(services: Services, ids: Sequence[ExecutionId]) -> bool:
    """Kill and wait: tasks stop, slots are given back, and parents that wait are told.

    Returns at once when all are over, and false when no executor ends them in time. What somebody restarts meanwhile
    is killed again.
    """
    deadline = services.clock.monotonic() + KILL_SECONDS
    moving = list(ids)
    while moving := [
        execution_id for execution_id in moving if await _is_moving(services, execution_id)
    ]:
        left = deadline - services.clock.monotonic()
        if left <= 0:
            return False
        event = KillRequested(at=services.clock.now(), cascade=False, after=True)
        await send(services, [Mail(execution_id, event) for execution_id in moving])
        with suppress(TimeoutError):
            async with asyncio.timeout(min(left, AGAIN_SECONDS)):
                for execution_id in moving:
                    await _ended(services, execution_id)
    return True


async def _ended(services: Services, execution_id: ExecutionId) -> None:
    """Return when it is over, or goes on although it was killed."""
    with services.feed.watch(execution_id) as watcher:
        while not services.feed.is_closed:
            if not await _is_ordered(services, execution_id):
                row = await services.store.executions.get(execution_id, live=True)
                if row is None or not _is_ending(row.execution):
                    return
            await watcher.changed()


def _is_ending(execution: Execution) -> bool:
    """It was stopped, and its tasks have not answered yet."""
    stopped = execution.state is State.KILLING or execution.state.is_terminal
    return stopped and (bool(execution.runs) or execution.holds_slot)


async def _is_moving(services: Services, execution_id: ExecutionId) -> bool:
    """A slot that is granted but not taken yet is still in the inbox."""
    row = await services.store.executions.get(execution_id, live=True)
    if row is None:
        return False
    execution = row.execution
    if not is_over(execution) or execution.holds_slot:
        return True
    return await _is_ordered(services, execution_id)


async def _is_ordered(services: Services, execution_id: ExecutionId) -> bool:
    """Whether something waits in its inbox."""
    async for _ in _inbox(services, execution_id):
        return True
    return False


async def is_granted(services: Services, execution_id: ExecutionId) -> bool:
    """Whether it is counted under a concurrency limit and does not know yet."""
    async for row in _inbox(services, execution_id):
        if isinstance(row.event, SlotGranted):
            return True
    return False


async def _inbox(services: Services, execution_id: ExecutionId) -> AsyncIterator[InboxRow]:
    place, after = {partition_of(execution_id)}, 0
    while rows := await services.store.queues.inbox(place, after=after):
        for row in rows:
            if row.execution_id == execution_id:
                yield row
        after = rows[-1].id


async def taken(services: Services, before: Execution) -> None:
    """Wait a moment for what an event does to the execution, so that the caller sees it."""
    before = replace(before, runs={})
    with suppress(TimeoutError), services.feed.watch(before.id) as watcher:
        async with asyncio.timeout(TAKEN_SECONDS):
            while not services.feed.is_closed:
                row = await services.store.executions.get(before.id)
                if row is None or row.execution != before:
                    return
                await watcher.changed()


def is_over(execution: Execution) -> bool:
    """Ended, its afterExecution included. Wants the live task runs."""
    return execution.state.is_terminal and not execution.runs


def is_visible(caller: Caller, execution: Execution) -> bool:
    return execution.flow.tenant == caller.tenant and caller.may_see(execution.flow.namespace)
