"""Jobs of this server's own worker process: started for the first job, stopped when idle, replaced when it dies.

    none ──submit──► starting ──Ready──► running ──idle──► none
                        │                   │
                        └──── it dies ──────┴──► its jobs are lost; none, or starting when jobs wait

Everything happens on one event loop. Each job is answered exactly once: by `finished` or by `lost`.
"""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, assert_never

import msgspec
import structlog

from batuta.model.instant import MINUTE, SECOND, Instant, Micros
from batuta.model.state import State
from batuta.operations.system import Clock
from batuta.server.protocol import (
    Answer,
    Ask,
    Job,
    JobFinished,
    JobStarted,
    KillJob,
    LogLine,
    LogLines,
    MetricLine,
    MetricLines,
    Ping,
    Pong,
    Ready,
    Setup,
    ToServer,
)
from batuta.server.worker.gateway import fault_of
from batuta.server.worker.orphan import kill_orphans
from batuta.server.worker.process import WorkerProcess

_MAX_FAILED_STARTS = 3
_JOBS_PER_PROCESSOR = 8
"""01 §10: as many worker threads for each processor."""
_START_SECONDS = 60.0
"""Silence allowed to a process that is starting."""
_KILL_SECONDS = 5.0
"""Beyond the grace, for a worker that was told to leave."""

log = structlog.get_logger(__name__)


class PoolOptions(msgspec.Struct, frozen=True, kw_only=True):
    setup: Setup
    capacity: int = 0
    """Jobs at once; 0 means eight for each processor."""
    idle: Micros = MINUTE
    """How long the process stays without a job."""
    grace: Micros = 5 * MINUTE
    """How long running jobs may go on when the pool is closed."""
    liveness: Micros = 45 * SECOND
    """Silence after which a process with jobs counts as dead and is killed."""
    hidden: tuple[str, ...] = ("SECRET_", "KESTRA_", "DATASOURCES_")
    """Prefixes of environment variables that tasks must not see: secrets, and the configuration of the server."""


