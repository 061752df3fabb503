"""Workers that start late, hang, die, and send their messages twice, late or in the wrong order."""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from batuta.engine.events import ChildRun
from batuta.model.instant import Instant
from batuta.model.state import State
from batuta.server.executor.reports import Reports
from batuta.server.protocol import ChildSpec, Job, JobFinished, JobStarted
from batuta.testing.simulate.dice import Dice
from batuta.testing.simulate.level2.flows import NAMESPACE

WORKER = "worker"
LIVENESS = 45.0
"""Seconds after which a worker that says nothing counts as dead."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt does; it follows from the seed and the attempt's key alone. Times in seconds."""

    starts: float
    ends: float
    """After it started."""
    outcome: str
    """SUCCESS, FAILED, `lost`, or `hang`: until it is killed or given up."""
    told_twice: bool
    reordered: bool
    """The end is told before the start."""
    kill: float
    """How long it takes to die when it is killed."""
    speaks_after_death: bool


def behaviour(seed: int, key: str) -> Behaviour:
    dice = Dice(seed * 1_000_003 + zlib.crc32(key.encode()))
    outcomes = ("SUCCESS",) * 13 + ("FAILED",) * 4 + ("lost",) * 2 + ("hang",)
    return Behaviour(
        starts=dice.pick((0.001, 0.01, 0.3, 3.0)),
        ends=dice.pick((0.001, 0.05, 0.5, 2.0, 15.0)),
        outcome=dice.pick(outcomes),
        told_twice=dice.chance(15),
        reordered=dice.chance(10),
        kill=dice.pick((0.0, 0.01, 1.0, 20.0)),
        speaks_after_death=dice.chance(30),
    )


class Workers:
    """`server.executor.work.Pool`, for one life of the server."""

    def __init__(
        self,
        reports: Reports,
        *,
        seed: int,
        now: Callable[[], Instant],
        submitted: Callable[[Job], None],
    ) -> None:
        self._reports = reports
        self._seed = seed
        self._now = now
        self._submitted = submitted
        self._running: dict[str, Job] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._is_gone = False

    def submit(self, job: Job) -> None:
        if self._is_gone:
            self._reports.lost(job)
            return
        if job.id in self._running:
            return
        self._submitted(job)
        self._running[job.id] = job
        how = behaviour(self._seed, job.id)
        started = how.starts + (how.ends + 0.05 if how.reordered else 0)
        self._later(started, self._start, job)
        if how.told_twice:
            self._later(started + 0.2, self._start, job)
        if how.outcome == "hang":
            self._later(how.starts + LIVENESS, self._lose, job)
        elif how.outcome == "lost":
            self._later(how.starts + how.ends, self._lose, job)
        else:
            self._later(how.starts + how.ends, self._finish, job, State(how.outcome))

    def kill(self, job_id: str) -> None:
        job = self._running.get(job_id)
        if job is not None:
            self._later(behaviour(self._seed, job_id).kill, self._finish, job, State.KILLED)

    async def close(self) -> None:
        """The server leaves orderly: what runs is lost."""
        for job in list(self._running.values()):
            self._lose(job)
        self.vanish()

    def die(self) -> None:
        """The worker process ends; another one takes its place."""
        for job in list(self._running.values()):
            self._lose(job)

    def vanish(self) -> None:
        """With the server: nobody is told anything any more."""
        self._is_gone = True
        for timer in self._timers:
            timer.cancel()

    def _later(self, seconds: float, action: Callable[..., None], *arguments: object) -> None:
        loop = asyncio.get_running_loop()
        self._timers.append(loop.call_later(seconds, action, *arguments))

    def _start(self, job: Job) -> None:
        message = JobStarted(job_id=job.id, worker_id=WORKER, at=self._now())
        self._reports.started(job, message)

    def _lose(self, job: Job) -> None:
        if self._running.pop(job.id, None) is None:
            return
        self._reports.lost(job)
        if behaviour(self._seed, job.id).speaks_after_death and not self._is_gone:
            self._later(1.0, self._report, job, State.SUCCESS)

    def _finish(self, job: Job, state: State) -> None:
        if self._running.pop(job.id, None) is None:
            return
        self._report(job, state)
        if behaviour(self._seed, job.id).told_twice:
            self._later(0.3, self._report, job, state)

    def _report(self, job: Job, state: State) -> None:
        now = self._now()
        finished = JobFinished(
            job_id=job.id,
            worker_id=WORKER,
            state=state,
            started=now,
            ended=now,
            outputs=_outputs(job),
            children=_children(job.children or (), state, now),
        )
        self._reports.finished(job, finished)


def _outputs(job: Job) -> Mapping[str, Any]:
    if job.info.task_type.endswith("$ForEachItemSplit"):
        return {"splits": f"kestra:///{NAMESPACE}/_files/splits.txt"}
    return {"value": job.info.task_id}


def _children(children: tuple[ChildSpec, ...], state: State, now: Instant) -> tuple[ChildRun, ...]:
    """All but the last went well."""
    last = len(children) - 1
    return tuple(
        ChildRun(
            task_id=child.task_id,
            state=state if number == last else State.SUCCESS,
            started=now,
            ended=now,
        )
        for number, child in enumerate(children)
    )
