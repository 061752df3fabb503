"""When writes become durable: at once, or when a simulation says so."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from batuta.store.errors import StoreError, StoreUnavailableError
from batuta.store.feed import Feed, Listeners

Result = TypeVar("Result")
LOCATION = "memory"


class Gate:
    """With `held`, writes wait for `settle`, or are forgotten by `lose` as in a crash before the commit."""

    def __init__(
        self, listeners: Listeners, *, held: bool, on_waiting: Callable[[], None] | None = None
    ) -> None:
        self._listeners = listeners
        self._held = held
        self._on_waiting = on_waiting
        self._waiting: list[tuple[Callable[[Feed], Any], asyncio.Future[Any]]] = []
        self._closed = False

    async def write(self, work: Callable[[Feed], Result]) -> Result:
        self.check_open()
        if not self._held:
            feed = Feed()
            result = work(feed)
            self._listeners.tell(feed)
            return result
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._on_waiting is not None:
            self._on_waiting()
        return await asyncio.shield(future)

    async def quiet(self) -> bool:
        """Wait for what waits; whether anything did."""
        if not self._waiting:
            return False
        await asyncio.wait((self._waiting[-1][1],))
        return True

    def check_open(self) -> None:
        if self._closed:
            raise StoreUnavailableError("the store is closed", location=LOCATION)

    def settle(self) -> int:
        """Commit all that waits, in order; how many there were."""
        waiting, self._waiting = self._waiting, []
        for work, future in waiting:
            feed = Feed()
            try:
                result = work(feed)
            except StoreError as error:
                _fail(future, error)
                continue
            self._listeners.tell(feed)
            if not future.done():
                future.set_result(result)
        return len(waiting)

    def lose(self) -> int:
        """Forget all that waits; how many there were."""
        waiting, self._waiting = self._waiting, []
        for _, future in waiting:
            _fail(future, StoreUnavailableError("lost before the commit", location=LOCATION))
        return len(waiting)

    def close(self) -> None:
        self.settle()
        self._closed = True


def _fail(future: asyncio.Future[Any], error: StoreError) -> None:
    if not future.done():
        future.set_exception(error)
