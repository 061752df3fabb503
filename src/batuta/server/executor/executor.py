"""The executor role: one loop that takes events in, lets executions move, and commits (09 §4).

Several turns may be under way at once, each with other executions; the store writes those that wait together in one
transaction. What a turn orders outside (jobs, kills) happens after its commit.
"""

import asyncio
from collections.abc import Container, Iterable
from contextlib import suppress

import structlog

from batuta.engine.events import AnyEvent, Restarted, TimerFired
from batuta.model.ids import ExecutionId, partition_of
from batuta.operations.services import Services
from batuta.server.executor.draft import Draft, parts_of
from batuta.server.executor.local import Local, Waiting
from batuta.server.executor.move import RENEW_TIMER, Move, Mover
from batuta.server.executor.residents import Residents
from batuta.server.executor.turn.leases import Leases
from batuta.server.executor.turn.long import SMALL, LongTurns
from batuta.server.executor.turn.timers import Timers
from batuta.server.executor.work import Work
from batuta.server.listening import Ear
from batuta.store.errors import ChangedError, GoneError, StoreError
from batuta.store.rows import Committed, InboxRow

TURNS_UNDER_WAY = 4
RENEW_SECONDS = 10.0
RETRY_SECONDS = 1.0

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
        self._mover = mover
        self._residents = residents
        self._work = work
        self._listeners = listeners
        self._leases = Leases(services, owner)
        self._waiting = Waiting(work.drop)
        self._wake = asyncio.Event()
        self._timers = Timers(services, self._wake.set)
        self._taking_up = asyncio.Lock()
        self._turns = asyncio.Semaphore(TURNS_UNDER_WAY)
        self._long = LongTurns(services.store)
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
                await self._leases.release()

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
        lost = await self._leases.renew()
        if lost:
            self._residents.drop(lambda execution_id: partition_of(execution_id) in lost)
        await self._take_up()

    async def _take_up(self) -> None:
        """The feed is only a hint: what it did not tell is read (09 §8)."""
        async with self._taking_up:
            await self._read_inbox()
            await self._timers.refresh(self._leases.epochs)
            gained = set(self._leases.gained)
            if gained:
                await self._take_up_work(gained)
                self._leases.gained -= gained

    async def _take_up_work(self, gained: Container[int]) -> None:
        """Jobs of earlier owners, and results that came while the partitions were away."""
        known = self._work.begun()  # before the rows are read: some of these may end meanwhile
        self._waiting.bring_back()
        self._wake.set()
        jobs = await self._services.store.queues.jobs()
        await self._work.recover(
            [job for job in jobs if partition_of(job.execution_id) in gained], known=known
        )

    async def _read_inbox(self) -> None:
        after = 0
        while rows := await self._services.store.queues.inbox(self._leases.epochs, after=after):
            self._enqueue(rows)
            after = rows[-1].id

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
        try:
            async with asyncio.timeout(self._timers.seconds_left):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _turn(self) -> None:
        """What is small is moved here and now and committed together; what is not goes on beside the next turns."""
        parts, events = parts_of(self._waiting, self._leases.epochs)
        draft = Draft(self._leases.epochs)
        try:
            await self._take_timers(events, parts)
            self._mover.crowd.note(events, now=self._services.clock.now())
            for execution_id, batch in events.items():
                move = await self._begin(execution_id, batch, parts)
                if move is not None:
                    del parts[execution_id]
                    self._running().create_task(self._go_on(execution_id, move))
        except StoreError:
            for part in parts.values():
                self._give_back(part)
            raise
        for part in parts.values():
            draft.merge(part)
        await self._hand_over(draft)

    async def _hand_over(self, draft: Draft) -> None:
        """To be committed, as soon as there are not too many commits under way."""
        if draft.is_empty():
            self._waiting.release(draft.taken)
            return
        await self._turns.acquire()
        self._running().create_task(self._commit(draft))

    async def _begin(
        self, execution_id: ExecutionId, events: list[AnyEvent], parts: dict[ExecutionId, Draft]
    ) -> Move | None:
        """Move one execution; the rest of the way if it is long."""
        draft = parts[execution_id]
        if any(isinstance(event, Restarted) for event in events):
            self._residents.forget(execution_id)
        try:
            live = await self._residents.get(execution_id)
            if live is None:
                return None
            move = Move(self._mover, live, events, draft=draft)
            if not live.is_long:
                await move.go_on(SMALL)
        except StoreError:
            raise
        except Exception as error:
            parts[execution_id] = await self._failed(execution_id, error, draft)
            return None
        live.is_long = not move.is_over
        return move if live.is_long else None

    async def _go_on(self, execution_id: ExecutionId, move: Move) -> None:
        """The rest of a long turn."""
        draft = move.draft
        try:
            try:
                await self._long.finish(move)
            except StoreError:
                raise
            except Exception as error:
                draft = await self._failed(execution_id, error, draft)
        except StoreError as error:
            log.error("turn.failed", error=str(error))  # noqa: TRY400 - the store said all there is
            await asyncio.sleep(RETRY_SECONDS)
            self._give_back(draft)
            self._wake.set()
        else:
            await self._hand_over(draft)

    async def _failed(self, execution_id: ExecutionId, error: Exception, draft: Draft) -> Draft:
        """A fault of ours ends this execution, not the executor. Raises `StoreError`."""
        log.error("execution.failed", execution=execution_id, exc_info=error)
        self._residents.forget(execution_id)
        self._residents.drop(draft.touched.__contains__)
        return draft.instead(await self._residents.failed(execution_id, str(error)))

    def _give_back(self, draft: Draft) -> None:
        """A turn that could not be moved is taken again."""
        self._residents.drop(lambda id_: id_ in draft.taken or id_ in draft.touched)
        self._listeners.forget(draft.remembered)
        self._timers.settled(draft.fired)
        self._waiting.take_again(draft.rows_taken, draft.locals)
        self._waiting.release(draft.taken)

    async def _take_timers(
        self, events: dict[ExecutionId, list[AnyEvent]], parts: dict[ExecutionId, Draft]
    ) -> None:
        fired = False
        busy = self._waiting.busy
        due = self._timers.due(
            self._leases.epochs, busy=lambda id_: id_ in busy and id_ not in events
        )
        async for timer in due:
            fired = True
            execution_id = timer.execution_id
            busy.add(execution_id)
            part = parts.setdefault(execution_id, Draft(self._leases.epochs))
            part.fire((execution_id, timer.timer_id))
            if timer.timer_id == RENEW_TIMER:
                await self._mover.renew(execution_id, part)
                continue
            event = TimerFired(at=self._services.clock.now(), timer_id=timer.timer_id)
            events.setdefault(execution_id, []).append(event)
        if not busy and not fired:
            await self._timers.look(self._leases.epochs)

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
            for live in draft.touched.values():
                live.let_go()
            for live in draft.ended:
                self._residents.release(live)
        finally:
            self._turns.release()
            self._waiting.release(draft.taken)
            self._timers.settled(draft.fired)
            if failed:  # the rows were read again
                self._waiting.take_again((), draft.locals)
            if not self._waiting.busy:
                self._residents.evict()
            self._wake.set()
        await self._timers.look(self._leases.epochs)

    async def _recover(self, draft: Draft, *, pause: bool) -> None:
        """Memory is ahead of the rows, or behind: forget what the turn touched, and read what is there.

        Whether the turn was written is not known for sure, nor does the feed tell of it then.
        """
        self._residents.drop(draft.touched.__contains__)
        self._listeners.forget(draft.remembered)
        await asyncio.sleep(RETRY_SECONDS if pause else 0)
        self._waiting.forget(draft.rows_taken)
        self._leases.doubt(draft.touched.keys())
        await self._own()

    def _on_commit(self, committed: Committed) -> None:
        """Called by the store on the event loop after each transaction of this process."""
        self._listeners.note(committed)
        owns = self._leases.owns
        self._residents.note_created(row for row in committed.created if owns(row.execution.id))
        self._enqueue(committed.inbox)
        self._timers.note(timer.due for timer in committed.timers if owns(timer.execution_id))
        for job in committed.jobs:
            if owns(job.execution_id):
                self._work.dispatch(job)
        for execution_id in committed.deleted:  # even if it has not ended
            self._work.kill_all(self._residents.peek(execution_id))
            self._waiting.note_deleted(execution_id)
        for execution_id in (*committed.edited, *committed.deleted):
            self._residents.forget(execution_id)

    def _enqueue(self, rows: Iterable[InboxRow]) -> None:
        self._waiting.enqueue(row for row in rows if row.partition in self._leases.epochs)
        if self._waiting:
            self._wake.set()

    def _running(self) -> asyncio.TaskGroup:
        if self._group is None:
            raise RuntimeError("the executor does not run")
        return self._group
