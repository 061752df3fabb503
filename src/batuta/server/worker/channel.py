"""The worker's end of its connection to the server: sends from any thread, a thread of its own reads."""

import asyncio
import socket
import threading
from collections.abc import Callable

from batuta.server.protocol import (
    FrameReader,
    Ping,
    Pong,
    ToServer,
    ToWorker,
    frame,
    read_by_worker,
)

_RECEIVE_BYTES = 256 * 1024
_HIGH_BYTES = 1024 * 1024
"""So much may wait to be sent before tasks are asked to write slower."""


class Channel:
    """`receive` is called by the reading thread, which also answers pings, so that a busy event loop is no dead worker."""

    def __init__(self, connection: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._socket = connection
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._is_writing = False
        self._drained = asyncio.Event()
        self._drained.set()
        self.is_lost = False
        """The server is gone; what is sent goes nowhere."""

    def send(self, message: ToServer) -> None:
        """Never waits. Raises `TypeError` for what JSON cannot hold."""
        data = frame(message)
        with self._lock:
            if self.is_lost:
                return
            if not self._waiting:
                data = data[self._send_now(data) :]
            if data:
                self._waiting += data
                if not self._is_writing:
                    self._is_writing = True
                    self._loop.call_soon_threadsafe(self._start_writing)

    async def drain(self) -> None:
        """Return when little is waiting to be sent."""
        if len(self._waiting) > _HIGH_BYTES:
            self._drained.clear()
            await self._drained.wait()

    def flush(self) -> None:
        """Send all that waits, now, and wait for it: for a thread that is about to wait for an answer."""
        with self._lock:
            if self._waiting and not self.is_lost:
                try:
                    self._socket.sendall(self._waiting)
                except OSError:
                    self.is_lost = True
                self._waiting.clear()

    def read(self, receive: Callable[[ToWorker], None]) -> None:
        """Until the server closes the connection or is gone."""
        frames = FrameReader()
        while data := self._receive():
            for body in frames.feed(data):
                message = read_by_worker(body)
                if isinstance(message, Ping):
                    self.send(Pong())
                else:
                    receive(message)
        self.is_lost = True

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(_RECEIVE_BYTES)
        except OSError:
            return b""

    def _send_now(self, data: bytes | bytearray) -> int:
        """How many bytes went at once."""
        try:
            return self._socket.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError:
            self.is_lost = True
            return len(data)

    def _start_writing(self) -> None:
        self._loop.add_writer(self._socket, self._write)

    def _write(self) -> None:
        with self._lock:
            del self._waiting[: self._send_now(self._waiting)]
            if not self._waiting:
                self._loop.remove_writer(self._socket)
                self._is_writing = False
            if len(self._waiting) <= _HIGH_BYTES // 2:
                self._drained.set()
