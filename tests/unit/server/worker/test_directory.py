"""WorkingDirectory as one job."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batuta.model.state import State
from batuta.sdk import RunContext
from batuta.server.protocol import ChildSpec, JobFinished
from tests.unit.server.worker.kit import PROCESS, Bench, make_job, task_of

SHELL = "io.kestra.plugin.scripts.shell.Commands"
DIRECTORY = "io.kestra.plugin.core.flow.WorkingDirectory"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def shell(task_id: str, *commands: str, **rest: Any) -> ChildSpec:
    spec = {"id": task_id, "type": SHELL, "taskRunner": PROCESS, "commands": list(commands)}
    return ChildSpec(task_id=task_id, type=SHELL, spec=spec, **rest)


async def run(bench: Bench, *children: ChildSpec, **changes: Any) -> JobFinished:
    spec = {"id": "wd", "type": DIRECTORY, **changes.pop("spec", {})}
    return await bench.run(spec, children=children, **changes)


def states(finished: JobFinished) -> dict[str, State]:
    return {run.task_id: run.state for run in finished.children}


async def test_children_share_the_directory_and_see_each_others_outputs(bench: Bench) -> None:
    finished = await run(
        bench,
        shell("one", "echo shared > f.txt", """echo '::{"outputs":{"n":7}}::'"""),
        shell("two", "cat f.txt", "echo {{ outputs.one.vars.n }}"),
    )
    assert finished.state is State.SUCCESS
    assert finished.outputs is None
    assert bench.gateway.messages("INFO") == ["shared", "7"]
    one, two = finished.children
    assert one.outputs == {"vars": {"n": 7}, "exitCode": 0, "outputFiles": {}}
    assert {line.task_run_id for line in bench.gateway.lines} == {one.task_run_id, two.task_run_id}
    assert list(bench.place.tmp_dir.glob("*")) == []


async def test_input_files_are_written_before_and_output_files_stored_after(bench: Bench) -> None:
    finished = await run(
        bench,
        shell("sh", "cat in.txt", "echo made > out.txt"),
        spec={"inputFiles": {"in.txt": "from {{ flow.id }}"}, "outputFiles": ["*.txt"]},
    )
    assert bench.gateway.messages("INFO") == ["from flow"]
    assert finished.outputs is not None
    files = finished.outputs["outputFiles"]
    assert sorted(files) == ["in.txt", "out.txt"]
    assert await bench.read(files["out.txt"]) == "made\n"


async def test_namespace_files_are_loaded_and_the_log_says_so(bench: Bench) -> None:
    bench.gateway.files["company.team"] = {
        "hello.txt": b"hi",
        "skip/no.txt": b"no",
        "dir/yes.txt": b"yes",
    }
    await run(
        bench,
        shell("sh", "find . -type f | sort", "cat hello.txt"),
        spec={"namespaceFiles": {"enabled": True, "exclude": ["skip/**"]}},
    )
    first, *rest = bench.gateway.messages("INFO")
    assert first.startswith("Loaded 2 namespace files from 'company.team' in 00:00:00.")
    assert rest == ["./dir/yes.txt", "./hello.txt", "hi"]


@pytest.mark.parametrize(
    ("child", "state", "expected"),
    [
        (shell("a", "exit 1"), State.FAILED, {"a": State.FAILED}),
        (
            shell("a", "exit 1", allow_failure=True),
            State.WARNING,
            {"a": State.FAILED, "b": State.SUCCESS},
        ),
        (
            shell("a", "exit 1", allow_failure=True, allow_warning=True),
            State.SUCCESS,
            {"a": State.FAILED, "b": State.SUCCESS},
        ),
        (
            shell("a", "exit 1", allow_failure=True, retries=True),
            State.FAILED,
            {"a": State.FAILED},
        ),
        (
            shell("a", "echo a", run_if="{{ 1 > 2 }}"),
            State.SUCCESS,
            {"a": State.SKIPPED, "b": State.SUCCESS},
        ),
        (shell("a", "echo a", run_if="{{ no.such }}"), State.FAILED, {}),
        (shell("a", "sleep 60", timeout="PT0.1S"), State.FAILED, {"a": State.FAILED}),
    ],
)
async def test_a_child_decides_whether_the_next_one_runs(
    bench: Bench, child: ChildSpec, state: State, expected: dict[str, State]
) -> None:
    finished = await run(bench, child, shell("b", "echo b"))
    assert finished.state is state
    assert states(finished) == expected


async def test_a_child_sees_the_value_of_its_directory_and_outputs_stand_below_it(
    bench: Bench,
) -> None:
    taskrun = {"id": "wdrun", "value": "x", "iteration": 0}
    finished = await run(
        bench,
        shell(
            "one",
            "echo {{ taskrun.value }} {{ workerTaskrun.id }}",
            """echo '::{"outputs":{"n":1}}::'""",
        ),
        shell("two", "echo {{ outputs.one[taskrun.value].vars.n }} {{ parent is defined }}"),
        variables={"taskrun": taskrun},
        path=("x",),
    )
    assert finished.state is State.SUCCESS
    assert bench.gateway.messages("INFO") == ["x wdrun", "1 false"]


async def test_cached_files_come_back_in_the_next_run(bench: Bench) -> None:
    spec = {"cache": {"patterns": ["lib/**"], "ttl": "PT1H"}}
    child = shell(
        "a", "test -f lib/x.txt && echo found || echo missing", "mkdir -p lib", "echo 1 > lib/x.txt"
    )
    await run(bench, child, spec=spec)
    await run(bench, child, spec=spec)
    assert bench.gateway.messages("INFO") == ["missing", "found"]


async def test_a_name_that_leads_out_of_the_directory_fails_before_the_children(
    bench: Bench,
) -> None:
    finished = await run(bench, shell("a", "echo a"), spec={"inputFiles": {"../x": "1"}})
    assert finished.state is State.FAILED
    assert finished.children == ()
    assert finished.error == "The path `../x` is not inside the working directory"


async def test_a_kill_reports_the_child_that_was_running(bench: Bench) -> None:
    began = asyncio.Event()

    async def body(ctx: RunContext) -> None:
        began.set()
        await asyncio.Event().wait()

    bench.add(task_of("Body", body))
    child = ChildSpec(task_id="a", type="test.Body", spec={"id": "a", "type": "test.Body"})
    attempt = bench.attempt({"id": "wd", "type": DIRECTORY}, children=(child, shell("b", "echo b")))
    running = asyncio.ensure_future(attempt.run())
    await began.wait()
    attempt.kill()
    finished = await running
    assert finished.state is State.KILLED
    assert states(finished) == {"a": State.KILLED}


def test_a_job_keeps_its_children_over_the_wire() -> None:
    from batuta.server.protocol import FrameReader, frame, read_by_worker

    job = make_job({"id": "wd", "type": DIRECTORY}, children=(shell("a", "echo"),))
    (body,) = FrameReader().feed(frame(job))
    assert read_by_worker(body) == job


async def test_a_child_may_log_to_a_file_of_its_own(bench: Bench) -> None:
    quiet, loud = shell("quiet", "echo into the file"), shell("loud", "echo into the log")
    quiet = msgspec.structs.replace(quiet, spec={**quiet.spec, "logToFile": True})
    finished = await run(bench, quiet, loud)
    assert bench.gateway.messages("INFO") == ["into the log"]
    one, two = finished.children
    assert one.log_file is not None
    assert " INFO into the file\n" in await bench.read(one.log_file)
    assert (two.log_file, finished.log_file) == (None, None)
