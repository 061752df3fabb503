"""Which executions schedules have to start, in worlds in which nothing may keep them from it."""

from collections.abc import Collection, Iterator, Sequence

from batuta.flow.yaml import read_yaml_literally
from batuta.model.instant import SECOND, Instant, to_iso
from batuta.testing.simulate.level2.flows import EVERY

_IN_THE_WAY = frozenset({"step", "switch-off", "save"})
"""Then it is another question which times count."""
_FAULTS = frozenset({"crash", "stop", "steal", "rival", "lose", "doubt", "blind"})
SETTLED = 130.0
"""Seconds after which every server is back and has caught up."""
_LATE = 20
"""Seconds that a fire may be late."""


def sure_schedules(sources: Sequence[str], kinds: Collection[str]) -> Iterator[tuple[str, int]]:
    """Flows whose schedule fires in any case, and every how many seconds; `kinds` of happenings take place."""
    for source in sources:
        flow = read_yaml_literally(source)
        for trigger in flow.get("triggers", ()):
            every = EVERY.get(trigger.get("cron"))
            recovers = trigger.get("recoverMissedSchedules") == "ALL"
            undisturbed = recovers or _FAULTS.isdisjoint(kinds)
            if every is None or not trigger.get("allowConcurrent") or not undisturbed:
                continue
            if _IN_THE_WAY.isdisjoint(kinds):
                yield flow["id"], every


def times(start: Instant, end: Instant, every: int) -> Iterator[str]:
    """As the executions' triggers tell them; the first some time after the flow is there."""
    first = start + (_LATE // every + 1) * every * SECOND
    for at in range(first, end - _LATE * SECOND, every * SECOND):
        yield to_iso(Instant(at))
