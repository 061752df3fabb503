"""Turns: what is written together, what is refused, what others hear of it."""

import asyncio

from msgspec.structs import replace

from batuta.engine.events import Created, SlotDenied, SlotGranted, TaskFinished
from batuta.engine.execution import Attempt, Progress
from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import History, State
from batuta.store.contract import Store
from batuta.store.errors import (
    ChangedError,
    ConflictError,
    FencedError,
    GoneError,
    StoreError,
)
from batuta.store.query import Query
from batuta.store.record import partition
from batuta.store.rows import (
    Committed,
    Edit,
    ExecutionRow,
    Fire,
    JobRow,
    Mail,
    MetricRow,
    ParentLink,
    SlotRelease,
    SlotRequest,
    TaskRunRow,
    TimerRow,
    TriggerKey,
    TriggerRow,
    Turn,
)
from batuta.testing.suites.expect import equal, raises, true
from batuta.testing.suites.samples import FLOW, execution, log, of, output, starts, task_run

EVERY = range(64)


async def an_execution_is_read_as_it_was_created(store: Store) -> None:
    full = execution(
        "full",
        State.CREATED,
        State.RUNNING,
        inputs={"day": "2026-11-21", "nested": {"list": [1, 2.5, None, True]}},
        outputs={"rows": 3},
        variables={"bucket": "raw"},
        labels=(Label("team", 'a "b"'), Label("system.correlationId", "full")),
        trigger={"id": "daily", "type": "t", "variables": {"executionId": "parent"}},
        parent_id=ExecutionId("replayed"),
        original_id=ExecutionId("first"),
        attempt_number=2,
        original_created=Instant(7),
        schedule_date=Instant(9),
        kind="TEST",
        breakpoints=(("task", None), ("loop", "a")),
        created_runs=4,
        holds_slot=True,
        progress=Progress(cursor=3, worst=State.WARNING),
    )
    link = ParentLink(
        execution_id=ExecutionId("parent"), task_run_id=TaskRunId("r"), attempt=2, index=5
    )
    await store.commit(Turn(created=[ExecutionRow(execution=full, link=link)]))
    equal(await store.executions.get(full.id), ExecutionRow(execution=full, link=link))
    bare = execution("bare")
    await store.commit(starts(bare))
    equal(await store.executions.get(bare.id), ExecutionRow(execution=bare))
    equal(await store.executions.get(ExecutionId("unknown")), None)


async def a_changed_execution_keeps_what_never_changes(store: Store) -> None:
    first = execution("a", inputs={"x": 1}, trigger={"id": "t"}, schedule_date=Instant(5))
    await store.commit(starts(first))
    then = execution(
        "a",
        State.CREATED,
        State.RUNNING,
        revision=2,
        inputs={"x": 2},
        outputs={"y": 1},
        labels=(Label("k", "v"),),
        created_runs=3,
    )
    await store.commit(Turn(executions=[then]))
    found = await store.executions.get(first.id)
    true(found is not None, "the execution is there")
    if found is not None:
        equal(found.execution.inputs, {"x": 1})
        equal(found.execution.trigger, {"id": "t"})
        equal(found.execution.schedule_date, 5)
        equal(found.execution.revision, 2)
        equal(found.execution.outputs, {"y": 1})
        equal(found.execution.labels, (Label("k", "v"),))
        equal(found.execution.histories, then.histories)
        equal(found.execution.created_runs, 3)


async def an_id_can_be_used_once(store: Store) -> None:
    await store.commit(starts(execution("a")))
    error = await raises(ConflictError, store.commit(starts(execution("b"), execution("a"))))
    equal(error.table, "execution")
    equal(await store.executions.get(ExecutionId("b")), None)
    equal(len(await store.queues.inbox(EVERY)), 1)


async def changing_an_execution_that_is_gone_is_refused(store: Store) -> None:
    gone = execution("gone")
    run = task_run("r", 0)
    turn = Turn(executions=[gone], task_runs=of(gone, run))
    await raises(GoneError, store.commit(turn))
    equal(await store.executions.task_runs(gone.id), [])


