"""Processes are killed in the middle of work; nothing that was acknowledged is lost, and nothing is left stuck."""

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

import httpx2
import pytest

from tests.e2e.batuta_server import STEP_SECONDS, Server, states_of

SCRIPT = """\
id: {id}
namespace: crash
tasks:
  - id: before
    type: io.kestra.plugin.core.log.Log
    message: before
  - id: work
    type: io.kestra.plugin.scripts.shell.Script
    taskRunner:
      type: io.kestra.plugin.core.runner.Process
    {retry}
    script: |
      echo run >> {folder}/runs
      while [ ! -e {folder}/go ]; do sleep 0.05; done
  - id: after
    type: io.kestra.plugin.core.log.Log
    message: after
"""
RETRY = "retry: {type: constant, interval: PT0.2S, maxAttempts: 3}"


def runs(folder: Path) -> int:
    path = folder / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def wait_for_runs(folder: Path, count: int, *, seconds: float = 20) -> None:
    deadline = time.perf_counter() + seconds
    while runs(folder) < count:
        assert time.perf_counter() < deadline, f"{runs(folder)} of {count} runs"
        time.sleep(STEP_SECONDS)


def kill_workers(server: Server) -> None:
    for pid in server.worker_pids():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def test_a_killed_worker_is_replaced_and_its_task_runs_again(
    own_server: Server, tmp_path: Path
) -> None:
    source = SCRIPT.format(id="worker", folder=tmp_path, retry=RETRY)
    own_server.save_flow(source)
    started = own_server.begin(source)["id"]
    wait_for_runs(tmp_path, 1)
    kill_workers(own_server)
    wait_for_runs(tmp_path, 2)
    (tmp_path / "go").touch()
    execution = own_server.wait(started)
    assert execution["state"]["current"] == "SUCCESS", own_server.messages(started)
    assert states_of(execution) == dict.fromkeys(("before", "work", "after"), "SUCCESS")
    assert own_server.messages(started, "before") == ["before"]


def test_the_server_goes_on_when_a_worker_dies(own_server: Server, tmp_path: Path) -> None:
    source = SCRIPT.format(id="other", folder=tmp_path, retry="")
    own_server.save_flow(source)
    own_server.begin(source)
    wait_for_runs(tmp_path, 1)
    kill_workers(own_server)
    (tmp_path / "go").touch()
    quick = "id: quick\nnamespace: crash\ntasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: hi}]"
    assert own_server.run(quick)["state"]["current"] == "SUCCESS"


def test_a_server_killed_in_the_middle_goes_on_after_its_restart(
    own_server: Server, tmp_path: Path
) -> None:
    source = SCRIPT.format(id="server", folder=tmp_path, retry=RETRY)
    own_server.save_flow(source)
    started = own_server.begin(source)["id"]
    wait_for_runs(tmp_path, 1)
    own_server.kill()
    (tmp_path / "go").touch()
    own_server.start()
    execution = own_server.wait(started)
    assert execution["state"]["current"] == "SUCCESS", own_server.messages(started)
    assert own_server.messages(started, "before") == ["before"], "a task that ended runs once"
    assert own_server.messages(started, "after") == ["after"]


def test_a_worker_does_not_outlive_its_server(own_server: Server, tmp_path: Path) -> None:
    source = SCRIPT.format(id="orphan", folder=tmp_path, retry="")
    own_server.save_flow(source)
    own_server.begin(source)
    wait_for_runs(tmp_path, 1)
    workers = own_server.worker_pids()
    assert workers
    own_server.kill_server_only()
    deadline = time.perf_counter() + 15
    while any(is_alive(pid) for pid in workers):
        assert time.perf_counter() < deadline, f"still there: {workers}"
        time.sleep(STEP_SECONDS)


def is_alive(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] not in {"Z", "X"}


def test_a_paused_execution_waits_through_a_restart(own_server: Server) -> None:
    source = """\
id: waiting
namespace: crash
tasks:
  - {id: wait, type: io.kestra.plugin.core.flow.Pause, pauseDuration: PT2S}
  - {id: after, type: io.kestra.plugin.core.log.Log, message: after}
"""
    own_server.save_flow(source)
    started = own_server.begin(source)["id"]
    own_server.wait(started, states={"PAUSED"})
    own_server.kill()
    own_server.start()
    execution = own_server.wait(started)
    assert execution["state"]["current"] == "SUCCESS"


def test_every_acknowledged_start_survives_a_power_cut(own_server: Server) -> None:
    source = "id: burst\nnamespace: crash\ntasks: [{id: a, type: io.kestra.plugin.core.log.Log, message: hi}]"
    own_server.save_flow(source)
    started = [own_server.begin(source)["id"] for _ in range(40)]
    own_server.kill()
    own_server.start()
    for execution_id in started:
        assert own_server.wait(execution_id)["state"]["current"] == "SUCCESS"
        assert own_server.messages(execution_id) == ["hi"]


CHAIN = """\
id: chain
namespace: crash
tasks:
  - {id: first, type: io.kestra.plugin.core.output.OutputValues, values: {n: 1}}
  - id: each
    type: io.kestra.plugin.core.flow.ForEach
    values: [a, b, c]
    tasks: [{id: say, type: io.kestra.plugin.core.log.Log, message: "{{ taskrun.value }}"}]
  - {id: last, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.first.values.n }}"}
"""


@pytest.mark.parametrize("seed", range(2))
def test_nothing_acknowledged_is_lost_however_often_the_power_is_cut(
    own_server: Server, seed: int
) -> None:
    rng = random.Random(seed)
    own_server.save_flow(CHAIN)
    acknowledged: list[str] = []
    for _ in range(4):
        acknowledged.append(own_server.begin(CHAIN)["id"])
        cut = threading.Timer(rng.uniform(0.05, 0.6), own_server.kill)
        cut.start()
        with contextlib.suppress(httpx2.TransportError):
            while True:
                acknowledged.append(own_server.begin(CHAIN)["id"])
        cut.join()
        own_server.start()
    assert len(acknowledged) > 8
    for execution_id in acknowledged:
        execution = own_server.wait(execution_id)
        assert execution["state"]["current"] == "SUCCESS"
        assert sorted(own_server.messages(execution_id)) == ["1", "a", "b", "c"]
