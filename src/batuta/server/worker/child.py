"""The worker process: takes jobs from its server and runs them on one event loop.

It ends when it is told to, when it is terminated, or when the connection to its server breaks; the processes of its tasks
end with it. A second thread reads the connection, so that a template may wait for an answer of the server.
"""

import asyncio
import concurrent.futures
import os
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, assert_never

from batuta.expr.host import Settings
from batuta.expr.temporal import find_zone
from batuta.model.instant import SECOND, Instant
from batuta.model.state import State
from batuta.operations.system import SystemClock, SystemIds
from batuta.sdk.registry import Registry
from batuta.server.protocol import (
    Answer,
    Ask,
    Job,
    JobFinished,
    JobStarted,
    KillJob,
    LogLine,
    LogLines,
    MetricLine,
    MetricLines,
    Ping,
    Ready,
    Setup,
    Shutdown,
    ToWorker,
)
from batuta.server.worker.attempt import Attempt
from batuta.server.worker.channel import Channel
from batuta.server.worker.gateway import error_of, text_of
from batuta.server.worker.orphan import MARK, kill_children, mark_of
from batuta.server.worker.workplace import Workplace
from batuta.storage.local import LocalStorage

_THREADS = 64
"""Templates that wait for look-ups, and blocking calls of tasks; made when they are needed."""
_EXIT_SECONDS = 5.0
"""After the server is gone: how long tasks may take to end before the process is torn down."""