async def an_order_edits_what_it_has_read(store: Store) -> None:
    read = execution("a")
    await store.commit(starts(read))
    run = task_run("r", 0)
    edit = Edit(read, replace(read, labels=(Label("by", "one"),)))
    await store.commit(Turn(edits=[edit], task_runs=of(read, run)))
    found = await store.executions.get(read.id)
    equal(found.execution.labels if found else None, edit.after.labels)
    equal(found.execution.edits if found else None, 1)
    equal([row.run for row in await store.executions.task_runs(read.id)], [run])


async def an_order_that_read_too_early_is_refused(store: Store) -> None:
    read = execution("a")
    await store.commit(starts(read))
    first, second = (Edit(read, replace(read, labels=(Label("by", by),))) for by in ("one", "two"))
    results = await asyncio.gather(
        store.commit(Turn(edits=[first], inbox=[Mail(read.id, Created(at=Instant(1)))])),
        store.commit(Turn(edits=[second], inbox=[Mail(read.id, Created(at=Instant(2)))])),
        return_exceptions=True,
    )
    equal(results[0], None)
    true(isinstance(results[1], ChangedError), f"changed, not {results[1]!r}")
    found = await store.executions.get(read.id)
    equal(found.execution.labels if found else None, first.after.labels)
    equal(len(await store.queues.inbox(EVERY)), 2)  # its start, and the first order's
    gone = Edit(execution("gone"), execution("gone"))
    await raises(GoneError, store.commit(Turn(edits=[gone])))


async def an_order_is_refused_when_the_execution_has_moved(store: Store) -> None:
    read = execution("a")
    await store.commit(starts(read))
    moved = replace(read, histories=(*read.histories, History(State.RUNNING, Instant(5))))
    edit = Edit(read, replace(read, labels=(Label("by", "one"),)))
    results = await asyncio.gather(
        store.commit(Turn(executions=[moved])),
        store.commit(Turn(edits=[edit])),
        return_exceptions=True,
    )
    equal(results[0], None)
    true(isinstance(results[1], ChangedError), f"changed, not {results[1]!r}")
    found = await store.executions.get(read.id)
    equal(found.execution if found else None, moved)


async def a_move_from_before_an_edit_is_refused(store: Store) -> None:
    read = execution("a")
    await store.commit(starts(read))
    await store.commit(starts(execution("b")))
    edit = Edit(read, replace(read, labels=(Label("by", "one"),)))
    moved = replace(read, histories=(*read.histories, History(State.RUNNING, Instant(5))))
    results = await asyncio.gather(
        store.commit(Turn(edits=[edit])),
        store.commit(Turn(executions=[execution("b", created_runs=2), moved], logs=[log("late")])),
        return_exceptions=True,
    )
    equal(results[0], None)
    true(isinstance(results[1], ChangedError), f"changed, not {results[1]!r}")
    equal((await store.journal.logs(Query())).total, 0)
    await store.commit(Turn(executions=[replace(moved, edits=1)]))
    found = await store.executions.get(read.id)
    equal(found.execution.state if found else None, State.RUNNING)


async def one_failing_caller_does_not_hurt_the_others(store: Store) -> None:
    await store.commit(starts(execution("taken")))
    ids = ["e0", "e1", "e2", "taken", "e4", "e5", "e6", "e7"]
    turns = [starts(execution(id_)) for id_ in ids]
    results = await asyncio.gather(*map(store.commit, turns), return_exceptions=True)
    failed = [number for number, result in enumerate(results) if result is not None]
    equal(failed, [3])
    true(isinstance(results[3], ConflictError), f"a conflict, not {results[3]!r}")
    page = await store.executions.search(Query(size=20))
    equal(page.total, 8)


async def turns_of_one_execution_apply_in_the_order_of_the_calls(store: Store) -> None:
    await store.commit(starts(execution("a")))
    turns = [
        Turn(
            executions=[execution("a", created_runs=number)],
            task_runs=of(execution("a"), task_run("r", 0, value=str(number))),
            timers=[TimerRow(ExecutionId("a"), "t", Instant(number))],
        )
        for number in range(1, 6)
    ]
    clear = Turn(timers_cleared=[(ExecutionId("a"), "t")])
    await asyncio.gather(*map(store.commit, [*turns, clear]))
    found = await store.executions.get(ExecutionId("a"), live=True)
    true(found is not None, "the execution is there")
    if found is not None:
        equal(found.execution.created_runs, 5)
        equal([run.value for run in found.execution.runs.values()], ["5"])
    equal(await store.queues.timers(EVERY, until=Instant(99)), [])


