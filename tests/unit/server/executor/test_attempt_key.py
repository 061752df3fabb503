"""The key of an attempt: the same for templates, scripts and HTTP requests, and another for each attempt."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from batuta.model.ids import ExecutionId
from batuta.model.state import State
from batuta.operations import repeat
from batuta.operations.caller import SYSTEM
from batuta.operations.executions import ExecutionView
from batuta.operations.rendering.evaluate import evaluate
from tests.unit.server.installation import Installation
from tests.unit.server.town import town

CORE = "io.kestra.plugin.core"
SCRIPT = (
    "type: io.kestra.plugin.scripts.shell.Script, "
    f"taskRunner: {{type: {CORE}.runner.Process}}, script: "
)
ECHO = 'echo "[$BATUTA_ATTEMPT] [{{ idempotencyKey }}]"'


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Installation]:
    one = Installation(folder)
    one.run()
    try:
        yield one
    finally:
        await one.crash()
        await one.store.close()


def flow(*tasks: str, more: str = "") -> str:
    lines = "\n".join(f"  - {task}" for task in tasks)
    return f"id: f\nnamespace: acme\n{more}\ntasks:\n{lines}\n"


def keys(view: ExecutionView, task_id: str, *attempts: int) -> list[str]:
    (run,) = [row.run for row in view.runs if row.run.task_id == task_id]
    return [f"{view.row.execution.id}/{run.id}/{number}" for number in attempts]


async def told(one: Installation, execution_id: ExecutionId, task_id: str) -> list[str]:
    """What the scripts of a task said, in order."""
    rows = await one.logs(execution_id)
    return [row.message for row in rows if row.task_id == task_id and row.message.startswith("[")]


def twice(known: list[str]) -> list[str]:
    return [f"[{key}] [{key}]" for key in known]


async def test_templates_and_scripts_see_the_same_key_and_each_retry_another(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as one:
        source = flow(
            f"{{id: inline, type: {CORE}.debug.Return, format: '{{{{ idempotencyKey }}}}'}}",
            f"{{id: again, retry: {{type: constant, interval: PT0.01S, maxAttempts: 2}}, {SCRIPT}'{ECHO}; exit 1'}}",
        )
        execution_id = await one.start(await one.save(source))
        view = await one.ended(execution_id)
        assert await told(one, execution_id, "again") == twice(keys(view, "again", 1, 2))
        outputs = await one.store.executions.outputs(execution_id)
        (inline,) = [row.data for row in outputs if row.task_id == "inline"]
        assert keys(view, "inline", 1)[0].encode() in (inline or b"")

        await repeat.restart(SYSTEM, one.services, execution_id)
        await one.until(execution_id, lambda execution: not execution.state.is_terminal)
        view = await one.ended(execution_id)
        assert await told(one, execution_id, "again") == twice(keys(view, "again", 1, 2, 3))
        (run,) = [row.run for row in view.runs if row.run.task_id == "again"]
        found = await evaluate(
            SYSTEM,
            one.services,
            execution_id,
            expression="{{ idempotencyKey }}",
            task_run_id=run.id,
        )
        assert found.result == keys(view, "again", 3)[0]


async def test_tasks_of_a_working_directory_have_keys_of_their_own(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        child = f"{{id: child, {SCRIPT}'{ECHO}'}}"
        directory = f"{{id: d, type: {CORE}.flow.WorkingDirectory, tasks: [{child}]}}"
        execution_id = await one.start(await one.save(flow(directory)))
        view = await one.ended(execution_id)
        assert view.row.execution.state is State.SUCCESS
        assert await told(one, execution_id, "child") == twice(keys(view, "child", 1))


async def test_a_request_carries_the_key_that_its_templates_see(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(
            line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
        )
        seen.append(fields[b"idempotency-key"])
        seen.append((await reader.readexactly(int(fields[b"content-length"]))).lower())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, running(tmp_path) as one:
        task = f"type: {CORE}.http.Request, method: POST, uri: 'http://127.0.0.1:{port}/'"
        source = flow(f"{{id: send, {task}, body: '{{{{ idempotencyKey }}}}'}}")
        view = await one.ended(await one.start(await one.save(source)))
        assert view.row.execution.state is State.SUCCESS
        assert seen == [keys(view, "send", 1)[0].lower().encode()] * 2


async def test_a_subflow_can_be_given_the_key(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        child = flow(
            f"{{id: t, type: {CORE}.log.Log, message: x}}", more="inputs: [{id: key, type: STRING}]"
        )
        await one.save(child.replace("id: f", "id: child", 1))
        call = f"type: {CORE}.flow.Subflow, namespace: acme, flowId: child"
        source = flow(f"{{id: call, {call}, inputs: {{key: '{{{{ idempotencyKey }}}}'}}}}")
        view = await one.ended(await one.start(await one.save(source)))
        children = [each for each in await one.all_executions() if each.flow.id == "child"]
        assert [each.inputs for each in children] == [{"key": keys(view, "call", 1)[0]}]


async def test_an_attempt_that_is_handed_out_again_keeps_its_key(tmp_path: Path) -> None:
    async with town(tmp_path, busy="anybody") as one:
        source = flow(f"{{id: a, type: {CORE}.http.Download, uri: '{{{{ idempotencyKey }}}}'}}")
        await one.start(await one.save(source))
        await one.crews["anybody"].arrived.wait()
        (first,) = one.crews["anybody"].jobs
        await one.crash()
        one.open(busy="anybody")
        await one.crews["anybody"].arrived.wait()
        (second,) = one.crews["anybody"].jobs
        assert first.info.key == second.info.key
        assert first.variables["idempotencyKey"] == second.variables["idempotencyKey"] == first.id
