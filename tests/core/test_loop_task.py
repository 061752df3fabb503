"""The task Loop on a small installation: each value in an execution of its own."""

import asyncio
from collections.abc import Sequence
from textwrap import indent
from typing import Any

import pytest

from batuta.model import codec
from batuta.model.ids import ExecutionId
from batuta.model.ion import read_values
from batuta.model.state import State
from batuta.operations import executions, repeat
from batuta.operations.errors import IllegalArgumentError, InvalidEntityError
from batuta.operations.executions import ExecutionView, Parts
from batuta.operations.family import children_of
from batuta.operations.purge.executions import ExecutionPurge, purge_executions
from batuta.operations.query import Condition, Search
from batuta.storage.layout import to_uri
from batuta.store.query import Filter, Op, Query
from batuta.store.rows import ExecutionRow
from batuta.testing.system import SOMEBODY, System, is_over

CORE = "io.kestra.plugin.core"
S = State


def returning(name: str, text: str) -> str:
    return f'- {{id: {name}, type: {CORE}.debug.Return, format: "{text}"}}'


def putting_out(value: str, *more: str) -> str:
    lines = ["outputs:", "  - id: text", "    type: STRING", f'    value: "{value}"', *more]
    return "\n".join(lines)


SAY = returning("say", "{{ item.index }} {{ item.value }}")
TEXT = putting_out("{{ outputs.say.value }}")
FAILS_AT_B = f"""
- id: maybe
  type: {CORE}.execution.Fail
  runIf: "{{{{ item.value == 'b' }}}}"
"""


def loop(values: str, *more: str, tasks: str = SAY, name: str = "loop") -> str:
    lines = [f"- id: {name}", f"  type: {CORE}.flow.Loop", f"  values: {values}", "  tasks:"]
    parts = [indent(tasks.strip(), "    "), *(indent(part.strip(), "  ") for part in more)]
    return "\n".join([*lines, *parts])


def flow(*tasks: str, head: str = "") -> str:
    body = "\n".join(indent(task.strip(), "  ") for task in tasks)
    return f"id: loops\nnamespace: test\n{head.strip()}\ntasks:\n{body}\n"


async def started(system: System, source: str, **inputs: Any) -> ExecutionId:
    return await system.start(await system.save_flow(source), inputs=inputs)


async def ran(system: System, source: str, **inputs: Any) -> ExecutionView:
    return await system.until(await started(system, source, **inputs), is_over)


async def iterations(system: System, view: ExecutionView | ExecutionId) -> list[ExecutionRow]:
    parent = view.row.execution.id if isinstance(view, ExecutionView) else view
    return [row async for row in children_of(system.services, parent)]


async def resume_next(system: System, parent: ExecutionId) -> None:
    """The iteration that waits goes on to its end."""
    (waiting,) = await children_in(system, parent, S.PAUSED, 1)
    await system.resume(waiting.execution.id)
    await system.until(waiting.execution.id, is_over)


async def children_in(system: System, parent: ExecutionId, state: State, count: int) -> list[Any]:
    """The children that are in a state, as soon as there are so many."""

    async def found() -> list[ExecutionRow]:
        return [row for row in await iterations(system, parent) if row.execution.state is state]

    while len(rows := await found()) < count:
        await asyncio.sleep(0)
    return rows


def states(view: ExecutionView) -> dict[str, State]:
    return {row.run.task_id: row.run.state for row in view.runs}


def history(view: ExecutionView, task_id: str | None = None) -> list[State]:
    histories = view.row.execution.histories
    if task_id is not None:
        histories = next(row.run.histories for row in view.runs if row.run.task_id == task_id)
    return [entry.state for entry in histories]


def outputs(view: ExecutionView, task_id: str = "loop") -> Any:
    run = next(row.run for row in view.runs if row.run.task_id == task_id)
    return codec.decode(bytes(view.outputs[run.id]))


def texts(view: ExecutionView, task_id: str = "loop") -> list[str]:
    return [entry["outputs"]["text"] for entry in outputs(view, task_id)["outputs"]]


async def logs_of(system: System, execution_id: ExecutionId) -> list[str]:
    query = Query(filters=[Filter("execution_id", Op.EQUALS, execution_id)], size=1000)
    return [row.message for row in (await system.services.store.journal.logs(query)).rows]


