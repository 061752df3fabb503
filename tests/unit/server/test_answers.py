"""What tasks ask of the server, with everything between them in place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batuta.model import codec
from batuta.model.ids import FlowKey
from batuta.model.instant import DAY, Instant
from batuta.model.ion import read_values
from batuta.model.state import State
from batuta.operations.caller import SYSTEM
from batuta.operations.errors import NotFoundError
from batuta.operations.executions import ExecutionView
from batuta.operations.triggers import set_disabled
from batuta.sdk.context import RunInfo
from batuta.sdk.errors import PluginError, TaskError
from batuta.server.answers import Answers
from batuta.store.rows import TriggerKey, TriggerRow, Turn
from tests.unit.server.installation import Installation

CORE = "io.kestra.plugin.core"


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Installation]:
    one = Installation(folder)
    one.run()
    try:
        yield one
    finally:
        await one.crash()
        await one.store.close()


async def ran(one: Installation, tasks: str, flow_id: str = "f", **inputs: str) -> ExecutionView:
    """An execution of a new flow with these tasks, when it is over."""
    declared = "".join(f"  - {{id: {name}, type: STRING}}\n" for name in inputs)
    head = f"id: {flow_id}\nnamespace: acme\n" + (f"inputs:\n{declared}" if declared else "")
    key = await one.save(f"{head}tasks:\n{tasks}")
    return await one.ended(await one.start(key, **inputs))


async def errors(one: Installation, view: ExecutionView) -> list[str]:
    rows = await one.logs(view.row.execution.id)
    return [row.message for row in rows if row.level == "ERROR"]


async def test_a_task_reads_the_log_of_its_execution(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        view = await ran(one, f"""
  - {{id: a, type: {CORE}.log.Log, message: [x, y]}}
  - {{id: b, type: {CORE}.log.Log, message: z, level: DEBUG}}
  - {{id: all, type: {CORE}.log.Fetch, level: TRACE}}
  - {{id: some, type: {CORE}.log.Fetch, tasksId: [b], level: DEBUG}}
""")  # fmt: skip
        every, some = (codec.decode(bytes(data)) for data in view.outputs.values())
        rows = list(read_values((await one.services.storage.read("main", every["uri"])).decode()))
        assert (every["size"], some["size"]) == (3, 1)
        assert [row["message"] for row in rows] == ["x", "y", "z"]
        assert rows[0].items() >= {"taskId": "a", "flowId": "f", "level": "INFO"}.items()


async def test_a_task_resumes_another_execution(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        waiting = await one.save(f"""
            id: waiting
            namespace: acme
            tasks:
              - id: pause
                type: {CORE}.flow.Pause
                onResume: [{{id: who, type: STRING}}]
              - {{id: r, type: {CORE}.debug.Return, format: "{{{{ outputs.pause.onResume.who }}}}"}}
            """)
        paused = await one.start(waiting)
        await one.until(paused, lambda execution: execution.state is State.PAUSED)
        view = await ran(one, f"""
  - id: go
    type: {CORE}.execution.Resume
    executionId: "{{{{ inputs.other }}}}"
    namespace: acme
    flowId: waiting
    inputs: {{who: Ann}}
""", other=paused)  # fmt: skip
        assert view.row.execution.state is State.SUCCESS
        done = await one.ended(paused)
        assert codec.decode(bytes(list(done.outputs.values())[-1])) == {"value": "Ann"}


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("", "is not paused"),
        ("executionId: nobody", "No execution found for execution id nobody"),
        (
            'executionId: "{{ execution.id }}", namespace: acme, flowId: other',
            "No execution found for execution id",
        ),
    ],
)
async def test_a_resume_that_cannot_be_fails(tmp_path: Path, more: str, complaint: str) -> None:
    async with running(tmp_path) as one:
        view = await ran(one, f"  - {{id: go, type: {CORE}.execution.Resume, {more}}}\n")
        assert view.row.execution.state is State.FAILED
        assert complaint in (await errors(one, view))[0]


async def test_a_flow_purges_what_ran_before_it(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        old = await ran(one, f"  - {{id: a, type: {CORE}.log.Log, message: hi}}\n", "old")
        view = await ran(one, f"""
  - {{id: p, type: {CORE}.execution.PurgeExecutions, endDate: "{{{{ now() }}}}", batchSize: 1}}
  - {{id: l, type: {CORE}.log.PurgeLogs, endDate: "{{{{ now() }}}}"}}
