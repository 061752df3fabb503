"""Old log entries, those of triggers included (05 §9.3)."""

import msgspec

from batuta.model.instant import Instant
from batuta.operations.caller import Caller
from batuta.operations.query import to_level, visible
from batuta.operations.services import Services
from batuta.store.query import LEVELS, Filter, Op, Query


class LogPurge(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries go. The namespace is exactly this one; `levels` are these and no others, all without any."""

    end: Instant
    start: Instant | None = None
    namespace: str | None = None
    flow_id: str | None = None
    execution_id: str | None = None
    levels: tuple[str, ...] = ()


async def purge_logs(caller: Caller, services: Services, wanted: LogPurge) -> int:
    filters = [
        Filter("tenant", Op.EQUALS, caller.tenant),
        *visible(caller),
        Filter("at", Op.LESS_THAN_OR_EQUAL_TO, wanted.end),
    ]
    if wanted.start is not None:
        filters.append(Filter("at", Op.GREATER_THAN_OR_EQUAL_TO, wanted.start))
    texts = (
        ("namespace", wanted.namespace),
        ("flow_id", wanted.flow_id),
        ("execution_id", wanted.execution_id),
    )
    filters += [Filter(name, Op.EQUALS, text) for name, text in texts if text is not None]
    levels = dict.fromkeys(map(to_level, wanted.levels))
    choices = [_exactly(level) for level in levels] or [[]]
    count = 0
    for choice in choices:
        count += await services.store.journal.delete_logs(Query(filters=[*filters, *choice]))
    return count


def _exactly(level: str) -> list[Filter]:
    """The store compares levels by rank: this one or above, and below the next one."""
    above = [name for name, rank in LEVELS.items() if rank == LEVELS[level] + 1]
    return [
        Filter("level", Op.EQUALS, level),
        *(Filter("level", Op.NOT_EQUALS, name) for name in above),
    ]