async def put_file(system: System, content: str) -> str:
    uri = to_uri(("test", "rows.ion"))
    return await system.services.storage.put(SOMEBODY.tenant, uri, content.encode())


# -- values -----------------------------------------------------------------------------------------------

VALUES = [
    ('["a", 1, {"k": [true]}, "a"]', ["0 a", "1 1", '2 {"k":[true]}', "3 a"]),
    ('"{{ [1, 2] }}"', ["0 1", "1 2"]),
    ("{a: 1, b: x}", ["0 1", "1 x"]),
    ("""'{"z": "y"}'""", ["0 y"]),
    ('["{{ 1 + 1 }}"]', ["0 2"]),
]


@pytest.mark.parametrize(("values", "expected"), VALUES)
async def test_each_value_is_an_iteration(values: str, expected: list[str]) -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop(values, TEXT)))
        assert view.row.execution.state is S.SUCCESS
        assert texts(view) == expected
        told = outputs(view)
        assert told["iterationCount"] == len(expected)
        assert told["runningIterations"] == 0
        assert told["terminatedIterations"] == {"SUCCESS": len(expected)}
        assert len(view.runs) == 1
        rows = await iterations(system, view)
        assert {row.execution.kind for row in rows} == {"LOOP"}
        assert {row.execution.flow for row in rows} == {view.row.execution.flow}


async def test_a_map_has_keys() -> None:
    tasks = returning("say", "{{ item.key }}={{ item.value }}")
    async with System.open() as system:
        view = await ran(system, flow(loop("{a: 1, b: [2]}", TEXT, tasks=tasks)))
        assert texts(view) == ["a=1", "b=[2]"]
        assert outputs(view)["outputs"][1]["item"] == {"value": "[2]", "iteration": 1, "key": "b"}


async def test_each_row_of_a_file_is_an_iteration() -> None:
    rows = '{id:1,name:"x"}\n\n"text"\n42\nfree text, as it stands\n2024-01-31T10:00:00Z\n'
    async with System.open() as system:
        uri = await put_file(system, rows)
        view = await ran(system, flow(loop(f'"{uri}"', TEXT, "fetchType: FETCH")))
        assert texts(view) == [
            '0 {"id":1,"name":"x"}',
            "1 text",
            "2 42",
            "3 free text, as it stands",
            "4 2024-01-31T10:00:00Z",
        ]


async def test_outputs_for_a_file_are_rows_of_a_file() -> None:
    count = 2_500
    async with System.open() as system:
        uri = await put_file(system, "".join(f'"v{n}"\n' for n in range(count)))
        view = await ran(system, flow(loop(f'"{uri}"', TEXT, "concurrencyLimit: 0")))
        told = outputs(view)
        assert "outputs" not in told
        content = await system.services.storage.read(SOMEBODY.tenant, told["uri"])
        found = list(read_values(content))
        assert [each["item"] for each in found] == [
            {"value": f"v{n}", "iteration": n} for n in range(count)
        ]
        assert found[-1]["outputs"] == {"text": f"{count - 1} v{count - 1}"}
        folder = f"/executions/{view.row.execution.id}/"
        assert folder in told["uri"]


async def test_nothing_to_iterate_over_is_success() -> None:
    async with System.open() as system:
        for values in ("[]", "{}", '"{{ [] }}"', f'"{await put_file(system, "")}"'):
            view = await ran(system, flow(loop(values, TEXT)))
            assert view.row.execution.state is S.SUCCESS
            assert outputs(view)["iterationCount"] == 0


BAD_VALUES = [
    ('["a", null]', "Found '1' null values on Loop"),
    ('"{{ nothing }}"', "nothing"),
    ('"abc"', "`abc` is no JSON list or map, and no URI of a file"),
    ('"{{ 5 }}"', "the values of a Loop are a list, a map or a file, not `5`"),
    ('"kestra:///not/there.ion"', "File `kestra:///not/there.ion` does not exist"),
    ('"kestra:///../up"', "`.` and `..` are not allowed"),
]


