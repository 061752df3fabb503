"""Script tasks with the Process runner (06 §1–4)."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from batuta.model.state import State
from batuta.server.protocol import JobFinished
from tests.unit.server.worker.kit import PROCESS, Bench

SCRIPTS = "io.kestra.plugin.scripts"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def run(bench: Bench, kind: str, **spec: Any) -> JobFinished:
    variables = spec.pop("variables", None)
    return await bench.run(
        {"type": f"{SCRIPTS}.{kind}", "taskRunner": PROCESS, **spec}, variables=variables
    )


async def test_commands_share_one_shell(bench: Bench) -> None:
    finished = await run(
        bench,
        "shell.Commands",
        beforeCommands=["mkdir d", "cd d"],
        commands=["X=1", "echo $X $(basename $(pwd))"],
    )
    assert finished.state is State.SUCCESS
    assert bench.gateway.messages("INFO") == ["1 d"]


async def test_the_first_command_that_fails_ends_the_task_with_its_outputs(bench: Bench) -> None:
    finished = await run(
        bench,
        "shell.Commands",
        commands=[
            "echo before",
            """echo '::{"outputs":{"n":1}}::'""",
            "echo x > a.txt",
            "exit 3",
            "echo never",
        ],
        outputFiles=["*.txt"],
    )
    assert finished.state is State.FAILED
    assert finished.error == "Command failed with exit code 3"
    assert finished.outputs is not None
    assert (finished.outputs["vars"], finished.outputs["exitCode"]) == ({"n": 1}, 3)
    assert list(finished.outputs["outputFiles"]) == ["a.txt"]
    assert bench.gateway.messages("INFO") == ["before"]
    assert bench.gateway.messages("ERROR") == [
        "io.kestra.core.models.tasks.runners.TaskException: Command failed with exit code 3",
        "Command failed with exit code 3",
    ]


async def test_without_fail_fast_the_last_command_counts(bench: Bench) -> None:
    finished = await run(
        bench,
        "shell.Commands",
        failFast=False,
        commands=["ls /nonexistent-folder", "echo still here"],
    )
    assert finished.state is State.SUCCESS
    assert bench.gateway.messages("INFO") == ["still here"]
    assert bench.gateway.messages("ERROR") == [
        "ls: cannot access '/nonexistent-folder': No such file or directory"
    ]


async def test_env_and_input_files_are_rendered_and_output_files_stored(bench: Bench) -> None:
    finished = await run(
        bench,
        "shell.Commands",
        env={"WHO": "{{ inputs.who }}", "N": 5, "L": "{{ inputs.list }}"},
        inputFiles={"d/data.txt": "line {{ inputs.who }} in {{ workingDir }}\n", "skip": None},
        outputFiles=["*.out", "dir/**"],
        commands=[
            "echo $WHO $N $L",
            'test "$(cat d/data.txt)" = "line ann in $WORKING_DIR"',
            "echo result > a.out; echo no > a.other",
            "mkdir dir && echo deep > dir/b.txt",
        ],
        variables={"inputs": {"who": "ann", "list": ["a", "b"]}},
    )
    assert finished.state is State.SUCCESS
    assert bench.gateway.messages("INFO") == ['ann 5 ["a","b"]']
    assert finished.outputs is not None
    files = finished.outputs["outputFiles"]
    assert sorted(files) == ["a.out", "dir/b.txt"]
    assert await bench.read(files["dir/b.txt"]) == "deep\n"


async def test_input_files_may_be_copies_of_stored_files(bench: Bench) -> None:
    uri = await bench.place.storage.put("main", "kestra:///company/team/x.csv", b"a,b\n")
    bench.gateway.files["other"] = {"lib.py": b"print()\n"}
    await run(
        bench,
        "shell.Commands",
        inputFiles='{"x.csv": "{{ inputs.uri }}", "lib.py": "nsfile://other/lib.py", "empty.txt": null}',
        commands=["cat x.csv lib.py", "wc -c < empty.txt"],
        variables={"inputs": {"uri": uri}},
    )
    assert [text.strip() for text in bench.gateway.messages("INFO")] == ["a,b", "print()", "0"]


async def test_uris_in_commands_become_paths(bench: Bench) -> None:
    uri = await bench.place.storage.put("main", "kestra:///company/team/x.csv", b"a,b\n")
    await run(
        bench, "shell.Commands", commands=[f"cat {uri}", f"case {uri} in *.csv) echo csv;; esac"]
    )
    await run(bench, "shell.Script", script=f"cat '{uri}'")
    assert bench.gateway.messages("INFO") == ["a,b", "csv", "a,b"]


async def test_a_missing_uri_in_a_command_fails_the_task(bench: Bench) -> None:
    finished = await run(bench, "shell.Commands", commands=["cat kestra:///company/none.csv"])
    assert finished.state is State.FAILED
    assert "no such file in internal storage" in str(finished.error)


async def test_messages_of_the_script_become_outputs_metrics_and_logs(bench: Bench) -> None:
    finished = await run(
        bench,
        "shell.Commands",
        commands=[
            """echo '::{"outputs":{"a":1,"b":2},"logs":[{"level":"WARN","message":"careful"}]}::'""",
            """echo '::{"outputs":{"b":3}}::' >&2""",
            "echo '::set-output name=c::four'",
            """echo '::{"metrics":[{"name":"m","type":"counter","value":1}]}::'""",
            "echo '::{broken}::'",
        ],
    )
    assert finished.outputs is not None
    assert finished.outputs["vars"] == {"a": 1, "b": 3, "c": "four"}
    careful, broken = bench.gateway.messages("WARN")
    assert careful == "careful"
    assert broken.startswith("Invalid outputs '::{broken}::'")
    assert [line.name for line in bench.gateway.measures] == ["m"]
    assert bench.gateway.messages("INFO") == []


async def test_an_empty_interpreter_runs_the_commands_as_they_are(bench: Bench) -> None:
    await run(bench, "shell.Commands", interpreter=[], commands=["echo", "$HOME", "a b"])
    assert bench.gateway.messages("INFO") == ["$HOME a b"]


async def test_a_program_that_does_not_exist_is_named(bench: Bench) -> None:
    finished = await run(
        bench, "shell.Commands", interpreter=["/no/such/shell", "-c"], commands=["x"]
    )
    assert finished.error == "Cannot run program `/no/such/shell`: No such file or directory"


async def test_a_signal_counts_as_shells_count_it(bench: Bench) -> None:
    finished = await run(bench, "shell.Commands", commands=["kill -9 $$"])
    assert finished.error == "Command failed with exit code 137"


async def test_a_process_left_behind_does_not_hold_the_task(bench: Bench) -> None:
    finished = await run(bench, "shell.Commands", commands=["sleep 20 & echo $!"])
    assert finished.state is State.SUCCESS
    import os
    import signal

    os.kill(int(bench.gateway.messages("INFO")[0]), signal.SIGKILL)


async def test_an_output_that_cannot_be_taken_ends_the_process(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Any, line: str) -> None:
        raise RuntimeError(f"cannot take {line}")

    monkeypatch.setattr("batuta.plugins.script.output.OutputSink.out", broken)
    finished = await run(bench, "shell.Commands", commands=["echo it", "exec sleep 1000"])
    assert finished.error == "cannot take it"


async def test_output_without_a_line_break_is_kept(bench: Bench) -> None:
    await run(bench, "shell.Commands", commands=["printf 'no end'"])
    assert bench.gateway.messages("INFO") == ["no end"]


async def test_the_older_output_directory_is_kept_as_a_whole(bench: Bench) -> None:
    finished = await bench.run(
        {
            "type": f"{SCRIPTS}.shell.Commands",
            "runner": "PROCESS",
            "commands": [
                "echo 1 > {{ outputDir }}/a.txt",
                "mkdir $OUTPUT_DIR/d",
                "echo 2 > $OUTPUT_DIR/d/b.txt",
            ],
        }
    )
    assert finished.outputs is not None
    assert sorted(finished.outputs["outputFiles"]) == ["a.txt", "d/b.txt"]


async def test_links_out_of_the_directory_are_no_output_files(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("secret")
    finished = await run(
        bench,
        "shell.Commands",
        outputFiles=["**.txt"],
        commands=[
            f"ln -s {tmp_path}/outside.txt out.txt",
            "echo in > in.txt",
            "ln -s in.txt same.txt",
        ],
    )
    assert finished.outputs is not None
    files = finished.outputs["outputFiles"]
    assert sorted(files) == ["in.txt", "same.txt"]
    assert await bench.read(files["same.txt"]) == "in\n"


async def test_a_python_script_runs_and_its_source_may_be_anything(bench: Bench) -> None:
    finished = await run(
        bench,
        "python.Script",
        script="import os, sys\nprint(\"it's\", '{{ flow.id }}', os.environ['PYTHONUNBUFFERED'])\nsys.exit(0)\n",
        outputFiles=["**"],
    )
    assert bench.gateway.messages("INFO") == ["it's flow true"]
    assert finished.state is State.SUCCESS


async def test_a_python_script_that_raises_fails_with_its_trace_in_the_log(bench: Bench) -> None:
    finished = await run(bench, "python.Script", script="raise ValueError('bad')")
    assert finished.error == "Command failed with exit code 1"
    assert "ValueError: bad" in bench.gateway.messages("ERROR")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
async def test_a_node_script_gives_outputs(bench: Bench) -> None:
    finished = await run(
        bench,
        "node.Script",
        script="console.log(`::${JSON.stringify({outputs: {sum: 1 + 2}})}::`)",
    )
    assert finished.outputs is not None
    assert finished.outputs["vars"] == {"sum": 3}


async def test_a_runner_that_is_not_installed_is_named(bench: Bench) -> None:
    finished = await bench.run(
        {
            "type": f"{SCRIPTS}.shell.Commands",
            "taskRunner": {"type": "io.kestra.plugin.ee.kubernetes.runner.Kubernetes"},
            "commands": ["true"],
        }
    )
    assert finished.state is State.FAILED
    assert "io.kestra.plugin.ee.kubernetes.runner.Kubernetes" in str(finished.error)
