"""WorkingDirectory: its tasks run one after another in one directory, as one job (01 §6.10)."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from batuta.engine.events import ChildRun
from batuta.engine.values import is_truthy
from batuta.model.ids import derived_id
from batuta.model.instant import Instant, to_iso
from batuta.model.state import State
from batuta.sdk.context import RunInfo
from batuta.sdk.definition import Definition
from batuta.sdk.files import NamespaceFiles
from batuta.sdk.glob import matches
from batuta.sdk.property import Lazy, Property
from batuta.sdk.rendering import render_definition
from batuta.sdk.staging import (
    capture_output_files,
    inside,
    load_namespace_files,
    regular_files,
    write_input_files,
)
from batuta.sdk.types import read_duration
from batuta.server.protocol import ChildSpec, Job
from batuta.server.worker.context import Frame, JobContext
from batuta.server.worker.gateway import text_of
from batuta.server.worker.log import LogFile
from batuta.server.worker.task import Result, failed, run_task
from batuta.server.worker.workplace import Workplace
from batuta.storage.layout import cache_path, to_uri

_WORSE = (State.SUCCESS, State.WARNING, State.FAILED)


class CacheOption(Definition):
    """Files of the directory that are kept for the next execution."""

    patterns: Property[list[str]]
    """Which files are kept."""
    ttl: Property[str] | None = None
    """How long they are valid; for ever when it is absent."""


class DirectoryOptions(Definition):
    """What a WorkingDirectory does with files."""

    cache: CacheOption | None = None
    """Files that are kept between executions."""
    input_files: Lazy[Any] = None
    """Files that are written before the first task."""
    output_files: Property[list[str]] | None = None
    """Patterns of files that are stored after the last task."""
    namespace_files: NamespaceFiles | None = None
    """Files of the namespace that are loaded before the first task."""


class Directory:
    """`runs` grows with each child that ended, also while a kill unwinds."""

    def __init__(
        self,
        ctx: JobContext,
        job: Job,
        *,
        place: Workplace,
        open_child: Callable[[Frame], JobContext],
    ) -> None:
        self._ctx = ctx
        self._job = job
        self._place = place
        self._open_child = open_child
        self._outputs: dict[str, Any] = dict(job.variables.get("outputs") or {})
        self.runs: list[ChildRun] = []
        self._state = State.SUCCESS

    async def run(self) -> Result:
        """The rolled-up result. Raises what its own files run into, and cancellation."""
        options = await asyncio.to_thread(
            render_definition,
            DirectoryOptions,
            self._job.spec,
            render=self._ctx.render,
            registry=self._place.registry,
        )
        cache = None if options.cache is None else DirectoryCache(options.cache, self._ctx)
        if cache is not None:
            await cache.restore()
        if options.namespace_files is not None:
            await load_namespace_files(options.namespace_files, self._ctx)
        await write_input_files(options.input_files, self._ctx, render=self._ctx.render)
        await self._run_children()
        try:
            stored = await capture_output_files(options.output_files, self._ctx)
            if cache is not None:
                await cache.save()
        except (OSError, ValueError) as error:
            return failed(self._ctx, error)
        return Result(
            state=self._state,
            outputs=None if options.output_files is None else {"outputFiles": stored},
        )

    async def _run_children(self) -> None:
        for index, child in enumerate(self._job.children or ()):
            run = await self._run_child(child, index)
            if run is None:
                self._state = State.FAILED
                return
            self.runs.append(run)
            self._state = max(self._state, _counted(child, run.state), key=_WORSE.index)
            if self._state is State.FAILED:
                return

    async def _run_child(self, child: ChildSpec, index: int) -> ChildRun | None:
        """None when it cannot be told whether the child should run: then the directory fails, not the child."""
        started = self._place.clock.now()
        run_id = derived_id(f"{self._job.info.task_run_id}/{self._job.info.attempt}", index)
        frame = self._frame(child, run_id, started)
        ctx = self._open_child(frame)
        if child.spec.get("logToFile") is True:
            ctx.log_file = LogFile()

        def ended(state: State, **rest: Any) -> ChildRun:
            return ChildRun(
                task_id=child.task_id,
                task_run_id=run_id,
                state=state,
                started=started,
                ended=self._place.clock.now(),
                **rest,
            )

        try:
            if not await _is_wanted(ctx, child):
                return ended(State.SKIPPED)
        except Exception as error:
            ctx.log.error(
                f"Failed to evaluate the runIf condition for task {child.task_id}. Cause: {text_of(error)}"
            )
            return None
        try:
            limit = await _limit(ctx, child)
        except Exception as error:
            ctx.log.error(text_of(error))
            return ended(State.FAILED)
        try:
            result = await run_task(ctx, child.spec, registry=self._place.registry, limit=limit)
        except asyncio.CancelledError:
            self.runs.append(ended(State.KILLED))
            raise
        if result.outputs is not None:
            _put(self._outputs, (child.task_id, *self._job.path), result.outputs)
        return ended(result.state, outputs=result.outputs)

    def _frame(self, child: ChildSpec, run_id: str, started: Instant) -> Frame:
        info = self._job.info
        outer = dict(self._job.variables.get("taskrun") or {})
        taskrun = {
            "id": run_id,
            "startDate": to_iso(started),
            "attemptsCount": 0,
            "parentId": info.task_run_id,
        }
        if "value" in outer:
            taskrun["value"] = outer["value"]
        own = RunInfo(
            tenant=info.tenant,
            namespace=info.namespace,
            flow_id=info.flow_id,
            flow_revision=info.flow_revision,
            execution_id=info.execution_id,
            task_id=child.task_id,
            task_type=child.type,
            task_run_id=run_id,
            attempt=1,
            value=info.value,
            iteration=info.iteration,
        )
        return Frame(
            info=own,
            variables={
                **self._job.variables,
                "outputs": self._outputs,
                "task": {"id": child.task_id, "type": child.type},
                "taskrun": taskrun,
                "idempotencyKey": own.key,
                "workerTaskrun": outer,
            },
            log_level=child.log_level,
            is_child=True,
        )


class DirectoryCache:
    """Files kept from one execution to the next in one archive."""

    def __init__(self, option: CacheOption, ctx: JobContext) -> None:
        info = ctx.info
        value = None if info.value is None else hashlib.sha256(info.value.encode()).hexdigest()
        self._ctx = ctx
        self._option = option
        self._uri = to_uri(cache_path(info.namespace, info.flow_id, info.task_id, value_hash=value))
        self._before: dict[str, tuple[int, int]] = {}

    async def restore(self) -> None:
        """Unpack the archive when it is young enough."""
        storage, tenant = self._ctx.place.storage, self._ctx.info.tenant
        if await storage.exists(tenant, self._uri):
            entry = await storage.attributes(tenant, self._uri)
            ttl = self._option.ttl
            if ttl is not None and entry.modified + read_duration(ttl) < self._ctx.now():
                await storage.delete(tenant, self._uri)
            else:
                data = await storage.read(tenant, self._uri)
                await asyncio.to_thread(_unpack, data, self._ctx.workdir)
        self._before = self._files()

    async def save(self) -> None:
        """Replace the archive when a file was added or changed."""
        now = self._files()
        if now and now != self._before:
            data = await asyncio.to_thread(_pack, self._ctx.workdir, list(now))
            await self._ctx.place.storage.put(self._ctx.info.tenant, self._uri, data)

    def _files(self) -> dict[str, tuple[int, int]]:
        root = self._ctx.workdir
        found = {}
        for path in regular_files(root):
            if any(matches(pattern, path) for pattern in self._option.patterns):
                stat = (root / path).stat()
                found[path] = (stat.st_mtime_ns, stat.st_size)
        return found


def _pack(root: Path, paths: list[str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(root / path, path)
    return buffer.getvalue()


def _unpack(data: bytes, root: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            target = inside(root, entry.filename)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(entry))


async def _is_wanted(ctx: JobContext, child: ChildSpec) -> bool:
    if child.run_if is None:
        return True
    text = await asyncio.to_thread(ctx.render, str(child.run_if))
    return is_truthy(text)


async def _limit(ctx: JobContext, child: ChildSpec) -> int | None:
    if child.timeout is None:
        return None
    text = await asyncio.to_thread(ctx.render, str(child.timeout))
    return read_duration(text)


def _counted(child: ChildSpec, state: State) -> State:
    """What a child's result means for the directory (01 §5.2). A failure that may be retried stays one."""
    if state is State.SKIPPED:
        return State.SUCCESS
    if state not in _WORSE:
        return State.FAILED
    if state is State.FAILED and child.allow_failure and not child.retries:
        state = State.WARNING
    return State.SUCCESS if state is State.WARNING and child.allow_warning else state


def _put(outputs: dict[str, Any], path: tuple[str, ...], value: Mapping[str, Any]) -> None:
    """Set the outputs at `path`, leaving maps that others may hold as they are."""
    for step in path[:-1]:
        below = outputs.get(step)
        outputs[step] = below = dict(below) if isinstance(below, Mapping) else {}
        outputs = below
    outputs[path[-1]] = dict(value)