@pytest.mark.parametrize(("values", "problem"), BAD_VALUES)
async def test_values_that_are_none_fail_the_loop(values: str, problem: str) -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop(values)))
        assert states(view) == {"loop": S.FAILED}
        assert view.row.execution.state is S.FAILED
        (message,) = await logs_of(system, view.row.execution.id)
        assert message.startswith("Unable to resolve the values of the loop: ")
        assert problem in message


async def test_disabled_tasks_leave_empty_iterations() -> None:
    tasks = SAY.replace("{id: say,", "{id: say, disabled: true,")
    async with System.open() as system:
        view = await ran(system, flow(loop("[1, 2]", tasks=tasks)))
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 2}


# -- what an iteration sees -------------------------------------------------------------------------------


async def test_an_iteration_sees_what_is_around_it() -> None:
    seen = "{{ inputs.i }} {{ vars.v }} {{ labels.l }} {{ trigger ?? 'none' }} {{ outputs.before.value }}"
    tasks = "\n".join(
        [
            returning("own", "{{ item.value }}!"),
            returning("say", f"{seen} {{{{ outputs.own.value }}}} {{{{ outputs.after ?? 'no' }}}}"),
        ]
    )
    head = "inputs: [{id: i, type: STRING}]\nvariables: {v: 2}\nlabels: {l: three}"
    source = flow(
        returning("before", "4"),
        loop('["a", "b"]', TEXT, tasks=tasks),
        returning("after", "{{ outputs.own ?? 'isolated' }} {{ outputs.say ?? 'isolated' }}"),
        head=head,
    )
    async with System.open() as system:
        view = await ran(system, source, i="1")
        assert texts(view) == ["1 2 three none 4 a! no", "1 2 three none 4 b! no"]
        assert outputs(view, "after") == {"value": "isolated isolated"}
        for row in await iterations(system, view):
            assert row.execution.inputs == {}


async def test_an_iteration_on_a_worker_sees_the_same() -> None:
    tasks = f"""
- id: say
  type: {CORE}.kv.Set
  key: "k{{{{ item.index }}}}"
  value: "{{{{ outputs.before.value }}}} {{{{ item.value }}}} {{{{ inputs.i }}}}"
  kvType: STRING
"""
    head = "inputs: [{id: i, type: STRING}]"
    async with System.open() as system:
        source = flow(returning("before", "4"), loop('["a"]', tasks=tasks), head=head)
        view = await ran(system, source, i="1")
        assert view.row.execution.state is S.SUCCESS
        row = await system.services.store.kv.get(SOMEBODY.tenant, "test", "k0")
        assert row is not None
        assert "4 a 1" in row.value


async def test_loops_inside_of_loops() -> None:
    say = returning(
        "say",
        "{{ item.parents[1].value }}{{ item.parent.value }}{{ item.value }}"
        " {{ item.parents | length }} {{ outputs.made.value }}",
    )
    inner = loop("[x, y]", TEXT, tasks=say, name="inner")
    middle = loop(
        "[1, 2]",
        putting_out("{{ loopOutputs(outputs.inner.outputs, 'text') | join(',') }}"),
        tasks=f"{returning('made', 'm{{ item.value }}')}\n{inner}",
        name="middle",
    )
    outer = loop(
        "[A, B]",
        putting_out("{{ loopOutputs(outputs.middle.outputs, 'text') | join(';') }}"),
        "concurrencyLimit: 2",
        tasks=middle,
    )
    async with System.open() as system:
        view = await ran(system, flow(outer))
        assert view.row.execution.state is S.SUCCESS
        assert texts(view) == [
            "A1x 2 m1,A1y 2 m1;A2x 2 m2,A2y 2 m2",
            "B1x 2 m1,B1y 2 m1;B2x 2 m2,B2y 2 m2",
        ]


async def test_a_loop_inside_of_for_each_knows_its_value() -> None:
    inner = loop("[x]", TEXT, tasks=returning("say", "{{ item.parent.value }}{{ item.value }}"))
    source = flow(
        f"- id: each\n  type: {CORE}.flow.ForEach\n  values: [1, 2]\n  tasks:\n{indent(inner, '    ')}"
    )
    async with System.open() as system:
        view = await ran(system, source)
        found = [codec.decode(bytes(view.outputs[row.run.id])) for row in view.runs[1:]]
        assert [one["outputs"][0]["outputs"]["text"] for one in found] == ["1x", "2x"]


