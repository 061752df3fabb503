"""When the next timer is due, and which ones are being dealt with."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping

import structlog

from batuta.model.ids import ExecutionId
from batuta.model.instant import SECOND, Instant
from batuta.operations.services import Services
from batuta.store.errors import StoreError
from batuta.store.rows import Timer, TimerRow

log = structlog.get_logger()


class Timers:
    """`on_earlier` is told when there is something to do earlier than was known."""

    def __init__(self, services: Services, on_earlier: Callable[[], None]) -> None:
        self._services = services
        self._on_earlier = on_earlier
        self._next: Instant | None = None
        self._is_sure = False
        """Whether no timer is due before the next one. Those that were taken, or left, may have hidden others."""
        self._fired: set[Timer] = set()

    @property
    def seconds_left(self) -> float | None:
        if self._next is None:
            return None
        return max(self._next - self._services.clock.now(), 0) / SECOND

    async def due(
        self, epochs: Mapping[int, int], *, busy: Callable[[ExecutionId], bool]
    ) -> AsyncIterator[TimerRow]:
        """Those that fire now; not those of executions that are busy. Raises `StoreError`."""
        now = self._services.clock.now()
        if self._next is None or self._next > now:
            return
        self._next, self._is_sure = None, False
        for timer in await self._services.store.queues.timers(epochs, until=now):
            if (timer.execution_id, timer.timer_id) not in self._fired and not busy(
                timer.execution_id
            ):
                self._fired.add((timer.execution_id, timer.timer_id))
                yield timer

    def settled(self, fired: Collection[Timer]) -> None:
        """Their turn is over."""
        self._fired.difference_update(fired)

    async def look(self, epochs: Mapping[int, int]) -> None:
        """Find out when the next one is due, unless that is known."""
        if not self._is_sure:
            await self.refresh(epochs)

    async def refresh(self, epochs: Mapping[int, int]) -> None:
        self._is_sure = True
        try:
            due = await self._services.store.queues.next_timer(epochs)
        except StoreError as error:
            self._is_sure = False
            log.error("timers.unknown", error=str(error))  # noqa: TRY400 - the store said all there is
            due = Instant(self._services.clock.now() + SECOND)
        self.note([] if due is None else [due])

    def note(self, dues: Iterable[Instant]) -> None:
        for due in dues:
            if self._next is None or due < self._next:
                self._next = due
                self._on_earlier()
