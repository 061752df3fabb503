"""The pool with a real worker process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from batuta.expr import EvaluationError
from batuta.model.instant import SECOND
from batuta.model.state import State
from batuta.operations.system import SystemClock
from batuta.server.protocol import Job, JobFinished, LogLine, MetricLine, Setup, StorageAccess
from batuta.server.worker.orphan import MARK, mark_of
from batuta.server.worker.pool import PoolOptions, WorkerPool
from tests.unit.server.worker.kit import PROCESS, make_job

SHELL = "io.kestra.plugin.scripts.shell.Commands"


class Recorder:
    """`WorkerEvents` that lets a test wait for what happens."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.lines: list[LogLine] = []
        self.measures: list[MetricLine] = []
        self.results: dict[str, JobFinished] = {}
        self.gone: list[str] = []
        self.asked: list[str] = []
        self.hold: asyncio.Event | None = None
        self._changed = asyncio.Condition()

    def started(self, job: Job, message: Any) -> None:
        self.begun.append(job.id)
        self._notify()

    async def logs(self, job: Job, lines: Sequence[LogLine]) -> None:
        if self.hold is not None:
            await self.hold.wait()
        self.lines += lines
        self._notify()

    def metrics(self, job: Job, lines: Sequence[MetricLine]) -> None:
        self.measures += lines

    def finished(self, job: Job, message: JobFinished) -> None:
        self.results[job.id] = message
        self._notify()

    def lost(self, job: Job) -> None:
        self.gone.append(job.id)
        self._notify()

    async def ask(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        self.asked.append(operation)
        if operation == "secret" and arguments["key"] == "TOKEN":
            return "t0p-s3cret"
        raise EvaluationError(f"Cannot find secret for key '{arguments.get('key')}'.")

    def _notify(self) -> None:
        asyncio.get_running_loop().create_task(self._wake())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Any) -> None:
        async with self._changed:
            await self._changed.wait_for(condition)

    async def result(self, job: Job) -> JobFinished:
        await self.until(lambda: job.id in self.results)
        return self.results[job.id]

    def messages(self, level: str = "INFO") -> list[str]:
        return [line.message for line in self.lines if line.level == level]

    async def message(self, text: str) -> None:
        await self.until(lambda: text in self.messages())


@pytest.fixture
def events() -> Recorder:
    return Recorder()


def options(folder: Path, **changes: Any) -> PoolOptions:
    setup = Setup(
        worker_id="w1",
        storage=StorageAccess(base_path=str(folder / "storage")),
        tmp_dir=str(folder / "tmp"),
        cache_dir=str(folder / "cache"),
    )
    return PoolOptions(**{"setup": setup, "grace": 0, **changes})


@pytest.fixture
async def pool(tmp_path: Path, events: Recorder) -> AsyncIterator[WorkerPool]:
    made = WorkerPool(options(tmp_path), events=events, clock=SystemClock())
    yield made
    await made.close()


def shell(*commands: str, **spec: Any) -> Job:
    return make_job({"type": SHELL, "taskRunner": PROCESS, "commands": list(commands), **spec})


