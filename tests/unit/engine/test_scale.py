"""What one task run costs does not depend on how many there are (09 §5): counted, not timed."""

from collections import deque
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from batuta.engine.commands import RunSaved, RunTask, Step
from batuta.engine.events import AnyEvent, Created, TaskFinished
from batuta.engine.execution import Execution, TaskRun
from batuta.engine.plan import AnyNode, Choice, Dag, Each, Leaf, Parallel, Plan, Sequence
from batuta.engine.step import step
from batuta.engine.turn import WINDOW
from batuta.model import codec
from batuta.model.ids import ExecutionId, FlowKey, TaskId
from batuta.model.instant import Instant
from batuta.model.state import History, State

NOW = Instant(0)
FEW, MANY = 100, 3_000
LEVELS = 1_000


@dataclass
class Cost:
    """Of one execution that was driven to its end."""

    runs: int = 0
    steps: int = 0
    saved: int = 0
    most_live: int = 0
    widest_row: int = 0

    def count(self, result: Step) -> None:
        self.steps += 1
        self.most_live = max(self.most_live, len(result.execution.runs))
        for change in result.changes:
            if isinstance(change, RunSaved):
                self.saved += 1
                self.widest_row = max(self.widest_row, _row_bytes(change.task_run))
        self.widest_row = max(self.widest_row, len(codec.encode(result.execution.progress)))


def _row_bytes(run: TaskRun) -> int:
    """Without the values of a loop, which the store keeps apart and writes once."""
    progress = run.progress
    if progress is not None and progress.items is not None:
        progress = replace(progress, items=None)
    return len(codec.encode(replace(run, progress=progress)))


def cost(plan: Plan) -> Cost:
    execution = Execution(
        id=ExecutionId("scale"),
        flow=plan.flow,
        revision=1,
        histories=(History(State.CREATED, NOW),),
    )
    events: deque[AnyEvent] = deque([Created(at=NOW)])
    found = Cost()
    while events:
        result = step(plan, execution, events.popleft())
        execution = result.execution
        found.count(result)
        events.extend(
            TaskFinished(
                at=NOW, task_run_id=one.task_run.id, attempt=one.attempt, state=State.SUCCESS
            )
            for one in result.commands
            if isinstance(one, RunTask)
        )
    assert execution.state is State.SUCCESS
    assert not execution.runs
    found.runs = execution.created_runs
    return found


def plan_of(*nodes: AnyNode, tasks: tuple[str, ...]) -> Plan:
    known = {node.id: node for node in nodes}
    return Plan(
        flow=FlowKey("main", "scale", "flow"),
        revision=1,
        nodes=known,
        tasks=tuple(map(TaskId, tasks)),
    )


def leaf(name: str) -> Leaf:
    return Leaf(id=TaskId(name), type="x", inline=True)


def loop(count: int, concurrency: int) -> Plan:
    """An If and a Sequential with two tasks for each value."""
    return plan_of(
        Each(
            id=TaskId("each"),
            type="x",
            values=[str(number) for number in range(count)],
            tasks=(TaskId("if"), TaskId("both")),
            concurrency=concurrency,
        ),
        Choice(
            id=TaskId("if"),
            type="x",
            value="true",
            is_condition=True,
            cases={"true": (TaskId("a"),)},
        ),
        Sequence(id=TaskId("both"), type="x", tasks=(TaskId("b"), TaskId("c"))),
        leaf("a"),
        leaf("b"),
        leaf("c"),
        tasks=("each",),
    )


@pytest.mark.parametrize("concurrency", [1, 10, 0])
def test_an_item_of_a_loop_costs_the_same_however_many_there_are(concurrency: int) -> None:
    few, many = cost(loop(FEW, concurrency)), cost(loop(MANY, concurrency))
    assert many.steps / many.runs == pytest.approx(few.steps / few.runs, rel=0.05)
    assert many.saved / many.runs == pytest.approx(few.saved / few.runs, rel=0.2)
    assert many.widest_row <= few.widest_row + 32
    # Besides the items themselves what is inside them, and the loop.
    assert many.most_live <= 2 * (concurrency or WINDOW) + 3


@pytest.mark.parametrize(
    "depends_on",
    [
        lambda place: (place - 1,),
        lambda place: (0,),
        lambda place: (place // 2,),
        lambda place: tuple(range(max(place - 3, 0), place)),
    ],
    ids=["chain", "fan", "tree", "several"],
)
def test_a_dag_of_many_tasks_remembers_little(depends_on: object) -> None:
    assert callable(depends_on)
    names = tuple(TaskId(f"t{number}") for number in range(LEVELS))
    needs = {
        names[place]: tuple(names[other] for other in depends_on(place))
        for place in range(1, LEVELS)
    }
    dag = Dag(id=TaskId("dag"), type="x", tasks=names, depends_on=needs)
    found = cost(plan_of(dag, *map(leaf, names), tasks=("dag",)))
    assert found.runs == LEVELS + 1
    assert found.widest_row < LEVELS + 500


@pytest.mark.parametrize("concurrent", [0, 7])
def test_a_branch_costs_the_same_however_many_there_are(concurrent: int) -> None:
    names = tuple(TaskId(f"t{number}") for number in range(LEVELS))
    node = Parallel(id=TaskId("p"), type="x", tasks=names, concurrent=concurrent)
    found = cost(plan_of(node, *map(leaf, names), tasks=("p",)))
    assert found.runs == found.steps == LEVELS + 1
    assert found.widest_row < 500


def test_a_thousand_levels_are_no_deeper_for_the_engine_than_one() -> None:
    nodes: list[AnyNode] = [leaf("t")]
    for number in range(LEVELS):
        inner = (nodes[-1].id,)
        each = Each(id=TaskId(f"e{number}"), type="x", values=["v"], tasks=inner)
        choice = Choice(id=TaskId(f"c{number}"), type="x", value="x", cases={"x": (each.id,)})
        nodes += [each, choice]
    found = cost(plan_of(*nodes, tasks=(nodes[-1].id,)))
    assert found.runs == 2 * LEVELS + 1
    assert found.steps == 2
