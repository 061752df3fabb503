"""Metrics of executions: read, their names, and sums over time (03 §10)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import DAY, HOUR, Instant, from_datetime
from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalArgumentError, NotFoundError
from batuta.operations.query import HIDDEN_KINDS, METRIC, Page, to_sort, visible
from batuta.operations.services import Services
from batuta.store.query import Filter, Op, Query, Sort
from batuta.store.query import Page as Rows
from batuta.store.rows import MetricRow

DEFAULT_WINDOW = 30 * DAY
MAX_NAMES = 1_000
MAX_BUCKETS = 10_000
_BATCH = 1_000
_HIDDEN = Filter("kind", Op.NOT_IN, HIDDEN_KINDS)
_AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "avg": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which metric to sum up, and how: `aggregation` is sum, avg, min or max."""

    flow: FlowKey
    name: str
    task_id: str | None = None
    start: Instant | None = None
    end: Instant | None = None
    aggregation: str = "sum"


class Bucket(msgspec.Struct, frozen=True):
    """`value` is None where nothing was measured."""

    date: Instant
    value: float | None


class Aggregation(msgspec.Struct, frozen=True):
    """`group_by` is minute, hour, day, week or month."""

    group_by: str
    buckets: Sequence[Bucket]


async def of_execution(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    task: Filter | None = None,
    page: Page,
    sort: tuple[Sort, ...] = (),
) -> Rows[MetricRow]:
    filters = [
        Filter("tenant", Op.EQUALS, caller.tenant),
        Filter("execution_id", Op.EQUALS, execution_id),
        *visible(caller),
    ]
    if task is not None:
        filters.append(task)
    query = Query(
        filters=filters,
        sort=[to_sort(METRIC, each) for each in sort],
        page=page.number,
        size=page.size,
    )
    return await services.store.journal.metrics(query)


async def names(
    caller: Caller, services: Services, flow: FlowKey, *, task_id: str | None = None
) -> Sequence[str]:
    filters = _of_flow(caller, flow, task_id)
    return await _distinct(services, filters, "name")


async def tasks(caller: Caller, services: Services, flow: FlowKey) -> Sequence[str]:
    """Ids of the tasks that ever measured something."""
    return await _distinct(services, _of_flow(caller, flow, None), "task_id")


async def aggregate(caller: Caller, services: Services, wanted: Wanted) -> Aggregation:
    """One value for each stretch of time from start to end. Raises `IllegalArgumentError`."""
    total = _AGGREGATES.get(wanted.aggregation.lower())
    if total is None:
        raise IllegalArgumentError(f"`{wanted.aggregation}` is none of {', '.join(_AGGREGATES)}")
    end = services.clock.now() if wanted.end is None else wanted.end
    start = Instant(end - DEFAULT_WINDOW) if wanted.start is None else wanted.start
    if start > end:
        raise IllegalArgumentError("Start date must be before End Date")
    group_by = _group_of(end - start)
    values: dict[Instant, list[float]] = {date: [] for date in _dates(start, end, group_by)}
    filters = [
        *_of_flow(caller, wanted.flow, wanted.task_id),
        Filter("name", Op.EQUALS, wanted.name),
        Filter("at", Op.GREATER_THAN_OR_EQUAL_TO, start),
        Filter("at", Op.LESS_THAN_OR_EQUAL_TO, end),
    ]
    last = 0
    while True:
        after = Filter("id", Op.GREATER_THAN, last)
        query = Query(filters=[*filters, after], sort=[Sort("id")], size=_BATCH, total=False)
        rows = (await services.store.journal.metrics(query)).rows
        for row in rows:
            values.setdefault(_floor(row.at, group_by), []).append(row.value)
            last = row.id
        if len(rows) < _BATCH:
            break
    return Aggregation(
        group_by,
        [Bucket(date, total(found) if found else None) for date, found in sorted(values.items())],
    )


def _of_flow(caller: Caller, flow: FlowKey, task_id: str | None) -> list[Filter]:
    if not caller.may_see(flow.namespace):
        raise NotFoundError
    filters = [
        Filter("tenant", Op.EQUALS, flow.tenant),
        Filter("namespace", Op.EQUALS, flow.namespace),
        Filter("flow_id", Op.EQUALS, flow.id),
        _HIDDEN,
    ]
    if task_id is not None:
        filters.append(Filter("task_id", Op.EQUALS, task_id))
    return filters


async def _distinct(services: Services, filters: list[Filter], field: str) -> Sequence[str]:
    """One row for each value: what was found is left out of the next question."""
    found: list[str] = []
    while len(found) < MAX_NAMES:
        present = Filter(field, Op.GREATER_THAN, "")
        others = [Filter(field, Op.NOT_IN, tuple(found))] if found else []
        query = Query(filters=[*filters, present, *others], size=1, total=False)
        rows = (await services.store.journal.metrics(query)).rows
        if not rows:
            break
        found.append(str(getattr(rows[0], field)))
    return sorted(found)


def _group_of(length: int) -> str:
    """03 §10."""
    for limit, name in (
        (365 * DAY, "month"),
        (180 * DAY, "week"),
        (DAY, "day"),
        (6 * HOUR, "hour"),
    ):
        if length > limit:
            return name
    return "minute"


_LENGTHS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


def _floor(at: Instant, group_by: str) -> Instant:
    """The start of the stretch of time, in UTC; weeks begin on Mondays."""
    moment = datetime.fromtimestamp(at / 1_000_000, UTC).replace(microsecond=0, second=0)
    if group_by != "minute":
        moment = moment.replace(minute=0)
    if group_by in {"day", "week", "month"}:
        moment = moment.replace(hour=0)
    if group_by == "week":
        moment -= timedelta(days=moment.weekday())
    if group_by == "month":
        moment = moment.replace(day=1)
    return from_datetime(moment)


def _dates(start: Instant, end: Instant, group_by: str) -> Sequence[Instant]:
    dates = [_floor(start, group_by)]
    # A month is over on the 32nd day after its first at the latest.
    step = _LENGTHS.get(group_by, timedelta(days=32)) // timedelta(microseconds=1)
    while len(dates) < MAX_BUCKETS:
        following = _floor(Instant(dates[-1] + step), group_by)
        if following > end:
            break
        dates.append(following)
    return dates
