"""`/logs` (03 §9)."""

import asyncio
from collections.abc import Sequence

import httpx2
import pytest

from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.operations.services import Services
from batuta.store.rows import LogRow
from batuta.testing.clock import START
from batuta.web.app import Application
from tests.api.conftest import API, SaveFlow, flow_source

FLOW = FlowKey("main", "acme", "hello")


def rows(execution_id: str = "e1") -> Sequence[LogRow]:
    lines = [("DEBUG", "a", 0), ("INFO", "b", 0), ("ERROR", "c\nd", 1)]
    return [
        LogRow(
            at=Instant(START + index),
            level=level,
            message=message,
            flow=FLOW,
            execution_id=ExecutionId(execution_id),
            task_id=TaskId(f"t{attempt}"),
            task_run_id=TaskRunId(f"r{attempt}"),
            attempt=attempt,
        )
        for index, (level, message, attempt) in enumerate(lines)
    ]


@pytest.mark.parametrize(
    ("query", "messages"),
    [
        ("", ["a", "b", "c\nd"]),
        ("?minLevel=info", ["b", "c\nd"]),
        ("?taskId=t0", ["a", "b"]),
        ("?taskRunId=r1&attempt=1", ["c\nd"]),
        ("?taskRunId=r1&attempt=0", []),
        ("?taskId=t0&taskRunId=r1", ["a", "b"]),
    ],
)
async def test_lines_of_an_execution(
    client: httpx2.AsyncClient, services: Services, query: str, messages: list[str]
) -> None:
    await services.store.journal.append(rows())
    answer = await client.get(f"{API}/logs/e1{query}")
    assert [entry["message"] for entry in answer.json()] == messages


async def test_an_entry_has_the_shape_of_the_api(
    client: httpx2.AsyncClient, services: Services
) -> None:
    await services.store.journal.append(rows()[:1])
    answer = await client.get(f"{API}/logs/e1")
    assert answer.json() == [
        {
            "tenantId": "main",
            "namespace": "acme",
            "flowId": "hello",
            "taskId": "t0",
            "executionId": "e1",
            "taskRunId": "r0",
            "attemptNumber": 0,
            "timestamp": "2025-01-01T00:00:00Z",
            "level": "DEBUG",
            "message": "a",
            "deleted": False,
        }
    ]


async def test_unknown_executions_have_no_lines_and_no_download(client: httpx2.AsyncClient) -> None:
    assert (await client.get(f"{API}/logs/nope")).json() == []
    answer = await client.get(f"{API}/logs/nope/download")
    assert answer.status_code == 404
    assert answer.json()["message"] == "Not Found: Execution 'nope' not found."
    assert (await client.get(f"{API}/logs/nope?minLevel=LOUD")).status_code == 422


async def test_download_is_plain_text(
    client: httpx2.AsyncClient, services: Services, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source())
    execution_id = (await client.post(f"{API}/executions/acme/hello")).json()["id"]
    await services.store.journal.append(rows(execution_id))
    answer = await client.get(f"{API}/logs/{execution_id}/download?minLevel=INFO")
    assert answer.text == (
        "2025-01-01T00:00:00.000001Z INFO b\n2025-01-01T00:00:00.000002Z ERROR c\nd"
    )
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-cache"
    assert f'filename="{execution_id}.log"' in answer.headers["content-disposition"]


async def test_search_by_level_and_text(client: httpx2.AsyncClient, services: Services) -> None:
    await services.store.journal.append(rows())
    answer = await client.get(f"{API}/logs/search?minLevel=INFO&sort=timestamp:desc&namespace=acme")
    assert [entry["message"] for entry in answer.json()["results"]] == ["c\nd", "b"]
    assert answer.json()["total"] == 2


async def test_delete_takes_the_chosen_lines(
    client: httpx2.AsyncClient, services: Services
) -> None:
    await services.store.journal.append(rows())
    assert (await client.delete(f"{API}/logs/e1?taskId=t0")).status_code == 200
    assert len((await client.get(f"{API}/logs/e1")).json()) == 1
    assert (await client.delete(f"{API}/logs/acme/hello")).status_code == 200
    assert (await client.get(f"{API}/logs/e1")).json() == []


async def test_follow_gives_old_lines_then_new_ones_until_the_server_stops(
    client: httpx2.AsyncClient, services: Services, app: Application
) -> None:
    await services.store.journal.append(rows()[:1])
    following = asyncio.create_task(client.get(f"{API}/logs/e1/follow"))
    while not services.feed.watched:
        await asyncio.sleep(0)
    await services.store.journal.append(rows()[1:])
    for _ in range(20):
        await asyncio.sleep(0.005)
    app.close()
    text = (await following).text
    assert [line for line in text.splitlines() if line.startswith("id:")] == [
        "id: start",
        *["id: progress"] * 3,
    ]
    assert '"message":"c\\nd"' in text
