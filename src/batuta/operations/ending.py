"""Before an execution is deleted it has to end, so that nothing else waits for it for ever."""

import asyncio
from contextlib import suppress

from batuta.engine.events import KillRequested
from batuta.model.ids import ExecutionId, partition_of
from batuta.operations.services import Services
from batuta.store.rows import Mail, Turn

KILL_SECONDS = 90.0
"""How long the tasks may take that are killed; the engine gives them up after a minute."""


async def end(services: Services, execution_id: ExecutionId) -> None:
    """Kill it and wait: its tasks stop, its slot is given back, and a parent that waits is told.

    Returns at once for one that is over, and gives up when no executor takes the order.
    """
    if not await _is_moving(services, execution_id):
        return
    event = KillRequested(at=services.clock.now(), cascade=False)
    await services.store.commit(Turn(inbox=[Mail(execution_id, event)]))
    with suppress(TimeoutError):
        async with asyncio.timeout(KILL_SECONDS):
            await _over(services, execution_id)


async def _over(services: Services, execution_id: ExecutionId) -> None:
    with services.feed.watch(execution_id) as watcher:
        while not services.feed.is_closed and await _is_moving(services, execution_id):
            await watcher.changed()


async def _is_moving(services: Services, execution_id: ExecutionId) -> bool:
    """A slot that is granted but not taken yet is still in the inbox."""
    row = await services.store.executions.get(execution_id, live=True)
    if row is None:
        return False
    execution = row.execution
    if not execution.state.is_terminal or execution.runs or execution.holds_slot:
        return True
    waiting = await services.store.queues.inbox({partition_of(execution_id)})
    return any(each.execution_id == execution_id for each in waiting)
