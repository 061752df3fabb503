"""What one task run costs the engine, in time and memory, however many there are: loops, branches, nested levels."""

import gc
import tracemalloc
from collections import deque
from collections.abc import Callable, Mapping
from time import process_time

from batuta.engine.commands import RunTask
from batuta.engine.events import AnyEvent, Created, TaskFinished
from batuta.engine.execution import Execution
from batuta.engine.plan import AnyNode, Choice, Dag, Each, Leaf, Parallel, Plan, Sequence
from batuta.engine.step import step
from batuta.model.ids import ExecutionId, FlowKey, TaskId
from batuta.model.instant import Instant
from batuta.model.state import History, State
from bench.figure import Bound, Figure

FLOW = FlowKey("main", "bench", "flow")
NOW = Instant(0)
FEW, MANY = 100, 100_000
SMALL, MIDDLE, BIG = 10, 100, 1_000


def _leaf(name: str) -> Leaf:
    return Leaf(id=TaskId(name), type="bench.Leaf", inline=True)


def _plan(*nodes: AnyNode, tasks: tuple[str, ...]) -> Plan:
    known = {node.id: node for node in nodes}
    return Plan(flow=FLOW, revision=1, nodes=known, tasks=tuple(map(TaskId, tasks)))


def loop(count: int, concurrency: int) -> Plan:
    values = [str(number) for number in range(count)]
    each = Each(id=TaskId("each"), type="bench.Each", values=values, tasks=(TaskId("t"),), concurrency=concurrency)  # fmt: skip
    return _plan(each, _leaf("t"), tasks=("each",))


def rich_loop(count: int) -> Plan:
    """An If, and a Sequential with two tasks, for each value; all at once."""
    values = [str(number) for number in range(count)]
    inside = (TaskId("if"), TaskId("both"))
    each = Each(id=TaskId("each"), type="bench.Each", values=values, tasks=inside, concurrency=0)
    choice = Choice(
        id=TaskId("if"),
        type="bench.If",
        value="true",
        is_condition=True,
        cases={"true": (TaskId("a"),)},
    )
    both = Sequence(id=TaskId("both"), type="bench.Sequence", tasks=(TaskId("b"), TaskId("c")))
    return _plan(each, choice, both, *map(_leaf, "abc"), tasks=("each",))


def in_a_row(count: int) -> Plan:
    names = tuple(f"t{number}" for number in range(count))
    return _plan(*map(_leaf, names), tasks=names)


def dag(count: int) -> Plan:
    """The first task, all others that need it, and a last one that needs them."""
    names = tuple(TaskId(f"t{number}") for number in range(count))
    needs = {**dict.fromkeys(names[1:-1], names[:1]), names[-1]: names[1:-1]}
    node = Dag(id=TaskId("dag"), type="bench.Dag", tasks=names, depends_on=needs)
    return _plan(node, *map(_leaf, names), tasks=("dag",))


def branches(count: int) -> Plan:
    names = tuple(TaskId(f"t{number}") for number in range(count))
    parallel = Parallel(id=TaskId("parallel"), type="bench.Parallel", tasks=names)
    return _plan(parallel, *map(_leaf, names), tasks=("parallel",))


def levels(count: int) -> Plan:
    nodes: list[AnyNode] = [_leaf("t")]
    for number in range(count):
        inner = (nodes[-1].id,)
        nodes.append(Sequence(id=TaskId(f"s{number}"), type="bench.Sequence", tasks=inner))
    return _plan(*nodes, tasks=(nodes[-1].id,))


def drive(plan: Plan) -> int:
    """Run an execution whose tasks all succeed at once; the number of its task runs."""
    created = (History(State.CREATED, NOW),)
    execution = Execution(id=ExecutionId("bench"), flow=FLOW, revision=1, histories=created)
    events: deque[AnyEvent] = deque([Created(at=NOW)])
    while events:
        result = step(plan, execution, events.popleft())
        execution = result.execution
        for command in result.commands:
            if isinstance(command, RunTask):
                run_id, attempt = command.task_run.id, command.attempt
                done = TaskFinished(
                    at=NOW, task_run_id=run_id, attempt=attempt, state=State.SUCCESS
                )
                events.append(done)
    if execution.state is not State.SUCCESS:
        raise RuntimeError(f"the execution ended {execution.state}")
    return execution.created_runs


