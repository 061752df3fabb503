"""The escapes of `test_escapes.py` on a whole installation: what is left in the store when everything has ended."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from batuta.engine import events as e
from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import Instant
from batuta.model.state import State
from batuta.operations.executions import delete, is_over
from batuta.store.rows import Mail, Turn
from batuta.testing.system import SOMEBODY, System
from tests.core.whole.living import CORE, FAIL, LOG, SLEEP, ended, flow, history
from tests.unit.server.installation import Installation

pytestmark = pytest.mark.slow

S = State
EVERY = range(64)

End = Callable[[System, FlowKey, ExecutionId], Awaitable[object]]


async def _reaches(system: System, execution_id: ExecutionId, state: State) -> None:
    view = await system.until(execution_id, lambda v: v.row.execution.state is state, seconds=10)
    assert view.row.execution.state is state


async def _nothing(_system: System, _key: FlowKey, _id: ExecutionId) -> None:
    return


def _killed(state: State) -> End:
    async def end(system: System, _key: FlowKey, execution_id: ExecutionId) -> None:
        await _reaches(system, execution_id, state)
        await system.kill(execution_id)

    return end


async def _deleted(system: System, _key: FlowKey, execution_id: ExecutionId) -> None:
    await _reaches(system, execution_id, S.RUNNING)
    await delete(SOMEBODY, system.services, execution_id)


async def _restarted(system: System, _key: FlowKey, execution_id: ExecutionId) -> None:
    await ended(system, execution_id)
    await system.restart(execution_id)


async def _forced(system: System, key: FlowKey, execution_id: ExecutionId) -> None:
    """Another one waits and is let run although there is no room."""
    await _reaches(system, execution_id, S.RUNNING)
    other = await system.start(key)
    await _reaches(system, other, S.QUEUED)
    await system.unqueue(other)
    await system.kill(execution_id)
    await system.kill(other)


async def _queued(system: System, key: FlowKey, execution_id: ExecutionId) -> None:
    await _reaches(system, execution_id, S.RUNNING)
    others = [await system.start(key) for _ in range(3)]
    for other in others:
        await _reaches(system, other, S.QUEUED)
    await system.kill(others[0])
    await delete(SOMEBODY, system.services, others[1])
    await system.unqueue(others[2], state=S.CANCELLED)
    await system.kill(execution_id)


WORK = {
    "success": (f"tasks: [{{id: t, {LOG}: hi}}]", _nothing),
    "failure": (f"tasks: [{{id: t, {FAIL}}}]", _nothing),
    "exit": (f"tasks: [{{id: t, type: {CORE}.execution.Exit, state: KILLED}}]", _nothing),
    "outputs": (
        f"outputs: [{{id: o, type: INT, value: x}}]\ntasks: [{{id: t, {LOG}: hi}}]",
        _nothing,
    ),
    "sla": (
        f"sla: [{{id: m, type: MAX_DURATION, duration: PT0.1S, behavior: FAIL}}]\ntasks: [{{id: t, {SLEEP}: PT20S}}]",
        _nothing,
    ),
    "renewed": (
        f"tasks: [{{id: t, {FAIL}, retry: {{type: constant, behavior: CREATE_NEW_EXECUTION, interval: PT0.05S, maxAttempts: 2}}}}]",
        _nothing,
    ),
    "killed": (f"tasks: [{{id: t, {SLEEP}: PT20S}}]", _killed(S.RUNNING)),
    "killed_paused": (f"tasks: [{{id: t, type: {CORE}.flow.Pause}}]", _killed(S.PAUSED)),
    "killed_retrying": (
        f"tasks: [{{id: t, {FAIL}, retry: {{type: constant, interval: PT20S}}}}]",
        _killed(S.RETRYING),
    ),
    "deleted": (f"tasks: [{{id: t, {SLEEP}: PT20S}}]", _deleted),
    "restarted": (f"tasks: [{{id: t, {FAIL}}}]", _restarted),
    "forced": (f"tasks: [{{id: t, {SLEEP}: PT20S}}]", _forced),
    "queued": (f"tasks: [{{id: t, {SLEEP}: PT20S}}]", _queued),
}


@pytest.mark.parametrize("name", WORK)
async def test_no_slot_is_kept_however_it_ends(name: str) -> None:
    body, end = WORK[name]
    async with System.open() as system:
        limited = f"concurrency: {{limit: 1}}\nafterExecution: [{{id: x, {LOG}: hi}}]\n{body}"
        key = await system.save_flow(flow(limited))
        execution_id = await system.start(key)
        await end(system, key, execution_id)

        async def over() -> bool:
            views = await system.executions()
            return all(is_over(view.row.execution) for view in views)

        await system.quiet(0.3, over, seconds=10)
        assert await over(), [history(view) for view in await system.executions()]
        assert await system.services.store.queues.slots(key) == 0
        assert await system.services.store.queues.jobs() == []
        assert await system.services.store.queues.inbox(EVERY) == []
        assert await system.services.store.queues.next_timer(EVERY) is None


async def test_finished_work_is_not_done_again_by_another_process(tmp_path: Path) -> None:
    """All that ever reached the execution comes again, as from an old queue, to a server that starts on the rows."""
    installation = Installation(tmp_path)
    source = f"tasks: [{{id: a, {LOG}: hi}}, {{id: b, {SLEEP}: PT0.01S}}]\nafterExecution: [{{id: x, {LOG}: hi}}]"
    key = await installation.save(flow(source))
    installation.run()
    execution_id = await installation.start(key)
    before = await installation.ended(execution_id)
    await installation.crash()
    told = [entry.message for entry in await installation.logs(execution_id)]
    at = Instant(before.row.execution.histories[-1].at + 1)
    old: list[e.AnyEvent] = [e.Created(at=at), e.SlotGranted(at=at), e.Restarted(at=at)]
    for row in before.runs:
        run_id = row.run.id
        old += [
            e.TaskStarted(at=at, task_run_id=run_id, attempt=1),
            e.TaskFinished(at=at, task_run_id=run_id, attempt=1, state=S.FAILED),
            e.AttemptLost(at=at, task_run_id=run_id, attempt=1),
            e.TimerFired(at=at, timer_id=f"retry/{run_id}/1"),
        ]
    await installation.store.commit(Turn(inbox=[Mail(execution_id, event) for event in old]))
    installation.run()
    again = await installation.ended(await installation.start(key))
    assert again.row.execution.state is S.SUCCESS

    async def read() -> bool | None:
        return True if not await installation.store.queues.inbox(EVERY) else None

    await installation.when(read)
    after = await installation.ended(execution_id)
    assert after.row.execution == before.row.execution
    assert [row.run for row in after.runs] == [row.run for row in before.runs]
    assert msgspec.json.encode(after.outputs) == msgspec.json.encode(before.outputs)
    assert [entry.message for entry in await installation.logs(execution_id)] == told
    await installation.crash()
