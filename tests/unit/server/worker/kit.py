"""A place for attempts inside a test: a gateway that records, storage in a folder, secrets and key-values in maps."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from batuta.expr import EvaluationError
from batuta.model.instant import Instant
from batuta.operations.system import SystemClock, SystemIds
from batuta.sdk import Registry, RunContext, Task
from batuta.sdk.context import RunInfo
from batuta.server.protocol import Job, JobFinished, LogLine, MetricLine
from batuta.server.worker.attempt import Attempt, run_attempt
from batuta.server.worker.workplace import Workplace
from batuta.storage.local import LocalStorage

PROCESS = {"type": "io.kestra.plugin.core.runner.Process"}
_numbers = itertools.count(1)


class RecordingGateway:
    """`server.worker.gateway.Gateway` that keeps everything."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.lines: list[LogLine] = []
        self.measures: list[MetricLine] = []
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.secrets: dict[str, str] = {}
        self.files: dict[str, dict[str, bytes]] = {}

    def started(self, job: Job, at: Instant) -> None:
        self.begun.append(job.id)

    def log(self, job: Job, lines: Sequence[LogLine]) -> None:
        self.lines += lines

    async def drain(self) -> None:
        return

    def metrics(self, job: Job, lines: Sequence[MetricLine]) -> None:
        self.measures += lines

    async def ask(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        return self.look_up(job, operation, arguments)

    def look_up(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        self.asked.append((operation, dict(arguments)))
        match operation:
            case "secret":
                key = arguments["key"]
                if key not in self.secrets:
                    raise EvaluationError(f"Cannot find secret for key '{key}'.")
                return self.secrets[key]
            case "files.list":
                return sorted(self.files.get(arguments["namespace"], {}))
            case "files.read":
                import base64

                content = self.files[arguments["namespace"]][arguments["path"]]
                return base64.b64encode(content).decode()
            case _:
                return None

    def messages(self, level: str | None = None) -> list[str]:
        return [line.message for line in self.lines if level in (None, line.level)]


def make_place(folder: Path, gateway: RecordingGateway, **changes: Any) -> Workplace:
    values: dict[str, Any] = {
        "worker_id": "w1",
        "gateway": gateway,
        "storage": LocalStorage(folder / "storage", durable=False),
        "registry": Registry.installed(),
        "clock": SystemClock(),
        "ids": SystemIds(),
        "tmp_dir": folder / "tmp",
        "cache_dir": folder / "cache",
    }
    return Workplace(**{**values, **changes})


def make_job(
    spec: Mapping[str, Any], *, variables: Mapping[str, Any] | None = None, **changes: Any
) -> Job:
    task_id = str(spec.get("id", "t"))
    info = RunInfo(
        tenant="main",
        namespace="company.team",
        flow_id="flow",
        flow_revision=1,
        execution_id="exec",
        task_id=task_id,
        task_type=str(spec["type"]),
        task_run_id=f"run{next(_numbers)}",
        attempt=1,
    )
    base = {
        "flow": {"id": "flow", "namespace": "company.team"},
        "taskrun": {"id": info.task_run_id},
    }
    return Job(
        info=info, spec={"id": task_id, **spec}, variables={**base, **(variables or {})}, **changes
    )


class Bench:
    """Runs specs and remembers what they did."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.gateway = RecordingGateway()
        self.place = make_place(folder, self.gateway, **changes)

    def add(self, *tasks: type[Task]) -> None:
        for task in tasks:
            self.place.registry.add(task)

    async def run(self, spec: Mapping[str, Any], **changes: Any) -> JobFinished:
        return await run_attempt(make_job(spec, **changes), self.place)

    def attempt(self, spec: Mapping[str, Any], **changes: Any) -> Attempt:
        return Attempt(make_job(spec, **changes), self.place)

    async def read(self, uri: str) -> str:
        return (await self.place.storage.read("main", uri)).decode()


def task_of(name: str, body: Any) -> type[Task]:
    """A task type whose `run` is `body`, a coroutine function of the context."""

    async def run(self: Task, ctx: RunContext) -> Any:
        return await body(ctx)

    kind: type[Task] = type(
        name, (Task,), {"run": run, "__module__": __name__}, type=f"test.{name}"
    )
    return kind
