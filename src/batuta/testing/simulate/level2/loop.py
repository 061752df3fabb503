"""An event loop whose clock jumps to the next timer when nothing is ready, and that has no threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context
from math import ceil
from typing import Any, TypeVar, TypeVarTuple

from typing_extensions import override

from batuta.model.instant import SECOND

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class StandstillError(Exception):
    """Nothing is ready and no timer is set: nothing can ever happen again."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Time is in whole microseconds. What is given to a thread runs on the loop, after `thread_delay` seconds."""

    def __init__(self, thread_delay: Callable[[], float]) -> None:
        super().__init__()
        self._micros = 0
        self._thread_delay = thread_delay
        self._selector = _Selector(self)

    @override
    def time(self) -> float:
        return self._micros / SECOND

    def micros(self) -> int:
        return self._micros

    def jump(self, seconds: float | None) -> None:
        """Called by the loop instead of waiting for sockets."""
        if seconds is None:
            raise StandstillError
        self._micros += ceil(seconds * SECOND)

    @override
    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()

        def work() -> None:
            if future.done():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:
                future.set_exception(error)

        self.call_later(self._thread_delay(), work)
        return future

    @override
    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    @override
    def __del__(self) -> None:
        """Nothing is open that could be left open."""

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no sockets."""


class _Selector:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout != 0:
            self._loop.jump(timeout)
        return []
