"""Time and ids for tests: both move only when the test says so, and the same seed gives the same ids."""

import hashlib

from batuta.model.ids import ExecutionId, friendly_id
from batuta.model.instant import SECOND, Instant, Micros, from_iso

START = from_iso("2025-01-01T00:00:00Z")
ENTROPY_BYTES = 16


class FakeClock:
    """A `Clock` that stands still until `advance`."""

    def __init__(self, start: Instant = START) -> None:
        self._start = start
        self._now = start

    def now(self) -> Instant:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start) / SECOND

    def advance(self, by: Micros) -> None:
        """`by` microseconds; never backwards."""
        if by < 0:
            raise ValueError("time does not go back")
        self._now = Instant(self._now + by)


class SeededIds:
    """`Ids` that are a function of a seed and the order in which they were asked for."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._count = 0

    def execution_id(self) -> ExecutionId:
        return ExecutionId(self.token())

    def token(self) -> str:
        return friendly_id(self.entropy(ENTROPY_BYTES))

    def entropy(self, size: int) -> bytes:
        self._count += 1
        text = f"{self._seed}/{self._count}".encode()
        return hashlib.shake_256(text).digest(size)