async def test_variables_that_an_iteration_sets_stay_inside() -> None:
    tasks = f"""
- id: set
  type: {CORE}.execution.SetVariables
  variables: {{v: "{{{{ item.value }}}}"}}
  overwrite: true
{returning("say", "{{ vars.v }}")}
"""
    source = flow(
        loop("[x, y]", TEXT, tasks=tasks),
        returning("after", "{{ vars.v }}"),
        head="variables: {v: 0}",
    )
    async with System.open() as system:
        view = await ran(system, source)
        assert texts(view) == ["x", "y"]
        assert outputs(view, "after") == {"value": "0"}


async def test_a_subflow_inside_of_a_loop() -> None:
    child = f"id: child\nnamespace: test\ninputs: [{{id: i, type: STRING}}]\noutputs: [{{id: o, type: STRING, value: '{{{{ inputs.i }}}}!'}}]\ntasks:\n  {returning('t', 'x')}\n"
    call = f"""
- id: call
  type: {CORE}.flow.Subflow
  namespace: test
  flowId: child
  inputs: {{i: "{{{{ item.value }}}}"}}
"""
    async with System.open() as system:
        await system.save_flow(child)
        source = flow(loop("[a, b]", putting_out("{{ outputs.call.outputs.o }}"), tasks=call))
        view = await ran(system, source)
        assert texts(view) == ["a!", "b!"]


# -- how iterations end -----------------------------------------------------------------------------------


async def test_an_iteration_that_fails_stops_the_loop() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b, c]", tasks=FAILS_AT_B), returning("next", "x")))
        assert states(view) == {"loop": S.FAILED}
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 1, "FAILED": 1}
        (message,) = await logs_of(system, view.row.execution.id)
        assert message.startswith("Iteration 1 ")


async def test_failures_may_be_kept_inside() -> None:
    async with System.open() as system:
        source = flow(loop("[a, b, c]", "transmitFailed: false", tasks=FAILS_AT_B))
        view = await ran(system, source)
        assert states(view) == {"loop": S.SUCCESS}
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 2, "FAILED": 1}


@pytest.mark.parametrize(
    ("more", "state"),
    [("allowFailure: true", S.WARNING), ("runIf: 'false'", S.SKIPPED), ("disabled: true", None)],
)
async def test_properties_that_all_tasks_have(more: str, state: State | None) -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[b]", more, tasks=FAILS_AT_B), returning("next", "x")))
        assert states(view).get("loop") is state
        assert states(view)["next"] is S.SUCCESS


async def test_tasks_inside_retry() -> None:
    tasks = f"{FAILS_AT_B}  retry: {{type: constant, interval: PT0.01S, maxAttempts: 2}}\n"
    async with System.open() as system:
        view = await ran(system, flow(loop("[b]", tasks=tasks)))
        (row,) = await iterations(system, view)
        (run,) = await system.services.store.executions.task_runs(row.execution.id)
        assert len(run.run.attempts or ()) == 2


async def test_errors_and_finally_belong_to_each_iteration() -> None:
    more = (
        f"errors:\n  {returning('oops', 'error {{ item.value }}')}",
        f"finally:\n  {returning('at_last', 'end {{ item.value }}')}",
        "transmitFailed: false",
    )
    source = flow(
        loop("[a, b]", *more, tasks=FAILS_AT_B),
        head=f"errors:\n  {returning('flow_error', 'x')}\nfinally:\n  {returning('flow_end', 'x')}",
    )
    async with System.open() as system:
        view = await ran(system, source)
        assert states(view) == {"loop": S.SUCCESS, "flow_end": S.SUCCESS}
        found = []
        for row in await iterations(system, view):
            inner = await system.view(row.execution.id)
            found.append((row.execution.state, states(inner)))
        assert found == [
            (S.SUCCESS, {"maybe": S.SKIPPED, "at_last": S.SUCCESS}),
            (S.FAILED, {"maybe": S.FAILED, "oops": S.SUCCESS, "at_last": S.SUCCESS}),
        ]