""")  # fmt: skip
        purged, _ = (codec.decode(bytes(data)) for data in view.outputs.values())
        assert purged.items() >= {"executionsCount": 1, "logsCount": 1}.items()
        assert await one.store.executions.get(old.row.execution.id) is None
        assert not await one.logs(old.row.execution.id)


SCHEDULED = f"""
id: nightly
namespace: acme
tasks:
  - {{id: a, type: {CORE}.log.Log, message: hi}}
triggers:
  - {{id: t, type: {CORE}.trigger.Schedule, cron: "0 0 1 1 *"}}
"""


async def test_toggle_switches_the_trigger_of_another_flow(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = TriggerKey(await one.save(SCHEDULED), "t")
        before = await one.trigger(key)
        toggle = f"  - {{id: x, type: {CORE}.trigger.Toggle, flowId: nightly, trigger: t"
        await ran(one, f"{toggle}}}\n", "off")
        off = await one.trigger(key)
        assert (off.disabled, off.next_date) == (True, before.next_date)
        await ran(one, f"{toggle}, enabled: true}}\n", "on")
        on = await one.trigger(key)
        assert (on.disabled, on.next_date) == (False, before.next_date)
        unknown = await ran(one, f"  - {{id: x, type: {CORE}.trigger.Toggle, trigger: t}}\n", "own")
        assert unknown.row.execution.state is State.FAILED
        assert (await errors(one, unknown))[0] == "Flow own has no trigger t that can be switched"


async def test_a_schedule_that_is_switched_on_makes_up_for_nothing(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    key = TriggerKey(await one.save(SCHEDULED), "t")
    now = one.services.clock.now()
    row = TriggerRow(key=key, next_date=Instant(now - DAY), disabled=True)
    await one.store.commit(Turn(triggers=[row]))
    changed = await set_disabled(SYSTEM, one.services, key, disabled=False)
    assert changed.next_date is not None
    assert changed.next_date > now
    assert await one.store.triggers.get(key) == changed
    gone = TriggerKey(FlowKey("main", "acme", "gone"), "t")
    with pytest.raises(NotFoundError, match="Flow gone not found"):
        await set_disabled(SYSTEM, one.services, gone, disabled=True)
    await one.store.close()


async def test_outputs_that_are_null_are_not_shown(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        view = await ran(one, f"""
  - {{id: g, type: {CORE}.kv.Get, key: nothing}}
  - {{id: r, type: {CORE}.debug.Return, format: "{{{{ outputs.g.value is null }}}}"}}
""")  # fmt: skip
        shown = [codec.decode(bytes(data)) for data in view.outputs.values()]
        assert shown == [{}, {"value": "true"}]


async def test_refusals_reach_the_task_as_its_error(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    answers = Answers(one.services)
    info = RunInfo(
        tenant="main",
        namespace="acme",
        flow_id="f",
        flow_revision=1,
        execution_id="e",
        task_id="t",
        task_type="x",
        task_run_id="r",
        attempt=1,
    )
    with pytest.raises(TaskError, match="No execution found"):
        await answers.answer(info, "executions.resume", {"executionId": "x"})
    with pytest.raises(PluginError, match="no operation `x`"):
        await answers.answer(info, "x", {})
    entry = {"key": "k", "value": 1}
    await answers.answer(info, "kv.set", {"namespace": "a", "entry": entry})
    with pytest.raises(KeyError, match="already exists"):
        await answers.answer(info, "kv.set", {"namespace": "a", "entry": entry, "overwrite": False})
    with pytest.raises(ValueError, match="must start with"):
        await answers.answer(info, "kv.get", {"namespace": "a", "key": "-"})
    await one.store.close()
