"""Commits per second of the SQLite store at `synchronous=FULL`, and what one row of a turn costs.

A caller does for each execution what the server does for the bench flow: one commit that creates it, one that ends it
with two task runs, outputs and a log. Prints JSON: medians of several runs, with the load of the machine.

    python bench/store_commits.py [--seconds 3] [--runs 3]
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
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

FLOW = FlowKey("main", "company.team", "bench")
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


async def measure(callers: int, seconds: float) -> dict[str, float]:
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
                    until=wall + seconds,
                    latencies=latencies,
                )
                group.create_task(work)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        await store.close()
    executions = len(latencies)
    return {
        "executions_per_s": executions / wall,
        "commits_per_s": 2 * executions / wall,
        "p50_ms": statistics.median(latencies) * 1000,
        "cpu_us_per_row": cpu / (executions * ROWS) * 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    report: dict[str, object] = {"load": os.getloadavg()[0]}
    for callers in (1, 64):
        runs = [asyncio.run(measure(callers, options.seconds)) for _ in range(options.runs)]
        report[f"callers_{callers}"] = {
            name: round(statistics.median(run[name] for run in runs), 2) for name in runs[0]
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
