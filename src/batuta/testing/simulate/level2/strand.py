"""Threads that take turns with the loop: one of them runs at a time, so that what they do follows from the seed.

A strand works until it is done or waits for an answer of the loop; meanwhile the loop stands still.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from typing_extensions import override

T = TypeVar("T")

_here = threading.local()


class GoneError(BaseException):
    """The world is over: nobody will answer."""


class NeedsStrandError(BaseException):
    """Work that was tried on the loop itself asks the loop for something."""


def on_the_loop(work: Callable[[], T]) -> T:
    """Most work asks nobody. Raises `NeedsStrandError` for what does; it is to be done from the start in a strand."""
    _here.is_loop = True
    try:
        return work()
    finally:
        _here.is_loop = False


class Strand(threading.Thread):
    """Used again when its work is done. `go` is called by the loop, `park` by the work itself."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._turn = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._work: Callable[[], None] | None = None
        self._is_over = False
        self.start()

    @property
    def is_free(self) -> bool:
        return self._work is None

    def begin(self, work: Callable[[], None]) -> None:
        self._work = work
        self.go()

    def go(self) -> None:
        """Until the work is done or parked."""
        self._turn.release()
        self._back.acquire()

    def park(self) -> None:
        """Raises `GoneError` when the world is over."""
        self._back.release()
        self._turn.acquire()
        if self._is_over:
            raise GoneError

    def end(self) -> None:
        """Work that is parked ends in an exception, then the thread."""
        self._is_over = True
        if not self.is_free:
            self.go()
        self.go()
        self.join()

    @override
    def run(self) -> None:
        _here.strand = self
        work = self._next()
        while work is not None:
            work()
            self._work = None
            self._back.release()
            work = self._next()
        self._back.release()

    def _next(self) -> Callable[[], None] | None:
        self._turn.acquire()
        return None if self._is_over else self._work


class Answer(Future[T]):
    """What a strand waits for in `result`, while the loop goes on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._loop = loop

    @override
    def result(self, timeout: float | None = None) -> T:
        strand: Strand | None = getattr(_here, "strand", None)
        if not self.done() and strand is not None:
            self.add_done_callback(lambda _: self._loop.call_soon(self._wake, strand))
            if timeout is not None:
                self._loop.call_later(timeout, self.cancel)
            strand.park()
        return super().result(0)

    @staticmethod
    def _wake(strand: Strand) -> None:
        if not strand.is_free:
            strand.go()


def answer_of(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> Future[T]:
    """In place of `asyncio.run_coroutine_threadsafe`."""
    if getattr(_here, "is_loop", False):
        coroutine.close()
        raise NeedsStrandError
    answer: Answer[T] = Answer(loop)

    def tell(task: asyncio.Task[T]) -> None:
        error = None if task.cancelled() else task.exception()
        if answer.done():
            return  # nobody waits any more
        if task.cancelled():
            answer.cancel()
        elif error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(task.result())

    def begin() -> None:
        loop.create_task(coroutine).add_done_callback(tell)

    loop.call_soon_threadsafe(begin)
    return answer
