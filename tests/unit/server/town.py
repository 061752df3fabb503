"""An installation whose workers are watched: one crew for each worker group."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from batuta.model.state import State
from batuta.server.executor.reports import Reports
from batuta.server.executor.work import Pool
from batuta.server.protocol import Job, JobFinished, JobStarted
from tests.unit.server.installation import Installation


class Crew:
    """`Pool`: the workers of one group. What they take ends well at once, unless they are busy."""

    def __init__(self, reports: Reports, name: str, *, one: Installation, busy: bool) -> None:
        self._reports = reports
        self._name = name
        self._one = one
        self._busy = busy
        self.jobs: list[Job] = []
        self.arrived = asyncio.Event()

    @property
    def taken(self) -> list[str]:
        """Ids of the tasks, in order."""
        return [job.info.task_id for job in self.jobs]

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self.arrived.set()
        if not self._busy:
            asyncio.get_running_loop().call_soon(self._run, job)

    def _run(self, job: Job) -> None:
        now = self._one.services.clock.now()
        self._reports.started(job, JobStarted(job_id=job.id, worker_id=self._name, at=now))
        done = JobFinished(
            job_id=job.id, worker_id=self._name, state=State.SUCCESS, started=now, ended=now
        )
        self._reports.finished(job, done)

    def kill(self, job_id: str) -> None:
        pass

    async def close(self) -> None:
        pass


class Town(Installation):
    """An installation with a crew for each group."""

    crews: dict[str, Crew]

    def open(self, *, busy: str = "") -> None:
        self.crews = {}

        def make(reports: Reports, group: str | None) -> Pool:
            name = group or "anybody"
            self.crews[name] = crew = Crew(reports, name, one=self, busy=name == busy)
            return crew

        self.run(make)

    def serve(self, **groups: int) -> None:
        """From the next start on."""
        settings = msgspec.structs.replace(self.services.settings, worker_groups=groups)
        self.services = dataclasses.replace(self.services, settings=settings)


@asynccontextmanager
async def town(folder: Path, *, busy: str = "", **groups: int) -> AsyncIterator[Town]:
    one = Town(folder, worker_groups=groups)
    one.open(busy=busy)
    try:
        yield one
    finally:
        await one.crash()
        await one.store.close()
