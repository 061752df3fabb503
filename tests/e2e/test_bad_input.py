"""Wrong input of every kind gets a clear answer, and the server or command says where to look."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.e2e.batuta_server import BATUTA, CONFIGURATION, Server

LOG = "io.kestra.plugin.core.log.Log"


def batuta(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BATUTA), *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=30,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        check=False,
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("id: a\nnamespace: b\ntasks:\n  - id: x\n   type: y\n", ["5:", "^"]),
        (f"id: a\nnamespace: b\ntasks:\n  - {{id: x, type: {LOG}x, message: hi}}\n", ["4:", LOG]),
        (
            f"id: a\nnamespace: b\ntasks:\n  - id: x\n    type: {LOG}\n    message: hi\n    nope: 1\n",
            ["7:", "nope"],
        ),
        (f"id: a\nnamespace: b\ntasks:\n  - id: x\n    type: {LOG}\n", ["message", "4:"]),
        (
            f"id: a\nid: b\nnamespace: b\ntasks: [{{id: x, type: {LOG}, message: hi}}]\n",
            ["1:", "2:"],
        ),
    ],
    ids=["broken yaml", "unknown type", "unknown property", "missing property", "duplicate key"],
)
def test_a_wrong_flow_is_explained(tmp_path: Path, source: str, said: list[str]) -> None:
    (tmp_path / "flow.yaml").write_text(source)
    done = batuta("flow", "validate", "flow.yaml", folder=tmp_path)
    assert done.returncode == 1
    for text in said:
        assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_wrong_inputs_are_all_named(server: Server) -> None:
    source = f"""\
id: inputs
namespace: bad
inputs:
  - {{id: count, type: INT}}
  - {{id: day, type: DATE}}
  - {{id: must, type: STRING}}
tasks: [{{id: x, type: {LOG}, message: hi}}]
"""
    server.save_flow(source)
    parts = {"count": (None, "many"), "day": (None, "yesterday")}
    answer = server.request("POST", "/executions/bad/inputs", files=parts)
    assert answer.status_code == 422
    for name in ("count", "day", "must"):
        assert name in answer.text


def test_an_unknown_flow_is_not_found(server: Server) -> None:
    answer = server.request("POST", "/executions/bad/nothing")
    assert answer.status_code == 404
    assert answer.json()["message"]


def test_a_port_in_use_names_the_option(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = batuta("server", "local", "--port", port, "--data", "data", folder=tmp_path)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert port in text
    assert "--port" in text
    assert "Traceback" not in text


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = batuta("server", "local", "--port", "0", "--data", "file/data", folder=tmp_path)
    assert done.returncode != 0
    assert "file/data" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_corrupt_configuration_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(CONFIGURATION + "micronaut:\n  server:\n    port: many\n")
    done = batuta("server", "standalone", "--config", "wrong.yaml", folder=tmp_path)
    assert done.returncode != 0
    assert "micronaut.server.port" in done.stdout + done.stderr


def test_a_script_that_cannot_be_started_fails_its_task(server: Server) -> None:
    source = """\
id: no-interpreter
namespace: bad
tasks:
  - id: x
    type: io.kestra.plugin.scripts.shell.Commands
    taskRunner: {type: io.kestra.plugin.core.runner.Process}
    interpreter: [/nowhere/shell]
    commands: [echo hi]
"""
    execution = server.run(source)
    assert execution["state"]["current"] == "FAILED"
    assert any("/nowhere/shell" in message for message in server.messages(execution["id"], "x"))


def test_an_execution_that_fails_gives_exit_code_one(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(
        "id: a\nnamespace: b\ntasks: [{id: x, type: io.kestra.plugin.core.execution.Fail}]\n"
    )
    done = batuta("run", "flow.yaml", folder=tmp_path)
    assert done.returncode == 1
    assert "FAILED" in done.stdout