async def test_what_flows_have_for_themselves_is_not_for_iterations() -> None:
    head = f"""
concurrency: {{limit: 1}}
outputs: [{{id: all, type: STRING, value: "{{{{ outputs.loop.iterationCount }}}}"}}]
afterExecution:
  {returning("later", "x")}
"""
    listener = f"""
id: listener
namespace: test
tasks:
  {returning("t", "{{ trigger.executionId }}")}
triggers:
  - id: heard
    type: {CORE}.trigger.Flow
"""
    async with System.open() as system:
        await system.save_flow(listener)
        view = await ran(system, flow(loop("[a, b, c]", "concurrencyLimit: 0"), head=head))
        assert view.row.execution.outputs == {"all": "3"}
        assert states(view)["later"] is S.SUCCESS
        rows = (await system.services.store.executions.search(Query(size=100))).rows
        while sum(row.execution.flow.id == "listener" for row in rows) < 1:
            await asyncio.sleep(0)
            rows = (await system.services.store.executions.search(Query(size=100))).rows
        heard = [row.execution for row in rows if row.execution.flow.id == "listener"]
        assert len(heard) == 1
        for row in await iterations(system, view):
            assert row.execution.outputs is None
            assert set(states(await system.view(row.execution.id))) == {"say"}


async def test_breaking_off() -> None:
    condition = "{{ item.value == 'b' and iteration.state == 'SUCCESS' and iteration.outputs.text == '1 b' }}"
    async with System.open() as system:
        source = flow(loop("[a, b, c]", TEXT, f'breakWhen: "{condition}"'))
        view = await ran(system, source)
        assert states(view) == {"loop": S.SUCCESS}
        assert texts(view) == ["0 a", "1 b"]
        assert outputs(view)["iterationCount"] == 3


async def test_a_break_that_looks_something_up() -> None:
    condition = "{{ kv('stop', errorOnMissing=false) == item.value }}"
    tasks = f"- {{id: say, type: {CORE}.kv.Set, key: stop, value: b, kvType: STRING}}"
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b, c]", f'breakWhen: "{condition}"', tasks=tasks)))
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 2}


async def test_a_condition_that_cannot_be_evaluated_fails_the_loop() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b, c]", 'breakWhen: "{{ nothing.there }}"')))
        assert states(view) == {"loop": S.FAILED}


async def test_outputs_of_an_iteration_that_cannot_be_rendered_fail_it() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[a]", putting_out("{{ nothing }}"))))
        assert states(view) == {"loop": S.FAILED}
        (row,) = await iterations(system, view)
        assert row.execution.state is S.FAILED


# -- concurrency, pauses, kills ---------------------------------------------------------------------------

PAUSE = f"- {{id: pause, type: {CORE}.flow.Pause}}"


@pytest.mark.parametrize(("limit", "most"), [(1, 1), (2, 2), (0, 4)])
async def test_no_more_than_the_limit_run_at_once(limit: int, most: int) -> None:
    async with System.open() as system:
        source = flow(loop("[a, b, c, d]", f"concurrencyLimit: {limit}", tasks=PAUSE))
        parent = await started(system, source)
        for _ in range(4):
            waiting = await children_in(system, parent, S.PAUSED, 1)
            rows = await iterations(system, parent)
            running = [row for row in rows if not row.execution.state.is_terminal]
            assert len(running) <= most
            await system.resume(waiting[0].execution.id)
            await children_in(
                system, parent, S.SUCCESS, 1 + sum(row.execution.state is S.SUCCESS for row in rows)
            )
        view = await system.until(parent, is_over)
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 4}


async def test_a_paused_iteration_pauses_the_execution() -> None:
    tasks = f"- {{id: pause, type: {CORE}.flow.Pause, pauseDuration: PT0.05S}}"
    async with System.open() as system:
        view = await ran(system, flow(loop("[1, 2]", tasks=tasks)))
        way = [S.CREATED, S.RUNNING, S.PAUSED, S.RUNNING, S.PAUSED, S.RUNNING, S.SUCCESS]
        assert history(view) == way
        assert history(view, "loop") == way


