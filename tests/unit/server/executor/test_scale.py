"""A big execution in the executor: what it writes, keeps and renders for an item, and that nobody waits for it."""

import asyncio
import json
from pathlib import Path

import pytest

from batuta.model.state import State
from batuta.server.executor.live import MOST_OUTPUTS
from batuta.server.executor.move import Move
from batuta.server.executor.rendering import Rendering
from batuta.server.executor.turn import share
from batuta.server.executor.turn.long import PIECE
from batuta.store.memory import MemoryStore
from batuta.store.rows import Turn
from tests.unit.server.installation import Installation

FEW, MANY = 100, 3_000
SMALL = """
id: small
namespace: scale
tasks:
  - id: values
    type: io.kestra.plugin.core.output.OutputValues
    values:
      greeting: hello
  - id: log
    type: io.kestra.plugin.core.log.Log
    message: "{{ outputs.values.values.greeting }}"
"""


def big(limit: int) -> str:
    return f"""
id: big{limit}
namespace: scale
inputs:
  - id: items
    type: JSON
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.ForEach
    values: "{{{{ inputs.items }}}}"
    concurrencyLimit: {limit}
    tasks:
      - id: one
        type: io.kestra.plugin.core.debug.Return
        format: "{{{{ taskrun.value }}}}"
      - id: two
        type: io.kestra.plugin.core.debug.Return
        format: "{{{{ outputs.one[taskrun.value].value }}}}"
  - id: first
    type: io.kestra.plugin.core.debug.Return
    format: "{{{{ outputs.two['item 0'].value }}}} of {{{{ outputs.two | length }}}}"
"""


def items(count: int) -> str:
    return json.dumps([f"item {number}" for number in range(count)])


class Counted:
    """What went through the store and the renderer, from the outside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = 0
        self.mail = 0
        self.widest = 0
        self.renderings = 0
        self.pieces = 0
        commit, attempt, go_on = MemoryStore.commit, Rendering.attempt, Move.go_on

        async def counted_commit(store: MemoryStore, turn: Turn) -> None:
            self.rows += len(turn.task_runs) + len(turn.outputs)
            self.mail += len(turn.inbox)
            self.widest = max(self.widest, len(turn.task_runs) + len(turn.outputs))
            await commit(store, turn)

        async def counted_attempt(rendering: Rendering, *args: object, **fields: object) -> object:
            self.renderings += 1
            return await attempt(rendering, *args, **fields)  # type: ignore[arg-type]

        async def counted_pieces(move: Move, pieces: int) -> None:
            self.pieces += pieces
            await go_on(move, pieces)

        monkeypatch.setattr(MemoryStore, "commit", counted_commit)
        monkeypatch.setattr(Rendering, "attempt", counted_attempt)
        monkeypatch.setattr(Move, "go_on", counted_pieces)


@pytest.mark.parametrize("limit", [1, 10, 0])
def test_an_item_writes_and_renders_the_same_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    async def work(count: int) -> Counted:
        counted = Counted(monkeypatch)
        monkeypatch.setattr(share, "ALONE", share.BESIDE)  # else it depends on how long this takes
        installation = Installation(tmp_path)
        flow = await installation.save(big(limit))
        installation.run()
        view = await installation.ended(await installation.start(flow, items=items(count)))
        assert view.row.execution.state is State.SUCCESS
        (output,) = await installation.store.executions.outputs(
            view.row.execution.id, task_run_ids=[view.runs[-1].run.id]
        )
        assert json.loads(output.data or b"") == {"value": f"item 0 of {count}"}
        await installation.crash()
        monkeypatch.undo()
        return counted

    few, many = asyncio.run(work(FEW)), asyncio.run(work(MANY))
    assert many.rows / MANY == pytest.approx(few.rows / FEW, rel=0.2)
    assert many.renderings / MANY == pytest.approx(few.renderings / FEW, rel=0.1)
    assert many.mail / MANY <= 2.1
    if limit:
        assert many.widest <= 5 * share.BESIDE


def test_outputs_of_ended_items_leave_memory(tmp_path: Path) -> None:
    async def work() -> None:
        installation = Installation(tmp_path)
        flow = await installation.save(
            big(10) + "  - {id: wait, type: io.kestra.plugin.core.flow.Pause}\n"
        )
        installation.run()
        execution_id = await installation.start(flow, items=items(MANY))
        await installation.until(execution_id, lambda one: one.state is State.PAUSED)
        residents = installation.roles.executor._residents
        live = await residents.get(execution_id)
        assert live is not None
        kept = [
            child
            for tree in (live.trees["one"], live.trees["two"])
            for child in tree.children.values()
            if isinstance(child.content, dict)
        ]
        assert len(kept) <= MOST_OUTPUTS
        assert len(live.execution.runs) == 1
        await installation.crash()

    asyncio.run(work())


@pytest.mark.parametrize("limit", [10, 0])
def test_a_small_execution_does_not_wait_for_a_big_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Between its creation and its end the big one does a few pieces, however much it still has to do."""

    async def work() -> None:
        installation = Installation(tmp_path)
        small = await installation.save(SMALL)
        flow = await installation.save(big(limit))
        installation.run()
        execution_id = await installation.start(flow, items=items(MANY))
        await installation.until(execution_id, lambda one: one.created_runs > FEW)
        counted = Counted(monkeypatch)
        worst = 0
        for _ in range(20):
            before = counted.pieces
            view = await installation.ended(await installation.start(small))
            assert view.row.execution.state is State.SUCCESS
            worst = max(worst, counted.pieces - before)
        row = await installation.store.executions.get(execution_id)
        assert row is not None
        assert not row.execution.state.is_terminal
        assert worst <= 12 * PIECE
        await installation.crash()

    asyncio.run(work())
