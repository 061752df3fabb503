"""The command line, in process: exit codes, texts, laziness."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from batuta.cli import launch
from batuta.cli.commands import COMMANDS, root_help
from batuta.cli.main import run
from batuta.cli.quick import OPTIONS, is_plain_server, server_options

LOG_TYPE = "io.kestra.plugin.core.log.Log"
FLOW = f"""\
id: hello
namespace: acme
inputs:
  - {{id: count, type: INT}}
tasks:
  - id: first
    type: {LOG_TYPE}
    message: "n is {{{{ inputs.count }}}}"
  - id: group
    type: io.kestra.plugin.core.flow.Parallel
    tasks:
      - {{id: left, type: {LOG_TYPE}, message: l}}
      - {{id: right, type: {LOG_TYPE}, message: r}}
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    file = tmp_path / "flow.yaml"
    file.write_text(FLOW)
    return file


def test_the_list_of_commands_is_complete_and_needs_no_parser() -> None:
    text = root_help()
    assert all(f"{command.group} {command.name}".strip() in text for command in COMMANDS)
    code = (
        "import sys, batuta.cli.main as m; sys.argv=['batuta', '--help']; m.main(); "
        "print({'cyclopts', 'rich', 'asyncio', 'pydantic', 'msgspec'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


def test_a_server_answers_before_heavy_libraries_are_imported() -> None:
    code = (
        "import sys, batuta.cli.main, batuta.cli.launch\n"
        "from batuta.cli.log import configure_logging\n"
        "configure_logging('INFO')\n"
        "import batuta.cli.serve, batuta.store.sqlite.store\n"
        "heavy = {'cyclopts', 'rich', 'pydantic', 'sqlalchemy', 'babel', 'httpx2', 'jq', 'jsonata',\n"
        "         'cryptography', 'argon2', 'yaml', 'regex', 'batuta.expr', 'batuta.flow'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_validate_says_what_is_wrong_and_where(
    tmp_path: Path, flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("id: a\nnamespace: b\ntasks:\n\t- id: x\n")
    assert run(["flow", "validate", str(flow)]) == 0
    assert "acme.hello is valid" in capsys.readouterr().out
    assert run(["flow", "validate", str(flow), str(wrong)]) == 1
    said = capsys.readouterr()
    assert f"{wrong}:4:1: error" in said.err
    assert "    4 | \t- id: x" in said.err
    assert "      | ^" in said.err


def test_plan_is_json_and_graph_is_mermaid(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["flow", "plan", str(flow)]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["tasks"] == ["first", "group"]
    assert run(["flow", "graph", str(flow)]) == 0
    graph = capsys.readouterr().out
    assert graph.startswith("flowchart TD\n")
    assert "n_first --> n_group" in graph
    assert "n_left --> n_right" not in graph


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["{{ a + 1 }}"], 0, "3\n"),
        (["{{ a + 1 }}", "--typed"], 0, "3\n"),
        (["{{ vars.b }}"], 0, "2\n"),
        (["{{ nope }}"], 1, "nope"),
        (["{{ a + }}"], 1, "Error"),
        (["{{ a }}", "--explain"], 0, "reads a: 2\n2\n"),
    ],
)
def test_expressions(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    context = tmp_path / "context.yaml"
    context.write_text("a: 2\nvars:\n  b: '{{ a }}'\n")
    assert run(["expr", *arguments, "--context", str(context)]) == code
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_run_shows_the_log_and_ends_with_zero(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", str(flow), "--inputs", "count=7"]) == 0
    said = capsys.readouterr().out
    assert "n is 7" in said
    assert "SUCCESS" in said.splitlines()[-1]


def test_run_prints_the_execution_as_json(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", str(flow), "--json", "--inputs", "count=7", "--labels", "a=b"]) == 0
    execution = json.loads(capsys.readouterr().out)
    assert execution["state"]["current"] == "SUCCESS"
    assert execution["inputs"] == {"count": 7}
    assert {"key": "a", "value": "b"} in execution["labels"]


def test_run_of_a_flow_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "fail.yaml"
    file.write_text(
        "id: a\nnamespace: b\ntasks: [{id: x, type: io.kestra.plugin.core.execution.Fail}]\n"
    )
    assert run(["run", str(file)]) == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "missing required input"),
        (["--inputs", "count=many"], "count"),
        (["--inputs", "count"], "expected name=value"),
        (["--config", "/nowhere/x.yml"], "/nowhere/x.yml"),
        (["--server", "http://127.0.0.1:1"], "http://127.0.0.1:1 cannot be asked"),
        (["--server", "http://127.0.0.1:1", "--user", "x"], "expected name:password"),
    ],
)
def test_run_explains_what_it_lacks(
    flow: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(["run", str(flow), *arguments]) != 0
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot be read"), ("", "holds no flow"), ("id: x\n", "problem(s)")],
)
def test_run_of_a_bad_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    file = tmp_path / "flow.yaml"
    if content is not None:
        file.write_text(content)
    assert run(["run", str(file)]) == 1
    assert said in capsys.readouterr().err


def test_types_are_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    run(["plugins", "list", "core.log"])
    assert LOG_TYPE in capsys.readouterr().out
    assert run(["plugins", "doc", LOG_TYPE]) == 0
    assert "message" in capsys.readouterr().out
    assert run(["plugins", "doc", f"{LOG_TYPE}x"]) == 1
    assert f"did you mean {LOG_TYPE}" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ([], {}),
        (["--port", "0", "--data", "d"], {"port": 0, "data": Path("d")}),
        (["-g", "gpu=2"], {"worker_group": ("gpu=2",)}),
        (["-c", "x.yml", "-l", "DEBUG"], {"config": Path("x.yml"), "log_level": "DEBUG"}),
    ],
)
def test_plain_server_commands_are_read_quickly(
    arguments: list[str], options: dict[str, object]
) -> None:
    assert is_plain_server(["server", "local", *arguments])
    assert server_options(arguments) == options


@pytest.mark.parametrize(
    "arguments",
    [
        ["-g", "a", "-g", "b"],
        ["--help"],
        ["--port"],
        ["--port", "x"],
        ["--port=1"],
        ["--nope", "1"],
        ["a", "b"],
    ],
)
def test_anything_unusual_is_left_to_the_parser(arguments: list[str]) -> None:
    assert not is_plain_server(["server", "local", *arguments])


def test_quick_options_are_those_of_the_commands() -> None:
    for function in (launch.launch_local, launch.launch_standalone):
        names = set(inspect.signature(function).parameters)
        assert {parameter for parameter, _ in OPTIONS.values()} == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kestra: {repository: {type: postgres}}", "kestra.repository.type"),
        ("kestra: {encryption: {secret-key: short}}", "kestra.encryption.secret-key"),
    ],
)
def test_a_server_with_a_wrong_configuration_does_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    config = tmp_path / "config.yml"
    config.write_text(text)
    arguments = ["--config", str(config), "--port", "0", "--data", str(tmp_path / "data")]
    assert run(["server", "standalone", *arguments]) == 1
    assert said in capsys.readouterr().err