async def test_a_kill_reaches_the_iterations() -> None:
    async with System.open() as system:
        inner = loop("[x]", tasks=PAUSE, name="inner")
        source = flow(loop("[a, b, c]", "concurrencyLimit: 2", tasks=inner))
        for cascade in (True, False):
            parent = await started(system, source)
            await system.until(parent, lambda view: view.row.execution.state is S.PAUSED)
            await children_in(system, parent, S.PAUSED, 2)
            await system.kill(parent, cascade=cascade)
            view = await system.until(parent, is_over)
            assert view.row.execution.state is S.KILLED
            assert states(view) == {"loop": S.KILLED}
            rows = await iterations(system, parent)
            assert [row.execution.state for row in rows] == [S.KILLED, S.KILLED]
            for row in rows:
                (below,) = await iterations(system, row.execution.id)
                assert below.execution.state is S.KILLED


async def test_an_iteration_that_is_killed_fails_the_loop() -> None:
    async with System.open() as system:
        parent = await started(system, flow(loop("[a, b]", tasks=PAUSE)))
        (waiting,) = await children_in(system, parent, S.PAUSED, 1)
        await system.kill(waiting.execution.id)
        view = await system.until(parent, is_over)
        assert states(view) == {"loop": S.FAILED}
        again = await system.restart(parent)
        assert again.row.execution.id == parent
        await resume_next(system, parent)
        await resume_next(system, parent)
        view = await system.until(parent, is_over)
        assert view.row.execution.state is S.SUCCESS
        assert len(await iterations(system, parent)) == 2


# -- again ------------------------------------------------------------------------------------------------

FAILS_ONCE = f"""
{returning("before", "{{ item.value }}")}
- id: work
  type: {CORE}.execution.Fail
  runIf: "{{{{ item.value == 'b' and kv('ready', errorOnMissing=false) is empty }}}}"
{returning("say", "{{ outputs.before.value }}!")}
"""
READY = f"id: ready\nnamespace: test\ntasks:\n  - {{id: s, type: {CORE}.kv.Set, key: ready, value: yes, kvType: STRING}}\n"


async def test_a_restart_runs_the_iterations_that_failed_and_goes_on() -> None:
    async with System.open() as system:
        source = flow(loop("[a, b, c]", TEXT, tasks=FAILS_ONCE))
        view = await ran(system, source)
        parent = view.row.execution.id
        assert view.row.execution.state is S.FAILED
        before = [row.execution.id for row in await iterations(system, view)]
        await ran(system, READY)
        await system.restart(parent)
        view = await system.until(parent, is_over)
        assert view.row.execution.state is S.SUCCESS
        assert texts(view) == ["a!", "b!", "c!"]
        rows = await iterations(system, view)
        assert [row.execution.id for row in rows][:2] == before
        assert len(rows) == 3
        counts = [row.execution.created_runs for row in rows]
        assert counts == [3, 3, 3]
        assert outputs(view)["terminatedIterations"] == {"SUCCESS": 3}


async def test_iterations_do_not_outlive_a_loop_that_is_declared_over() -> None:
    async with System.open() as system:
        parent = await started(system, flow(loop("[a, b]", TEXT, tasks=f"{PAUSE}\n{SAY}")))
        (waiting,) = await children_in(system, parent, S.PAUSED, 1)
        await system.mark(parent, task_id="loop", state=S.FAILED)
        view = await system.until(parent, is_over)
        assert states(view) == {"loop": S.FAILED}
        inner = await system.until(waiting.execution.id, is_over)
        assert inner.row.execution.state is S.KILLED
        await system.restart(parent)
        await resume_next(system, parent)
        await resume_next(system, parent)
        view = await system.until(parent, is_over)
        assert texts(view) == ["0 a", "1 b"]


async def test_a_restart_makes_iterations_anew_that_were_deleted() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b, c]", TEXT, tasks=FAILS_ONCE)))
        failed = (await iterations(system, view))[1].execution.id
        await executions.delete(SOMEBODY, system.services, failed)
        await ran(system, READY)
        await system.restart(view.row.execution.id)
        view = await system.until(view.row.execution.id, is_over)
        assert texts(view) == ["a!", "b!", "c!"]


