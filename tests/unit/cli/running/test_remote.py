"""`batuta run --server`: the calls it makes, and what it says when the server refuses."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from batuta.cli.main import run
from batuta.model import codec

FLOW = """\
id: hello
namespace: acme
inputs: [{id: file, type: FILE}, {id: n, type: INT}]
tasks: [{id: t, type: io.kestra.plugin.core.log.Log, message: hi}]
"""
API = "/api/v1/main"


def state(name: str) -> dict[str, Any]:
    return {"current": name, "histories": [], "duration": "PT1S", "startDate": "", "endDate": ""}


def execution(name: str) -> dict[str, Any]:
    runs = [{"id": "r1", "taskId": "t", "state": state(name)}]
    return {
        "id": "e1",
        "namespace": "acme",
        "flowId": "hello",
        "taskRunList": runs,
        "state": state(name),
    }


class FakeServer:
    """Answers as the API does; remembers what it was asked."""

    def __init__(
        self, *, final: str = "SUCCESS", failed: tuple[str, ...] = (), status: int = 200
    ) -> None:
        self._final = final
        self._failed = failed
        self._status = status
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.requests.append(request)
        if self._status != 200:
            return httpx2.Response(self._status, json={"message": "Not Found: no"})
        path = request.url.path.removeprefix(API)
        if path == "/executions/e1/follow":
            events = [("start", {"id": "e1"}), ("end", execution(self._final))]
            text = "".join(f"id: {n}\ndata: {codec.encode_text(d)}\n\n" for n, d in events)
            return httpx2.Response(200, text=text)
        answers: dict[str, Any] = {
            "/flows/import": self._failed,
            "/flows/validate": [{"constraints": "tasks: wrong"}],
            "/executions/acme/hello": execution("CREATED"),
            "/executions/e1": execution(self._final),
            "/logs/e1": [
                {"timestamp": "2025-01-01T00:00:00Z", "level": "INFO", "message": "a\x1b[31mb"}
            ],
        }
        return httpx2.Response(200, json=answers[path])


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    (tmp_path / "flow.yaml").write_text(FLOW)
    (tmp_path / "in.csv").write_text("1,2")
    return [
        "run",
        str(tmp_path / "flow.yaml"),
        *("--server", "http://server/", "--user", "ops@example.org:Sup3rsecret"),
        *("--inputs", f"file={tmp_path / 'in.csv'}", "n=5"),
    ]


def connect(monkeypatch: pytest.MonkeyPatch, server: FakeServer) -> None:
    real = httpx2.Client

    def client(**options: Any) -> httpx2.Client:
        return real(transport=httpx2.MockTransport(server), **options)

    monkeypatch.setattr("batuta.cli.running.remote.httpx2.Client", client)


def test_a_run_saves_starts_and_follows(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = FakeServer()
    connect(monkeypatch, server)
    assert run(arguments) == 0
    paths = [request.url.path.removeprefix(API) for request in server.requests]
    assert paths[:3] == ["/flows/import", "/executions/acme/hello", "/executions/e1/follow"]
    assert all(r.headers["authorization"].startswith("Basic ") for r in server.requests)
    body = server.requests[1].content
    assert b'name="n"' in body
    assert b'filename="in.csv"' in body
    said = capsys.readouterr().out
    assert said.count("a[31mb") == 1
    assert "SUCCESS" in said


def test_a_failed_execution_gives_exit_code_one(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, FakeServer(final="FAILED"))
    assert run(arguments) == 1


def test_json_is_all_that_is_printed(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(monkeypatch, FakeServer())
    assert run([*arguments, "--json"]) == 0
    assert codec.decode(capsys.readouterr().out) == execution("SUCCESS")


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (FakeServer(failed=("0",)), "does not take the flow: tasks: wrong"),
        (FakeServer(status=401), "--user name:password"),
        (FakeServer(status=404), "The server refuses: Not Found: no"),
    ],
)
def test_refusals_are_passed_on(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    server: FakeServer,
    said: str,
) -> None:
    connect(monkeypatch, server)
    assert run(arguments) == 1
    assert said in capsys.readouterr().err
