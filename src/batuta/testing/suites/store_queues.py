"""Leases, timers, and the order of jobs."""

from batuta.model.ids import PARTITIONS, ExecutionId, TaskRunId
from batuta.model.instant import Instant
from batuta.store.contract import Store
from batuta.store.record import partition
from batuta.store.rows import JobRow, TimerRow, Turn
from batuta.testing.suites.expect import equal, true

EVERY = range(PARTITIONS)
A, B = ExecutionId("a"), ExecutionId("b")


async def one_owner_gets_every_partition(store: Store) -> None:
    first = await store.queues.acquire_partitions("one", now=Instant(0), ttl=10)
    equal(sorted(first), list(EVERY))
    equal(await store.queues.acquire_partitions("two", now=Instant(9), ttl=10), {})
    equal(await store.queues.acquire_partitions("one", now=Instant(9), ttl=10), first)
    equal(await store.queues.acquire_partitions("two", now=Instant(12), ttl=10), {})


async def a_lease_that_ran_out_changes_hands_with_the_next_epoch(store: Store) -> None:
    first = await store.queues.acquire_partitions("one", now=Instant(0), ttl=10)
    second = await store.queues.acquire_partitions("two", now=Instant(10), ttl=10)
    equal(second, {part: epoch + 1 for part, epoch in first.items()})
    equal(await store.queues.acquire_partitions("one", now=Instant(12), ttl=10), {})


async def released_partitions_are_free_at_once_and_fenced(store: Store) -> None:
    first = await store.queues.acquire_partitions("one", now=Instant(0), ttl=1000)
    await store.queues.release_partitions("two")
    await store.queues.release_partitions("one")
    second = await store.queues.acquire_partitions("two", now=Instant(1), ttl=10)
    equal(sorted(second), list(EVERY))
    true(all(second[part] > first[part] for part in EVERY), "epochs grow")


async def timers_come_when_they_are_due(store: Store) -> None:
    timers = [TimerRow(A, "x", Instant(30)), TimerRow(B, "x", Instant(10))]
    late = TimerRow(A, "y", Instant(20))
    await store.commit(Turn(timers=[*timers, late]))
    equal(await store.queues.timers(EVERY, until=Instant(9)), [])
    equal(await store.queues.timers(EVERY, until=Instant(20)), [timers[1], late])
    equal(await store.queues.timers(EVERY, until=Instant(99), limit=1), [timers[1]])
    equal(await store.queues.timers([partition(A)], until=Instant(99)), [late, timers[0]])
    equal(await store.queues.next_timer(EVERY), 10)
    equal(await store.queues.next_timer([partition(A)]), 20)


async def a_timer_can_be_moved_and_cleared(store: Store) -> None:
    await store.commit(Turn(timers=[TimerRow(A, "x", Instant(30))]))
    await store.commit(Turn(timers=[TimerRow(A, "x", Instant(50))]))
    equal(await store.queues.timers(EVERY, until=Instant(40)), [])
    equal(await store.queues.next_timer(EVERY), 50)
    await store.commit(Turn(timers_cleared=[(A, "x"), (A, "unknown")]))
    equal(await store.queues.next_timer(EVERY), None)


async def jobs_are_listed_in_the_order_of_dispatch(store: Store) -> None:
    for number in (3, 1, 2):
        job = JobRow(execution_id=A, task_run_id=TaskRunId(f"r{number}"), attempt=1, payload=b"{}")
        await store.commit(Turn(jobs=[job]))
    equal([row.task_run_id for row in await store.queues.jobs()], ["r3", "r1", "r2"])
    await store.queues.assign_jobs([(TaskRunId("r1"), 1), (TaskRunId("r9"), 1)], worker_id="w")
    equal([row.worker_id for row in await store.queues.jobs()], [None, "w", None])
    await store.queues.assign_jobs([(TaskRunId("r1"), 1)], worker_id=None)
    equal([row.worker_id for row in await store.queues.jobs()], [None] * 3)
