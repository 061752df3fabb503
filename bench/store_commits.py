"""Commits per second of the SQLite store at `synchronous=FULL`, and what one row of a turn costs.

A caller does for each execution what the server does for the bench flow: one commit that creates it, one that ends it
with two task runs, outputs and logs. The CPU includes making the rows.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from batuta.engine.events import Created
from batuta.engine.execution import Attempt, Execution, TaskRun
from batuta.model.ids import ExecutionId, FlowKey, TaskId, derived_id, partition_of
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import History, State
from batuta.store.contract import Store
from batuta.store.rows import Committed, ExecutionRow, LogRow, Mail, OutputRow, TaskRunRow, Turn
from batuta.store.sqlite import SqliteStore
from bench.figure import Bound, Figure

FLOW = FlowKey("main", "company.team", "bench")
SECONDS = 3
ROWS = 10
"""Of one execution: it twice, its inbox event twice, two task runs, two outputs, two logs."""


def created(number: int, at: int) -> Turn:
    id_ = ExecutionId(f"{number:022d}")
    execution = Execution(
        id=id_,
        flow=FLOW,
        revision=1,
        histories=(History(State.CREATED, Instant(at)),),
        labels=(Label("system.correlationId", id_),),
        original_id=id_,
        inputs={"day": "2026-11-21"},
    )
    return Turn(
        created=[ExecutionRow(execution=execution)], inbox=[Mail(id_, Created(at=Instant(at)))]
    )


def ended(start: Turn, event: int, at: int) -> Turn:
    execution = start.created[0].execution
    done = (
        *execution.histories,
        History(State.RUNNING, Instant(at)),
        History(State.SUCCESS, Instant(at + 900)),
    )
    runs = [
        TaskRun(
            id=derived_id(execution.id, ordinal),
            task_id=TaskId(task),
            ordinal=ordinal,
            histories=done,
            attempts=(Attempt(done),),
        )
        for ordinal, task in enumerate(("values", "hello"))
    ]
    return Turn(
        fences={partition_of(execution.id): 1},
        executions=[
            Execution(id=execution.id, flow=FLOW, revision=1, histories=done, created_runs=2)
        ],
        task_runs=[TaskRunRow(execution_id=execution.id, run=run) for run in runs],
        outputs=[
            OutputRow(
                execution_id=execution.id,
                ordinal=run.ordinal,
                task_id=run.task_id,
                task_run_id=run.id,
                data=b'{"values":{"greeting":"hello"}}',
            )
            for run in runs
        ],
        logs=[
            LogRow(
                at=Instant(at),
                level="INFO",
                message="hello from the bench",
                flow=FLOW,
                execution_id=execution.id,
                task_id=run.task_id,
                task_run_id=run.id,
                attempt=0,
            )
            for run in runs
        ],
        inbox_done=[event],
    )


class Inbox:
    """Ids of the events that wait, by execution."""

    def __init__(self, store: Store) -> None:
        self.ids: dict[str, int] = {}
        store.changes(self.hear)

    def hear(self, committed: Committed) -> None:
        self.ids |= {row.execution_id: row.id for row in committed.inbox}


async def caller(
    store: Store, inbox: Inbox, *, first: int, until: float, latencies: list[float]
) -> None:
    number = first
    while time.perf_counter() < until:
        began = time.perf_counter()
        start = created(number, 1_700_000_000_000_000 + number)
        await store.commit(start)
        event = inbox.ids.pop(start.created[0].execution.id)
        await store.commit(ended(start, event, 1_700_000_000_001_000 + number))
        latencies.append(time.perf_counter() - began)
        number += 1


async def _measure(callers: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteStore.open(Path(folder) / "bench.db")
        await store.queues.acquire_partitions("bench", now=Instant(0), ttl=1 << 60)
        inbox = Inbox(store)
        latencies: list[float] = []
        cpu, wall = time.process_time(), time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(callers):
                work = caller(
                    store,
                    inbox,
                    first=number * 10_000_000,
                    until=wall + SECONDS,
                    latencies=latencies,
                )
                group.create_task(work)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        await store.close()
    return {
        "rate": 2 * len(latencies) / wall,
        "p50": statistics.median(latencies) * 1000 / 2,
        "row": cpu / (len(latencies) * ROWS) * 1e6,
    }


def alone() -> Mapping[str, float]:
    return asyncio.run(_measure(1))


def together() -> Mapping[str, float]:
    return asyncio.run(_measure(64))


def _bounds(*, must: float, aim: float) -> dict[str, Bound]:
    return {
        "rate": Bound("commits/s", must=must, aim=aim, more_is_better=True),
        "p50": Bound("ms"),
        "row": Bound("µs of CPU"),
    }


FIGURES = (
    Figure("store-1", "store, one caller", _bounds(must=200, aim=1000), alone, runs=3),
    Figure("store-64", "store, 64 callers", _bounds(must=1000, aim=4000), together, runs=3),
)
