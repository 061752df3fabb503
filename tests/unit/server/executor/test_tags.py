"""Who runs a task that names a worker group, and what happens when nobody may."""

import asyncio
from pathlib import Path

from batuta.model.state import State
from batuta.operations import control
from batuta.operations.caller import SYSTEM
from tests.unit.server.installation import states
from tests.unit.server.town import Town, town

DOWNLOAD = "io.kestra.plugin.core.http.Download"
LOG = "io.kestra.plugin.core.log.Log"
WORKER = f"type: {DOWNLOAD}, uri: 'http://nowhere.invalid'"
IGNORED = "The worker group `gpu` is ignored: no worker of this installation has one"


def flow(*tasks: str, more: str = "") -> str:
    lines = "\n".join(f"  - {{{task}}}" for task in tasks)
    return f"id: f\nnamespace: acme\n{more}\ntasks:\n{lines}\n"


async def test_each_group_runs_its_own_tasks(tmp_path: Path) -> None:
    async with town(tmp_path, gpu=1, cpu=1) as one:
        source = flow(
            f"id: a, {WORKER}, workerGroup: {{key: gpu}}",
            f"id: b, {WORKER}",
            f'id: c, {WORKER}, workerGroup: {{key: \'{{{{ flow.id == "f" ? "cpu" : "gpu" }}}}\'}}',
            f"id: d, type: {LOG}, message: x, workerGroup: {{key: gpu}}",
            f"id: e, type: {LOG}, message: x",
        )
        view = await one.ended(await one.start(await one.save(source)))
        assert view.row.execution.state is State.SUCCESS
        taken = {name: crew.taken for name, crew in one.crews.items()}
        assert taken == {"gpu": ["a", "d"], "anybody": ["b"], "cpu": ["c"]}
        workers = {row.run.task_id: (row.run.attempts or ())[0].worker_id for row in view.runs}
        assert workers == {"a": "gpu", "b": "anybody", "c": "cpu", "d": "gpu", "e": "server"}


async def test_a_task_without_group_has_that_of_its_flow(tmp_path: Path) -> None:
    async with town(tmp_path, gpu=1, cpu=1) as one:
        directory = "type: io.kestra.plugin.core.flow.WorkingDirectory"
        source = flow(
            f"id: a, {WORKER}",
            f"id: b, {WORKER}, workerGroup: {{key: cpu}}",
            f"id: c, {directory}, tasks: [{{id: d, {WORKER}}}]",
            more="workerGroup: {key: gpu}",
        )
        await one.ended(await one.start(await one.save(source)))
        taken = {name: crew.taken for name, crew in one.crews.items()}
        assert taken == {"gpu": ["a", "c", "d"], "anybody": [], "cpu": ["b"]}


async def test_nobody_serves_the_group(tmp_path: Path) -> None:
    async with town(tmp_path, cpu=1) as one:
        source = flow(
            f"id: a, {WORKER}, workerGroup: {{key: gpu, fallback: CANCEL}}",
            f"id: b, type: {LOG}, message: x, workerGroup: {{key: gpu, fallback: FAIL}}",
            f"id: c, {WORKER}",
        )
        execution_id = await one.start(await one.save(source))
        view = await one.ended(execution_id)
        assert states(view) == {"a": State.CANCELLED, "b": State.FAILED}
        assert [(row.level, row.task_id, row.message) for row in await one.logs(execution_id)] == [
            ("WARN", "a", "No worker serves the worker group `gpu`, the task is cancelled"),
            ("ERROR", "b", "No worker serves the worker group `gpu`"),
        ]
        assert await one.store.queues.jobs() == []


async def test_a_task_waits_over_a_restart_until_its_group_is_served(tmp_path: Path) -> None:
    async with town(tmp_path, cpu=1) as one:
        directory = "type: io.kestra.plugin.core.flow.WorkingDirectory"
        source = flow(
            f"id: a, {WORKER}, timeout: PT0.001S, workerGroup: {{key: gpu}}",
            f"id: b, {directory}, workerGroup: {{key: gpu}}, tasks: [{{id: c, {WORKER}}}]",
        )
        execution_id = await one.start(await one.save(source))
        await one.when(lambda: waits(one, execution_id))
        await one.crash()
        one.open()
        await one.when(lambda: waits(one, execution_id, times=2))
        await one.crash()
        one.serve(gpu=1)
        one.open(busy="gpu")
        await one.crews["gpu"].arrived.wait()
        await one.crash()
        one.open()
        view = await one.ended(execution_id)
        assert view.row.execution.state is State.SUCCESS
        assert [len(row.run.attempts or ()) for row in view.runs] == [1, 1, 1]
        assert one.crews["gpu"].taken == ["a", "b", "c"]


async def waits(one: Town, execution_id: str, times: int = 1) -> bool | None:
    told = [row.message for row in await one.logs(execution_id)]  # type: ignore[arg-type]
    return told.count("Waits for a worker of the worker group `gpu`") >= times or None


async def test_what_waits_can_be_killed_and_holds_up_nobody(tmp_path: Path) -> None:
    async with town(tmp_path, cpu=1) as one:
        key = await one.save(flow(f"id: a, {WORKER}, workerGroup: {{key: gpu}}"))
        stuck = [await one.start(key) for _ in range(3)]
        for execution_id in stuck:
            await one.when(lambda: waits(one, execution_id))  # noqa: B023 - awaited here
        other = await one.save(
            flow(f"id: a, {WORKER}, workerGroup: {{key: cpu}}").replace("id: f", "id: g")
        )
        view = await one.ended(await one.start(other))
        assert view.row.execution.state is State.SUCCESS
        for execution_id in stuck:
            await control.kill(SYSTEM, one.services, execution_id)
            view = await one.ended(execution_id)
            assert states(view) == {"a": State.KILLED}
        while await one.store.queues.jobs():
            await asyncio.sleep(0)


async def test_without_groups_they_are_ignored_and_the_execution_says_so_once(
    tmp_path: Path,
) -> None:
    async with town(tmp_path) as one:
        source = flow(
            f"id: a, {WORKER}, workerGroup: {{key: gpu, fallback: FAIL}}",
            f"id: b, type: {LOG}, message: hello, workerGroup: {{key: gpu, fallback: FAIL}}",
        )
        execution_id = await one.start(await one.save(source))
        view = await one.ended(execution_id)
        assert view.row.execution.state is State.SUCCESS
        assert one.crews["anybody"].taken == ["a"]
        logs = [(row.level, row.task_id, row.message) for row in await one.logs(execution_id)]
        assert logs == [("WARN", None, IGNORED), ("INFO", "b", "hello")]
