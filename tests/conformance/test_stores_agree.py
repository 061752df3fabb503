"""The same random work on two stores has the same outcome: errors, rows, order, ids, searches."""

import asyncio
import random

import pytest
from msgspec.structs import replace

from batuta.engine.events import KillRequested
from batuta.engine.execution import Progress
from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import State
from batuta.store.errors import StoreError
from batuta.store.memory import MemoryStore
from batuta.store.query import (
    EXECUTION_FIELDS,
    LOG_FIELDS,
    OPERATORS,
    TRIGGER_FIELDS,
    UNSORTED,
    Filter,
    Kind,
    Op,
    Query,
    Sort,
)
from batuta.store.rows import (
    ExecutionRow,
    Fire,
    JobRow,
    Mail,
    ParentLink,
    SlotRelease,
    SlotRequest,
    TimerRow,
    TriggerKey,
    TriggerRow,
    Turn,
)
from batuta.store.sqlite import SqliteStore
from batuta.testing.suites.samples import execution, log, of, output, task_run

FLOWS = [FlowKey("main", space, name) for space in ("a", "a.b", "ab") for name in ("x", "a.y")]
TEXTS = ["", "a", "a.b", "ab", "x", "a.y", "e1", "E", "_", "%", "RUNNING", "t0", "INFO", "WARN"]
EVERY = range(64)


