"""`/metrics` (03 §10)."""

import httpx2
import pytest

from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.model.instant import DAY, Instant, from_iso
from batuta.operations.services import Services
from batuta.store.rows import MetricRow
from tests.api.conftest import API

METRICS = f"{API}/metrics"
FLOW = FlowKey("main", "acme", "hello")
START = from_iso("2025-01-01T00:00:00Z")


def row(
    name: str, value: float, *, days: int = 0, task: str = "t1", kind: str | None = None
) -> MetricRow:
    return MetricRow(
        at=Instant(START + days * DAY),
        type="counter",
        name=name,
        value=value,
        flow=FLOW,
        execution_id=ExecutionId("e1"),
        task_id=TaskId(task),
        task_run_id=TaskRunId(f"run-{task}"),
        tags={"table": "orders"} if name == "rows" else {},
        kind=kind,
    )


@pytest.fixture(autouse=True)
async def measured(services: Services) -> None:
    await services.store.journal.append(
        [],
        [
            row("rows", 3),
            row("rows", 5, days=1),
            row("rows", 7, days=1, task="t2"),
            row("bytes", 9),
            row("hidden", 1, kind="TEST"),
        ],
    )


async def test_metrics_of_an_execution(client: httpx2.AsyncClient) -> None:
    found = (await client.get(f"{METRICS}/e1?sort=value:desc&size=2")).json()
    assert found["total"] == 5
    assert [each["value"] for each in found["results"]] == [9.0, 7.0]
    one = (await client.get(f"{METRICS}/e1?taskId=t2&taskRunId=ignored")).json()
    assert one["results"] == [
        {
            "tenantId": "main",
            "namespace": "acme",
            "flowId": "hello",
            "taskId": "t2",
            "executionId": "e1",
            "taskRunId": "run-t2",
            "type": "counter",
            "name": "rows",
            "value": 7.0,
            "tags": {"table": "orders"},
            "timestamp": "2025-01-02T00:00:00Z",
            "deleted": False,
        }
    ]
    by_run = (await client.get(f"{METRICS}/e1?taskRunId=run-t2")).json()
    assert by_run["total"] == 1
    assert (await client.get(f"{METRICS}/e1?sort=odd:asc")).status_code == 422
    assert (await client.get(f"{METRICS}/nope")).json() == {"results": [], "total": 0}


async def test_names_and_tasks(client: httpx2.AsyncClient) -> None:
    assert (await client.get(f"{METRICS}/names/acme/hello")).json() == ["bytes", "rows"]
    assert (await client.get(f"{METRICS}/names/acme/hello/t2")).json() == ["rows"]
    assert (await client.get(f"{METRICS}/tasks/acme/hello")).json() == ["t1", "t2"]
    assert (await client.get(f"{METRICS}/tasks/acme/nope")).json() == []


@pytest.mark.parametrize(
    ("path", "aggregation", "values"),
    [
        ("rows", "sum", [3.0, 12.0, None]),
        ("rows", "avg", [3.0, 6.0, None]),
        ("rows", "max", [3.0, 7.0, None]),
        ("t1/rows", "SUM", [3.0, 5.0, None]),
        ("hidden", "sum", [None, None, None]),
    ],
)
async def test_sums_over_time(
    client: httpx2.AsyncClient, path: str, aggregation: str, values: list[float | None]
) -> None:
    answer = await client.get(
        f"{METRICS}/aggregates/acme/hello/{path}",
        params={
            "startDate": "2025-01-01T00:00:00Z",
            "endDate": "2025-01-03T12:00:00Z",
            "aggregation": aggregation,
        },
    )
    found = answer.json()
    assert found["groupBy"] == "day"
    name = path.rpartition("/")[2]
    assert found["aggregations"] == [
        {"value": 0.0, "date": date}
        if value is None
        else {"name": name, "value": value, "date": date}
        for date, value in zip(
            ("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z", "2025-01-03T00:00:00Z"),
            values,
            strict=True,
        )
    ]


@pytest.mark.parametrize(
    ("start", "end", "group_by", "buckets"),
    [
        ("2024-01-10T05:00:00Z", "2025-02-03T00:00:00Z", "month", 14),
        ("2024-07-01T00:00:00Z", "2025-01-02T00:00:00Z", "week", 27),
        ("2025-01-01T00:30:00Z", "2025-01-01T09:00:00Z", "hour", 10),
        ("2025-01-01T00:00:30Z", "2025-01-01T00:10:00Z", "minute", 11),
    ],
)
async def test_stretches_depend_on_the_range(
    client: httpx2.AsyncClient, start: str, end: str, group_by: str, buckets: int
) -> None:
    url = f"{METRICS}/aggregates/acme/hello/rows"
    found = (await client.get(url, params={"startDate": start, "endDate": end})).json()
    assert (found["groupBy"], len(found["aggregations"])) == (group_by, buckets)


@pytest.mark.parametrize(
    "query", ["aggregation=median", "startDate=2025-02-01T00:00:00Z&endDate=2025-01-01T00:00:00Z"]
)
async def test_sums_that_make_no_sense(client: httpx2.AsyncClient, query: str) -> None:
    answer = await client.get(f"{METRICS}/aggregates/acme/hello/rows?{query}")
    assert answer.status_code == 422
