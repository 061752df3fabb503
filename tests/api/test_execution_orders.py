"""Orders to many executions, replays with inputs, breakpoints (03 §8.5 to §8.10)."""

from typing import Any

import httpx2
import pytest

from batuta.engine.events import BreakpointResumed, Resumed, StatusForced
from batuta.model.ids import ExecutionId
from batuta.model.state import History, State
from batuta.operations.services import Services
from batuta.store.rows import Turn
from tests.api.conftest import API, SaveFlow, flow_source
from tests.api.test_executions import begin, end, replaced

MANY = f"{API}/executions"
INPUTS = "inputs:\n  - {id: day, type: DATE}\n  - {id: file, type: FILE, required: false}\n"
PAUSE = """\
id: hello
namespace: acme
tasks:
  - id: wait
    type: io.kestra.plugin.core.flow.Pause
    onResume:
      - {id: reason, type: STRING}
      - {id: proof, type: FILE, required: false}
"""


async def become(services: Services, execution_id: str, state: State, **changes: Any) -> None:
    row = await services.store.executions.get(ExecutionId(execution_id))
    assert row is not None
    histories = (*row.execution.histories, History(state, services.clock.now()))
    changed = replaced(row.execution, histories=histories, **changes)
    await services.store.commit(Turn(executions=[changed]))


async def events(services: Services) -> list[Any]:
    return [row.event for row in await services.store.queues.inbox(range(64))]


@pytest.mark.parametrize(
    ("order", "state", "name", "reason"),
    [
        ("restart", State.FAILED, "restart", "execution not in state FAILED"),
        ("resume", State.PAUSED, "resume", "execution not in state PAUSED"),
        ("pause", State.RUNNING, "pause", "execution not in state RUNNING"),
        ("unqueue", State.QUEUED, "unqueue", "execution not in state QUEUED"),
        ("force-run", State.QUEUED, "force run", "execution in a terminated state"),
        (
            "change-status?newStatus=WARNING",
            State.SUCCESS,
            "change executions state",
            "execution not in a terminated state",
        ),
        ("replay", State.SUCCESS, "replay", None),
    ],
)
async def test_all_are_treated_or_none(
    client: httpx2.AsyncClient,
    save_flow: SaveFlow,
    services: Services,
    order: str,
    state: State,
    name: str,
    reason: str | None,
) -> None:
    await save_flow(flow_source())
    good, other = await begin(client), await begin(client)
    await become(services, good["id"], state)
    if reason == "execution in a terminated state":
        await become(services, other["id"], State.SUCCESS)
    path, _, query = order.partition("?")
    url = f"{MANY}/{path}/by-ids?{query}"
    before = await events(services)
    refused = await client.post(url, json=[good["id"], other["id"], "nope"])
    assert refused.status_code == 400, refused.text
    body = refused.json()
    assert body["message"] == f"invalid bulk {name}"
    invalids = {(each["message"], each["invalidValue"]) for each in body["invalids"]}
    expected = {("execution not found", "nope")}
    assert invalids == (expected if reason is None else expected | {(reason, other["id"])})
    assert await events(services) == before
    done = await client.post(url, json=[good["id"]])
    assert (done.status_code, done.json()) == (200, {"count": 1})
    assert len(await events(services)) == len(before) + 1


async def test_orders_by_query(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    failed, queued = await begin(client), await begin(client)
    await end(services, failed["id"], State.FAILED)
    await become(services, queued["id"], State.QUEUED)

    async def count(path: str, **options: Any) -> int:
        answer = await client.post(f"{MANY}/{path}", **options)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["count"])

    labels = [{"key": "a", "value": "b"}]
    assert await count("labels/by-query?state=FAILED", json=labels) == 1
    assert await count("replay/by-query?state=FAILED") == 1
    assert await count("change-status/by-query?state=FAILED&newStatus=CANCELLED") == 1
    assert await count("restart/by-query?state=FAILED") == 1
    assert await count("force-run/by-query?state=QUEUED") == 1
    query = "filters[state][EQUALS]=QUEUED&state=CANCELLED"
    assert await count(f"unqueue/by-query?{query}") == 1
    last = (await events(services))[-1]
    assert isinstance(last, StatusForced)
    assert last.state is State.CANCELLED
    for path, status in (
        ("unqueue/by-query?filters[state][EQUALS]=QUEUED&newState=PAUSED", 422),
        ("change-status/by-query?state=FAILED&newStatus=RUNNING", 422),
        ("change-status/by-query?state=FAILED", 400),
    ):
        assert (await client.post(f"{MANY}/{path}")).status_code == status