class Maker:
    """Small worlds, so that keys collide often."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def some(self, make, most=3):
        return [make() for _ in range(self.random.randrange(most))]

    def id(self):
        return ExecutionId(f"e{self.random.randrange(8)}")

    def maybe(self, value):
        return value if self.random.random() < 0.5 else None

    def execution(self):
        states = [State.CREATED, *self.random.choices(list(State), k=self.random.randrange(3))]
        id_ = self.id()
        return execution(
            id_,
            *states,
            at=7 * int(id_[1:]) % 5,
            flow=self.random.choice(FLOWS),
            revision=self.random.randrange(3),
            labels=tuple(Label(k, self.random.choice("pq")) for k in self.random.sample("kl", 1)),
            kind=self.maybe("TEST"),
            trigger=self.maybe({"id": "t0", "variables": {"executionId": self.id()}}),
            parent_id=self.maybe(self.id()),
            created_runs=self.random.randrange(9),
        )

    def created(self):
        link = ParentLink(execution_id=self.id(), task_run_id=TaskRunId("r"))
        return ExecutionRow(execution=self.execution(), link=self.maybe(link))

    def run(self):
        number = self.random.randrange(6)
        items = tuple("ab") if number == 0 else None
        return task_run(
            f"r{number}",
            number,
            *self.random.choices(list(State), k=2),
            task_id=TaskId(f"t{number % 2}"),
            parent_id=TaskRunId(f"r{number // 2 - 1}") if number > 1 else None,
            progress=Progress(items=items, cursor=self.random.randrange(9)),
        )

    def slot(self):
        flow, id_ = self.random.choice(FLOWS[:2]), self.id()
        limit = self.random.randrange(1, 3)
        if self.random.random() < 0.5:
            behavior = self.random.choice(["QUEUE", "FAIL"])
            return SlotRequest(
                flow=flow, execution_id=id_, limit=limit, behavior=behavior, at=Instant(1)
            )
        held = self.random.random() < 0.5
        return SlotRelease(
            flow=flow, execution_id=id_, limit=self.maybe(limit), at=Instant(2), held=held
        )

    def trigger(self):
        key = TriggerKey(self.random.choice(FLOWS), f"t{self.random.randrange(2)}")
        return TriggerRow(
            key=key,
            next_date=self.maybe(Instant(self.random.randrange(9))),
            disabled=self.random.random() < 0.3,
            worker_id=self.maybe("x"),
        )

    def log(self):
        level = self.random.choice(["TRACE", "INFO", "WARN", "ERROR"])
        flow = self.random.choice(FLOWS)
        at = self.random.randrange(20)
        return log(f"m {at}", at=at, level=level, flow=flow, execution_id=self.maybe(self.id()))

    def turn(self):
        owner = execution(self.id())
        runs = list({run.ordinal: run for run in self.some(self.run, 4)}.values())
        job = lambda: JobRow(  # noqa: E731
            execution_id=owner.id,
            task_run_id=TaskRunId(f"r{self.random.randrange(9)}"),
            attempt=1,
            payload=b"{}",
        )
        trigger = self.trigger()
        return Turn(
            created=self.some(self.created, 2),
            executions=self.some(self.execution, 2),
            removed_runs=[
                (self.id(), TaskRunId(f"r{number}")) for number in self.some(lambda: 2, 2)
            ],
            task_runs=of(owner, *runs),
            outputs=[output(owner, run, str(run.ordinal).encode()) for run in runs],
            logs=self.some(self.log),
            inbox=self.some(lambda: Mail(self.id(), KillRequested(at=Instant(1)))),
            jobs=self.some(job, 2),
            jobs_done=self.some(lambda: (TaskRunId(f"r{self.random.randrange(9)}"), 1)),
            timers=self.some(lambda: TimerRow(self.id(), "t", Instant(self.random.randrange(9)))),
            timers_cleared=self.some(lambda: (self.id(), "t"), 2),
            slots=self.some(self.slot),
            triggers=[trigger],
            fires=self.some(lambda: Fire(key=trigger.key, time=self.random.randrange(9)), 2),
        )

    def query(self, fields):
        filters = [self.filter(*self.random.choice(list(fields.items()))) for _ in range(2)]
        sortable = [name for name, kind in fields.items() if kind not in UNSORTED]
        sort = [
            Sort(self.random.choice(sortable), self.random.random() < 0.5)
            for _ in range(self.random.randrange(3))
        ]
        size, page = self.random.choice([(3, 1), (3, 2), (100, 1)])
        return Query(filters=filters[: self.random.randrange(3)], sort=sort, size=size, page=page)

    def filter(self, field, kind):
        operator = self.random.choice(sorted(OPERATORS[kind]))
        if kind is Kind.LABELS:
            pair = (self.random.choice("kl"), self.random.choice(["p", "q", ""]))
            return Filter(field, operator, (pair,))
        number = self.random.randrange(60)
        value = number if kind in {Kind.NUMBER, Kind.FLAG, Kind.PRESENT} else None
        if value is None:
            value = self.random.choice(["INFO", "ERROR"] if kind is Kind.LEVEL else TEXTS)
        return Filter(field, operator, (value, value) if operator in {Op.IN, Op.NOT_IN} else value)


async def _outcome(work):
    try:
        await work
    except StoreError as error:
        return type(error)
    return None


async def _everything(store, maker):
    ids = [ExecutionId(f"e{number}") for number in range(8)]
    searches = [
        (store.executions.search, EXECUTION_FIELDS),
        (store.journal.logs, LOG_FIELDS),
        (store.triggers.search, TRIGGER_FIELDS),
    ]
    found = [await store.executions.get(id_, live=True) for id_ in ids]
    for id_ in ids:
        found.append(await store.executions.task_runs(id_))
        found.append(await store.executions.outputs(id_))
        found.append(await store.executions.children(id_))
        found.append(await store.executions.ancestors(id_, TaskRunId("r5")))
    # Ids may have gaps in one store and not in the other; their order is what counts.
    found.append([replace(row, id=0) for row in await store.queues.inbox(EVERY)])
    found.append([replace(row, id=0) for row in await store.queues.jobs()])
    found.append(await store.queues.timers(EVERY, until=Instant(5)))
    found.append(await store.queues.next_timer(EVERY))
    found.append(await store.queues.all_slots("main"))
    found.append(await store.triggers.due(until=Instant(5)))
    found.append(await store.triggers.next_date())
    for search, fields in searches:
        for _ in range(25):
            query = maker.query({name: kind for name, kind in fields.items() if name != "id"})
            page = await search(query)
            rows = [replace(row, id=0) if fields is LOG_FIELDS else row for row in page.rows]
            found.append((repr(query), page.total, rows))
    return found


@pytest.mark.parametrize("seed", range(10))
async def test_random_work_has_the_same_outcome(seed, tmp_path):
    stores = [MemoryStore(), await SqliteStore.open(tmp_path / "batuta.db")]
    outcomes = []
    for store in stores:
        maker = Maker(seed)
        results = []
        for _ in range(30):
            turns = maker.some(maker.turn, 4)
            done = await asyncio.gather(*(_outcome(store.commit(turn)) for turn in turns))
            results.append(done)
            waiting = await store.queues.inbox(EVERY)
            taken = [row.id for row in waiting if maker.random.random() < 0.2]
            await store.commit(Turn(inbox_done=taken))
            if maker.random.random() < 0.1:
                results.append(await store.executions.delete([maker.id()], logs=False))
        outcomes.append((results, await _everything(store, maker)))
        await store.close()
    (memory_results, memory_rows), (sqlite_results, sqlite_rows) = outcomes
    assert memory_results == sqlite_results
    for ours, theirs in zip(memory_rows, sqlite_rows, strict=True):
        assert ours == theirs
