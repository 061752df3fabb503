"""`batuta server local` as a process of its own, asked over REST as any client would."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.ports import free_port

BATUTA = Path(sys.executable).with_name("batuta")
API = "/api/v1/main"
USER = "tester@example.com"
PASSWORD = "Tester1234"
CONFIGURATION = f"""\
kestra:
  server:
    basic-auth:
      username: {USER}
      password: {PASSWORD}
"""
ENDED = {"SUCCESS", "WARNING", "FAILED", "KILLED", "CANCELLED", "RETRIED", "SKIPPED"}
START_SECONDS = 20.0
STEP_SECONDS = 0.02


class Server:
    """One server on a data folder; `start` again after `kill` or `stop` takes up the same data."""

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = list(arguments)
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx2.Client(base_url=self.url, auth=(USER, PASSWORD), timeout=30)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def output(self) -> str:
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> float:
        """Start and wait for the first healthy answer; how long that took, in seconds."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "configuration.yaml").write_text(CONFIGURATION)
        command = [str(BATUTA), "server", "local", "--port", str(self.port)]
        command += ["--data", str(self.folder / "data")]
        command += ["--config", str(self.folder / "configuration.yaml"), *self._arguments]
        began = time.perf_counter()
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        while not self.is_healthy():
            assert self._process.poll() is None, f"the server ended:\n{self.output}"
            assert time.perf_counter() - began < START_SECONDS, f"no answer:\n{self.output}"
            time.sleep(STEP_SECONDS)
        return time.perf_counter() - began

    def is_healthy(self) -> bool:
        try:
            return self._client.get("/health").status_code == 200
        except httpx2.TransportError:
            return False

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(timeout=20)

    def kill(self) -> None:
        """The power is cut: the server and all its children are gone at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=10)

    def kill_server_only(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(timeout=10)

    def close(self) -> None:
        self._client.close()
        if self._process is not None and self._process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()

    def worker_pids(self) -> list[int]:
        """Processes below the server that run task code, by asking the kernel."""
        return descendants(self.pid)

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        return self._client.request(method, f"{API}{path}", **options)

    def save_flow(self, source: str) -> dict[str, Any]:
        """Create the flow, or update it when it exists."""
        headers = {"Content-Type": "application/x-yaml"}
        answer = self.request("POST", "/flows", content=source.encode(), headers=headers)
        if answer.status_code == 422 and "exist" in answer.text:
            namespace, flow_id = flow_key(source)
            path = f"/flows/{namespace}/{flow_id}"
            answer = self.request("PUT", path, content=source.encode(), headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def begin(
        self, source: str, inputs: Mapping[str, str] | None = None, **query: str
    ) -> dict[str, Any]:
        namespace, flow_id = flow_key(source)
        parts = {name: (None, value) for name, value in (inputs or {}).items()}
        answer = self.request(
            "POST", f"/executions/{namespace}/{flow_id}", files=parts or None, params=query
        )
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def run(
        self, source: str, inputs: Mapping[str, str] | None = None, *, seconds: float = 25
    ) -> dict[str, Any]:
        """Save the flow, start it, and wait for its end."""
        self.save_flow(source)
        return self.wait(self.begin(source, inputs)["id"], seconds=seconds)

    def execution(self, execution_id: str) -> dict[str, Any]:
        answer = self.request("GET", f"/executions/{execution_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def wait(
        self, execution_id: str, *, states: set[str] | None = None, seconds: float = 25
    ) -> dict[str, Any]:
        """The execution once it is in one of the states; by default: once it has ended."""
        deadline = time.perf_counter() + seconds
        while True:
            found = self.execution(execution_id)
            if found["state"]["current"] in (states or ENDED):
                return found
            assert time.perf_counter() < deadline, f"{found['state']}\n{self.output}"
            time.sleep(STEP_SECONDS)

    def logs(self, execution_id: str) -> list[dict[str, Any]]:
        answer = self.request("GET", f"/logs/{execution_id}")
        assert answer.status_code == 200, answer.text
        return list(answer.json())

    def messages(self, execution_id: str, task_id: str | None = None) -> list[str]:
        return [
            log["message"]
            for log in self.logs(execution_id)
            if task_id in (None, log.get("taskId"))
        ]

    def file(self, execution_id: str, uri: str) -> bytes:
        answer = self.request("GET", f"/executions/{execution_id}/file", params={"path": uri})
        assert answer.status_code == 200, answer.text
        return answer.content


def flow_key(source: str) -> tuple[str, str]:
    """Namespace and id, as written at the beginning of lines."""
    namespace = re.search(r"^namespace:\s*(\S+)", source, re.MULTILINE)
    flow_id = re.search(r"^id:\s*(\S+)", source, re.MULTILINE)
    assert namespace is not None
    assert flow_id is not None
    return namespace[1], flow_id[1]


def descendants(pid: int) -> list[int]:
    """All processes below one, parents first."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def outputs_of(execution: Mapping[str, Any], task_id: str) -> dict[str, Any]:
    runs = [run for run in execution["taskRunList"] if run["taskId"] == task_id]
    assert runs, f"no task run of {task_id}: {json.dumps(execution)[:2000]}"
    return dict(runs[-1].get("outputs") or {})


def states_of(execution: Mapping[str, Any]) -> dict[str, str]:
    return {run["taskId"]: run["state"]["current"] for run in execution.get("taskRunList") or []}


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[Server]:
    server = Server(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.close()
