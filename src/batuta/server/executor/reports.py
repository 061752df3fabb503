"""What workers report, turned into events; and the same for attempts that the server runs itself."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from batuta.engine.events import AnyEvent, AttemptLost, TaskFinished, TaskStarted
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.server.answers import Answers
from batuta.server.executor.inline import SERVER_WORKER
from batuta.server.executor.journal import log_rows, metric_rows
from batuta.server.executor.local import Local
from batuta.server.executor.residents import Residents
from batuta.server.executor.work import Work
from batuta.server.protocol import Job, JobFinished, JobStarted, LogLine, MetricLine

LOOK_UP_SECONDS = 60.0
"""A look-up of a template that takes longer is given up."""


class Reports:
    """`server.worker.pool.WorkerEvents`. Called on the executor's event loop."""

    def __init__(self, *, work: Work, residents: Residents, answers: Answers) -> None:
        self._work = work
        self._residents = residents
        self._answers = answers

    def started(self, job: Job, message: JobStarted) -> None:
        event = TaskStarted(
            at=message.at,
            task_run_id=TaskRunId(job.info.task_run_id),
            attempt=job.info.attempt,
            worker_id=message.worker_id,
        )
        self._deliver(job, event)

    async def logs(self, job: Job, lines: Sequence[LogLine]) -> None:
        self.log(job, lines)
        await self._work.backlog.room()

    def log(self, job: Job, lines: Sequence[LogLine]) -> None:
        self._deliver(job, None, logs=lines)

    def metrics(self, job: Job, lines: Sequence[MetricLine]) -> None:
        self._deliver(job, None, metrics=lines)

    def finished(self, job: Job, message: JobFinished) -> None:
        labels = None
        if message.labels is not None:
            labels = tuple(Label(key, value) for key, value in message.labels.items())
        event = TaskFinished(
            at=message.ended,
            task_run_id=TaskRunId(job.info.task_run_id),
            attempt=job.info.attempt,
            state=message.state,
            started=message.started,
            outputs=message.outputs,
            labels=labels,
            variables=message.variables,
            exit_state=message.exit_state,
            children=message.children,
            log_file=message.log_file,
            worker_id=message.worker_id,
        )
        self._settle(job, event)

    def lost(self, job: Job) -> None:
        self._settle(job, self._lost(job))

    def _lost(self, job: Job) -> AttemptLost:
        info = job.info
        execution_id, run_id = ExecutionId(info.execution_id), TaskRunId(info.task_run_id)
        return self._work.lost(execution_id, run_id, info.attempt)

    async def ask(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        return await self._answers.answer(job.info, operation, arguments)

    def _settle(self, job: Job, event: AnyEvent) -> None:
        run_id = TaskRunId(job.info.task_run_id)
        key = (run_id, job.info.attempt)
        self._work.forget(key)
        self._deliver(job, event, settled=key)

    def _deliver(
        self,
        job: Job,
        event: AnyEvent | None,
        *,
        settled: tuple[TaskRunId, int] | None = None,
        logs: Sequence[LogLine] = (),
        metrics: Sequence[MetricLine] = (),
    ) -> None:
        execution_id = ExecutionId(job.info.execution_id)
        live = self._residents.peek(execution_id)
        kind = live.execution.kind if live is not None else None
        self._work.deliver(
            Local(
                execution_id,
                event,
                job=settled,
                logs=log_rows(job.info, logs, kind=kind),
                metrics=metric_rows(job.info, metrics, kind=kind),
            )
        )


class LocalGateway:
    """`server.worker.gateway.Gateway` for attempts and templates on threads of the server."""

    def __init__(self, reports: Reports, loop: asyncio.AbstractEventLoop) -> None:
        self._reports = reports
        self._loop = loop

    def started(self, job: Job, at: Instant) -> None:
        message = JobStarted(job_id=job.id, worker_id=SERVER_WORKER, at=at)
        self._post(self._reports.started, job, message)

    def log(self, job: Job, lines: Sequence[LogLine]) -> None:
        self._post(self._reports.log, job, lines)

    async def drain(self) -> None:
        """The server's own tasks write little."""

    def metrics(self, job: Job, lines: Sequence[MetricLine]) -> None:
        self._post(self._reports.metrics, job, lines)

    async def ask(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        call = self._reports.ask(job, operation, arguments)
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, self._loop))

    def look_up(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        call = self._reports.ask(job, operation, arguments)
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        return future.result(LOOK_UP_SECONDS)

    def _post(self, report: Callable[..., None], job: Job, what: Any) -> None:
        with suppress(RuntimeError):  # the server's loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(report, job, what)
