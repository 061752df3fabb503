"""Runs one task: renders its definition, calls it, and turns what happens into a result."""

import asyncio
import traceback
from collections.abc import Mapping
from types import FrameType
from typing import Any

import msgspec

from batuta.expr.errors import ExpressionError
from batuta.model.instant import SECOND, Micros
from batuta.model.state import State
from batuta.sdk.definition import Task
from batuta.sdk.errors import TaskError
from batuta.sdk.output import Outcome
from batuta.sdk.registry import Registry
from batuta.sdk.rendering import render_definition
from batuta.sdk.staging import clock_text
from batuta.server.worker.cache import TaskCache
from batuta.server.worker.context import JobContext
from batuta.server.worker.gateway import text_of
from batuta.server.worker.plain import plain, plain_outputs

CANCEL_SECONDS = 60.0
"""How long a task may clean up after it was cancelled, before it is left to itself."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    state: State
    outputs: Mapping[str, Any] | None = None
    labels: Mapping[str, str] | None = None
    variables: Mapping[str, Any] | None = None
    exit_state: State | None = None
    error: str | None = None


async def run_task(
    ctx: JobContext, spec: Mapping[str, Any], *, registry: Registry, limit: Micros | None
) -> Result:
    """`limit` is the timeout. Never raises but for cancellation: a kill, after the task had time to clean up."""
    work = asyncio.create_task(_run(ctx, spec, registry=registry))
    try:
        await asyncio.wait({work}, timeout=None if limit is None else limit / SECOND)
    except asyncio.CancelledError:
        await _stop(work)
        raise
    if not work.done():
        message = f"Timeout after {clock_text(limit or 0)}"
        ctx.log.error(message)
        ctx.log.trace(f"{message}\n{_where(work)}")
        ctx.run_kill_actions()
        await _stop(work)
        return Result(state=State.FAILED, outputs=_kept(work), error=message)
    return _result(ctx, work)


async def _run(ctx: JobContext, spec: Mapping[str, Any], *, registry: Registry) -> Result:
    kind = registry.get(str(spec.get("type", "")))
    if not issubclass(kind, Task):
        raise TaskError(f"Only runnable tasks can be executed by the worker, {kind.TYPE} is none")
    task: Task = await _rendered(ctx, kind, spec, registry=registry)
    cache = TaskCache.of(task, ctx)
    if cache is not None:
        found = await cache.find()
        if found is not None:
            return Result(state=State.SUCCESS, outputs=found.outputs)
    result = _succeeded(await task.run(ctx))
    if cache is not None and result.state in {State.SUCCESS, State.WARNING}:
        await cache.save(result.outputs)
    return result


async def _rendered(
    ctx: JobContext, kind: type[Task], spec: Mapping[str, Any], *, registry: Registry
) -> Any:
    """In a thread when there are templates: their look-ups wait for the server."""
    if not has_templates(spec):
        return render_definition(kind, spec, render=ctx.render, registry=registry)
    return await asyncio.to_thread(
        render_definition, kind, spec, render=ctx.render, registry=registry
    )


def has_templates(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value or "{%" in value or "{#" in value
    if isinstance(value, Mapping):
        return any(has_templates(key) or has_templates(item) for key, item in value.items())
    return isinstance(value, (list, tuple)) and any(map(has_templates, value))


def _succeeded(returned: Any) -> Result:
    if not isinstance(returned, Outcome):
        return Result(state=State.SUCCESS, outputs=plain_outputs(returned))
    return Result(
        state=returned.state,
        outputs=plain_outputs(returned.outputs),
        labels=returned.labels,
        variables=None if returned.variables is None else plain(returned.variables),
        exit_state=returned.exit_state,
    )


def _result(ctx: JobContext, work: asyncio.Future[Result]) -> Result:
    if work.cancelled():
        ctx.log.error("The task was cancelled")
        return Result(state=State.FAILED, error="The task was cancelled")
    error = work.exception()
    if error is None:
        return work.result()
    return failed(ctx, error, outputs=_kept(work))


def failed(
    ctx: JobContext, error: BaseException, *, outputs: Mapping[str, Any] | None = None
) -> Result:
    """Logs the message at ERROR and where it came from at TRACE (01 §9.2)."""
    message = text_of(error)
    ctx.log.error(message)
    place = f"{error.pointer()}\n" if isinstance(error, ExpressionError) else ""
    ctx.log.trace(place + "".join(traceback.format_exception(error)))
    return Result(state=State.FAILED, outputs=outputs, error=message)


def _where(work: asyncio.Task[Result]) -> str:
    """Where a task waits, the outermost place first."""
    places: list[tuple[FrameType, int]] = []
    waiting: Any = work.get_coro()
    while (frame := getattr(waiting, "cr_frame", None)) is not None:
        places.append((frame, frame.f_lineno))
        waiting = waiting.cr_await
    return "".join(traceback.StackSummary.extract(places).format())


def _kept(work: asyncio.Future[Result]) -> Mapping[str, Any] | None:
    """Outputs that a failing task leaves behind (05 §2)."""
    if not work.done() or work.cancelled():
        return None
    error = work.exception()
    return plain_outputs(error.outputs) if isinstance(error, TaskError) else None


async def _stop(work: asyncio.Future[Result]) -> None:
    work.cancel()
    await asyncio.wait({work}, timeout=CANCEL_SECONDS)
    if work.done() and not work.cancelled():
        work.exception()  # retrieved, so that nobody warns of it