async def test_an_iteration_is_not_restarted_or_replayed_by_itself() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[b]", tasks=FAILS_AT_B)))
        (row,) = await iterations(system, view)
        for order in (
            repeat.restart(SOMEBODY, system.services, row.execution.id),
            repeat.replay(SOMEBODY, system.services, row.execution.id),
            system.mark(row.execution.id, task_id="maybe", state=S.SUCCESS),
        ):
            with pytest.raises(IllegalArgumentError, match="is an iteration of the loop 'loop'"):
                await order


async def test_a_replay_has_iterations_of_its_own() -> None:
    async with System.open() as system:
        source = flow(loop("[a, b]", TEXT), returning("next", "{{ outputs.loop.iterationCount }}"))
        view = await ran(system, source)
        for task, count in ((None, 2), ("loop", 2), ("next", 0)):
            made = await system.replay(view.row.execution.id, task_id=task)
            again = await system.until(made.row.execution.id, is_over)
            assert again.row.execution.state is S.SUCCESS
            assert texts(again) == ["0 a", "1 b"]
            assert outputs(again, "next") == {"value": "2"}
            assert len(await iterations(system, again)) == count


# -- searches and deletion --------------------------------------------------------------------------------


async def test_iterations_are_not_met_in_searches() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b]")))
        services = system.services
        found = await executions.search(SOMEBODY, services, Search())
        assert [each.row.execution.id for each in found.views] == [view.row.execution.id]
        kind = Condition(field="kind", op=Op.EQUALS, values=("LOOP",))
        found = await executions.search(SOMEBODY, services, Search(conditions=(kind,)))
        assert found.total == 2
        by = Condition(field="triggerExecutionId", op=Op.EQUALS, values=(view.row.execution.id,))
        found = await executions.search(SOMEBODY, services, Search(conditions=(kind, by)))
        assert found.total == 2


async def rows_left(system: System) -> Sequence[ExecutionRow]:
    return (await system.services.store.executions.search(Query(size=1000))).rows


async def test_iterations_are_deleted_with_their_execution() -> None:
    inner = loop("[x, y]", tasks=f"- {{id: l, type: {CORE}.log.Log, message: hi}}", name="inner")
    async with System.open() as system:
        view = await ran(system, flow(loop("[a, b]", tasks=inner)))
        assert len(await rows_left(system)) == 7
        await executions.delete(SOMEBODY, system.services, view.row.execution.id, parts=Parts())
        assert not await rows_left(system)
        assert not (await system.services.store.journal.logs(Query(size=100))).rows


async def test_iterations_are_purged_with_their_execution_only() -> None:
    async with System.open() as system:
        source = flow(loop("[a, b]", tasks=f"{SAY}\n{PAUSE}"))
        parent = await started(system, source)
        await resume_next(system, parent)
        await children_in(system, parent, S.PAUSED, 1)
        services = system.services
        wanted = ExecutionPurge(end=services.clock.now())
        assert (await purge_executions(SOMEBODY, services, wanted)).executions == 0
        await resume_next(system, parent)
        await system.until(parent, is_over)
        wanted = ExecutionPurge(end=services.clock.now())
        assert (await purge_executions(SOMEBODY, services, wanted)).executions == 3
        assert not await rows_left(system)


# -- what authors write -----------------------------------------------------------------------------------

REFUSED = [
    (loop("[a]", "fetchType: ALL"), "fetchType"),
    (loop("[a]", "concurrencyLimit: -1"), "concurrencyLimit"),
    (f"- {{id: loop, type: {CORE}.flow.Loop, values: [a], tasks: []}}", "tasks"),
    (f"- {{id: loop, type: {CORE}.flow.Loop, tasks: [{SAY[2:]}]}}", "values"),
    (loop("[a]", name="say"), "say"),
    (loop("[a]", "outputs: [{id: o, type: NONSENSE, value: 1}]"), "outputs"),
]


@pytest.mark.parametrize(("task", "place"), REFUSED)
async def test_what_is_refused(task: str, place: str) -> None:
    async with System.open() as system:
        with pytest.raises(InvalidEntityError) as caught:
            await system.save_flow(flow(task))
        found = [f"{each.path} {each.message}" for each in caught.value.violations]
        assert any(place in each for each in found), found
