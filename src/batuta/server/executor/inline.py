"""Inline tasks: run by the executor, folded back before the commit (09 §4). They touch nothing but their arguments."""

from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from typing_extensions import override

from batuta.engine.events import TaskFinished
from batuta.engine.execution import TaskRun
from batuta.expr import ExpressionError
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import State
from batuta.sdk import Outcome, PluginError, Registry, Task, TaskError
from batuta.sdk.context import RunInfo, TaskLog
from batuta.sdk.rendering import render_definition
from batuta.server.executor.live import Live
from batuta.server.protocol import LogLine, MetricLine
from batuta.server.worker.log import LEVELS, MAX_MESSAGE_CHARS, Masks
from batuta.server.worker.metric import AttemptMetrics
from batuta.server.worker.plain import plain_outputs
from batuta.server.worker.render import JobRenderer

TASK_ERRORS = (
    ExpressionError,
    PluginError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
)
"""What a task, its properties or its templates can do wrong."""
SERVER_WORKER = "server"
"""Worker id of tasks that the server runs itself."""


class InlineResult(msgspec.Struct, frozen=True):
    """The event that ends the attempt, and what the task wrote meanwhile."""

    info: RunInfo
    event: TaskFinished
    logs: tuple[LogLine, ...]
    metrics: tuple[MetricLine, ...]


class InlineLog(TaskLog):
    """`sdk.context.TaskLog` into a list."""

    def __init__(self, masks: Masks, *, minimum: str | None, now: Callable[[], Instant]) -> None:
        self._masks = masks
        self._minimum = LEVELS.get(minimum or "", 0)
        self._now = now
        self.lines: list[LogLine] = []

    @override
    def write(self, level: str, message: str, *, at: Instant | None = None) -> None:
        if LEVELS.get(level, LEVELS["INFO"]) < self._minimum:
            return
        text = self._masks.apply(message)
        moment = self._now() if at is None else at
        for start in range(0, len(text) or 1, MAX_MESSAGE_CHARS):
            part = text[start : start + MAX_MESSAGE_CHARS]
            self.lines.append(LogLine(at=moment, level=level, message=part))

    @override
    async def drain(self) -> None:
        """Nothing is ever behind."""


class InlineContext:
    """The part of `sdk.RunContext` that an inline task may use."""

    def __init__(
        self,
        info: RunInfo,
        *,
        renderer: JobRenderer,
        log: InlineLog,
        masks: Masks,
        now: Callable[[], Instant],
    ) -> None:
        self.info = info
        self.log = log
        self.metrics = AttemptMetrics(now=now)
        self.now = now
        self.mask = masks.add
        self.render = renderer.render
        self.render_typed = renderer.render_typed
        self.variables: Mapping[str, Any] = renderer.variables

    @property
    def workdir(self) -> Path:
        self._refuse("working directory")

    def on_kill(self, action: Callable[[], None]) -> None:
        """An inline task has ended before anybody could kill it."""

    def __getattr__(self, name: str) -> NoReturn:
        self._refuse(f"`{name}`")

    def _refuse(self, what: str) -> NoReturn:
        raise TaskError(f"{self.info.task_type} runs inline and has no {what}")


class InlineRunner:
    """Runs one attempt from start to end without waiting for anything."""

    def __init__(self, registry: Registry, *, now: Callable[[], Instant]) -> None:
        self._registry = registry
        self._now = now

    def run(self, live: Live, run: TaskRun, *, attempt: int, renderer: JobRenderer) -> InlineResult:
        """Never raises for what the task or its properties do wrong; that is a failed attempt."""
        started = self._now()
        node = live.plan.nodes[run.task_id]
        masks = live.masks
        log = InlineLog(masks, minimum=node.log_level, now=self._now)
        info = run_info(live, run, attempt=attempt)
        context = InlineContext(
            info,
            renderer=renderer,
            log=log,
            masks=masks,
            now=self._now,
        )
        try:
            outcome = self._outcome(node.type, getattr(node, "spec", {}), context=context)
        except TASK_ERRORS as error:
            log.write("ERROR", str(error) or type(error).__name__)
            outcome = Outcome(state=State.FAILED, outputs=getattr(error, "outputs", None))
        event = _finished(run, outcome, attempt=attempt, at=self._now(), started=started)
        if not getattr(node, "updates_execution", False):
            event = msgspec.structs.replace(event, worker_id=SERVER_WORKER)
        return InlineResult(info, event, tuple(log.lines), tuple(context.metrics.lines()))

    def _outcome(
        self, type_name: str, spec: Mapping[str, Any], *, context: InlineContext
    ) -> Outcome:
        kind = self._registry.get(type_name)
        task = render_definition(kind, spec, render=context.render, registry=self._registry)
        if not isinstance(task, Task):
            raise PluginError(f"{type_name} is no task that can run")
        result = _drive(task.run(context))
        if isinstance(result, Outcome):
            return msgspec.structs.replace(result, outputs=plain_outputs(result.outputs))
        return Outcome(outputs=plain_outputs(result))


def run_info(live: Live, run: TaskRun, *, attempt: int) -> RunInfo:
    plan = live.plan
    return RunInfo(
        tenant=plan.flow.tenant,
        namespace=plan.flow.namespace,
        flow_id=plan.flow.id,
        flow_revision=plan.revision,
        execution_id=live.execution.id,
        task_id=run.task_id,
        task_type=plan.nodes[run.task_id].type,
        task_run_id=run.id,
        attempt=attempt,
        value=run.value,
        iteration=run.iteration,
    )


def frame_info(live: Live, run: TaskRun | None) -> RunInfo:
    """Whose look-ups these are: those of a task run, or of the flow itself."""
    if run is not None:
        return run_info(live, run, attempt=1)
    plan = live.plan
    return RunInfo(
        tenant=plan.flow.tenant,
        namespace=plan.flow.namespace,
        flow_id=plan.flow.id,
        flow_revision=plan.revision,
        execution_id=live.execution.id,
        task_id="",
        task_type="",
        task_run_id="",
        attempt=1,
    )


def _drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise PluginError("an inline task waited for something")


def _finished(
    run: TaskRun, outcome: Outcome, *, attempt: int, at: Instant, started: Instant
) -> TaskFinished:
    labels = None
    if outcome.labels is not None:
        labels = tuple(Label(key, value) for key, value in outcome.labels.items())
    return TaskFinished(
        at=at,
        task_run_id=run.id,
        attempt=attempt,
        state=outcome.state,
        started=started,
        outputs=outcome.outputs,
        labels=labels,
        variables=outcome.variables,
        exit_state=outcome.exit_state,
    )
