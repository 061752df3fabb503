"""The task Loop: what it iterates over, and what an iteration sees."""

from textwrap import indent

import pytest

from batuta.model import codec
from batuta.model.ion import read_values
from batuta.operations.rendering.evaluate import evaluate
from batuta.testing.system import SOMEBODY, System
from tests.loops.running import (
    CORE,
    SAY,
    TEXT,
    S,
    flow,
    iterations,
    logs_of,
    loop,
    outputs,
    put_file,
    putting_out,
    ran,
    returning,
    states,
    texts,
)

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


async def test_an_expression_is_tried_on_an_iteration() -> None:
    source = flow(
        returning("before", "4"), loop('["a"]', TEXT), head="inputs: [{id: i, type: STRING}]"
    )
    expression = (
        "{{ inputs.i }} {{ outputs.before.value }} {{ outputs.say.value }} {{ item.value }}"
    )
    async with System.open() as system:
        (row,) = await iterations(system, await ran(system, source, i="1"))
        found = await evaluate(SOMEBODY, system.services, row.execution.id, expression=expression)
        assert found.result == "1 4 0 a a"