class WorkerEvents(Protocol):
    """Implemented by whoever owns the jobs. Called on the event loop, in the order of the worker's messages."""

    def started(self, job: Job, message: JobStarted) -> None: ...

    async def logs(self, job: Job, lines: Sequence[LogLine]) -> None:
        """Awaited before more is read from the worker."""
        ...

    def metrics(self, job: Job, lines: Sequence[MetricLine]) -> None: ...
    def finished(self, job: Job, message: JobFinished) -> None: ...

    def lost(self, job: Job) -> None:
        """The worker died with it, or the pool was closed before it ended."""
        ...

    async def ask(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Answer a request; the errors of `gateway.fault_of` reach the task."""
        ...


class WorkerPool:
    def __init__(self, options: PoolOptions, *, events: WorkerEvents, clock: Clock) -> None:
        self._options = options
        self._events = events
        self._clock = clock
        self._capacity = options.capacity or _JOBS_PER_PROCESSOR * (os.cpu_count() or 1)
        self._waiting: OrderedDict[str, Job] = OrderedDict()
        self._running: dict[str, Job] = {}
        self._killed: set[str] = set()
        self._process: WorkerProcess | None = None
        """The one that takes jobs; one that was told to leave is only in `_alive`."""
        self._alive: set[WorkerProcess] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle_timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._is_reading = True
        """False while this side works on a message: then silence says nothing of the worker."""
        self._failed_starts = 0
        self._was_ready = False
        self._is_closed = False
        self._is_swept = False

    @property
    def capacity(self) -> int:
        return self._capacity

    @property
    def load(self) -> int:
        """Jobs that run or wait."""
        return len(self._running) + len(self._waiting)

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return None if self._process is None else self._process.pid

    def submit(self, job: Job) -> None:
        """Run it as soon as there is room. Returns at once; a job that is here already is not taken twice."""
        if self._is_closed:
            self._events.lost(job)
        elif job.id not in self._running and job.id not in self._waiting:
            self._waiting[job.id] = job
            self._pump()

    def warm(self) -> None:
        """Have a process ready for jobs that are about to come."""
        if not self._is_closed and self._process is None:
            self._start()
            self._rest_when_idle()

    def _next(self) -> Job:
        return self._waiting.popitem(last=False)[1]

    def kill(self, job_id: str) -> None:
        """A waiting job ends KILLED without having run; unknown ones are ignored."""
        if job_id in self._running and self._process is not None:
            self._killed.add(job_id)
            self._process.send(KillJob(job_id=job_id))
            return
        job = self._waiting.pop(job_id, None)
        if job is not None:
            self._end(job, State.KILLED)

    async def close(self) -> None:
        """Let running jobs go on for the grace, then end the process; what has not ended is lost."""
        self._is_closed = True
        self._stop_idle_timer()
        while self._waiting:
            self._events.lost(self._next())
        if self._process is not None:
            self._process.stop(self._options.grace if self._running else 0)
        waiting = self._options.grace / SECOND + _KILL_SECONDS
        await self._settle(waiting)
        for process in self._alive:
            process.kill()
        await self._settle(None)

    async def _settle(self, seconds: float | None) -> None:
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    def _pump(self) -> None:
        """Hand out waiting jobs while there is room."""
        if self._waiting:
            self._stop_idle_timer()
            if self._process is None:
                self._start()
        while self._waiting and self._process is not None and len(self._running) < self._capacity:
            job = self._next()
            self._running[job.id] = job
            self._process.send(job)

    def _start(self) -> None:
        self._was_ready = False
        self._heard = self._clock.monotonic()
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(self._options.hidden)
        }
        process = WorkerProcess(self._options.setup, receive=self._receive, environment=environment)
        self._process = process
        self._alive.add(process)
        self._spawn(self._supervise(process))
        if not self._is_swept:
            self._is_swept = True
            self._spawn(_sweep())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _supervise(self, process: WorkerProcess) -> None:
        watch = asyncio.get_running_loop().create_task(self._watch(process))
        code: int | str
        try:
            code = await process.run()
        except OSError as error:
            code = str(error)
        finally:
            watch.cancel()
        self._gone(process, code)

    async def _watch(self, process: WorkerProcess) -> None:
        """Kill a process that is there and does not answer."""
        liveness = self._options.liveness / SECOND
        while True:
            await asyncio.sleep(liveness / 3)
            if not self._running or not self._is_reading:
                self._heard = self._clock.monotonic()
            elif self._clock.monotonic() - self._heard > self._patience():
                log.error("worker.silent", pid=process.pid)
                process.kill()
                return
            else:
                process.send(Ping())

    def _patience(self) -> float:
        """Seconds of silence that are not yet death."""
        liveness = self._options.liveness / SECOND
        return liveness if self._was_ready else max(liveness, _START_SECONDS)

    def _gone(self, process: WorkerProcess, code: int | str) -> None:
        self._alive.discard(process)
        if self._process is not process:
            return
        self._process = None
        if code != 0:
            log.warning("worker.died", pid=process.pid, code=code, jobs=len(self._running))
        lost, self._running = self._running, {}
        killed, self._killed = self._killed, set()
        if not self._was_ready:
            self._failed_starts += 1
        for job in reversed(lost.values()):
            if job.id in killed:
                self._end(job, State.KILLED)
            elif self._was_ready or self._is_closed:
                self._events.lost(job)
            else:
                self._waiting[job.id] = job  # it never reached the process
                self._waiting.move_to_end(job.id, last=False)
        if self._failed_starts >= _MAX_FAILED_STARTS:
            self._give_up(code)
        elif not self._is_closed:
            self._pump()

    def _give_up(self, code: int | str) -> None:
        """Whatever waits cannot be run; the next job is a new try."""
        self._failed_starts = 0
        while self._waiting:
            job = self._next()
            self._end(job, State.FAILED, error=f"The worker process cannot be started: {code}")

    async def _receive(self, message: ToServer) -> None:
        self._is_reading = False
        try:
            await self._handle(message)
        finally:
            self._is_reading = True
            self._heard = self._clock.monotonic()

    async def _handle(self, message: ToServer) -> None:
        match message:
            case Ready():
                self._was_ready = True
                self._failed_starts = 0
            case Pong():
                return
            case Ask():
                self._spawn(self._answer(message, self._process))
            case JobStarted() | LogLines() | MetricLines() | JobFinished():
                job = self._running.get(message.job_id)
                if job is not None:
                    await self._hand_on(job, message)
            case _:
                assert_never(message)

    async def _hand_on(
        self, job: Job, message: JobStarted | LogLines | MetricLines | JobFinished
    ) -> None:
        match message:
            case JobStarted():
                self._events.started(job, message)
            case LogLines():
                await self._events.logs(job, message.lines)
            case MetricLines():
                self._events.metrics(job, message.lines)
            case JobFinished():
                del self._running[job.id]
                self._killed.discard(job.id)
                self._events.finished(job, message)
                self._pump()
                self._rest_when_idle()
            case _:
                assert_never(message)

    async def _answer(self, question: Ask, process: WorkerProcess | None) -> None:
        job = self._running.get(question.job_id)
        if job is None or process is None:
            return
        try:
            value = await self._events.ask(job, question.operation, question.arguments)
            process.send(Answer(id=question.id, value=value))
        except Exception as error:
            process.send(Answer(id=question.id, fault=fault_of(error)))

    def _end(self, job: Job, state: State, *, error: str | None = None) -> None:
        """Answer for a worker that cannot."""
        now: Instant = self._clock.now()
        self._events.finished(
            job,
            JobFinished(
                job_id=job.id,
                worker_id=self._options.setup.worker_id,
                state=state,
                started=now,
                ended=now,
                error=error,
            ),
        )

    def _rest_when_idle(self) -> None:
        if not self._running and not self._waiting and not self._is_closed:
            self._stop_idle_timer()
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(self._options.idle / SECOND, self._rest)

    def _stop_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _rest(self) -> None:
        """Idle for long enough: let the process go. A job that comes now gets a new one."""
        process, self._process = self._process, None
        if process is not None and not self._running:
            process.stop(0)


async def _sweep() -> None:
    """A server and its worker may have been killed together: what their tasks left behind ends now."""
    count = await asyncio.to_thread(kill_orphans)
    if count:
        log.warning("worker.orphans", killed=count)
