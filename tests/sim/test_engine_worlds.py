"""The engine in seeded worlds; `python -m batuta.testing simulate --seeds N` runs more of them (09 §9)."""

import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from batuta.engine.commands import AnyCommand
from batuta.engine.events import AnyEvent
from batuta.engine.plan import AnyNode, Plan
from batuta.flow.compile import compile_flow
from batuta.flow.read import read_flow
from batuta.model.ids import TaskId
from batuta.model.state import State
from batuta.operations.flows.source import documents
from batuta.sdk.registry import Registry
from batuta.testing.simulate import main, report, run
from batuta.testing.simulate.case import Case, read_case
from batuta.testing.simulate.check import BreachError, Rows
from batuta.testing.simulate.dice import Dice
from batuta.testing.simulate.happening import OPERATIONS, Operation
from batuta.testing.simulate.outside import Outside
from batuta.testing.simulate.show import flow_text
from batuta.testing.simulate.shrink import breach_of, shortest
from batuta.testing.simulate.world import World

BLOCKS = 50
MARK_BLOCKS = 10
SEEDS_PER_BLOCK = 400

REGRESSIONS = [
    read_case(line)
    for line in (Path(__file__).parent / "regressions/engine.jsonl").read_text().splitlines()
]
"""What happened in worlds that once broke an invariant."""


@pytest.mark.parametrize("block", range(BLOCKS))
def test_worlds_keep_all_invariants(block: int) -> None:
    for seed in range(block * SEEDS_PER_BLOCK, (block + 1) * SEEDS_PER_BLOCK):
        assert run(World(seed)) is None, f"seed {seed}"


@pytest.mark.parametrize("block", range(MARK_BLOCKS))
def test_worlds_whose_task_runs_are_marked_while_they_are_live(block: int) -> None:
    for seed in range(block * SEEDS_PER_BLOCK, (block + 1) * SEEDS_PER_BLOCK):
        assert run(World(seed, marks=2)) is None, f"seed {seed}"


@pytest.mark.parametrize("case", REGRESSIONS, ids=lambda case: case.name)
def test_worlds_that_once_broke(case: Case) -> None:
    assert breach_of(case.plan, case.start, case.happened) is None


def test_every_kind_of_node_event_command_and_operation_takes_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    commands: set[str] = set()
    obey = Outside.obey

    def hear(self: Outside, command: AnyCommand) -> Iterator[AnyEvent]:
        commands.add(type(command).__name__)
        return obey(self, command)

    monkeypatch.setattr(Outside, "obey", hear)
    nodes: set[str] = set()
    happened: set[str] = set()
    states: set[State] = set()
    for seed in range(1_000):
        world = World(seed)
        run(world)
        for task_run in world.rows.runs.values():
            nodes.add(type(world.rows.plan.nodes.get(task_run.task_id)).__name__)
            states.update(entry.state for entry in task_run.histories)
        states.update(entry.state for entry in world.rows.execution.histories)
        for each in world.happened:
            happened.add(each.kind if isinstance(each, Operation) else type(each).__name__)
    assert _names(AnyNode) <= nodes
    assert _names(AnyEvent) | {*OPERATIONS, "Silence"} <= happened
    assert _names(AnyCommand) <= commands
    assert set(State) - {State.RESUBMITTED} <= states


def _names(union: object) -> set[str]:
    return {each.__name__ for each in get_args(union)}


def test_the_flow_of_a_world_is_yaml_that_compiles_to_the_same_plan() -> None:
    registry = Registry.installed()
    for seed in range(150):
        plan = World(seed).plan
        flow, child = flow_text(plan).split("\n---\n")
        assert read_flow(child, registry).is_valid
        reading = read_flow(flow, registry)
        assert reading.flow is not None, f"seed {seed}: {reading.problems}"
        compiled = compile_flow(reading.flow, key=plan.flow, revision=1)
        assert _shape(compiled, plan.nodes) == _shape(plan, plan.nodes), f"seed {seed}"


def _shape(plan: Plan, names: Iterable[TaskId]) -> object:
    """What the engine is to do, without properties that workers read."""
    lists = ("tasks", "errors", "finally_", "defaults", "depends_on", "concurrent")
    common = ("allow_failure", "allow_warning", "concurrency", "ordered", "behavior", "wait")
    nodes = {
        name: [type(plan.nodes[name]).__name__]
        + [getattr(plan.nodes[name], field, None) for field in (*lists, *common)]
        + [(case, tasks) for case, tasks in getattr(plan.nodes[name], "cases", {}).items() if tasks]
        for name in names
    }
    sla = [(each.id, each.behavior, each.duration) for each in plan.sla]
    return (plan.tasks, plan.errors, plan.finally_, plan.after, sla, plan.concurrency, nodes)


def test_a_seed_is_a_world() -> None:
    first, second = World(5), World(5)
    run(first)
    run(second)
    assert first.happened == second.happened
    assert first.rows.runs == second.rows.runs


def test_the_command_counts_what_it_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "5", "--start", "7"]) == 0
    told = capsys.readouterr().out
    assert "level 1: 5 seeds, " in told
    assert "level 2: 1 seeds, " in told


def test_a_breach_is_shown_with_its_flow_and_the_shortest_way_to_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def strict(self: Rows) -> None:
        if any(run.attempts for run in self.execution.runs.values()):
            raise BreachError("a task has begun")

    monkeypatch.setattr(Rows, "_check_live", strict)
    world = World(1)
    breach = run(world)
    assert breach == "a task has begun"
    happened = shortest(world.plan, world.start, world.happened)
    assert breach_of(world.plan, world.start, happened) == breach
    longer = [each for each in map(World, range(20)) if run(each) == breach]
    fewer = [shortest(each.plan, each.start, each.happened) for each in longer]
    assert sum(map(len, fewer)) < sum(len(each.happened) for each in longer)
    out = io.StringIO()
    report(world, breach, seed=1, out=out, full=True)
    assert out.getvalue().startswith("# seed 1: a task has begun\nid: flow\n")
    assert "\n#         PT0S Created" in out.getvalue()
    first = documents(out.getvalue())[0]
    assert read_flow(first, Registry.installed()).flow is not None
    monkeypatch.setattr(sys, "stdout", out)
    kept = tmp_path / "kept.jsonl"
    assert main(["--level", "1", "--seeds", "1", "--start", "1", "--keep", str(kept)]) == 1
    case = read_case(kept.read_text().removesuffix("\n"))
    assert breach_of(case.plan, case.start, case.happened) == breach


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
