"""What the worker adds to forty Python scripts that print a line, one after another, without a server around it.

`python` is what starting the interpreter alone costs on this machine; `worker` is the rest.
"""

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from batuta.operations.system import SystemClock
from batuta.plugins.script.python_environment import local_interpreter
from batuta.sdk.context import RunInfo
from batuta.server.protocol import (
    Job,
    JobFinished,
    JobStarted,
    LogLine,
    MetricLine,
    Setup,
    StorageAccess,
)
from batuta.server.worker.pool import PoolOptions, WorkerPool
from bench.figure import Bound, Figure

SCRIPTS = 40
SPEC = {
    "id": "script",
    "type": "io.kestra.plugin.scripts.python.Script",
    "taskRunner": {"type": "io.kestra.plugin.core.runner.Process"},
    "script": "print('hello')",
}


class Events:
    """Lets the bench wait for one result at a time."""

    def __init__(self) -> None:
        self.result: asyncio.Future[JobFinished] = asyncio.get_running_loop().create_future()

    def started(self, job: Job, message: JobStarted) -> None:
        return

    async def logs(self, job: Job, lines: Sequence[LogLine]) -> None:
        return

    def metrics(self, job: Job, lines: Sequence[MetricLine]) -> None:
        return

    def finished(self, job: Job, message: JobFinished) -> None:
        self.result.set_result(message)

    def lost(self, job: Job) -> None:
        self.result.set_exception(RuntimeError("the worker died"))

    async def ask(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        return None


def job(number: int) -> Job:
    info = RunInfo(
        tenant="main",
        namespace="bench",
        flow_id="scripts",
        flow_revision=1,
        execution_id="exec",
        task_id="script",
        task_type=SPEC["type"],
        task_run_id=f"run{number}",
        attempt=1,
    )
    return Job(info=info, spec=SPEC, variables={})


async def in_worker(folder: Path) -> tuple[float, float]:
    """Seconds until the first result, the start of the process included, and of the scripts after it."""
    events = Events()
    setup = Setup(
        worker_id="bench",
        storage=StorageAccess(base_path=str(folder / "storage")),
        tmp_dir=str(folder / "tmp"),
        cache_dir=str(folder / "cache"),
    )
    pool = WorkerPool(PoolOptions(setup=setup, grace=0), events=events, clock=SystemClock())

    async def once(number: int) -> None:
        events.result = asyncio.get_running_loop().create_future()
        pool.submit(job(number))
        assert (await events.result).state == "SUCCESS"

    try:
        begin = time.perf_counter()
        await once(0)
        first = time.perf_counter() - begin
        begin = time.perf_counter()
        for number in range(1, SCRIPTS + 1):
            await once(number)
        return first, time.perf_counter() - begin
    finally:
        await pool.close()


def plainly(folder: Path) -> float:
    """Seconds of the same scripts, started by nobody but this process."""
    script = folder / "script.py"
    script.write_text(SPEC["script"])
    python = local_interpreter(os.environ.get("PATH", os.defpath)).path
    begin = time.perf_counter()
    for _ in range(SCRIPTS):
        subprocess.run([python, script], capture_output=True, check=True)
    return time.perf_counter() - begin


def measure() -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as name:
        first, total = asyncio.run(in_worker(Path(name)))
        python = plainly(Path(name))
    return {"first": first, "total": total, "python": python, "worker": total - python}


FIGURES = (
    Figure(
        name="script-tasks",
        title=f"{SCRIPTS} sequential Python script tasks (`print`) in a worker process",
        bounds={
            "first": Bound("s"),
            "total": Bound("s", 2.0, 1.0),
            "python": Bound("s"),
            "worker": Bound("s", 0.5, 0.2),
        },
        measure=measure,
    ),
)
