"""The server's end of one worker process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping

from batuta.model.instant import Micros
from batuta.server.protocol import (
    FrameReader,
    ProtocolError,
    Setup,
    Shutdown,
    ToServer,
    ToWorker,
    frame,
    read_by_server,
)
from batuta.server.worker.orphan import kill_orphans

_READ_BYTES = 256 * 1024


class WorkerProcess:
    """`receive` is awaited for each message before the next is read: a slow server slows its worker's logs down."""

    def __init__(
        self,
        setup: Setup,
        *,
        receive: Callable[[ToServer], Awaitable[None]],
        environment: Mapping[str, str],
    ) -> None:
        self._setup = setup
        self._receive = receive
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._early: list[bytes] = [frame(setup)]

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def run(self) -> int:
        """Start the process and read from it until it is gone; its exit code, negative for a signal.

        When this returns, no process of its tasks is left. Raises `OSError` when it cannot be started.
        """
        reader, self._writer = await asyncio.open_unix_connection(sock=self._start())
        for data in self._early:
            self._writer.write(data)
        self._early.clear()
        try:
            await self._read(reader)
        finally:
            self._writer.close()
            code = await asyncio.shield(self._reap())
        return code

    def _start(self) -> socket.socket:
        """Our end of the connection."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, "-m", "batuta.server.worker", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=2,
                    env=dict(self._environment),
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        return ours

    def send(self, message: ToWorker) -> None:
        data = frame(message)
        if self._writer is None:
            self._early.append(data)
        else:
            self._writer.write(data)

    def stop(self, grace: Micros) -> None:
        self.send(Shutdown(grace=grace))

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGKILL)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        frames = FrameReader()
        try:
            while data := await reader.read(_READ_BYTES):
                for body in frames.feed(data):
                    await self._receive(read_by_server(body))
        except (ConnectionError, ProtocolError):
            return

    async def _reap(self) -> int:
        """A worker without a connection is of no use: it ends now."""
        process = self._process
        if process is None:
            return 0
        try:
            code = await asyncio.to_thread(process.wait, _LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = await asyncio.to_thread(process.wait)
        if code != 0:
            await asyncio.to_thread(kill_orphans)
        return code


_LEAVE_SECONDS = 10.0
"""Between closing the connection and ending, for a worker that ends by itself."""
