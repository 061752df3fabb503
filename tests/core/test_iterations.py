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
from batuta.operations import executions
from batuta.operations.caller import SYSTEM as CALLER
from batuta.operations.executions import ExecutionView, Search
from batuta.operations.family import children_of
from batuta.store.rows import ExecutionRow
from batuta.testing.system import System, is_over

CORE = "io.kestra.plugin.core"
SAY = f"""
- id: say
  type: {CORE}.debug.Return
  format: "{{{{ item.index }}}} {{{{ item.value }}}}"
"""
TEXT = """
outputs:
  - id: text
    type: STRING
    value: "{{ outputs.say.value }}"
"""


def loop(values: str, *more: str, tasks: str = SAY, name: str = "loop") -> str:
    inside = indent(tasks.strip(), "  ")
    lines = [f"- id: {name}", f"  type: {CORE}.flow.Loop", f"  values: {values}", "  tasks:"]
    return "\n".join([*lines, indent(inside, "  "), *(indent(part.strip(), "  ") for part in more)])


def flow(*tasks: str, head: str = "") -> str:
    body = "\n".join(indent(task.strip(), "  ") for task in tasks)
    return f"id: loops\nnamespace: test\n{head.strip()}\ntasks:\n{body}\n"


async def ran(system: System, source: str, **inputs: Any) -> ExecutionView:
    execution_id = await system.start(await system.save_flow(source), inputs=inputs)
    return await system.until(execution_id, is_over)


async def iterations(system: System, view: ExecutionView) -> Sequence[ExecutionRow]:
    return [row async for row in children_of(system.services, view.row.execution.id)]


def states(view: ExecutionView) -> dict[str, State]:
    return {row.run.task_id: row.run.state for row in view.runs}


def outputs(view: ExecutionView, task_id: str = "loop") -> Any:
    run = next(row.run for row in view.runs if row.run.task_id == task_id)
    return codec.decode(bytes(view.outputs[run.id]))


def texts(view: ExecutionView) -> list[str]:
    return [entry["outputs"]["text"] for entry in outputs(view)["outputs"]]


async def logs_of(system: System, execution_id: ExecutionId) -> list[str]:
    query = Search_logs(execution_id)
    return [row.message for row in (await system.services.store.journal.logs(query)).rows]


def Search_logs(execution_id: ExecutionId) -> Any:  # noqa: N802
    from batuta.store.query import Filter, Op, Query

    return Query(filters=[Filter("execution_id", Op.EQUALS, execution_id)], size=1000)


VALUES = [
    ('["a", 1, {"k": [true]}, "a"]', ["0 a", "1 1", '2 {"k":[true]}', "3 a"]),
    ('"{{ [1, 2] }}"', ["0 1", "1 2"]),
    ("{a: 1, b: x}", ["0 1", "1 x"]),
    ("""'{"z": "y"}'""", ["0 y"]),
]


@pytest.mark.parametrize(("values", "expected"), VALUES)
async def test_each_value_is_an_iteration(values: str, expected: list[str]) -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop(values, TEXT)))
        assert view.row.execution.state is State.SUCCESS
        assert texts(view) == expected
        told = outputs(view)
        assert told["iterationCount"] == len(expected)
        assert told["runningIterations"] == 0
        assert told["terminatedIterations"] == {"SUCCESS": len(expected)}
        assert len(view.runs) == 1
        rows = await iterations(system, view)
        assert {row.execution.kind for row in rows} == {"LOOP"}
        assert {row.execution.flow for row in rows} == {view.row.execution.flow}


async def test_prints() -> None:
    async with System.open() as system:
        view = await ran(system, flow(loop('["a"]', TEXT)))
        print(states(view), await logs_of(system, view.row.execution.id))
        for row in await iterations(system, view):
            print(row, await logs_of(system, row.execution.id))
