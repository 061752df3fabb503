"""Work outside the turn: jobs of workers, tasks of the server itself, and templates that look something up.

Every piece of work has a job row, so nothing is lost when the process dies: what had not begun begins again, an
attempt that was running is reported as lost.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Protocol

import structlog

from batuta.engine.commands import Logged, Render
from batuta.engine.events import AnyEvent, AttemptLost, AttemptRefused, TaskFinished
from batuta.engine.execution import TaskRun
from batuta.engine.nodes.leaf import is_begun
from batuta.engine.plan import AnyNode, Leaf, WorkDir
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.state import State
from batuta.operations.services import Services
from batuta.server.executor.backlog import Backlog
from batuta.server.executor.inline import run_info
from batuta.server.executor.journal import engine_log, log_rows, metric_rows
from batuta.server.executor.live import Live
from batuta.server.executor.local import Local
from batuta.server.executor.move import Mover
from batuta.server.executor.note import (
    CountNote,
    GatherNote,
    InlineNote,
    RenderNote,
    TaskNote,
    read_note,
)
from batuta.server.executor.patient import PatientRendering
from batuta.server.executor.rendering import Rendering, frame_of
from batuta.server.executor.residents import Residents
from batuta.server.executor.snapshot import snapshot
from batuta.server.executor.tags import Route, Tags
from batuta.server.executor.thread import AttemptThreads, ThreadAttempt
from batuta.server.protocol import ChildSpec, Job, JobFinished
from batuta.server.worker.attempt import Attempt
from batuta.store.errors import StoreError
from batuta.store.rows import JobRow

RETRY_SECONDS = 1.0
AHEAD_SECONDS = 0.05
"""Until it is looked again whether a turn was written."""
AT_ONCE = 4
"""Pieces of work that begin together; after them everybody else goes first."""

MAX_LOSSES = 3
"""A task that has taken its worker down so often is the cause: its next loss counts as a failure."""

log = structlog.get_logger()


class Pool(Protocol):
    """What `server.worker.pool.WorkerPool` is to the executor."""

    def submit(self, job: Job) -> None: ...
    def kill(self, job_id: str) -> None: ...
    async def close(self) -> None: ...


class Work:
    """Starts work when its row is committed, and delivers what comes of it to the executor."""

    def __init__(
        self,
        services: Services,
        *,
        rendering: Rendering,
        mover: Mover,
        residents: Residents,
        patient: PatientRendering,
    ) -> None:
        self._services = services
        self._rendering = rendering
        self._mover = mover
        self._residents = residents
        self._patient = patient
        self.pool: Pool | None = None
        """None: worker tasks run on threads of this process."""
        self.groups: Mapping[str, Pool] = {}
        """Workers with a tag, which run the tasks of their group and no others."""
        self._tags = Tags(services.settings.worker_groups)
        self._threads = AttemptThreads()
        self.backlog = Backlog()
        self._beginning = asyncio.Semaphore(AT_ONCE)
        self._kills: dict[tuple[TaskRunId, int], Callable[[], None]] = {}
        """How to stop each attempt that is under way."""
        self._stopped: set[tuple[TaskRunId, int]] = set()
        """Attempts that were stopped while they were being prepared."""
        self._begun: set[tuple[TaskRunId, int]] = set()
        """Jobs of this process whose end is not committed."""
        self.on_finished: Callable[[Job, JobFinished], None] = lambda _job, _finished: None
        self.deliver: Callable[[Local], None] = lambda _: None
        self.group: asyncio.TaskGroup | None = None

    def dispatch(self, row: JobRow) -> None:
        """Begin the work of a row that is committed."""
        key = (row.task_run_id, row.attempt)
        if self.group is not None and key not in self._begun:
            self._begun.add(key)
            self.group.create_task(self._begin(row))

    def begun(self) -> frozenset[tuple[TaskRunId, int]]:
        """Jobs that this process has taken up and whose end is not committed."""
        return frozenset(self._begun)

    def settled(self, jobs: Iterable[tuple[TaskRunId, int]]) -> None:
        """These are done, or are another server's now."""
        for job in jobs:
            self._begun.discard(job)
            self._stopped.discard(job)

    def drop(self, local: Local) -> None:
        """Another server owns the execution, and counts the attempt as lost."""
        self.backlog.remove(len(local.logs))
        if local.job is not None:
            self.settled([local.job])

    async def recover(
        self, rows: Sequence[JobRow], *, known: Collection[tuple[TaskRunId, int]]
    ) -> None:
        """Take up the rows of an earlier owner; not those that are `known` or were begun meanwhile."""
        for row in rows:
            key = (row.task_run_id, row.attempt)
            if key in known or key in self._begun:
                continue
            live = await self._residents.get(row.execution_id)
            run = live.execution.runs.get(row.task_run_id) if live is not None else None
            if _is_attempt(row) and run is not None and is_begun(run):
                self._begun.add((row.task_run_id, row.attempt))
                self._settle(row, self.lost(row.execution_id, row.task_run_id, row.attempt))
            else:
                self.dispatch(row)

    def kill_all(self, live: Live | None) -> None:
        """Stop every attempt of an execution, if it is in memory."""
        for run in live.execution.runs.values() if live is not None else ():
            if run.progress is not None and run.progress.attempt:
                self.kill((run.id, run.progress.attempt))

    def kill(self, job: tuple[TaskRunId, int]) -> None:
        """Stop the attempt, if it is under way; its result arrives like any other."""
        stop = self._kills.get(job)
        if stop is not None:
            stop()
        elif job in self._begun:
            self._stopped.add(job)

    def forget(self, job: tuple[TaskRunId, int]) -> None:
        """The attempt ended."""
        self._kills.pop(job, None)

    def lost(self, execution_id: ExecutionId, run_id: TaskRunId, attempt: int) -> AttemptLost:
        """A lost attempt runs again, unless the server's policy or too many losses speak against it (01 §10)."""
        live = self._residents.peek(execution_id)
        run = live.execution.runs.get(run_id) if live is not None else None
        losses = sum(
            each.state is State.RESUBMITTED for each in (run.attempts if run else None) or ()
        )
        never = self._services.settings.restart_strategy == "NEVER"
        return AttemptLost(
            at=self._services.clock.now(),
            task_run_id=run_id,
            attempt=attempt,
            resubmit=not never and losses < MAX_LOSSES,
        )

    async def _begin(self, row: JobRow) -> None:
        while True:
            try:
                async with self._beginning:
                    await asyncio.sleep(0)
                await self._try(row)
            except StoreError as error:
                log.error("work.delayed", error=str(error))  # noqa: TRY400 - the store said all there is
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _try(self, row: JobRow) -> None:
        live = await self._residents.get(row.execution_id)
        if live is None:
            self._settle(row, None)
            return
        try:
            match read_note(row.payload):
                case RenderNote(command=command):
                    await self._render(row, live, command)
                case InlineNote():
                    await self._inline(row)
                case CountNote(command=count):
                    self._settle(row, await self._mover.iterations.count(live.execution, count))
                case GatherNote(command=gather):
                    self._settle(row, await self._mover.iterations.gather(live.execution, gather))
                case TaskNote() as note:
                    await self._task(row, note)
        except StoreError:
            raise
        except Exception:
            log.exception("work.failed", execution=row.execution_id, task_run=row.task_run_id)
            self._settle(row, self._ended(row, State.FAILED))

    async def _render(self, row: JobRow, live: Live, command: Render) -> None:
        run = frame_of(live, command)
        extra = await self._mover.replies.extra_of(command)
        renderer = await self._patient.renderer(live, run, items=command.items, extra=extra)
        event = await asyncio.to_thread(self._mover.replies.answer, live, command, renderer)
        self._settle(row, event)

    async def _awaited(self, row: JobRow) -> tuple[Live, TaskRun] | None:
        """The task run whose attempt this is; None when it is over, or another attempt took its place.

        Memory may be ahead by a turn that is not written, and perhaps never will be: the rows count.
        """
        executions = self._services.store.executions
        while (live := await self._residents.get(row.execution_id)) is not None:
            run = live.execution.runs.get(row.task_run_id)
            if run is not None and _is_out(run, row):
                return live, run
            stored = await executions.task_runs(row.execution_id, ids=[row.task_run_id])
            if not any(_is_out(each.run, row) for each in stored):
                return None
            await asyncio.sleep(AHEAD_SECONDS)
        return None

    async def _inline(self, row: JobRow) -> None:
        found = await self._awaited(row)
        if found is None:
            self._settle(row, None)
            return
        live, run = found
        renderer = await self._patient.renderer(live, run)
        result = await asyncio.to_thread(
            partial(self._mover.run_inline, live, run, attempt=row.attempt, renderer=renderer)
        )
        self.deliver(
            Local(
                row.execution_id,
                result.event,
                job=(row.task_run_id, row.attempt),
                logs=log_rows(result.info, result.logs, kind=live.execution.kind),
                metrics=metric_rows(result.info, result.metrics, kind=live.execution.kind),
            )
        )

    async def _task(self, row: JobRow, note: TaskNote) -> None:
        found = await self._awaited(row)
        node = found[0].plan.nodes.get(found[1].task_id) if found is not None else None
        if found is None or not isinstance(node, Leaf | WorkDir):
            self._settle(row, None)
            return
        live, run = found
        group = row.worker_group
        route = self._tags.route(group, node)
        if route is Route.WAIT:
            self._hold(row, live, run)
            return
        if route is Route.REFUSED:
            self._settle(row, self._refused(row))
            return
        job = await self._job(live, run, node, attempt=row.attempt, note=note)
        key = (run.id, row.attempt)
        if key in self._stopped:
            self._settle(row, self._ended(row, State.KILLED))
            return
        pool = self.pool if route is Route.ANYWHERE else self.groups.get(group or "")
        here = isinstance(node, Leaf) and node.placement != "worker" and route is Route.ANYWHERE
        if pool is None or here:
            await self._run_here(job, run)
        else:
            self._kills[key] = partial(pool.kill, job.id)
            pool.submit(job)

    def _hold(self, row: JobRow, live: Live, run: TaskRun) -> None:
        """The row stays until a server takes it up whose workers serve the group; or until it is killed."""
        self._kills[run.id, row.attempt] = partial(self._let_go, row)
        message = f"Waits for a worker of the worker group `{row.worker_group}`"
        logged = Logged(at=self._services.clock.now(), level="WARN", message=message, task_run=run)
        self.deliver(Local(row.execution_id, None, logs=[engine_log(live, logged)]))

    def _let_go(self, row: JobRow) -> None:
        self.forget((row.task_run_id, row.attempt))
        self._settle(row, None)

    def _refused(self, row: JobRow) -> AttemptRefused:
        return AttemptRefused(
            at=self._services.clock.now(),
            task_run_id=row.task_run_id,
            attempt=row.attempt,
            group=row.worker_group or "",
        )

    async def _job(
        self, live: Live, run: TaskRun, node: Leaf | WorkDir, *, attempt: int, note: TaskNote
    ) -> Job:
        variables = await snapshot(self._rendering, live, run, reads=node.outputs_read)
        children = None
        if isinstance(node, WorkDir):
            children = tuple(_child(live.plan.nodes[task_id]) for task_id in node.tasks)
        return Job(
            info=run_info(live, run, attempt=attempt),
            spec=node.spec,
            variables=variables,
            timeout=note.timeout,
            log_level=node.log_level,
            secrets=live.masks.secrets,
            lazy_variables=self._services.settings.lazy_variables,
            path=run.path,
            children=children,
        )

    async def _run_here(self, job: Job, run: TaskRun) -> None:
        attempt = ThreadAttempt(Attempt(job, self._patient.here()))
        self._kills[run.id, job.info.attempt] = attempt.kill
        self.on_finished(job, await self._threads.run(attempt))

    def _settle(self, row: JobRow, event: AnyEvent | None) -> None:
        self.deliver(Local(row.execution_id, event, job=(row.task_run_id, row.attempt)))

    def _ended(self, row: JobRow, state: State) -> TaskFinished:
        return TaskFinished(
            at=self._services.clock.now(),
            task_run_id=row.task_run_id,
            attempt=row.attempt,
            state=state,
        )


def _is_attempt(row: JobRow) -> bool:
    """Whether a worker had it; what cannot be read is none, and fails when it is begun (01 §11.13, 151)."""
    try:
        return isinstance(read_note(row.payload), TaskNote)
    except ValueError:
        return False


def _is_out(run: TaskRun, row: JobRow) -> bool:
    """Whether the task run waits for this attempt."""
    if run.state.is_terminal or run.progress is None:
        return False
    return run.progress.attempt == row.attempt


def _child(node: AnyNode) -> ChildSpec:
    return ChildSpec(
        task_id=node.id,
        type=node.type,
        spec=getattr(node, "spec", {}),
        run_if=node.run_if,
        timeout=getattr(node, "timeout", None),
        allow_failure=node.allow_failure,
        allow_warning=node.allow_warning,
        retries=node.retry is not None,
        log_level=node.log_level,
    )
