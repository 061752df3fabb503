"""A fault of ours ends one execution, and nothing waits for it for ever."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from batuta.engine.commands import AnyCommand
from batuta.engine.events import (
    AnyEvent,
    Created,
    KillRequested,
    SlotDenied,
    SlotGranted,
    TaskFinished,
)
from batuta.model.state import State
from batuta.server.executor.draft import Draft
from batuta.server.executor.live import Live
from batuta.server.executor.move import Mover
from batuta.store.rows import Mail, Turn
from tests.unit.server.installation import Installation, states

CHILD = """
id: child
namespace: faults
concurrency:
  limit: 1
tasks:
  - id: work
    type: io.kestra.plugin.core.flow.Sleep
    duration: PT0.01S
"""
LONG = CHILD.replace("PT0.01S", "PT0.3S")
PARENT = """
id: parent
namespace: faults
tasks:
  - id: call
    type: io.kestra.plugin.core.flow.Subflow
    namespace: faults
    flowId: child
    wait: true
    transmitFailed: true
"""


def test_a_fault_gives_the_slot_back_and_tells_the_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in = Mover.take_in

    async def broken(
        self: Mover, live: Live, event: AnyEvent, draft: Draft
    ) -> Sequence[AnyCommand]:
        if live.execution.holds_slot and isinstance(event, TaskFinished):
            raise ZeroDivisionError
        return await take_in(self, live, event, draft)

    async def work() -> None:
        installation = Installation(tmp_path)
        child = await installation.save(CHILD)
        parent = await installation.save(PARENT)
        installation.run()
        done = await installation.ended(await installation.start(parent))
        assert done.row.execution.state is State.FAILED
        assert await installation.store.queues.slots(child) == 0
        failed = (await installation.store.executions.children(done.row.execution.id))[0]
        view = await installation.ended(failed.execution.id)
        assert states(view) == {"work": State.KILLED}
        await installation.crash()

    monkeypatch.setattr(Mover, "take_in", broken)
    asyncio.run(work())


@pytest.mark.parametrize("at", [Created, SlotDenied, SlotGranted, KillRequested])
def test_a_fault_of_what_waits_for_a_slot_keeps_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: type[AnyEvent]
) -> None:
    take_in = Mover.take_in
    broken: set[str] = set()

    async def breaks(
        self: Mover, live: Live, event: AnyEvent, draft: Draft
    ) -> Sequence[AnyCommand]:
        if live.execution.id in broken and isinstance(event, at):
            raise ZeroDivisionError
        return await take_in(self, live, event, draft)

    async def work() -> None:
        installation = Installation(tmp_path)
        flow = await installation.save(LONG)
        installation.run()
        first = await installation.start(flow)
        await installation.until(first, lambda execution: execution.holds_slot)
        second = await installation.start(flow)
        broken.add(second)
        third = await installation.start(flow)
        if at is KillRequested:
            queued = State.QUEUED
            await installation.until(second, lambda execution: execution.state is queued)
            mail = [Mail(second, KillRequested(at=installation.services.clock.now()))]
            await installation.store.commit(Turn(inbox=mail))
        ended = [await installation.ended(each) for each in (first, second, third)]
        assert [view.row.execution.state for view in ended] == [
            State.SUCCESS,
            State.FAILED,
            State.SUCCESS,
        ]
        again = await installation.ended(second)
        assert again.row.execution.histories == ended[1].row.execution.histories
        assert await installation.store.queues.slots(flow) == 0
        await installation.crash()

    monkeypatch.setattr(Mover, "take_in", breaks)
    asyncio.run(work())