async def a_turn_with_an_old_epoch_writes_nothing(store: Store) -> None:
    mine = await store.queues.acquire_partitions("one", now=Instant(0), ttl=10)
    first = execution("a")
    part = partition(first.id)
    fences = {part: mine[part]}
    await store.commit(Turn(fences=fences, created=[ExecutionRow(execution=first)]))
    theirs = await store.queues.acquire_partitions("two", now=Instant(11), ttl=10)
    equal(theirs[part], mine[part] + 1)
    late = Turn(fences=fences, executions=[execution("a", created_runs=9)], logs=[log("late")])
    fresh = Turn(fences={part: theirs[part]}, executions=[execution("a", created_runs=1)])
    results = await asyncio.gather(store.commit(late), store.commit(fresh), return_exceptions=True)
    true(isinstance(results[0], FencedError), f"fenced, not {results[0]!r}")
    equal(results[1], None)
    found = await store.executions.get(first.id)
    equal(found.execution.created_runs if found else None, 1)
    equal((await store.journal.logs(Query())).total, 0)


async def task_runs_are_read_as_they_were_written(store: Store) -> None:
    owner = execution("a")
    states = (State.CREATED, State.RUNNING)
    full = task_run(
        "full",
        1,
        *states,
        task_id=TaskId("inner"),
        parent_id=TaskRunId("loop"),
        value="v",
        iteration=2,
        path=("x", "v"),
        attempts=(Attempt(owner.histories, log_file="f", worker_id="w"), Attempt(owner.histories)),
        dynamic=True,
        progress=Progress(cursor=2),
    )
    loop = task_run("loop", 0, *states, progress=Progress(items=("x", "y"), live=1))
    empty = task_run("empty", 2, *states, progress=Progress())
    await store.commit(starts(owner))
    await store.commit(Turn(task_runs=of(owner, full, empty, loop)))
    rows = await store.executions.task_runs(owner.id)
    equal([row.run for row in rows], [loop, full, empty])
    live = await store.executions.get(owner.id, live=True)
    equal(live.execution.runs if live else None, {run.id: run for run in (loop, full, empty)})


async def loop_items_are_kept_when_a_turn_leaves_them_out(store: Store) -> None:
    owner = execution("a")
    await store.commit(starts(owner))
    first = task_run("loop", 0, progress=Progress(items=("x", "y"), cursor=0))
    then = task_run("loop", 0, progress=Progress(items=("x", "y"), cursor=1))
    last = task_run("loop", 0, progress=Progress(items=("x", "y"), cursor=2))
    await asyncio.gather(
        store.commit(Turn(task_runs=of(owner, first))),
        store.commit(Turn(task_runs=of(owner, then, items_known=True))),
    )
    equal([row.run for row in await store.executions.task_runs(owner.id)], [then])
    await store.commit(Turn(task_runs=of(owner, last, items_known=True)))
    rows = await store.executions.task_runs(owner.id)
    equal(rows, [TaskRunRow(execution_id=owner.id, run=last, items_known=True)])


async def removing_a_task_run_takes_its_descendants_and_outputs(store: Store) -> None:
    owner = execution("a")
    parent = task_run("p", 0, task_id=TaskId("p"))
    child = task_run("c", 1, task_id=TaskId("c"), parent_id=parent.id)
    grandchild = task_run("g", 2, task_id=TaskId("g"), parent_id=child.id)
    other = task_run("o", 3, task_id=TaskId("o"))
    every = (parent, child, grandchild, other)
    await store.commit(starts(owner))
    await store.commit(
        Turn(task_runs=of(owner, *every), outputs=[output(owner, run) for run in every])
    )
    again = task_run("p2", 4)
    await store.commit(Turn(removed_runs=[(owner.id, child.id)], task_runs=of(owner, again)))
    left = [row.run.id for row in await store.executions.task_runs(owner.id)]
    equal(left, [parent.id, other.id, again.id])
    outputs = [row.task_run_id for row in await store.executions.outputs(owner.id)]
    equal(outputs, [parent.id, other.id])


