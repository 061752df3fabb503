"""Whole servers in seeded worlds; `python -m batuta.testing simulate --level 2 --seeds N` runs more (09 §9)."""

import asyncio
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from batuta.engine.events import AnyEvent
from batuta.engine.plan import AnyNode
from batuta.flow.read import read_flow
from batuta.operations.flows.source import documents
from batuta.sdk.registry import Registry
from batuta.store.rows import Committed
from batuta.testing.simulate import main
from batuta.testing.simulate.check import BreachError
from batuta.testing.simulate.level2 import report, simulate
from batuta.testing.simulate.level2.case import read_case, write_case
from batuta.testing.simulate.level2.loop import StandstillError, VirtualLoop
from batuta.testing.simulate.level2.orders import KINDS
from batuta.testing.simulate.level2.watch import Watch
from batuta.testing.simulate.level2.world import World

BLOCKS = 40
SEEDS_PER_BLOCK = 25
UNSEEN = {"AttemptRefused", "RestartRequested", "MarkRequested"}
"""Worker groups are for workers of their own; the others are edits of rows, counted as orders."""
FAULTS = (
    "crash", "stop", "steal", "rival", "step", "lose", "doubt", "blind", "die",
)  # fmt: skip
REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.yaml"))
"""Worlds that once broke, as they were printed."""


@pytest.mark.parametrize("block", range(BLOCKS))
def test_servers_keep_all_invariants(block: int) -> None:
    for seed in range(block * SEEDS_PER_BLOCK, (block + 1) * SEEDS_PER_BLOCK):
        assert World(seed).run() is None, f"seed {seed}"


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_worlds_of_servers_that_once_broke(path: Path) -> None:
    assert read_case(path.read_text()).run() is None


def test_every_kind_of_node_event_order_and_fault_takes_part() -> None:
    missing = {each.__name__ for each in (*get_args(AnyNode), *get_args(AnyEvent))}
    missing = (missing | {*KINDS, *FAULTS}) - UNSEEN
    for seed in range(120):
        world = World(seed)
        world.run()
        missing -= world.kinds | set(world.events) | set(world.orders)
        missing -= {each.kind for each in world.happenings if each.kind in FAULTS}
        if not missing:
            return
    pytest.fail(f"never seen: {missing}")


def test_a_seed_is_a_world_of_servers() -> None:
    assert _commits(World(5)) == _commits(World(5))


def test_a_world_can_be_written_and_read() -> None:
    world = World(7)
    text = write_case(7, "why", sources=world.sources, happenings=world.happenings)
    again = read_case(text)
    assert (again.seed, again.sources, again.happenings) == (7, world.sources, world.happenings)


def test_a_breach_is_printed_with_its_flows_and_the_fewest_happenings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def strict(_: Watch, committed: Committed) -> None:
        if committed.jobs:
            raise BreachError("there is work")

    monkeypatch.setattr(Watch, "_check", strict)
    monkeypatch.setattr(Watch, "require_fire", lambda *_: None)
    world = next(each for each in map(World, range(20)) if each.run() is not None)
    out = io.StringIO()
    report(world, "there is work", out=out, full=True)
    again = read_case(out.getvalue().rstrip("\n") + "\n")
    for source in documents(out.getvalue()):
        assert read_flow(source, Registry.installed()).flow is not None
    assert again.run() == "there is work"
    assert len(again.happenings) <= len(world.happenings)
    assert simulate([world.seed], out) == 1


def test_the_command_runs_servers_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--level", "2", "--seeds", "3", "--start", "11"]) == 0
    assert capsys.readouterr().out.startswith("level 2: 3 seeds, ")


def test_virtual_time_jumps_to_the_next_timer() -> None:
    loop = VirtualLoop(lambda: 2.0)

    async def work() -> tuple[float, int]:
        await asyncio.sleep(3600)
        return loop.time(), await loop.run_in_executor(None, loop.micros)

    assert loop.run_until_complete(work()) == (3600.0, 3_602_000_000)
    loop.close()


def test_a_world_in_which_nothing_can_happen_is_told() -> None:
    loop = VirtualLoop(lambda: 0.0)
    with pytest.raises(StandstillError):
        loop.run_until_complete(loop.create_future())
    loop.close()


def _commits(world: World) -> list[str]:
    heard: list[str] = []

    def hear(committed: Committed) -> None:
        states = [(each.id, each.histories) for each in committed.executions]
        heard.append(f"{states} {committed.task_runs} {committed.jobs} {committed.timers}")

    world.listen(hear)
    assert world.run() is None
    return heard


def test_a_seed_is_the_same_world_whatever_strings_hash_to() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_level2 as t; t.tell_commits()"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", script, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": number},
            capture_output=True,
            check=True,
        ).stdout
        for number in ("1", "2")
    ]
    assert told[0] == told[1] != b""


def tell_commits() -> None:
    for seed in (0, 1, 4, 20):
        sys.stdout.write(f"{_commits(World(seed))}\n")
