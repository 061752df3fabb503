"""Expressions tried on executions, previews of files (03 §8.11, §8.13)."""

import base64
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from batuta.engine.execution import TaskRun
from batuta.model import codec
from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.state import History, State
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.store.rows import OutputRow, TaskRunRow, Turn
from tests.api.conftest import API, SaveFlow, flow_source
from tests.api.test_executions import begin

MANY = f"{API}/executions"
KEY = base64.b64encode(b"k" * 32).decode()
LOOP = """\
id: hello
namespace: acme
inputs:
  - {id: day, type: STRING, defaults: monday}
  - {id: pass, type: SECRET, defaults: s3cret}
variables: {greeting: "hi {{ inputs.day }}"}
tasks:
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b]
    tasks:
      - {id: inner, type: io.kestra.plugin.core.debug.Return, format: x}
"""


@pytest.fixture
def settings() -> Settings:
    return Settings(encryption_key=KEY)


@pytest.fixture
def environment() -> dict[str, str]:
    return {"SECRET_TOKEN": base64.b64encode(b"t0psecret").decode()}


async def run_loop(services: Services, execution_id: str) -> None:
    now = services.clock.now()
    histories = (History(State.CREATED, now), History(State.RUNNING, now))
    each = TaskRun(id=TaskRunId("e"), task_id=TaskId("each"), ordinal=0, histories=histories)
    inner = TaskRun(
        id=TaskRunId("i"),
        task_id=TaskId("inner"),
        ordinal=1,
        parent_id=each.id,
        value="b",
        path=("b",),
        iteration=1,
        histories=histories,
    )
    id_ = ExecutionId(execution_id)
    secret = {"type": "io.kestra.datatype:aes_encrypted", "value": "cipher"}
    row = OutputRow(
        execution_id=id_,
        ordinal=1,
        task_id=inner.task_id,
        task_run_id=inner.id,
        path=("b",),
        data=codec.encode({"value": 7, "hidden": secret}),
    )
    stored = await services.store.executions.get(id_)
    assert stored is not None
    await services.store.commit(
        Turn(
            executions=[replace(stored.execution, created_runs=2)],
            task_runs=[TaskRunRow(execution_id=id_, run=run) for run in (each, inner)],
            outputs=[row],
        )
    )


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("{{ taskrun.value }}/{{ taskrun.iteration }}/{{ task.id }}", "b/1/inner"),
        ("{{ outputs.inner.b.value + 1 }}", "8"),
        ("{{ outputs.inner[taskrun.value].value }}", "7"),
        ("{{ vars.greeting }}", "hi monday"),
        ("{{ secret('TOKEN') | upper }}", "******"),
        ("{{ secret('TOKEN') | base64encode }}", base64.b64encode(b"******").decode()),
        ("{{ inputs.pass }}{{ outputs.inner.b.hidden }}", "************"),
        ("plain", "plain"),
        ("{{ flow.id }} {{ execution.state }}", "hello CREATED"),
    ],
)
async def test_an_expression_is_tried_on_a_task_run(
    client: httpx2.AsyncClient,
    save_flow: SaveFlow,
    services: Services,
    expression: str,
    result: str,
) -> None:
    await save_flow(LOOP)
    wire = await begin(client)
    await run_loop(services, wire["id"])
    url = f"{MANY}/{wire['id']}/eval/i"
    answer = await client.post(url, content=expression, headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()) == (200, {"result": result})


async def test_what_cannot_be_evaluated(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(LOOP)
    wire = await begin(client)
    await run_loop(services, wire["id"])
    bad = await client.post(f"{MANY}/{wire['id']}/eval", content="{{ nope }}")
    assert bad.status_code == 200
    assert "nope" in bad.json()["error"]
    assert bad.json()["stackTrace"]
    whole = await client.post(f"{MANY}/{wire['id']}/eval", content="{{ inputs.day }}")
    assert whole.json() == {"result": "monday"}
    assert (await client.post(f"{MANY}/{wire['id']}/eval/x", content="a")).status_code == 404
    assert (await client.post(f"{MANY}/nope/eval/x", content="a")).status_code == 404


async def stored(services: Services, wire: dict[str, Any], name: str, content: bytes) -> str:
    uri = f"kestra:///acme/hello/executions/{wire['id']}/tasks/t1/run/{name}"
    return await services.storage.put("main", uri, content)


@pytest.mark.parametrize(
    ("name", "content", "query", "expected"),
    [
        ("a.csv", b"1\n2\n3\n", {"maxRows": "2"}, ("TEXT", "1\n2", 2, True)),
        ("a.csv", b"1\r\n2\r\n", {}, ("TEXT", "1\n2", 100, False)),
        ("noext", "\xe9".encode("latin-1"), {"encoding": "latin-1"}, ("TEXT", "\xe9", 100, False)),
        ("a.md", b"# x", {"encoding": "utf-16"}, ("MARKDOWN", "# x", 100, False)),
        ("a.PNG", b"\x89", {}, ("IMAGE", base64.b64encode(b"\x89").decode(), 100, False)),
        ("a.pdf", b"%", {}, ("PDF", base64.b64encode(b"%").decode(), 100, False)),
        (
            "a.ion",
            b'{a:1,d:2025-01-02}\n{a:"x"}\n{a:3}\n',
            {"maxRows": "2"},
            ("LIST", [{"a": 1, "d": "2025-01-02"}, {"a": "x"}], 2, True),
        ),
        ("big.txt", b"x" * (3 << 20), {"maxRows": "9999"}, ("TEXT", "x" * (2 << 20), 5000, True)),
        ("empty.txt", b"", {}, ("TEXT", "", 100, False)),
    ],
)
async def test_the_beginning_of_a_file(
    client: httpx2.AsyncClient,
    save_flow: SaveFlow,
    services: Services,
    name: str,
    content: bytes,
    query: dict[str, str],
    expected: tuple[str, Any, int, bool],
) -> None:
    await save_flow(flow_source())
    wire = await begin(client)
    uri = await stored(services, wire, name, content)
    url = f"{MANY}/{wire['id']}/file/preview"
    answer = await client.get(url, params={"path": uri, **query})
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["type"], shown["content"], shown["maxLine"], shown["truncated"]) == expected
    assert shown["extension"] == name.partition(".")[2]


async def test_previews_of_other_executions_and_of_nothing(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source())
    wire, other = await begin(client), await begin(client)
    uri = await stored(services, other, "a.txt", b"there")
    url = f"{MANY}/{wire['id']}/file/preview"
    assert (await client.get(url, params={"path": uri})).json()["content"] == "there"
    messages = []
    for path, query, status in (
        (f"{uri}x", {}, 404),
        ("kestra:///acme/x.txt", {}, 422),
        (uri, {"encoding": "foo"}, 422),
    ):
        answer = await client.get(url, params={"path": path, **query})
        assert answer.status_code == status
        messages.append(answer.json()["message"])
    assert messages[-1] == "Illegal argument: Unable to preview using encoding 'foo'"
