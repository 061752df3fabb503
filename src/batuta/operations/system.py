"""Clock, ids and randomness of a real process. Everything else receives them as arguments (09 §1)."""

import secrets  # noqa: TID251 - the home of randomness
import time
from typing import Protocol

from batuta.model.ids import ExecutionId, friendly_id, timed_id
from batuta.model.instant import Instant


class Clock(Protocol):
    """Instants for what is stored; `monotonic` seconds for durations and waits."""

    def now(self) -> Instant: ...
    def monotonic(self) -> float: ...


class Ids(Protocol):
    def execution_id(self) -> ExecutionId: ...

    def token(self) -> str:
        """22 characters that nobody can guess."""
        ...

    def entropy(self, size: int) -> bytes: ...


class SystemClock:
    def now(self) -> Instant:
        return Instant(time.time_ns() // 1000)  # noqa: TID251 - the home of time

    def monotonic(self) -> float:
        return time.monotonic()  # noqa: TID251 - the home of time


class SystemIds:
    def execution_id(self) -> ExecutionId:
        now = time.time_ns() // 1000  # noqa: TID251 - the home of time
        return ExecutionId(timed_id(now, secrets.token_bytes(10)))

    def token(self) -> str:
        return friendly_id(secrets.token_bytes(16))

    def entropy(self, size: int) -> bytes:
        return secrets.token_bytes(size)
