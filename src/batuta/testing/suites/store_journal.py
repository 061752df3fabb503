"""Logs and metrics."""

from msgspec.structs import replace

from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.store.contract import Store
from batuta.store.query import Filter, FilterValue, Op, Query, Sort
from batuta.store.rows import LogRow, MetricRow, Turn
from batuta.testing.suites.expect import equal, true
from batuta.testing.suites.samples import FLOW, OTHER_FLOW, log

A = ExecutionId("a")

_FOUND: list[tuple[str, Op, FilterValue, str]] = [
    ("level", Op.EQUALS, "TRACE", "tdiwe"),
    ("level", Op.EQUALS, "WARN", "we"),
    ("level", Op.NOT_EQUALS, "WARN", "tdi"),
    ("execution_id", Op.EQUALS, "a", "tdi"),
    ("execution_id", Op.NOT_EQUALS, "a", "we"),
    ("task_id", Op.EQUALS, "hello", "d"),
    ("task_run_id", Op.EQUALS, "r", "d"),
    ("attempt", Op.EQUALS, 0, "d"),
    ("trigger_id", Op.EQUALS, "daily", "e"),
    ("namespace", Op.PREFIX, "company.team", "tdie"),
    ("flow_id", Op.EQUALS, "weekly", "w"),
    ("at", Op.GREATER_THAN_OR_EQUAL_TO, 300, "iwe"),
    ("q", Op.EQUALS, "MESSAGE W", "w"),
    ("kind", Op.EQUALS, "TEST", "i"),
]


def _logs() -> list[LogRow]:
    return [
        log("message t", at=100, level="TRACE", execution_id=A),
        log(
            "message d",
            at=200,
            level="DEBUG",
            execution_id=A,
            task_id=TaskId("hello"),
            task_run_id=TaskRunId("r"),
            attempt=0,
            thread="worker_1",
        ),
        log("message i", at=300, execution_id=A, kind="TEST"),
        log("message w", at=400, level="WARN", flow=OTHER_FLOW),
        log("message e", at=500, level="ERROR", trigger_id="daily"),
    ]


async def logs_are_read_as_they_were_written(store: Store) -> None:
    await store.journal.append(_logs())
    page = await store.journal.logs(Query())
    equal(page.total, 5)
    bare = [replace(row, id=0) for row in page.rows]
    equal(bare, _logs())
    ids = [row.id for row in page.rows]
    true(ids == sorted(set(ids)) and ids[0] > 0, f"ids grow: {ids}")


async def filters_choose_logs(store: Store) -> None:
    await store.journal.append(_logs())
    for field, operator, value, expected in _FOUND:
        condition = Filter(field, operator, value)
        page = await store.journal.logs(Query(filters=[condition]))
        found = "".join(row.message[-1] for row in page.rows)
        equal((condition, found), (condition, expected))


async def logs_can_be_followed_by_id(store: Store) -> None:
    await store.commit(Turn(logs=_logs()[:2]))
    page = await store.journal.logs(Query(sort=[Sort("id")], total=False))
    last = page.rows[-1].id
    await store.journal.append([log("late, but older", at=1)])
    await store.commit(Turn(logs=[log("newest")]))
    more = await store.journal.logs(
        Query(filters=[Filter("id", Op.GREATER_THAN, last)], sort=[Sort("id")])
    )
    equal([row.message for row in more.rows], ["late, but older", "newest"])


async def logs_are_deleted_by_filters(store: Store) -> None:
    await store.journal.append(_logs())
    filters = [Filter("execution_id", Op.EQUALS, "a"), Filter("at", Op.LESS_THAN, 300)]
    equal(await store.journal.delete_logs(Query(filters=filters, size=1)), 2)
    equal((await store.journal.logs(Query())).total, 3)
    equal(await store.journal.delete_logs(Query()), 3)


async def metrics_are_read_filtered_and_deleted(store: Store) -> None:
    first = MetricRow(
        at=Instant(100),
        type="counter",
        name="rows",
        value=12.5,
        flow=FLOW,
        execution_id=A,
        task_id=TaskId("load"),
        task_run_id=TaskRunId("r"),
        tags={"table": "orders"},
    )
    second = replace(first, at=Instant(200), name="rows200", value=25.0, tags={})
    third = replace(second, at=Instant(300), type="timer", execution_id=None, kind="TEST")
    rows = [first, second, third]
    await store.journal.append([], rows)
    page = await store.journal.metrics(Query())
    equal([replace(row, id=0) for row in page.rows], rows)
    query = Query(filters=[Filter("name", Op.EQUALS, "rows")])
    equal([row.value for row in (await store.journal.metrics(query)).rows], [12.5])
    query = Query(filters=[Filter("execution_id", Op.EQUALS, "a")], sort=[Sort("value")])
    equal((await store.journal.metrics(query)).total, 2)
    equal(await store.journal.delete_metrics(query), 2)
    equal((await store.journal.metrics(Query())).total, 1)