def _micros(make: Callable[[], Plan], *, rounds: int = 1) -> float:
    """Microseconds of processor time for one task run, the best of the rounds."""
    plan = make()
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        start = process_time()
        runs = drive(plan)
        best = min(best, (process_time() - start) / runs)
    return best * 1e6


def _peak_bytes(make: Callable[[], Plan]) -> float:
    """The most memory held at once beyond the plan, which has the values."""
    plan = make()
    gc.collect()
    tracemalloc.start()
    drive(plan)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return float(peak)


def loops() -> Mapping[str, float]:
    few = _micros(lambda: loop(FEW, 1), rounds=20)
    many = _micros(lambda: loop(MANY, 1))
    open_few = _micros(lambda: loop(FEW, 0), rounds=20)
    open_many = _micros(lambda: loop(MANY, 0))
    rich_few = _micros(lambda: rich_loop(FEW), rounds=10)
    rich_many = _micros(lambda: rich_loop(MANY // 5))
    return {
        "one by one, 100": few,
        "one by one, 100,000": many,
        "all at once, 100": open_few,
        "all at once, 100,000": open_many,
        "ratio, one by one": many / few,
        "spread, all at once": _spread(open_few, open_many),
        "spread, five task runs an item": _spread(rich_few, rich_many),
    }


def _spread(*costs: float) -> float:
    """How far the costs are from their middle: 0.2 is ±20 %."""
    return (max(costs) - min(costs)) / (max(costs) + min(costs))


def memory() -> Mapping[str, float]:
    """Beyond the tuple of the values, which grows by its pointers."""
    return {
        "all at once, 10,000": _peak_bytes(lambda: loop(10_000, 0)) / 1e6,
        "all at once, 100,000": _peak_bytes(lambda: loop(MANY, 0)) / 1e6,
        "one by one, 100,000": _peak_bytes(lambda: loop(MANY, 1)) / 1e6,
    }


SHAPES: Mapping[str, Callable[[int], Plan]] = {
    "branches": branches,
    "levels": levels,
    "tasks in a row": in_a_row,
    "tasks of a Dag": dag,
}


def shapes() -> Mapping[str, float]:
    found: dict[str, float] = {}
    for name, make in SHAPES.items():
        few = _micros(lambda make=make: make(SMALL), rounds=50)  # type: ignore[misc]
        some = _micros(lambda make=make: make(MIDDLE), rounds=10)  # type: ignore[misc]
        many = _micros(lambda make=make: make(BIG), rounds=5)  # type: ignore[misc]
        found |= {f"{SMALL} {name}": few, f"{BIG:,} {name}": many}
        found[f"spread, {name}"] = _spread(some, many)
    return found


FIGURES = (
    Figure(
        "engine_loop",
        "engine: one item of a loop",
        {
            "one by one, 100": Bound("µs"),
            "one by one, 100,000": Bound("µs", must=150),
            "all at once, 100": Bound("µs"),
            "all at once, 100,000": Bound("µs", must=200),
            "ratio, one by one": Bound("×", must=1.2),
            "spread, all at once": Bound("", must=0.2),
            "spread, five task runs an item": Bound("", must=0.2),
        },
        loops,
        runs=3,
    ),
    Figure(
        "engine_memory",
        "engine: most memory of a loop at once",
        {
            "all at once, 10,000": Bound("MB"),
            "all at once, 100,000": Bound("MB", must=40),
            "one by one, 100,000": Bound("MB"),
        },
        memory,
        runs=1,
    ),
    Figure(
        "engine_shapes",
        "engine: one task run in wide and deep flows",
        {
            name: bound
            for shape in SHAPES
            for name, bound in {
                f"{SMALL} {shape}": Bound("µs"),
                f"{BIG:,} {shape}": Bound("µs"),
                f"spread, {shape}": Bound("", must=0.2),
            }.items()
        },
        shapes,
        runs=3,
    ),
)
