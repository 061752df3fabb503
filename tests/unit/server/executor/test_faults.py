"""A fault of ours ends one execution, and nothing waits for it for ever."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from batuta.engine.commands import AnyCommand
from batuta.engine.events import AnyEvent, TaskFinished
from batuta.model.state import State
from batuta.server.executor.draft import Draft
from batuta.server.executor.live import Live
from batuta.server.executor.move import Mover
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
