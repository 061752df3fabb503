"""Which worker groups this installation serves, and what that means for an attempt (01 §1.1, §5.1)."""

from collections.abc import Mapping
from enum import Enum, auto

from batuta.engine.commands import Logged
from batuta.engine.plan import Leaf, WorkDir
from batuta.model.instant import Instant
from batuta.server.executor.journal import engine_log
from batuta.server.executor.live import Live
from batuta.store.rows import LogRow


class Route(Enum):
    ANYWHERE = auto()
    GROUP = auto()
    """Only by workers of its group."""
    WAIT = auto()
    """By nobody, until a worker serves its group."""
    REFUSED = auto()


class Tags:
    """`served`: jobs at once by group; without any, groups are ignored with a warning."""

    def __init__(self, served: Mapping[str, int]) -> None:
        self._served = served

    def bind(self, group: str | None) -> bool:
        """Whether it matters which worker runs a task of this group."""
        return group is not None and bool(self._served)

    def route(self, group: str | None, node: Leaf | WorkDir) -> Route:
        if group is None or not self._served:
            return Route.ANYWHERE
        if group in self._served:
            return Route.GROUP
        waits = node.worker_group is None or node.worker_group.fallback == "WAIT"
        return Route.WAIT if waits else Route.REFUSED

    def warning(self, live: Live, group: str | None, *, at: Instant) -> LogRow | None:
        """The group is ignored: said once for each execution and group."""
        if group is None or self._served or group in live.ignored_groups:
            return None
        live.ignored_groups.add(group)
        message = f"The worker group `{group}` is ignored: no worker of this installation has one"
        return engine_log(live, Logged(at=at, level="WARN", message=message))
