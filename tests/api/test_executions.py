"""`/executions`: start, read, search, orders, live views (03 §8, §5)."""

import asyncio
from typing import Any

import httpx2
import pytest

from batuta.engine.events import Created, KillRequested
from batuta.engine.execution import TaskRun
from batuta.model import codec
from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.state import History, State
from batuta.operations.services import Services
from batuta.store.rows import LogRow, OutputRow, TaskRunRow, Turn
from tests.api.conftest import API, SaveFlow, flow_source

INPUTS = """\
inputs:
  - {id: day, type: DATE}
  - {id: count, type: INT, defaults: 3}
  - {id: file, type: FILE, required: false}
"""


async def begin(client: httpx2.AsyncClient, **options: Any) -> dict[str, Any]:
    answer = await client.post(f"{API}/executions/acme/hello", **options)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def end(services: Services, execution_id: str, state: State = State.SUCCESS) -> None:
    """What the executor would commit: one task run with outputs, and the end."""
    row = await services.store.executions.get(ExecutionId(execution_id))
    assert row is not None
    now = services.clock.now()
    run = TaskRun(
        id=TaskRunId("run-1"),
        task_id=TaskId("t1"),
        ordinal=0,
        histories=(History(State.CREATED, now), History(state, now)),
    )
    ended = codec.convert(codec.to_plain(row.execution), type(row.execution))
    histories = (*ended.histories, History(State.RUNNING, now), History(state, now))
    await services.store.commit(
        Turn(
            executions=[replaced(ended, histories=histories, created_runs=1)],
            task_runs=[TaskRunRow(execution_id=ExecutionId(execution_id), run=run)],
            outputs=[
                OutputRow(
                    execution_id=ExecutionId(execution_id),
                    task_id=run.task_id,
                    task_run_id=run.id,
                    ordinal=0,
                    data=codec.encode({"rows": 3}),
                )
            ],
            logs=[
                LogRow(
                    at=now,
                    level="INFO",
                    message="done",
                    flow=ended.flow,
                    execution_id=ended.id,
                    task_id=run.task_id,
                    task_run_id=run.id,
                    attempt=0,
                )
            ],
        )
    )


