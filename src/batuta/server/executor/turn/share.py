"""How much of a turn one execution may take: little beside others, more when it is alone."""

from collections.abc import Iterable

from batuta.model.ids import ExecutionId
from batuta.model.instant import SECOND, Instant

BESIDE = 10
"""Events of one execution in a turn beside others: commits stay small, and nobody waits long for one."""
ALONE = 64
"""Events of an execution in a turn when no other has moved lately: fewer commits, and still short ones."""
LATELY = SECOND


class Share:
    """What one execution, with the iterations of its Loops, may still do in this turn."""

    __slots__ = ("_left",)

    def __init__(self, left: int) -> None:
        self._left = left

    def __bool__(self) -> bool:
        return self._left > 0

    def take(self) -> bool:
        self._left -= 1
        return self._left >= 0


class Crowd:
    """Whether several executions have moved lately, or only one."""

    def __init__(self) -> None:
        self._last: ExecutionId | None = None
        self._changed = Instant(0)

    def note(self, executions: Iterable[ExecutionId], *, now: Instant) -> None:
        """Those that move in a turn."""
        for execution_id in executions:
            if execution_id != self._last:
                self._last = execution_id
                self._changed = now

    def share(self, *, now: Instant) -> Share:
        return Share(ALONE if now - self._changed > LATELY else BESIDE)