async def test_labels_of_many_are_merged(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    ended = await begin(client, params=[("labels", "a:1"), ("labels", "b:2")])
    running = await begin(client)
    await end(services, ended["id"])
    labels = [{"key": "a", "value": "9"}, {"key": "c", "value": "3"}, {"key": "", "value": ""}]
    body = {"executionsId": [ended["id"], running["id"]], "executionLabels": labels}
    refused = await client.post(f"{MANY}/labels/by-ids", json=body)
    assert refused.status_code == 400
    assert refused.json()["message"] == "invalid bulk set labels"
    assert refused.json()["invalids"][0]["message"] == "execution is not terminated"
    body["executionsId"] = [ended["id"]]
    assert (await client.post(f"{MANY}/labels/by-ids", json=body)).json() == {"count": 1}
    found = (await client.get(f"{MANY}/{ended['id']}")).json()["labels"]
    assert {label["key"]: label["value"] for label in found} == {
        "a": "9",
        "b": "2",
        "c": "3",
        "system.correlationId": ended["id"],
    }
    body["executionLabels"] = [{"key": "system.x", "value": "1"}]
    assert (await client.post(f"{MANY}/labels/by-ids", json=body)).status_code == 422


async def test_many_are_deleted(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    ended, running = await begin(client), await begin(client)
    await end(services, ended["id"])
    both = [ended["id"], running["id"]]
    url = f"{MANY}/by-ids"
    refused = await client.request("DELETE", url, json=both)
    assert refused.json()["message"] == "invalid bulk delete"
    assert refused.json()["invalids"][0]["message"] == "execution not found"
    kept = await client.request("DELETE", f"{url}?deleteLogs=false", json=[ended["id"]])
    assert kept.json() == {"count": 1}
    assert len((await client.get(f"{API}/logs/{ended['id']}")).json()) == 1
    query = f"{MANY}/by-query?namespace=acme"
    assert (await client.delete(query)).status_code == 400
    done = await client.delete(f"{query}&includeNonTerminated=true")
    assert done.json() == {"count": 1}
    assert (await client.get(f"{MANY}/search")).json()["total"] == 0


async def test_nothing_to_restart_is_a_wrong_request(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    url = f"{MANY}/{wire['id']}/restart"
    early = await client.post(url)
    assert early.status_code == 409
    assert early.json()["message"] == (
        "Illegal state: Execution must be terminated to be restarted, current state is 'CREATED' !"
    )
    await end(services, wire["id"], State.KILLED)
    answer = await client.post(url)
    assert answer.status_code == 422
    assert answer.json()["message"] == "Illegal argument: No task found to restart execution from!"
    assert (await client.post(f"{url}?revision=9")).status_code == 404


async def test_replay_with_other_inputs(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source(more=INPUTS))
    wire = await begin(client, files={"day": (None, "2025-02-03")})
    await end(services, wire["id"])
    url = f"{MANY}/{wire['id']}/replay-with-inputs"
    refused = await client.post(url)
    assert refused.status_code == 422
    assert "missing required input" in refused.json()["message"]
    files: dict[str, Any] = {"day": (None, "2025-04-05"), "file": ("a.csv", b"1,2")}
    answer = await client.post(url, files=files, params={"breakpoints": "t1.x"})
    assert answer.status_code == 200, answer.text
    replay = answer.json()
    uri = f"kestra:///acme/hello/executions/{replay['id']}/inputs/file/a.csv"
    assert replay["inputs"] == {"day": "2025-04-05", "file": uri}
    assert replay["breakpoints"] == [{"id": "t1", "value": "x"}]
    assert await services.storage.read("main", uri) == b"1,2"
    kept = (await client.post(f"{MANY}/{wire['id']}/replay")).json()
    assert kept["inputs"] == {"day": "2025-02-03"}


async def test_a_breakpoint_is_left(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire = await begin(client, params={"breakpoints": "t1"})
    url = f"{MANY}/{wire['id']}/resume-from-breakpoint"
    early = await client.post(url)
    assert (early.status_code, early.json()["message"]) == (
        409,
        "Illegal state: Execution is not suspended",
    )
    await become(services, wire["id"], State.BREAKPOINT)
    answer = await client.post(url, params={"breakpoints": "t2,t3.v"})
    assert (answer.status_code, answer.content) == (200, b"")
    last = (await events(services))[-1]
    assert isinstance(last, BreakpointResumed)
    assert last.breakpoints == (("t2", None), ("t3", "v"))
    await become(services, wire["id"], State.BREAKPOINT, breakpoints=())
    none = await client.post(url)
    assert none.json()["message"] == "Illegal state: Execution has no breakpoint"


async def paused(client: httpx2.AsyncClient, services: Services) -> str:
    from batuta.engine.execution import TaskRun
    from batuta.model.ids import TaskId, TaskRunId
    from batuta.store.rows import TaskRunRow

    wire = await begin(client)
    now = services.clock.now()
    run = TaskRun(
        id=TaskRunId(f"run-{wire['id']}"),
        task_id=TaskId("wait"),
        ordinal=0,
        histories=(History(State.CREATED, now), History(State.PAUSED, now)),
    )
    await become(services, wire["id"], State.PAUSED, created_runs=1)
    row = TaskRunRow(execution_id=ExecutionId(wire["id"]), run=run)
    await services.store.commit(Turn(task_runs=[row]))
    return str(wire["id"])


async def test_resume_takes_files(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(PAUSE)
    execution_id = await paused(client, services)
    files: dict[str, Any] = {"reason": (None, "because"), "proof": ("p.txt", b"seen")}
    uri = f"kestra:///acme/hello/executions/{execution_id}/inputs/proof/p.txt"
    url = f"{MANY}/{execution_id}/resume"
    checked = (await client.post(f"{url}/validate", files=files)).json()
    assert [each.get("value") for each in checked["inputs"]] == ["because", uri]
    assert not await services.storage.exists("main", uri)
    assert (await client.post(url, files=files)).status_code == 204
    last = (await events(services))[-1]
    assert isinstance(last, Resumed)
    assert last.inputs == {"reason": "because", "proof": uri}
    assert await services.storage.read("main", uri) == b"seen"


async def test_of_many_that_ask_for_inputs_none_is_resumed(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(PAUSE)
    execution_id = await paused(client, services)
    answer = await client.post(f"{MANY}/resume/by-ids", json=[execution_id])
    assert answer.status_code == 400
    (invalid,) = answer.json()["invalids"]
    assert invalid["invalidValue"] == execution_id
    assert "missing required input" in invalid["message"]