class SocketGateway:
    """`gateway.Gateway` over the connection."""

    def __init__(self, channel: Channel, worker_id: str) -> None:
        self._channel = channel
        self._worker_id = worker_id
        self._answers: dict[int, concurrent.futures.Future[Answer]] = {}
        self._asked = 0
        self._lock = threading.Lock()

    def started(self, job: Job, at: Instant) -> None:
        self._channel.send(JobStarted(job_id=job.id, worker_id=self._worker_id, at=at))

    def log(self, job: Job, lines: Sequence[LogLine]) -> None:
        self._channel.send(LogLines(job_id=job.id, lines=tuple(lines)))

    async def drain(self) -> None:
        await self._channel.drain()

    def metrics(self, job: Job, lines: Sequence[MetricLine]) -> None:
        self._channel.send(MetricLines(job_id=job.id, lines=tuple(lines)))

    async def ask(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        return _value(await asyncio.wrap_future(self._send(job, operation, arguments)))

    def look_up(self, job: Job, operation: str, arguments: Mapping[str, Any]) -> Any:
        waiting = self._send(job, operation, arguments)
        self._channel.flush()
        return _value(waiting.result())

    def answered(self, answer: Answer) -> None:
        """By the reading thread."""
        waiting = self._answers.pop(answer.id, None)
        if waiting is not None and waiting.set_running_or_notify_cancel():
            waiting.set_result(answer)

    def abandon(self) -> None:
        """No answer will come any more."""
        for number in list(self._answers):
            waiting = self._answers.pop(number, None)
            if waiting is not None and waiting.set_running_or_notify_cancel():
                waiting.set_exception(ConnectionError("The server is gone"))

    def _send(
        self, job: Job, operation: str, arguments: Mapping[str, Any]
    ) -> concurrent.futures.Future[Answer]:
        waiting: concurrent.futures.Future[Answer] = concurrent.futures.Future()
        with self._lock:
            self._asked += 1
            number = self._asked
            self._answers[number] = waiting
        self._channel.send(Ask(id=number, job_id=job.id, operation=operation, arguments=arguments))
        return waiting


def _value(answer: Answer) -> Any:
    if answer.fault is None:
        return answer.value
    raise error_of(answer.fault)


class Worker:
    """Takes messages on the event loop. `closed` is set when it is time to leave."""

    def __init__(self, channel: Channel, group: asyncio.TaskGroup) -> None:
        self._channel = channel
        self._group = group
        self._place: Workplace | None = None
        self._gateway: SocketGateway | None = None
        self._attempts: dict[str, Attempt] = {}
        self._is_closing = False
        self._is_aborted = False
        self.closed = asyncio.Event()

    def answered(self, answer: Answer) -> None:
        """By the reading thread."""
        if self._gateway is not None:
            self._gateway.answered(answer)

    def disconnected(self) -> None:
        """By the reading thread: whoever waits for an answer of the server is told."""
        if self._gateway is not None:
            self._gateway.abandon()

    def handle(self, message: ToWorker) -> None:
        match message:
            case Setup():
                self._set_up(message)
            case Job():
                self._group.create_task(self._run(message))
            case KillJob():
                attempt = self._attempts.get(message.job_id)
                if attempt is not None:
                    attempt.kill()
            case Shutdown():
                self._is_closing = True
                asyncio.get_running_loop().call_later(message.grace / SECOND, self.abort)
                self._leave_when_idle()
            case Answer() | Ping():
                return
            case _:
                assert_never(message)

    def abort(self) -> None:
        """Stop everything now and report nothing: the server counts what ran as lost."""
        self._is_aborted = self._is_closing = True
        if self._gateway is not None:
            self._gateway.abandon()
        for attempt in list(self._attempts.values()):
            attempt.kill()
        self._leave_when_idle()

    def _set_up(self, setup: Setup) -> None:
        self._gateway = SocketGateway(self._channel, setup.worker_id)
        self._place = Workplace(
            worker_id=setup.worker_id,
            gateway=self._gateway,
            storage=LocalStorage(Path(setup.storage.base_path)),
            registry=Registry.installed(),
            clock=SystemClock(),
            ids=SystemIds(),
            tmp_dir=Path(setup.tmp_dir),
            cache_dir=Path(setup.cache_dir),
            settings=setup.settings,
            rendering=Settings(
                zone=find_zone(setup.zone),
                locale=setup.locale,
                recursive_rendering=setup.recursive_rendering,
                url=setup.url,
            ),
            allowed_paths=tuple(map(Path, setup.allowed_paths)),
        )
        self._channel.send(Ready(pid=os.getpid()))

    async def _run(self, job: Job) -> None:
        if self._place is None or self._is_closing:
            return
        attempt = self._attempts[job.id] = Attempt(job, self._place)
        try:
            finished = await attempt.run()
        except Exception as error:
            finished = _broken(job, self._place, error)
        finally:
            del self._attempts[job.id]
            self._leave_when_idle()
        if not self._is_aborted:
            self._report(job, finished)

    def _report(self, job: Job, finished: JobFinished) -> None:
        try:
            self._channel.send(finished)
        except (TypeError, ValueError) as error:  # outputs that JSON cannot hold
            if self._place is not None:
                self._channel.send(_broken(job, self._place, error))

    def _leave_when_idle(self) -> None:
        if self._is_closing and not self._attempts:
            self.closed.set()


def _broken(job: Job, place: Workplace, error: Exception) -> JobFinished:
    """The result of an attempt that could not even fail properly."""
    now = place.clock.now()
    message = text_of(error)
    place.gateway.log(job, [LogLine(at=now, level="ERROR", message=message)])
    return JobFinished(
        job_id=job.id,
        worker_id=place.worker_id,
        state=State.FAILED,
        started=now,
        ended=now,
        error=message,
    )


async def serve(connection: socket.socket) -> None:
    """Until the server says so or is gone."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="task"))
    channel = Channel(connection, loop)
    ended = threading.Event()
    mark = os.environ.get(MARK)
    async with asyncio.TaskGroup() as group:
        worker = Worker(channel, group)
        loop.add_signal_handler(signal.SIGTERM, worker.abort)
        threading.Thread(
            target=_read,
            args=(channel, worker, loop),
            kwargs={"ended": ended},
            name="server",
            daemon=True,
        ).start()
        await worker.closed.wait()
    channel.flush()
    if mark:
        kill_children(mark)
    ended.set()


def _read(
    channel: Channel, worker: Worker, loop: asyncio.AbstractEventLoop, *, ended: threading.Event
) -> None:
    """The reading thread. When the server is gone it sees to it that this process ends, whatever the loop does."""

    def receive(message: ToWorker) -> None:
        if isinstance(message, Answer):
            worker.answered(message)
        else:
            loop.call_soon_threadsafe(worker.handle, message)

    try:
        channel.read(receive)
    finally:
        worker.disconnected()
        if not ended.is_set():
            loop.call_soon_threadsafe(worker.abort)
            if not ended.wait(_EXIT_SECONDS):
                kill_children(os.environ.get(MARK, ""))
                os._exit(70)


def main(arguments: Sequence[str]) -> None:
    """`arguments`: the number of the inherited socket."""
    mark = mark_of(os.getpid())
    if mark is not None:
        os.environ[MARK] = mark
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(socket.socket(fileno=int(arguments[0]))))
