"""What a running task is handed: `sdk.context.RunContext` for one attempt."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from batuta.model.instant import Instant
from batuta.sdk.context import RunInfo
from batuta.server.protocol import Job, LogLine
from batuta.server.worker.files import GatewayKeyValues, GatewayNamespaceFiles, JobFiles
from batuta.server.worker.host import LookUpHost
from batuta.server.worker.log import AttemptLog, LogFile, LogSource, Masks
from batuta.server.worker.metric import AttemptMetrics
from batuta.server.worker.render import JobRenderer
from batuta.server.worker.workdir import Workdir
from batuta.server.worker.workplace import Workplace


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Which task of a job this is: the job's own, or a child of a WorkingDirectory."""

    info: RunInfo
    variables: Mapping[str, Any]
    log_level: str | None = None
    is_child: bool = False


class JobContext:
    """Runs on the event loop of the worker; `render` and `log` may be used by any thread."""

    def __init__(self, job: Job, place: Workplace, *, frame: Frame, workdir: Workdir) -> None:
        self.place = place
        self._job = job
        self._workdir = workdir
        self._masks = Masks(job.secrets)
        self._kill_actions: list[Callable[[], None]] = []
        self.info = frame.info
        task_id, task_run_id = (
            (frame.info.task_id, frame.info.task_run_id) if frame.is_child else (None, None)
        )
        self.log_file: LogFile | None = None
        self.log = AttemptLog(
            self._send,
            drain=place.gateway.drain,
            masks=self._masks,
            now=place.clock.now,
            source=LogSource(minimum=frame.log_level, task_id=task_id, task_run_id=task_run_id),
        )
        self.metrics = AttemptMetrics(now=place.clock.now, task_id=task_id, task_run_id=task_run_id)
        self.files = JobFiles(job, place, workdir=workdir, info=frame.info)
        self.namespace_files = GatewayNamespaceFiles(job, place.gateway)
        self.kv = GatewayKeyValues(job, place.gateway)
        host = LookUpHost(job, place, mask=self._masks.add)
        self._renderer = JobRenderer(frame.variables, host, lazy_variables=job.lazy_variables)

    @property
    def workdir(self) -> Path:
        return self._workdir.path()

    @property
    def workdir_if_made(self) -> Path | None:
        return self._workdir.path() if self._workdir.made else None

    @property
    def cache_dir(self) -> Path:
        self.place.cache_dir.mkdir(parents=True, exist_ok=True)
        return self.place.cache_dir

    @property
    def variables(self) -> Mapping[str, Any]:
        return self._renderer.variables

    def render(self, template: Any, extra: Mapping[str, Any] | None = None) -> Any:
        return self._renderer.render(template, extra)

    def render_typed(self, template: str, extra: Mapping[str, Any] | None = None) -> Any:
        return self._renderer.render_typed(template, extra)

    def setting(self, name: str, default: Any = None) -> Any:
        return self.place.settings.get(name, default)

    def mask(self, secret: str) -> None:
        self._masks.add(secret)

    def masked(self, text: str) -> str:
        return self._masks.apply(text)

    def now(self) -> Instant:
        return self.place.clock.now()

    def token(self) -> str:
        return self.place.ids.token()

    def on_kill(self, action: Callable[[], None]) -> None:
        self._kill_actions.append(action)

    async def ask(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        return await self.place.gateway.ask(self._job, operation, arguments)

    def run_kill_actions(self) -> None:
        """Each once, even when others fail."""
        actions, self._kill_actions = self._kill_actions, []
        for action in actions:
            try:
                action()
            except Exception as error:
                self.log.warn(f"A kill hook failed: {error}")

    def _send(self, lines: Sequence[LogLine]) -> None:
        if self.log_file is not None:
            self.log_file.add(lines)
        else:
            self.place.gateway.log(self._job, lines)