def replaced(value: Any, **changes: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(value, **changes)


async def test_create_answers_the_new_execution(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source(more="labels: {team: data, env: dev}\nvariables: {a: 1}\n"))
    wire = await begin(client, params=[("labels", "env:prod"), ("labels", "url:a:b,c")])
    execution_id = wire["id"]
    assert wire == {
        "tenantId": "main",
        "id": execution_id,
        "namespace": "acme",
        "flowId": "hello",
        "flowRevision": 1,
        "labels": [
            {"key": "team", "value": "data"},
            {"key": "env", "value": "prod"},
            {"key": "url", "value": "a:b,c"},
            {"key": "system.correlationId", "value": execution_id},
        ],
        "variables": {"a": 1},
        "state": {
            "current": "CREATED",
            "histories": [{"state": "CREATED", "date": "2025-01-01T00:00:00Z"}],
            "duration": "PT0S",
            "startDate": "2025-01-01T00:00:00Z",
        },
        "originalId": execution_id,
        "deleted": False,
        "metadata": {"attemptNumber": 1, "originalCreatedDate": "2025-01-01T00:00:00Z"},
        "url": f"/ui/main/executions/acme/hello/{execution_id}",
    }
    inbox = await services.store.queues.inbox(range(64))
    assert [type(row.event) for row in inbox] == [Created]
    read = await client.get(f"{API}/executions/{execution_id}")
    assert read.json() == {name: value for name, value in wire.items() if name != "url"}


@pytest.mark.parametrize(
    "options",
    [
        {"files": {"day": (None, "2025-02-03"), "count": (None, "4")}},
        {"json": {"day": "2025-02-03", "count": 4}},
    ],
    ids=["form", "json"],
)
async def test_inputs_come_as_form_or_json(
    client: httpx2.AsyncClient, save_flow: SaveFlow, options: dict[str, Any]
) -> None:
    await save_flow(flow_source(more=INPUTS))
    assert (await begin(client, **options))["inputs"] == {"day": "2025-02-03", "count": 4}


async def test_a_file_is_stored_and_can_be_read_back(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source(more=INPUTS))
    files = {"day": (None, "2025-02-03"), "file": ("../a b.csv", b"1,2")}
    wire = await begin(client, files=files)
    uri = f"kestra:///acme/hello/executions/{wire['id']}/inputs/file/a%20b.csv"
    assert wire["inputs"]["file"] == uri
    path = f"{API}/executions/{wire['id']}/file"
    read = await client.get(path, params={"path": uri})
    assert (read.status_code, read.content) == (200, b"1,2")
    assert read.headers["content-disposition"] == 'attachment; filename="a b.csv"'
    metas = await client.get(f"{path}/metas", params={"path": uri})
    assert metas.json() == {"size": 3}
    other = await client.get(path, params={"path": uri.replace(wire["id"], "other")})
    assert other.status_code == 307
    assert "/executions/other/file?path=kestra%3A" in other.headers["location"]
    for wrong, status in (
        ("kestra:///acme/secret.txt", 422),
        ("kestra:///../../etc/passwd", 422),
        ("file:///etc/passwd", 422),
        (uri + "x", 404),
    ):
        assert (await client.get(path, params={"path": wrong})).status_code == status


async def test_all_wrong_inputs_are_named(client: httpx2.AsyncClient, save_flow: SaveFlow) -> None:
    await save_flow(flow_source(more=INPUTS))
    answer = await client.post(f"{API}/executions/acme/hello", files={"count": (None, "abc")})
    assert answer.status_code == 422
    errors = answer.json()["_embedded"]["errors"]
    assert [error["path"] for error in errors] == ["day", "count"]
    assert errors[0]["message"] == (
        "Invalid input for `day`, missing required input, but received `null`"
    )
    assert answer.json()["message"].startswith("Invalid entity: day: Invalid input for `day`")


async def test_inputs_are_checked_without_an_execution(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source(more=INPUTS))
    answer = await client.post(f"{API}/executions/acme/hello/validate", files={"day": (None, "x")})
    assert answer.status_code == 200
    day, count, file = answer.json()["inputs"]
    assert day["input"] == {"id": "day", "type": "DATE", "required": True}
    assert day["errors"][0]["message"].startswith("Invalid input for `day`")
    assert (count["value"], count["isDefault"], count["errors"]) == (3, True, [])
    assert "value" not in file
    assert (await client.get(f"{API}/executions/search")).json()["total"] == 0


async def test_134_a_file_that_is_only_checked_is_not_stored(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source(more=INPUTS))
    files = {"day": (None, "2025-02-03"), "file": ("a.csv", b"1")}
    answer = await client.post(f"{API}/executions/acme/hello/validate", files=files)
    *_, file = answer.json()["inputs"]
    assert file["errors"] == []
    assert file["value"].endswith("/inputs/file/a.csv")
    assert not await services.storage.exists("main", file["value"])


async def test_undeclared_inputs_are_a_warning_in_the_log(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source())
    wire = await begin(client, files={"nope": (None, "1")})
    (entry,) = (await client.get(f"{API}/logs/{wire['id']}")).json()
    assert entry["level"] == "WARN"
    assert "Input nope was provided for workflow acme.hello" in entry["message"]


@pytest.mark.parametrize(
    ("prepare", "path", "status", "message"),
    [
        ("", "acme/nope", 404, "Not Found: Requested Flow is not found."),
        ("disabled: true\n", "acme/hello", 409, "Illegal state: Requested Flow is disabled."),
        (
            "",
            "acme/hello?labels=system.restarted:true",
            422,
            "Illegal argument: System labels can only be set by Kestra itself, offending label: system.restarted=true",
        ),
        ("", "acme/hello?revision=9", 404, "Not Found: Requested Flow is not found."),
        ("", "acme/hello?kind=ODD", 422, "Failed to convert argument [kind]"),
    ],
)
async def test_what_cannot_be_started(
    client: httpx2.AsyncClient,
    save_flow: SaveFlow,
    prepare: str,
    path: str,
    status: int,
    message: str,
) -> None:
    await save_flow(flow_source(more=prepare))
    answer = await client.post(f"{API}/executions/{path}")
    assert answer.status_code == status
    assert message in answer.json()["message"]


async def test_an_ended_execution_has_task_runs_and_outputs(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    await end(services, wire["id"])
    found = (await client.get(f"{API}/executions/{wire['id']}")).json()
    assert found["state"]["current"] == "SUCCESS"
    assert found["state"]["endDate"] == "2025-01-01T00:00:00Z"
    (run,) = found["taskRunList"]
    assert (run["taskId"], run["outputs"], run["state"]["current"]) == (
        "t1",
        {"rows": 3},
        "SUCCESS",
    )


async def test_search_by_state_labels_and_time(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    first = await begin(client, params={"labels": "a:b"})
    await end(services, first["id"], State.FAILED)
    second = await begin(client, params={"kind": "TEST"})

    async def ids(query: str) -> list[str]:
        answer = await client.get(f"{API}/executions/search?{query}")
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["results"]]

    assert await ids("state=FAILED,KILLED") == [first["id"]]
    assert await ids("filters[state][IN]=[FAILED]&filters[labels][EQUALS][a]=b") == [first["id"]]
    assert await ids("filters[labels][NOT_EQUALS][a]=b") == []
    assert await ids("filters[kind][EQUALS]=TEST") == [second["id"]]
    assert await ids("filters[kind][EQUALS]=NORMAL") == [first["id"]]
    assert await ids("timeRange=PT1H&childFilter=MAIN") == [first["id"]]
    assert await ids("startDate=2025-01-02T00:00:00Z") == []
    assert await ids("namespace=acme&flowId=hello&triggerExecutionId=x") == []
    of_flow = await client.get(f"{API}/executions?namespace=acme&flowId=hello")
    assert of_flow.json()["total"] == 2
    latest = await client.post(
        f"{API}/executions/latest", json=[{"namespace": "acme", "id": "hello"}]
    )
    assert latest.json()[0]["status"] == "FAILED"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("timeRange=P1Y", "Illegal argument: Invalid duration: P1Y"),
        ("timeRange=PT1H&startDate=2025-01-01T00:00:00Z", "mutually exclusive"),
        (
            "startDate=2025-01-02T00:00:00Z&endDate=2025-01-01T00:00:00Z",
            "Start date must be before End Date",
        ),
        ("startDate=yesterday", "Invalid date: yesterday"),
        ("filters[childFilter][EQUALS]=x", "No enum constant"),
        ("filters[namespace][REGEX]=(", "Illegal argument: "),
    ],
)
async def test_bad_searches_are_refused(client: httpx2.AsyncClient, query: str, said: str) -> None:
    answer = await client.get(f"{API}/executions/search?{query}")
    assert answer.status_code == 422
    assert said in answer.json()["message"]


