"""One attempt of a task from start to result, wherever it runs.

    finished = await run_attempt(job, place)

or, to be able to kill it, `attempt = Attempt(job, place)` with `await attempt.run()` in a task and `attempt.kill()`.
"""

import asyncio

import msgspec

from batuta.model.instant import Instant
from batuta.model.state import State
from batuta.server.protocol import Job, JobFinished
from batuta.server.worker.context import Frame, JobContext
from batuta.server.worker.directory import Directory
from batuta.server.worker.gateway import text_of
from batuta.server.worker.log import LogFile
from batuta.server.worker.task import CANCEL_SECONDS, Result, failed, run_task
from batuta.server.worker.workdir import Workdir
from batuta.server.worker.workplace import Workplace


async def run_attempt(job: Job, place: Workplace) -> JobFinished:
    """Run the attempt on this event loop. Whatever goes wrong is in the result; raises cancellation only."""
    return await Attempt(job, place).run()


class Attempt:
    def __init__(self, job: Job, place: Workplace) -> None:
        self._job = job
        self._place = place
        self._killed = False
        self._work: asyncio.Future[Result] | None = None
        self._contexts: list[JobContext] = []
        self._directory: Directory | None = None

    async def run(self) -> JobFinished:
        job, place = self._job, self._place
        started = place.clock.now()
        place.gateway.started(job, started)
        workdir = Workdir(place.tmp_dir, place.ids.token())
        try:
            ctx = self._open(
                Frame(info=job.info, variables=job.variables, log_level=job.log_level), workdir
            )
            if job.spec.get("logToFile") is True:
                ctx.log_file = LogFile()
            result = await self._watch(ctx, workdir)
            return await self._finish(ctx, result, started=started)
        finally:
            if workdir.made:
                await asyncio.to_thread(workdir.remove)

    def kill(self) -> None:
        """Stop it: hooks first, then cancellation. `run` returns with KILLED."""
        if self._killed:
            return
        self._killed = True
        for ctx in self._contexts:
            ctx.run_kill_actions()
        if self._work is not None:
            self._work.cancel()

    def _open(self, frame: Frame, workdir: Workdir) -> JobContext:
        ctx = JobContext(self._job, self._place, frame=frame, workdir=workdir)
        self._contexts.append(ctx)
        return ctx

    async def _watch(self, ctx: JobContext, workdir: Workdir) -> Result:
        if self._killed:
            return Result(state=State.KILLED)
        self._work = work = asyncio.ensure_future(self._do(ctx, workdir))
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            self.kill()
            await asyncio.wait({work}, timeout=CANCEL_SECONDS)
            raise
        if work.cancelled():
            return Result(state=State.KILLED)
        error = work.exception()
        return work.result() if error is None else failed(ctx, error)

    async def _do(self, ctx: JobContext, workdir: Workdir) -> Result:
        job, place = self._job, self._place
        if job.children is None:
            return await run_task(ctx, job.spec, registry=place.registry, limit=job.timeout)
        self._directory = Directory(
            ctx, job, place=place, open_child=lambda frame: self._open(frame, workdir)
        )
        return await self._directory.run()

    async def _stored_log(self, ctx: JobContext) -> str | None:
        kept, ctx.log_file = ctx.log_file, None
        if kept is None:
            return None
        ctx.log.flush(kept.add)
        try:
            return await ctx.files.put(kept.content(), suffix=".log")
        except (OSError, ValueError) as error:
            ctx.log.error(f"The log file cannot be stored: {text_of(error)}")
            return None

    async def _finish(self, ctx: JobContext, result: Result, *, started: Instant) -> JobFinished:
        log_files = {each.info.task_run_id: await self._stored_log(each) for each in self._contexts}
        metrics = []
        for each in self._contexts:
            each.log.flush()
            metrics += each.metrics.lines()
        if metrics:
            self._place.gateway.metrics(self._job, metrics)
        return JobFinished(
            job_id=self._job.id,
            worker_id=self._place.worker_id,
            state=result.state,
            started=started,
            ended=self._place.clock.now(),
            outputs=result.outputs,
            labels=result.labels,
            variables=result.variables,
            exit_state=result.exit_state,
            children=tuple(
                msgspec.structs.replace(child, log_file=log_files.get(child.task_run_id or ""))
                for child in (self._directory.runs if self._directory is not None else ())
            ),
            log_file=log_files[self._job.info.task_run_id],
            error=None if result.error is None else ctx.masked(result.error),
        )
