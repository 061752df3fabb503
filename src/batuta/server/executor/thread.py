"""Attempts on threads of this process, each with an event loop of its own, so that look-ups may wait."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from batuta.server.protocol import JobFinished
from batuta.server.worker.attempt import Attempt

THREADS = 64
"""Attempts at once."""


class AttemptThreads:
    """Threads are made when they are first needed."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="task")

    async def run(self, attempt: "ThreadAttempt") -> JobFinished:
        """Cancelling this kills the attempt; its thread ends when the attempt does."""
        try:
            here = asyncio.get_running_loop()
            return await here.run_in_executor(self._pool, attempt.run)
        except asyncio.CancelledError:
            attempt.kill()
            raise


class ThreadAttempt:
    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> JobFinished:
        """On the calling thread, which must have no event loop."""
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            return runner.run(self.attempt.run())

    def kill(self) -> None:
        """From any thread; an attempt that has not begun ends KILLED as soon as it does."""
        if self._loop is None:
            self.attempt.kill()
            return
        with suppress(RuntimeError):  # the loop is closed: the attempt has ended
            self._loop.call_soon_threadsafe(self.attempt.kill)