async def inbox_events_stay_until_they_are_done(store: Store) -> None:
    first, second = execution("a"), execution("b")
    done = TaskFinished(
        at=Instant(5),
        task_run_id=TaskRunId("r"),
        attempt=1,
        state=State.SUCCESS,
        outputs={"x": [1, {"y": None}]},
        labels=(Label("k", "v"),),
    )
    await store.commit(starts(first, second))
    await store.commit(Turn(inbox=[Mail(first.id, done)]))
    rows = await store.queues.inbox(EVERY)
    equal(
        [(row.execution_id, row.event) for row in rows],
        [
            (first.id, Created(at=Instant(100))),
            (second.id, Created(at=Instant(100))),
            (first.id, done),
        ],
    )
    equal([row.partition for row in rows], [partition(row.execution_id) for row in rows])
    equal(await store.queues.inbox([partition(second.id)]), [rows[1]])
    equal(await store.queues.inbox(EVERY, after=rows[0].id, limit=1), [rows[1]])
    await store.commit(Turn(inbox_done=[rows[0].id, rows[1].id, 10**9]))
    equal(await store.queues.inbox(EVERY), [rows[2]])


async def ids_are_never_used_again(store: Store) -> None:
    await store.commit(starts(execution("a")))
    (first,) = await store.queues.inbox(EVERY)
    await store.commit(Turn(inbox_done=[first.id]))
    await store.commit(starts(execution("b")))
    (second,) = await store.queues.inbox(EVERY)
    true(second.id > first.id, "the second event has a greater id")


async def an_attempt_has_one_job(store: Store) -> None:
    owner = execution("a")
    job = JobRow(
        execution_id=owner.id,
        task_run_id=TaskRunId("r"),
        attempt=1,
        payload=b"{}",
        worker_group="g",
    )
    await store.commit(starts(owner))
    await store.commit(Turn(jobs=[job]))
    error = await raises(ConflictError, store.commit(Turn(jobs=[job], logs=[log("twice")])))
    equal(error.table, "job")
    equal((await store.journal.logs(Query())).total, 0)
    (found,) = await store.queues.jobs()
    equal((found.payload, found.worker_group, found.worker_id), (b"{}", "g", None))
    await store.queues.assign_jobs([(job.task_run_id, 1)], worker_id="w")
    (found,) = await store.queues.jobs(execution_id=owner.id)
    equal(found.worker_id, "w")
    await store.commit(Turn(jobs_done=[(job.task_run_id, 1), (job.task_run_id, 7)]))
    equal(await store.queues.jobs(), [])


async def a_fire_time_starts_one_execution(store: Store) -> None:
    key = TriggerKey(FLOW, "daily")

    def fires(name: str, scope: str = "") -> Turn:
        turn = starts(execution(name))
        return Turn(
            created=turn.created,
            inbox=turn.inbox,
            fires=[Fire(key=key, time=Instant(60), execution_id=ExecutionId(name), scope=scope)],
            triggers=[TriggerRow(key=key, date=Instant(60), next_date=Instant(120))],
        )

    results = await asyncio.gather(
        *(store.commit(fires(name)) for name in ("a", "b", "c")), return_exceptions=True
    )
    equal([result is None for result in results].count(True), 1)
    equal((await store.executions.search(Query())).total, 1)
    error = await raises(ConflictError, store.commit(fires("d")))
    equal(error.table, "fire")
    await store.commit(fires("e", scope="backfill"))
    equal((await store.executions.search(Query())).total, 2)


