"""The executor role: one loop that takes events in, lets executions move, and commits (09 §4).

Several turns may be under way at once, each with other executions; the store writes those that wait together in one
transaction. What a turn orders outside (jobs, kills) happens after its commit.
"""

import asyncio
from collections.abc import Container, Iterable, Mapping
from contextlib import suppress

import structlog

from batuta.engine.events import AnyEvent, Restarted, TimerFired
from batuta.model.ids import ExecutionId, partition_of
from batuta.model.instant import SECOND, Instant
from batuta.operations.services import Services
from batuta.server.executor.draft import Draft
from batuta.server.executor.local import Local, Waiting
from batuta.server.executor.move import RENEW_TIMER, Mover
from batuta.server.executor.residents import Residents
from batuta.server.executor.work import Work
from batuta.server.listening import Ear
from batuta.store.errors import ChangedError, GoneError, StoreError
from batuta.store.rows import Committed, InboxRow

TURNS_UNDER_WAY = 4
LEASE = 30 * SECOND
RENEW_SECONDS = 10.0
RETRY_SECONDS = 1.0
MAX_DELETED = 1_000

log = structlog.get_logger()


class Executor:
    """Owns the partitions it holds a lease on. `run` until cancelled; then every lease is given back."""

    def __init__(
        self,
        services: Services,
        *,
        owner: str,
        mover: Mover,
        residents: Residents,
        work: Work,
        listeners: Ear,
    ) -> None:
        self._services = services
        self._owner = owner
        self._mover = mover
        self._residents = residents
        self._work = work
        self._listeners = listeners
        self._epochs: Mapping[int, int] = {}
        """Replaced, never changed: a turn is fenced with those that it began with."""
        self._gained: set[int] = set()
        """Partitions whose waiting rows have not been taken up yet."""
        self._deleted: dict[ExecutionId, None] = {}
        """The last ones; what their tasks still say is dropped."""
        self._waiting = Waiting(work.drop)
        self._wake = asyncio.Event()
        self._next_timer: Instant | None = None
        self._fired: set[tuple[ExecutionId, str]] = set()
        self._taking_up = asyncio.Lock()
        self._turns = asyncio.Semaphore(TURNS_UNDER_WAY)
        self._group: asyncio.TaskGroup | None = None
        work.deliver = self.deliver

    async def run(self) -> None:
        stop = self._services.store.changes(self._on_commit)
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._work.group = group
                await self._own()
                group.create_task(self._keep_leases())
                await self._loop()
        finally:
            stop()
            self._group = None
            with suppress(StoreError):
                await self._services.store.queues.release_partitions(self._owner)

    def deliver(self, local: Local) -> None:
        """Take in what a worker or the server itself found out. On the event loop only."""
        self._work.backlog.add(len(local.logs))
        self._waiting.deliver(local)
        self._wake.set()

    # -- taking over and keeping partitions ----------------------------------------------------------------

    async def _own(self) -> None:
        """Take over, as soon as the store lets us."""
        while True:
            try:
                await self._take_over()
            except StoreError as error:
                log.error("lease.refused", error=str(error))  # noqa: TRY400 - the store said all there is
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _take_over(self) -> None:
        """Own what is free, and take up what waits there since before. Raises `StoreError`."""
        await self._renew()
        await self._take_up()

    async def _take_up(self) -> None:
        """The feed is only a hint: what it did not tell is read (09 §8)."""
        async with self._taking_up:
            await self._read_inbox()
            await self._refresh_timer()
            gained = set(self._gained)
            if gained:
                await self._take_up_work(gained)
                self._gained -= gained

    async def _take_up_work(self, gained: Container[int]) -> None:
        """Jobs of earlier owners, and results that came while the partitions were away."""
        known = self._work.begun()  # before the rows are read: some of these may end meanwhile
        self._waiting.bring_back()
        self._wake.set()
        jobs = await self._services.store.queues.jobs()
        await self._work.recover(
            [
                job
                for job in jobs
                if partition_of(job.execution_id) in gained
                and (job.task_run_id, job.attempt) not in known
            ]
        )

    async def _read_inbox(self) -> None:
        after = 0
        while rows := await self._services.store.queues.inbox(self._epochs, after=after):
            self._enqueue(rows)
            after = rows[-1].id

    async def _renew(self) -> None:
        held = await self._services.store.queues.acquire_partitions(
            self._owner, now=self._services.clock.now(), ttl=LEASE
        )
        lost = {p for p, epoch in self._epochs.items() if held.get(p) != epoch}
        if lost:
            log.warning("lease.lost", partitions=len(lost))
            self._residents.drop(lambda execution_id: partition_of(execution_id) in lost)
        self._gained |= {p for p, epoch in held.items() if self._epochs.get(p) != epoch}
        self._gained &= set(held)
        self._epochs = dict(held)

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self._take_over()
            except StoreError as error:
                log.error("lease.renewal_failed", error=str(error))  # noqa: TRY400 - no trace is needed

    # -- the loop ------------------------------------------------------------------------------------------

    async def _loop(self) -> None:
        while True:
            await self._wait()
            try:
                await self._turn()
            except StoreError as error:
                log.error("turn.failed", error=str(error))  # noqa: TRY400 - the store said all there is
                await asyncio.sleep(RETRY_SECONDS)

    async def _wait(self) -> None:
        """Until there is something to do, or a timer is due."""
        if self._waiting:
            await asyncio.sleep(0)
            return
        self._wake.clear()
        timeout = None
        if self._next_timer is not None:
            timeout = max(self._next_timer - self._services.clock.now(), 0) / SECOND
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _turn(self) -> None:
        draft = Draft(self._epochs)
        events: dict[ExecutionId, list[AnyEvent]] = {}
        self._take(events, draft)
        try:
            await self._take_timers(events, draft)
            for execution_id, batch in events.items():
                draft.merge(await self._move(execution_id, batch))
        except StoreError:
            self._residents.drop(lambda id_: id_ in events or id_ in draft.touched)
            self._listeners.forget()
            self._fired.difference_update(draft.fired)
            self._waiting.take_again(draft.rows_taken, draft.locals)
            raise
        if draft.is_empty():
            return
        self._waiting.busy.update(draft.touched)
        await self._turns.acquire()
        self._running().create_task(self._commit(draft))

    async def _move(self, execution_id: ExecutionId, events: list[AnyEvent]) -> Draft:
        """What the events make of one execution. A fault of ours ends this execution, not the executor."""
        draft = Draft(self._epochs)
        if any(isinstance(event, Restarted) for event in events):
            self._residents.forget(execution_id)
        try:
            live = await self._residents.get(execution_id)
            if live is not None:
                await self._mover.move(live, events, draft)
        except StoreError:
            raise
        except Exception as error:
            log.exception("execution.failed", execution=execution_id)
            self._residents.forget(execution_id)
            return await self._residents.failed(execution_id, str(error))
        return draft

    def _take(self, events: dict[ExecutionId, list[AnyEvent]], draft: Draft) -> None:
        draft.rows_taken = self._waiting.take_rows(draft.epochs)
        for row in draft.rows_taken:
            if (
                row.event is None
            ):  # 01 §11.13, 151: it is not told to anybody, and goes with the turn
                log.error("event.unreadable", execution=row.execution_id, id=row.id)
            else:
                events.setdefault(row.execution_id, []).append(row.event)
        draft.locals = self._waiting.take_local(draft.epochs)
        for local in draft.locals:
            if local.event is not None:
                events.setdefault(local.execution_id, []).append(local.event)
            if local.job is not None:
                draft.finish_job(*local.job)
            if local.execution_id not in self._deleted:
                draft.logs.extend(local.logs)
                draft.metrics.extend(local.metrics)

    async def _take_timers(self, events: dict[ExecutionId, list[AnyEvent]], draft: Draft) -> None:
        now = self._services.clock.now()
        if self._next_timer is None or self._next_timer > now:
            return
        self._next_timer = None
        for timer in await self._services.store.queues.timers(self._epochs, until=now):
            key = (timer.execution_id, timer.timer_id)
            if key in self._fired or timer.execution_id in self._waiting.busy:
                continue
            self._fired.add(key)
            draft.fired.append(key)
            if timer.timer_id == RENEW_TIMER:
                await self._mover.renew(timer.execution_id, draft)
                continue
            event = TimerFired(at=now, timer_id=timer.timer_id)
            events.setdefault(timer.execution_id, []).append(event)
        if not self._waiting.busy and not draft.fired:
            await self._refresh_timer()

    # -- commits -------------------------------------------------------------------------------------------

    async def _commit(self, draft: Draft) -> None:
        failed = False
        try:
            await self._services.store.commit(draft.to_turn())
        except StoreError as error:
            log.error("turn.commit_failed", error=str(error))  # noqa: TRY400 - the store said all there is
            failed = True
            await self._recover(draft, pause=not isinstance(error, GoneError | ChangedError))
        else:
            self._waiting.forget(draft.rows_taken)
            self._work.settled(draft.jobs_done)
            self._work.backlog.remove(sum(len(local.logs) for local in draft.locals))
            for job in draft.kills:
                self._work.kill(job)
            for live in draft.ended:
                self._residents.release(live)
        finally:
            self._turns.release()
            self._waiting.release(draft.touched)
            self._fired.difference_update(draft.fired)
            if failed:  # the rows were read again
                self._waiting.take_again((), draft.locals)
            if not self._waiting.busy:
                self._residents.evict()
            self._wake.set()
        await self._refresh_timer()

    async def _recover(self, draft: Draft, *, pause: bool) -> None:
        """Memory is ahead of the rows, or behind: forget what the turn touched, and read what is there.

        Whether the turn was written is not known for sure, nor does the feed tell of it then.
        """
        self._residents.drop(draft.touched.__contains__)
        self._listeners.forget()
        if pause:
            await asyncio.sleep(RETRY_SECONDS)
        self._waiting.forget(draft.rows_taken)
        self._gained |= {partition_of(id_) for id_ in draft.touched} & self._epochs.keys()
        await self._own()

    async def _refresh_timer(self) -> None:
        try:
            due = await self._services.store.queues.next_timer(self._epochs)
        except StoreError as error:
            log.error("timers.unknown", error=str(error))  # noqa: TRY400 - the store said all there is
            due = Instant(self._services.clock.now() + SECOND)
        self._note_timers([] if due is None else [due])

    def _on_commit(self, committed: Committed) -> None:
        """Called by the store on the event loop after each transaction of this process."""
        self._listeners.note(committed)
        self._residents.note_created(
            [row for row in committed.created if self._owns(row.execution.id)]
        )
        self._enqueue(committed.inbox)
        self._note_timers(timer.due for timer in committed.timers if self._owns(timer.execution_id))
        for job in committed.jobs:
            if self._owns(job.execution_id):
                self._work.dispatch(job)
        for execution_id in committed.edited:
            self._residents.forget(execution_id)
        for execution_id in committed.deleted:
            self._forget(execution_id)

    def _forget(self, execution_id: ExecutionId) -> None:
        """It was deleted, even if it has not ended."""
        live = self._residents.peek(execution_id)
        for run in live.execution.runs.values() if live is not None else ():
            if run.progress is not None and run.progress.attempt:
                self._work.kill((run.id, run.progress.attempt))
        self._residents.forget(execution_id)
        self._deleted[execution_id] = None
        if len(self._deleted) > MAX_DELETED:
            del self._deleted[next(iter(self._deleted))]

    def _enqueue(self, rows: Iterable[InboxRow]) -> None:
        self._waiting.enqueue(row for row in rows if row.partition in self._epochs)
        if self._waiting:
            self._wake.set()

    def _note_timers(self, dues: Iterable[Instant]) -> None:
        for due in dues:
            if self._next_timer is None or due < self._next_timer:
                self._next_timer = due
                self._wake.set()

    def _owns(self, execution_id: ExecutionId) -> bool:
        return partition_of(execution_id) in self._epochs

    def _running(self) -> asyncio.TaskGroup:
        if self._group is None:
            raise RuntimeError("the executor does not run")
        return self._group
