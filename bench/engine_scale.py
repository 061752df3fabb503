"""What one task run costs the engine, in time and memory, however many there are: loops, branches, nested levels."""

import gc
import tracemalloc
from collections import deque
from collections.abc import Callable, Mapping
from time import process_time

from batuta.engine.commands import RunTask
from batuta.engine.events import AnyEvent, Created, TaskFinished
from batuta.engine.execution import Execution
from batuta.engine.plan import AnyNode, Each, Leaf, Parallel, Plan, Sequence
from batuta.engine.step import step
from batuta.model.ids import ExecutionId, FlowKey, TaskId
from batuta.model.instant import Instant
from batuta.model.state import History, State
from bench.figure import Bound, Figure

FLOW = FlowKey("main", "bench", "flow")
NOW = Instant(0)
FEW, MANY = 100, 100_000
SMALL, BIG = 10, 1_000


def _leaf(name: str) -> Leaf:
    return Leaf(id=TaskId(name), type="bench.Leaf", inline=True)


def _plan(*nodes: AnyNode, tasks: tuple[str, ...]) -> Plan:
    known = {node.id: node for node in nodes}
    return Plan(flow=FLOW, revision=1, nodes=known, tasks=tuple(map(TaskId, tasks)))


def loop(count: int, concurrency: int) -> Plan:
    values = [str(number) for number in range(count)]
    each = Each(id=TaskId("each"), type="bench.Each", values=values, tasks=(TaskId("t"),), concurrency=concurrency)  # fmt: skip
    return _plan(each, _leaf("t"), tasks=("each",))


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
    return {
        "one by one, 100": few,
        "one by one, 100,000": many,
        "all at once, 100": open_few,
        "all at once, 100,000": open_many,
        "ratio, one by one": many / few,
    }


def memory() -> Mapping[str, float]:
    """Beyond the tuple of the values, which grows by its pointers."""
    return {
        "all at once, 10,000": _peak_bytes(lambda: loop(10_000, 0)) / 1e6,
        "all at once, 100,000": _peak_bytes(lambda: loop(MANY, 0)) / 1e6,
        "one by one, 100,000": _peak_bytes(lambda: loop(MANY, 1)) / 1e6,
    }


def shapes() -> Mapping[str, float]:
    return {
        "10 branches": _micros(lambda: branches(SMALL), rounds=50),
        "1,000 branches": _micros(lambda: branches(BIG), rounds=3),
        "10 levels": _micros(lambda: levels(SMALL), rounds=50),
        "1,000 levels": _micros(lambda: levels(BIG), rounds=3),
    }


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
            "10 branches": Bound("µs"),
            "1,000 branches": Bound("µs"),
            "10 levels": Bound("µs"),
            "1,000 levels": Bound("µs"),
        },
        shapes,
        runs=3,
    ),
)