async def a_limit_of_running_executions_is_kept(store: Store) -> None:
    ids = [ExecutionId(f"e{number}") for number in range(4)]

    def asks(id_: ExecutionId, *, force: bool = False) -> Turn:
        return Turn(
            slots=[
                SlotRequest(
                    flow=FLOW,
                    execution_id=id_,
                    limit=2,
                    behavior="QUEUE",
                    at=Instant(5),
                    force=force,
                )
            ]
        )

    await store.commit(starts(*(execution(id_) for id_ in ids)))
    await store.commit(Turn(inbox_done=[row.id for row in await store.queues.inbox(EVERY)]))
    await asyncio.gather(*(store.commit(asks(id_)) for id_ in ids))
    granted = SlotGranted(at=Instant(5))
    denied = SlotDenied(at=Instant(5), running=2, limit=2, behavior="QUEUE")
    equal(
        [(row.execution_id, row.event) for row in await store.queues.inbox(EVERY)],
        [(ids[0], granted), (ids[1], granted), (ids[2], denied), (ids[3], denied)],
    )
    equal(await store.queues.slots(FLOW), 2)
    before = (await store.queues.inbox(EVERY))[-1].id
    release = SlotRelease(flow=FLOW, execution_id=ids[0], limit=2, at=Instant(6))
    leave = SlotRelease(flow=FLOW, execution_id=ids[3], limit=2, at=Instant(6), held=False)
    await store.commit(Turn(slots=[release]))
    await store.commit(Turn(slots=[leave]))
    rows = await store.queues.inbox(EVERY, after=before)
    equal([(row.execution_id, row.event) for row in rows], [(ids[2], SlotGranted(at=Instant(6)))])
    await store.commit(Turn(slots=[release]))
    equal(await store.queues.slots(FLOW), 1)


async def forced_executions_are_counted_beyond_the_limit(store: Store) -> None:
    def ask(name: str, limit: int, *, force: bool = False) -> SlotRequest:
        return SlotRequest(
            flow=FLOW,
            execution_id=ExecutionId(name),
            limit=limit,
            behavior="QUEUE",
            at=Instant(5),
            force=force,
        )

    await store.commit(Turn(slots=[ask("a", 1), ask("b", 1), ask("c", 1), ask("b", 1, force=True)]))
    equal(await store.queues.slots(FLOW), 2)
    last = (await store.queues.inbox(EVERY))[-1].id
    await store.commit(Turn(slots=[ask("d", 3)]))
    rows = await store.queues.inbox(EVERY, after=last)
    equal(
        [(row.execution_id, type(row.event)) for row in rows],
        [("c", SlotGranted), ("d", SlotDenied)],
    )
    equal(await store.queues.all_slots("main"), [(FLOW, 3)])
    await store.queues.set_slots(FLOW, 0)
    equal(await store.queues.slots(FLOW), 0)


async def listeners_hear_what_was_committed(store: Store) -> None:
    heard: list[Committed] = []
    stop = store.changes(heard.append)
    owner, run = execution("a"), task_run("r", 0)
    turn = starts(owner)
    await store.commit(turn)
    equal([row.execution for row in heard[-1].created], [owner])
    equal(list(heard[-1].inbox), list(await store.queues.inbox(EVERY)))
    await store.commit(
        Turn(
            executions=[owner],
            task_runs=of(owner, run),
            logs=[log("one"), log("two")],
            metrics=[MetricRow(at=Instant(1), type="counter", name="n", value=1, flow=FLOW)],
            timers=[TimerRow(owner.id, "t", Instant(9))],
        )
    )
    equal(list(heard[-1].executions), [owner])
    equal(list(heard[-1].task_runs), of(owner, run))
    equal(list(heard[-1].logs), list((await store.journal.logs(Query())).rows))
    equal(list(heard[-1].timers), [TimerRow(owner.id, "t", Instant(9))])
    await raises(ConflictError, store.commit(turn))
    await store.commit(Turn(edits=[Edit(owner, owner)]))
    equal(list(heard[-1].edited), [owner.id])
    await store.executions.delete([owner.id])
    equal(list(heard[-1].deleted), [owner.id])
    equal(len(heard), 4)
    stop()
    await store.commit(starts(execution("b")))
    equal(len(heard), 4)


async def a_closed_store_refuses_work(store: Store) -> None:
    await store.commit(starts(execution("a")))
    await store.close()
    await store.close()
    await raises(StoreError, store.commit(starts(execution("b"))))
    await raises(StoreError, store.executions.get(ExecutionId("a")))
