"""Flows run as tests: in memory, with the roles of a server."""

import asyncio

import pytest
from typing_extensions import override

from batuta.model.state import State
from batuta.operations.errors import IllegalStateError, InvalidEntityError
from batuta.sdk import Output, Property, RunContext, Task
from batuta.testing import FlowTimeoutError, run_flow
from batuta.testing.system import System, is_over

HELLO = """\
id: hello
namespace: unit
inputs: [{id: name, type: STRING, defaults: World}]
outputs: [{id: text, type: STRING, value: "{{ outputs.greet.value }}"}]
tasks:
  - {id: greet, type: io.kestra.plugin.core.debug.Return, format: "Hello, {{ inputs.name }}!"}
  - {id: say, type: io.kestra.plugin.core.log.Log, message: "{{ outputs.greet.value }}"}
"""
PAUSE = """\
id: asks
namespace: unit
tasks:
  - id: wait
    type: io.kestra.plugin.core.flow.Pause
    onResume: [{id: count, type: INT}]
  - {id: say, type: io.kestra.plugin.core.debug.Return, format: "{{ outputs.wait.onResume.count + 1 }}"}
"""


class DoubleOutput(Output, frozen=True, kw_only=True):
    number: int


class Double(Task, type="unit.Double"):
    """Twice a number, for tests of the test kit."""

    number: Property[int]

    @override
    async def run(self, ctx: RunContext) -> DoubleOutput:
        ctx.log.info("doubling")
        return DoubleOutput(number=2 * self.number)


def test_a_flow_runs_and_says_what_happened() -> None:
    done = run_flow(HELLO, inputs={"name": "Ada"})
    assert done.state is State.SUCCESS
    assert done.task_states == {"greet": State.SUCCESS, "say": State.SUCCESS}
    assert done.outputs == {"greet": {"value": "Hello, Ada!"}}
    assert done.flow_outputs == {"text": "Hello, Ada!"}
    assert done.messages == ["Hello, Ada!"]


def test_a_task_type_of_the_test_itself_runs() -> None:
    source = "id: own\nnamespace: unit\ntasks: [{id: twice, type: unit.Double, number: '{{ 20 + 1 }}'}]\n"
    done = run_flow(source, plugins=[Double])
    assert done.outputs == {"twice": {"number": 42}}
    assert done.messages == ["doubling"]


def test_a_wrong_flow_is_refused() -> None:
    with pytest.raises(InvalidEntityError, match="tasks"):
        run_flow("id: wrong\nnamespace: unit\n")


def test_a_flow_that_does_not_end_is_named() -> None:
    with pytest.raises(FlowTimeoutError, match="PAUSED after"):
        run_flow(PAUSE, seconds=0.5)


def test_a_pause_ends_with_the_values_that_it_asks_for() -> None:
    async def run() -> str:
        async with System.open() as system:
            execution = await system.start(await system.save_flow(PAUSE))
            await system.until(execution, lambda view: view.row.execution.state is State.PAUSED)
            with pytest.raises(InvalidEntityError, match="count"):
                await system.resume(execution, inputs={"count": "many"})
            await system.resume(execution, inputs={"count": "41"})
            view = await system.until(execution, is_over)
            with pytest.raises(IllegalStateError, match="not paused"):
                await system.resume(execution)
            return bytes(view.outputs[view.runs[-1].run.id]).decode()

    assert asyncio.run(run()) == '{"value":"42"}'
