"""Attempts on the test's own event loop."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batuta.model.instant import SECOND
from batuta.model.state import State
from batuta.sdk import Outcome, Output, Property, RunContext, Task, TaskError
from tests.unit.server.worker.kit import Bench, task_of


class EchoOutput(Output, frozen=True, kw_only=True):
    some_text: str | None = None
    other_field: int | None = None


class Echo(Task, type="test.Echo"):
    text: Property[str] | None = None
    number: Property[int] | None = None

    async def run(self, ctx: RunContext) -> EchoOutput:
        return EchoOutput(some_text=self.text)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    made.add(Echo)
    return made


async def run(bench: Bench, body: Any, **changes: Any) -> Any:
    bench.add(task_of("Body", body))
    spec = changes.pop("spec", {})
    return await bench.run({"type": "test.Body", **spec}, **changes)


async def test_outputs_are_camel_case_and_keep_nulls(bench: Bench) -> None:
    finished = await bench.run(
        {"type": "test.Echo", "text": "{{ inputs.a }}!"}, variables={"inputs": {"a": "x"}}
    )
    assert finished.state is State.SUCCESS
    assert finished.outputs == {"someText": "x!", "otherField": None}
    assert bench.gateway.begun == [finished.job_id]
    assert finished.started <= finished.ended


@pytest.mark.parametrize(
    ("returned", "outputs"),
    [
        (None, None),
        ({}, {}),
        ({"a": {1: [1, 2.5, True, None]}}, {"a": {"1": [1, 2.5, True, None]}}),
        ({"a": Decimal("1.50"), "b": Decimal(10**20)}, {"a": 1.5, "b": 10**20}),
        ({"a": b"\x00\x01"}, {"a": "AAE="}),
        ({"a": datetime(2024, 1, 2, tzinfo=UTC)}, {"a": "2024-01-02T00:00:00Z"}),
        ({"a": timedelta(seconds=90)}, {"a": "PT1M30S"}),
        ({"a": Path("/x")}, {"a": "/x"}),
        ({"a": (1, {2})}, {"a": [1, [2]]}),
    ],
)
async def test_whatever_a_task_returns_becomes_plain_data(
    bench: Bench, returned: Any, outputs: Any
) -> None:
    async def body(ctx: RunContext) -> Any:
        return returned

    assert (await run(bench, body)).outputs == outputs


async def test_outputs_that_are_no_map_fail_the_attempt(bench: Bench) -> None:
    async def body(ctx: RunContext) -> Any:
        return [1]

    finished = await run(bench, body)
    assert finished.state is State.FAILED
    assert finished.error == "a task returned list where outputs are a map"


async def test_an_outcome_sets_state_labels_and_variables(bench: Bench) -> None:
    async def body(ctx: RunContext) -> Outcome:
        return Outcome(outputs={"n": 1}, state=State.WARNING, labels={"a": "b"}, variables={"v": 2})

    finished = await run(bench, body)
    assert finished.state is State.WARNING
    assert (finished.outputs, finished.labels, finished.variables) == (
        {"n": 1},
        {"a": "b"},
        {"v": 2},
    )


async def test_a_failing_task_keeps_its_outputs_and_logs_message_and_trace(bench: Bench) -> None:
    async def body(ctx: RunContext) -> None:
        raise TaskError("it broke", outputs={"half": 1})

    finished = await run(bench, body)
    assert finished.state is State.FAILED
    assert finished.outputs == {"half": 1}
    assert finished.error == "it broke"
    assert bench.gateway.messages("ERROR") == ["it broke"]
    (trace,) = bench.gateway.messages("TRACE")
    assert "Traceback" in trace
    assert "TaskError: it broke" in trace


async def test_an_unknown_variable_fails_before_the_body_runs(bench: Bench) -> None:
    finished = await bench.run({"type": "test.Echo", "text": "{{ nothing.here }}"})
    assert finished.state is State.FAILED
    assert finished.error == (
        "Unable to find `nothing` used in the expression `{{ nothing.here }}` at line 1"
    )


async def test_a_value_of_the_wrong_type_names_the_property(bench: Bench) -> None:
    finished = await bench.run({"type": "test.Echo", "number": "{{ 'many' }}"})
    assert finished.state is State.FAILED
    assert str(finished.error).startswith("number: ")


async def test_147_a_flowable_that_comes_to_a_worker_fails(bench: Bench) -> None:
    task = {"id": "t", "type": "io.kestra.plugin.core.log.Log", "message": "hi"}
    finished = await bench.run({"type": "io.kestra.plugin.core.flow.Sequential", "tasks": [task]})
    assert finished.state is State.FAILED
    message = "Only runnable tasks can be executed by the worker"
    assert str(finished.error).startswith(message)
    assert [line for line in bench.gateway.messages("ERROR") if line.startswith(message)]
    assert bench.gateway.messages("INFO") == []


async def test_an_unknown_type_fails_with_its_name(bench: Bench) -> None:
    finished = await bench.run({"type": "test.Nothing"})
    assert finished.state is State.FAILED
    assert "test.Nothing" in str(finished.error)


async def test_secrets_are_masked_in_messages_and_errors(bench: Bench) -> None:
    bench.gateway.secrets["KEY"] = "line one\nline two"

    async def body(ctx: RunContext) -> None:
        ctx.mask("pass")
        ctx.log.info(ctx.render("""a {{ secret('KEY') }} b"""))
        ctx.log.info("only line two")
        raise TaskError("known s3cr3t and password")

    finished = await run(bench, body, secrets=("s3cr3t", "password"))
    assert bench.gateway.messages("INFO") == ["a ****** b", "only ******"]
    assert finished.error == "known ****** and ******"
    assert not any("s3cr3t" in message for message in bench.gateway.messages())


async def test_long_messages_are_split_after_masking(bench: Bench) -> None:
    async def body(ctx: RunContext) -> None:
        text = "x" * 10_235 + "hidden" + "y" * 5
        ctx.log.info(text)
        ctx.log.info("")

    await run(bench, body, secrets=("hidden",))
    assert [len(message) for message in bench.gateway.messages("INFO")] == [10_240, 6, 0]


async def test_levels_below_the_tasks_log_level_are_dropped(bench: Bench) -> None:
    async def body(ctx: RunContext) -> None:
        for write in (ctx.log.trace, ctx.log.debug, ctx.log.info, ctx.log.warn, ctx.log.error):
            write("message")

    await run(bench, body, log_level="WARN")
    assert [line.level for line in bench.gateway.lines] == ["WARN", "ERROR"]


async def test_a_log_may_be_written_by_a_thread(bench: Bench) -> None:
    async def body(ctx: RunContext) -> None:
        ctx.log.info("before")
        await asyncio.to_thread(ctx.log.info, "in a thread")
        ctx.log.info("after")

    await run(bench, body)
    assert bench.gateway.messages("INFO") == ["before", "in a thread", "after"]


async def test_log_to_file_keeps_lines_out_of_the_log(bench: Bench) -> None:
    async def body(ctx: RunContext) -> None:
        ctx.log.info("to the file")

    finished = await run(bench, body, spec={"logToFile": True})
    assert bench.gateway.lines == []
    assert finished.log_file is not None
    assert (await bench.read(finished.log_file)).endswith(" INFO to the file\n")


async def test_metrics_add_up_by_name_and_tags_and_gauges_replace(bench: Bench) -> None:
    async def body(ctx: RunContext) -> None:
        ctx.metrics.counter("rows", 2)
        ctx.metrics.counter("rows", 3)
        ctx.metrics.counter("rows", 1, {"table": "t"})
        ctx.metrics.timer("took", 0.5)
        ctx.metrics.timer("took", 0.25)
        ctx.metrics.gauge("size", 1)
        ctx.metrics.gauge("size", 7)

    await run(bench, body)
    found = {
        (line.kind, line.name, tuple(line.tags)): line.value for line in bench.gateway.measures
    }
    assert found == {
        ("counter", "rows", ()): 5,
        ("counter", "rows", ("table",)): 1,
        ("timer", "took", ()): 0.75,
        ("gauge", "size", ()): 7,
    }


async def test_the_working_directory_is_made_on_first_use_and_removed(bench: Bench) -> None:
    seen: list[Path] = []

    async def body(ctx: RunContext) -> None:
        assert list(bench.place.tmp_dir.glob("*")) == []
        (ctx.workdir / "sub").mkdir()
        (ctx.workdir / "sub" / "file").write_text("x")
        seen.append(ctx.workdir)

    await run(bench, body)
    assert seen[0].parent == bench.place.tmp_dir
    assert not seen[0].exists()


async def test_a_stored_file_of_the_working_directory_leaves_it(bench: Bench) -> None:
    async def body(ctx: RunContext) -> dict[str, Any]:
        path = ctx.workdir / "a.csv"
        path.write_text("a,b")
        uri = await ctx.files.put(path, suffix=".csv")
        return {"uri": uri, "left": path.exists(), "size": await ctx.files.size(uri)}

    outputs = (await run(bench, body)).outputs
    assert outputs["left"] is False
    assert outputs["size"] == 3
    assert outputs["uri"].startswith("kestra:///company/team/flow/executions/exec/tasks/t/")
    assert outputs["uri"].endswith(".csv")
    assert await bench.read(outputs["uri"]) == "a,b"


async def test_local_files_are_read_from_allowed_folders_only(tmp_path: Path) -> None:
    allowed, denied = tmp_path / "allowed", tmp_path / "denied"
    for folder in (allowed, denied):
        folder.mkdir()
        (folder / "f.txt").write_text(folder.name)
    bench = Bench(tmp_path, allowed_paths=(allowed,))

    async def body(ctx: RunContext) -> dict[str, Any]:
        return {"text": (await ctx.files.read(f"file://{allowed}/f.txt")).decode()}

    async def escape(ctx: RunContext) -> None:
        (ctx.workdir / "link").symlink_to(denied / "f.txt")
        await ctx.files.read(f"file://{ctx.workdir}/link")

    assert (await run(bench, body)).outputs == {"text": "allowed"}
    finished = await run(bench, escape)
    assert "kestra.local-files.allowed-paths" in str(finished.error)


def waiting(began: asyncio.Event, hook: Callable[[], None]) -> Any:
    async def body(ctx: RunContext) -> None:
        ctx.on_kill(hook)
        began.set()
        await asyncio.Event().wait()

    return body


async def test_a_kill_calls_the_hooks_and_ends_killed(bench: Bench) -> None:
    began, hooks = asyncio.Event(), []
    bench.add(task_of("Body", waiting(began, lambda: hooks.append("called"))))
    attempt = bench.attempt({"type": "test.Body"})
    running = asyncio.ensure_future(attempt.run())
    await began.wait()
    attempt.kill()
    attempt.kill()
    assert (await running).state is State.KILLED
    assert hooks == ["called"]


async def test_a_kill_before_the_start_runs_nothing(bench: Bench) -> None:
    attempt = bench.attempt({"type": "test.Echo"})
    attempt.kill()
    assert (await attempt.run()).state is State.KILLED


async def test_a_broken_kill_hook_does_not_stop_the_kill(bench: Bench) -> None:
    began = asyncio.Event()
    bench.add(task_of("Body", waiting(began, lambda: 1 // 0)))
    attempt = bench.attempt({"type": "test.Body"})
    running = asyncio.ensure_future(attempt.run())
    await began.wait()
    attempt.kill()
    assert (await running).state is State.KILLED
    assert bench.gateway.messages("WARN") == [
        "A kill hook failed: integer division or modulo by zero"
    ]


async def test_a_timeout_calls_the_hooks_and_fails(bench: Bench) -> None:
    hooks: list[str] = []
    body = waiting(asyncio.Event(), lambda: hooks.append("called"))
    finished = await run(bench, body, timeout=SECOND // 20)
    assert finished.state is State.FAILED
    assert finished.error == "Timeout after 00:00:00.050"
    assert bench.gateway.messages("ERROR") == ["Timeout after 00:00:00.050"]
    (place,) = bench.gateway.messages("TRACE")
    assert place.startswith("Timeout after 00:00:00.050\n")
    assert "await" in place
    assert hooks == ["called"]


async def test_cancelling_the_caller_stops_the_task_and_removes_its_directory(bench: Bench) -> None:
    began = asyncio.Event()

    async def body(ctx: RunContext) -> None:
        assert ctx.workdir.exists()
        began.set()
        await asyncio.Event().wait()

    bench.add(task_of("Body", body))
    running = asyncio.ensure_future(bench.attempt({"type": "test.Body"}).run())
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert list(bench.place.tmp_dir.glob("*")) == []


async def test_a_cached_result_is_used_until_the_rendered_properties_differ(bench: Bench) -> None:
    runs: list[str] = []

    class Counted(Task, type="test.Counted"):
        text: Property[str]

        async def run(self, ctx: RunContext) -> dict[str, str]:
            runs.append(self.text)
            return {"text": self.text}

    bench.add(Counted)
    spec = {
        "type": "test.Counted",
        "text": "{{ inputs.a }}",
        "taskCache": {"enabled": True, "ttl": "PT1H"},
    }
    for value in ("x", "x", "y"):
        finished = await bench.run(spec, variables={"inputs": {"a": value}})
        assert finished.outputs == {"text": value}
    assert runs == ["x", "y"]
    assert bench.gateway.messages("INFO") == [
        "Skipping task execution for task 't' as there is an existing cache entry for it"
    ]
    await bench.run(
        {**spec, "taskCache": {"enabled": True, "ttl": "PT0S"}}, variables={"inputs": {"a": "x"}}
    )
    assert runs == ["x", "y", "x"]


async def test_vars_are_rendered_when_they_are_read(bench: Bench) -> None:
    variables = {
        "inputs": {"a": "x"},
        "vars": {"one": "<{{ inputs.a }}>", "two": "{{ vars.one }}!"},
    }
    finished = await bench.run({"type": "test.Echo", "text": "{{ vars.two }}"}, variables=variables)
    assert finished.outputs is not None
    assert finished.outputs["someText"] == "<x>!"
    finished = await bench.run(
        {"type": "test.Echo", "text": "{{ vars.two }}"}, variables=variables, lazy_variables=False
    )
    assert finished.outputs is not None
    assert finished.outputs["someText"] == "{{ vars.one }}!"


async def test_a_log_file_that_cannot_be_stored_is_an_error_in_the_log(bench: Bench) -> None:
    async def body(ctx: RunContext) -> None:
        folder = bench.place.storage.local_path("main", "kestra:///company/team/flow")
        assert folder is not None
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.write_text("in the way")

    finished = await run(bench, body, spec={"logToFile": True})
    assert finished.state is State.SUCCESS
    assert finished.log_file is None
    assert bench.gateway.messages("ERROR")[0].startswith("The log file cannot be stored")
