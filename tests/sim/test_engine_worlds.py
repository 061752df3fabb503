"""The engine in seeded worlds; `python -m batuta.testing simulate --seeds N` runs more of them (09 §9)."""

import io
import sys

import pytest

from batuta.testing.simulate import main, report, run
from batuta.testing.simulate.check import BreachError, Rows
from batuta.testing.simulate.dice import Dice
from batuta.testing.simulate.happening import Operation
from batuta.testing.simulate.shrink import breach_of, shortest
from batuta.testing.simulate.world import World

BLOCKS = 50
MARK_BLOCKS = 10
SEEDS_PER_BLOCK = 400

REGRESSIONS = [
    # seeds that once broke an invariant
    3, 8, 21, 25, 70, 85, 125, 149, 277, 302, 336, 344, 364, 475, 592, 596, 635, 655, 696, 722, 794, 804, 909, 1360, 1411, 1495,
    1851, 4462, 108054, 109302, 113383, 124289, 208672, 226035, 226848, 228248, 312136, 2007476, 2025924,
]  # fmt: skip


@pytest.mark.parametrize("block", range(BLOCKS))
def test_worlds_keep_all_invariants(block: int) -> None:
    for seed in range(block * SEEDS_PER_BLOCK, (block + 1) * SEEDS_PER_BLOCK):
        assert run(World(seed)) is None, f"seed {seed}"


@pytest.mark.parametrize("block", range(MARK_BLOCKS))
def test_worlds_whose_task_runs_are_marked_while_they_are_live(block: int) -> None:
    for seed in range(block * SEEDS_PER_BLOCK, (block + 1) * SEEDS_PER_BLOCK):
        assert run(World(seed, marks=2)) is None, f"seed {seed}"


@pytest.mark.parametrize("seed", REGRESSIONS)
def test_worlds_that_once_broke(seed: int) -> None:
    assert run(World(seed)) is None


def test_a_seed_is_a_world() -> None:
    first, second = World(5), World(5)
    run(first)
    run(second)
    assert first.happened == second.happened
    assert first.rows.runs == second.rows.runs


def test_the_command_counts_what_it_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "5", "--start", "7"]) == 0
    assert "5 seeds" in capsys.readouterr().out


def test_a_breach_is_shown_with_its_flow_and_the_shortest_way_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def strict(self: Rows) -> None:
        if any(run.attempts for run in self.execution.runs.values()):
            raise BreachError("a task has begun")

    monkeypatch.setattr(Rows, "_check_live", strict)
    world = World(1)
    breach = run(world)
    assert breach == "a task has begun"
    happened = shortest(world.plan, world.start, world.happened)
    assert len(happened) < len(world.happened) or len(happened) == 1
    assert breach_of(world.plan, world.start, happened) == breach
    out = io.StringIO()
    report(world, breach, seed=1, out=out, full=True)
    assert out.getvalue().startswith("seed 1: a task has begun\nid: flow\n")
    assert "tasks:\n  - id: leaf1  # Leaf" in out.getvalue()
    assert "Created" in out.getvalue()
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["--seeds", "1", "--start", "1"]) == 1


def test_a_breach_of_the_world_itself_is_not_shortened() -> None:
    world = World(2)
    run(world)
    assert shortest(world.plan, world.start, world.happened) == world.happened


def test_an_engine_that_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: Rows, _event: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Rows, "take", broken)
    world = World(3)
    assert run(world) == "ZeroDivisionError()"
    assert breach_of(world.plan, world.start, world.happened) == "ZeroDivisionError()"


def test_operations_are_replayed_too() -> None:
    worlds = (World(seed) for seed in range(200))
    for world in worlds:
        run(world)
        if any(isinstance(happening, Operation) for happening in world.happened):
            assert breach_of(world.plan, world.start, world.happened) is None
            return
    pytest.fail("no operation in 200 worlds")


def test_dice_follow_from_their_seed() -> None:
    assert [Dice(1).below(100) for _ in range(2)] == [Dice(1).below(100)] * 2
    dice = Dice(9)
    numbers = [dice.below(10) for _ in range(2_000)]
    assert all(150 < numbers.count(digit) < 250 for digit in range(10))