def wait_on(pipe: Path) -> str:
    """A command that lasts until somebody writes into the pipe."""
    os.mkfifo(pipe)
    return f"read line < {pipe}"


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def gone(pid: int) -> None:
    """Returns when the process is no more."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


async def test_a_job_runs_in_another_process_and_reports_in_order(
    pool: WorkerPool, events: Recorder
) -> None:
    job = shell(
        "echo one",
        """echo '::{"outputs":{"n":1},"metrics":[{"name":"m","type":"counter","value":2}]}::'""",
    )
    assert pool.pid is None
    pool.submit(job)
    finished = await events.result(job)
    assert finished.state is State.SUCCESS
    assert finished.outputs == {"vars": {"n": 1}, "exitCode": 0, "outputFiles": {}}
    assert events.begun == [job.id]
    assert events.messages() == ["one"]
    assert [(line.name, line.value) for line in events.measures] == [("m", 2.0)]
    assert pool.pid not in (None, os.getpid())
    assert pool.load == 0


async def test_a_template_asks_the_server_for_a_secret_which_is_masked(
    pool: WorkerPool, events: Recorder
) -> None:
    job = shell("echo {{ secret('TOKEN') }}")
    pool.submit(job)
    assert (await events.result(job)).state is State.SUCCESS
    assert events.messages() == ["******"]
    assert not any("t0p-s3cret" in line.message for line in events.lines)


async def test_a_refused_look_up_fails_the_task_with_the_reason(
    pool: WorkerPool, events: Recorder
) -> None:
    job = shell("echo {{ secret('NOPE') }}")
    pool.submit(job)
    finished = await events.result(job)
    assert finished.state is State.FAILED
    assert "Cannot find secret for key 'NOPE'" in str(finished.error)


async def test_attempts_of_a_worker_that_was_killed_are_lost_and_the_next_job_runs(
    pool: WorkerPool, events: Recorder, tmp_path: Path
) -> None:
    job = shell("echo pid $$", wait_on(tmp_path / "pipe"))
    pool.submit(job)
    await events.until(lambda: any(text.startswith("pid ") for text in events.messages()))
    script = int(events.messages()[0].split()[1])
    first = pool.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await events.until(lambda: events.gone)
    assert events.gone == [job.id]
    assert not is_alive(script)
    again = shell("echo back")
    pool.submit(again)
    assert (await events.result(again)).state is State.SUCCESS
    assert pool.pid != first


async def test_a_kill_reaches_grandchildren_in_sessions_of_their_own(
    pool: WorkerPool, events: Recorder, tmp_path: Path
) -> None:
    job = shell(
        "setsid sh -c 'echo inner $$; exec sleep 1000' &",
        "echo outer $$",
        wait_on(tmp_path / "pipe"),
    )
    pool.submit(job)
    await events.until(lambda: len(events.messages()) == 2)
    pids = [int(text.split()[1]) for text in events.messages()]
    pool.kill(job.id)
    assert (await events.result(job)).state is State.KILLED
    assert [pid for pid in pids if is_alive(pid)] == []


async def test_a_timeout_ends_the_processes_and_fails_the_attempt(
    pool: WorkerPool, events: Recorder, tmp_path: Path
) -> None:
    spec = {
        "type": SHELL,
        "taskRunner": PROCESS,
        "commands": ["echo pid $$", wait_on(tmp_path / "pipe")],
    }
    job = make_job(spec, timeout=2 * SECOND)
    pool.submit(job)
    finished = await events.result(job)
    assert finished.state is State.FAILED
    assert finished.error == "Timeout after 00:00:02.000"
    assert finished.outputs is None
    assert "Timeout after 00:00:02.000" in events.messages("ERROR")
    assert not is_alive(int(events.messages()[0].split()[1]))


async def test_jobs_above_the_capacity_wait_and_can_be_killed_while_they_do(
    tmp_path: Path, events: Recorder
) -> None:
    pool = WorkerPool(options(tmp_path, capacity=1), events=events, clock=SystemClock())
    try:
        first = shell("echo in", wait_on(tmp_path / "pipe"))
        second, third = shell("echo second"), shell("echo third")
        for job in (first, second, third):
            pool.submit(job)
        await events.message("in")
        pool.kill(second.id)
        assert (await events.result(second)).state is State.KILLED
        assert events.begun == [first.id]
        await asyncio.to_thread((tmp_path / "pipe").write_text, "go\n")
        assert (await events.result(third)).state is State.SUCCESS
        assert "second" not in events.messages()
    finally:
        await pool.close()


async def test_an_idle_process_goes_away_and_comes_back(tmp_path: Path, events: Recorder) -> None:
    pool = WorkerPool(options(tmp_path, idle=SECOND // 100), events=events, clock=SystemClock())
    try:
        pool.submit(shell("echo in", wait_on(tmp_path / "pipe")))
        await events.message("in")
        pid = pool.pid
        assert pid is not None
        await asyncio.to_thread((tmp_path / "pipe").write_text, "go\n")
        await gone(pid)
        second = shell("echo two")
        pool.submit(second)
        assert (await events.result(second)).state is State.SUCCESS
        assert events.gone == []
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("last", "state"), [("echo out", State.SUCCESS), ("echo out; exit 3", State.FAILED)]
)
async def test_closing_lets_a_running_job_end_within_the_grace(
    tmp_path: Path, events: Recorder, last: str, state: State
) -> None:
    pool = WorkerPool(options(tmp_path, grace=20 * SECOND), events=events, clock=SystemClock())
    job = shell("echo in", wait_on(tmp_path / "pipe"), last)
    pool.submit(job)
    await events.message("in")
    closing = asyncio.ensure_future(pool.close())
    await asyncio.to_thread((tmp_path / "pipe").write_text, "go\n")
    await closing
    assert events.results[job.id].state is state
    assert events.messages()[:2] == ["in", "out"]
    assert events.gone == []


async def test_closing_without_grace_loses_running_and_waiting_jobs_and_leaves_no_process(
    tmp_path: Path, events: Recorder
) -> None:
    pool = WorkerPool(options(tmp_path, capacity=1), events=events, clock=SystemClock())
    job = shell("echo pid $$", wait_on(tmp_path / "pipe"))
    waiting = shell("echo never")
    pool.submit(job)
    pool.submit(waiting)
    await events.until(events.messages)
    await pool.close()
    assert sorted(events.gone) == sorted([job.id, waiting.id])
    assert not is_alive(int(events.messages()[0].split()[1]))
    late = shell("echo late")
    pool.submit(late)
    assert late.id in events.gone


async def test_a_worker_whose_server_is_gone_ends_with_its_tasks(
    pool: WorkerPool, events: Recorder, tmp_path: Path
) -> None:
    job = shell("echo pid $$", wait_on(tmp_path / "pipe"))
    pool.submit(job)
    await events.until(events.messages)
    script, worker = int(events.messages()[0].split()[1]), pool.pid
    assert worker is not None
    process = pool._process
    assert process is not None
    assert process._writer is not None
    process._writer.transport.abort()
    await gone(worker)
    assert not is_alive(script)


async def test_what_a_former_worker_left_behind_is_killed_at_the_first_start(
    pool: WorkerPool, events: Recorder
) -> None:
    dead = await asyncio.create_subprocess_exec("true")
    await dead.wait()
    own = mark_of(os.getpid())
    assert own is not None
    namespace = own.partition("-")[0]
    orphan = await asyncio.create_subprocess_exec(
        "sleep", "1000", env={MARK: f"{namespace}-{dead.pid}-1"}
    )
    other = await asyncio.create_subprocess_exec("sleep", "1000", env={MARK: own})
    try:
        pool.warm()
        assert await orphan.wait() == -signal.SIGKILL
        assert is_alive(other.pid)
    finally:
        other.kill()
        await other.wait()


async def test_a_slow_server_slows_the_script_down_instead_of_filling_the_memory(
    pool: WorkerPool, events: Recorder
) -> None:
    events.hold = asyncio.Event()
    job = shell("i=0; while [ $i -lt 20000 ]; do echo 'line of output'; i=$((i+1)); done")
    pool.submit(job)
    await events.until(lambda: events.begun)
    assert events.lines == []
    events.hold.set()
    assert (await events.result(job)).state is State.SUCCESS
    assert len(events.messages()) == 20_000


async def test_a_process_that_cannot_start_fails_the_jobs_with_the_reason(
    tmp_path: Path, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batuta.server.worker.process.sys.executable", "/nonexistent/python")
    pool = WorkerPool(options(tmp_path), events=events, clock=SystemClock())
    job = shell("echo never")
    pool.submit(job)
    finished = await events.result(job)
    await pool.close()
    assert finished.state is State.FAILED
    assert str(finished.error).startswith("The worker process cannot be started: [Errno 2]")
    assert events.gone == []


async def test_tasks_do_not_see_secrets_and_configuration_of_the_server(
    tmp_path: Path, events: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SECRET_TOKEN", "KESTRA_CONFIGURATION", "DATASOURCES_PG_PASSWORD", "MY_VARIABLE"):
        monkeypatch.setenv(name, "seen")
    pool = WorkerPool(options(tmp_path), events=events, clock=SystemClock())
    try:
        job = shell("env | grep =seen || true", "echo $BATUTA_ATTEMPT")
        pool.submit(job)
        await events.result(job)
        assert events.messages() == ["MY_VARIABLE=seen", job.id]
    finally:
        await pool.close()


async def test_a_job_is_not_taken_twice(pool: WorkerPool, events: Recorder) -> None:
    job, last = shell("echo once"), shell("echo last")
    for each in (job, job, last):
        pool.submit(each)
    await events.result(last)
    assert sorted(events.messages()) == ["last", "once"]
    assert events.begun.count(job.id) == 1


async def test_a_process_that_does_not_answer_counts_as_dead(
    tmp_path: Path, events: Recorder
) -> None:
    pool = WorkerPool(options(tmp_path, liveness=2 * SECOND), events=events, clock=SystemClock())
    try:
        job = shell("echo in", wait_on(tmp_path / "pipe"))
        pool.submit(job)
        await events.message("in")
        assert pool.pid is not None
        os.kill(pool.pid, signal.SIGSTOP)
        await events.until(lambda: events.gone)
        assert events.gone == [job.id]
    finally:
        await pool.close()