async def test_a_required_parameter_is_named(client: httpx2.AsyncClient) -> None:
    answer = await client.get(f"{API}/executions?namespace=acme")
    assert answer.status_code == 400
    assert answer.json()["message"] == "Bad Request: Required QueryValue [flowId] not specified"


async def test_kill_is_an_event_for_the_executor(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    answer = await client.delete(f"{API}/executions/{wire['id']}/kill")
    assert (answer.status_code, answer.content) == (202, b"")
    inbox = await services.store.queues.inbox(range(64))
    assert isinstance(inbox[-1].event, KillRequested)
    assert (await client.delete(f"{API}/executions/nope/kill")).status_code == 404
    await end(services, wire["id"])
    again = await client.delete(f"{API}/executions/{wire['id']}/kill?isOnKillCascade=false")
    assert again.status_code == 409
    assert again.json()["message"] == (
        "Illegal state: Execution is already finished, can't kill it"
    )


async def test_a_bulk_order_is_all_or_nothing(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    running, ended = await begin(client), await begin(client)
    await end(services, ended["id"])
    path = f"{API}/executions/kill/by-ids"
    refused = await client.request("DELETE", path, json=[running["id"], ended["id"], "nope"])
    assert refused.status_code == 400
    body = refused.json()
    assert body["message"] == "invalid bulk kill"
    assert [(i["message"], i["invalidValue"]) for i in body["invalids"]] == [
        ("execution already finished", ended["id"]),
        ("execution not found", "nope"),
    ]
    done = await client.request("DELETE", path, json=[running["id"]])
    assert done.json() == {"count": 1}


async def test_labels_only_after_the_end(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    path = f"{API}/executions/{wire['id']}/labels"
    early = await client.post(path, json=[{"key": "a", "value": "b"}])
    assert (early.status_code, early.json()) == (400, "The execution is not terminated")
    await end(services, wire["id"])
    done = await client.post(path, json=[{"key": "a", "value": "b"}, {"key": "", "value": ""}])
    assert [label["key"] for label in done.json()["labels"]] == ["a", "system.correlationId"]
    forbidden = await client.post(path, json=[{"key": "system.x", "value": "b"}])
    assert forbidden.status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "resume", 409),
        ("POST", "pause", 422),
        ("POST", "restart", 409),
        ("POST", "unqueue", 422),
        ("POST", "change-status?status=SUCCESS", 422),
        ("POST", "change-status?status=ODD", 422),
        ("POST", "change-status", 400),
    ],
)
async def test_orders_that_the_state_does_not_allow(
    client: httpx2.AsyncClient, save_flow: SaveFlow, method: str, path: str, status: int
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    answer = await client.request(method, f"{API}/executions/{wire['id']}/{path}")
    assert answer.status_code == status, answer.text


async def test_delete_removes_execution_logs_and_files(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source(more=INPUTS))
    files = {"day": (None, "2025-02-03"), "file": ("a.csv", b"1")}
    wire = await begin(client, files=files)
    assert (await client.delete(f"{API}/executions/{wire['id']}")).status_code == 204
    assert (await client.get(f"{API}/executions/{wire['id']}")).status_code == 404
    assert not await services.storage.exists("main", wire["inputs"]["file"])


async def test_follow_of_an_ended_execution_is_start_and_end(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    await end(services, wire["id"])
    answer = await client.get(f"{API}/executions/{wire['id']}/follow")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [event.split("\n") for event in answer.text.strip().split("\n\n")]
    assert [event[0] for event in events] == ["id: start", "id: end"]
    assert codec.decode(events[0][1].removeprefix("data: ")) == {
        "id": wire["id"],
        "labels": [],
        "deleted": False,
    }
    assert codec.decode(events[1][1].removeprefix("data: "))["state"]["current"] == "SUCCESS"


async def test_follow_and_wait_see_the_end_when_it_comes(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    following = asyncio.create_task(client.get(f"{API}/executions/{wire['id']}/follow"))
    waiting = asyncio.create_task(begin(client, params={"wait": "true"}))
    page: list[Any] = []
    while len(page) < 2:
        await asyncio.sleep(0)
        page = (await client.get(f"{API}/executions/search")).json()["results"]
    for row in page:
        await end(services, row["id"])
    names = [line for line in (await following).text.splitlines() if line.startswith("id:")]
    assert names[0] == "id: start"
    assert names[-1] == "id: end"
    assert (await waiting)["state"]["current"] == "SUCCESS"


async def test_restart_runs_again_what_failed(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    await end(services, wire["id"], State.FAILED)
    answer = await client.post(f"{API}/executions/{wire['id']}/restart")
    assert answer.status_code == 200, answer.text
    again = answer.json()
    assert (again["id"], again["state"]["current"]) == (wire["id"], "RESTARTED")
    assert again["metadata"]["attemptNumber"] == 2
    assert {"key": "system.restarted", "value": "true"} in again["labels"]


async def test_replay_is_a_new_execution(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    await end(services, wire["id"])
    answer = await client.post(f"{API}/executions/{wire['id']}/replay?breakpoints=t1")
    assert answer.status_code == 200, answer.text
    replay = answer.json()
    assert replay["id"] != wire["id"]
    assert (replay["parentId"], replay["originalId"]) == (wire["id"], wire["id"])
    assert replay["breakpoints"] == [{"id": "t1"}]
    source = (await client.get(f"{API}/executions/{wire['id']}")).json()
    assert {"key": "system.replayed", "value": "true"} in source["labels"]


async def test_a_task_run_gets_another_state(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    await end(services, wire["id"], State.FAILED)
    body = {"taskRunId": "run-1", "state": "SUCCESS"}
    answer = await client.post(f"{API}/executions/{wire['id']}/state", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["taskRunList"][0]["state"]["current"] == "SUCCESS"
    assert answer.json()["state"]["current"] == "RESTARTED"


async def test_a_form_that_cannot_be_read(client: httpx2.AsyncClient, save_flow: SaveFlow) -> None:
    await save_flow(flow_source())
    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = await client.post(
        f"{API}/executions/acme/hello", content=b"--y\r\nnonsense", headers=headers
    )
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("Bad Request: The form cannot be read")
    other = await client.post(
        f"{API}/executions/acme/hello", content=b"x", headers={"content-type": "text/csv"}
    )
    assert other.status_code == 415


async def test_json_that_is_nested_without_end(client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"{API}/executions/latest", content="[" * 100_000)
    assert answer.status_code == 422
