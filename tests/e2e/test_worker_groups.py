"""Tasks run by the workers of their group, each group a process of its own."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.batuta_server import STEP_SECONDS, Server, descendants, states_of

FLOW = """\
id: grouped
namespace: groups
tasks:
  - id: all
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {{id: long, workerGroup: {{key: gpu}}, {shell}, script: "echo run >> {folder}/runs; while [ ! -e {folder}/go ]; do sleep 0.05; done"}}
      - {{id: next, workerGroup: {{key: gpu}}, {shell}, script: "echo next"}}
      - {{id: other, workerGroup: {{key: cpu}}, {shell}, script: "echo other"}}
      - {{id: plain, {shell}, script: "echo plain"}}
"""
SHELL = (
    "type: io.kestra.plugin.scripts.shell.Script, "
    "taskRunner: {type: io.kestra.plugin.core.runner.Process}"
)


@pytest.fixture
def grouped(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server", arguments=["-g", "gpu=1", "--worker-group", "cpu"])
    try:
        server.start()
        yield server
    finally:
        server.close()


def runs(folder: Path) -> int:
    path = folder / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def until(holds: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + 30
    while not holds():
        assert time.perf_counter() < deadline
        time.sleep(STEP_SECONDS)


def current(server: Server, execution_id: str, *tasks: str) -> list[str]:
    found = states_of(server.execution(execution_id))
    return [found.get(task, "") for task in tasks]


def test_two_groups_work_side_by_side_and_a_lost_task_stays_in_its_group(
    grouped: Server, tmp_path: Path
) -> None:
    source = FLOW.format(shell=SHELL, folder=tmp_path)
    grouped.save_flow(source)
    started = grouped.begin(source)["id"]
    until(lambda: runs(tmp_path) == 1)
    until(lambda: set(current(grouped, started, "other", "plain")) == {"SUCCESS"})
    assert current(grouped, started, "long", "next") == ["RUNNING", "SUBMITTED"]
    for pid in descendants(grouped.pid):
        os.kill(pid, signal.SIGKILL)
    until(lambda: runs(tmp_path) == 2)
    (tmp_path / "go").touch()
    execution = grouped.wait(started)
    assert states_of(execution) == dict.fromkeys(
        ("all", "long", "next", "other", "plain"), "SUCCESS"
    )
    attempts = {
        run["taskId"]: [
            (attempt["state"]["current"], attempt["workerId"].rpartition("-")[2])
            for attempt in run["attempts"]
        ]
        for run in execution["taskRunList"]
        if run["taskId"] != "all"
    }
    assert attempts["long"] == [("RESUBMITTED", "gpu"), ("SUCCESS", "gpu")]
    assert attempts["next"] == [("SUCCESS", "gpu")]
    assert attempts["other"] == [("SUCCESS", "cpu")]
    ((_, plain),) = attempts["plain"]
    assert plain not in {"gpu", "cpu"}
