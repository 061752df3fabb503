"""An event loop whose clock jumps to the next timer when nothing is ready, and that has no threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context
from functools import partial
from math import ceil
from typing import Any, TypeVar, TypeVarTuple

from typing_extensions import override

from batuta.model.instant import SECOND
from batuta.testing.simulate.level2.strand import GoneError, NeedsStrandError, Strand, on_the_loop

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
        self._strands: list[Strand] = []

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

        def work(perform: Callable[[Callable[[], T]], T]) -> None:
            try:
                result = perform(partial(func, *args))
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            except GoneError:
                return
            else:
                if not future.done():
                    future.set_result(result)

        def begin() -> None:
            if future.done():
                return
            try:
                work(on_the_loop)
            except NeedsStrandError:
                self._free_strand().begin(partial(work, _perform))

        self.call_later(self._thread_delay(), begin)
        return future

    def _free_strand(self) -> Strand:
        found = next((strand for strand in self._strands if strand.is_free), None)
        if found is None:
            found = Strand()
            self._strands.append(found)
        return found

    @override
    def close(self) -> None:
        for strand in self._strands:
            strand.end()
        self._strands.clear()
        super().close()

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


def _perform(work: Callable[[], T]) -> T:
    return work()


class _Selector:
    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout != 0:
            self._loop.jump(timeout)
        return []
