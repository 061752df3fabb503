"""Whole flows of control tasks on a small installation, as authors write them (01 §6)."""

from typing import Any

import pytest

from batuta.testing.conformance.record import record_of
from batuta.testing.system import System, is_over

CORE = "io.kestra.plugin.core"
SHORT = {
    "Return": f"{CORE}.debug.Return",
    "Fail": f"{CORE}.execution.Fail",
    **{
        name: f"{CORE}.flow.{name}"
        for name in ("ForEach", "If", "LoopUntil", "Parallel", "Pause", "Sequential", "Subflow")
    },
}


def source(tasks: str, *, flow_id: str = "flow", head: str = "") -> str:
    """A flow in which `type: ~Return` stands for the full name of a type."""
    for name, full in SHORT.items():
        tasks = tasks.replace(f"~{name},", f"{full},").replace(f"~{name}\n", f"{full}\n")
    return f"id: {flow_id}\nnamespace: acme\n{head}tasks:\n{tasks}"


async def run(*sources: str) -> dict[str, Any]:
    """What the execution of the first flow did."""
    async with System.open() as system:
        keys = [await system.save_flow(each) for each in sources]
        execution_id = await system.start(keys[0])
        view = await system.until(execution_id, is_over, seconds=20)
        return await record_of(system.services, view)


def values(record: dict[str, Any]) -> dict[str, Any]:
    """The outputs `value` by the path of their task runs."""
    pairs = zip(record["order"], record["taskRuns"], strict=True)
    return {
        path: found["outputs"]["value"]
        for path, found in pairs
        if "value" in found.get("outputs", {})
    }


OUTPUTS: list[tuple[str, str, dict[str, str]]] = [
    (
        "a pass of a loop does not see what was inside an earlier one",
        """
- id: l
  type: ~LoopUntil
  condition: "{{ outputs.l.iterationCount >= 2 }}"
  checkFrequency: {interval: PT0.01S}
  tasks:
    - id: choice
      type: ~If
      condition: "{{ outputs.l.iterationCount == 1 }}"
      then:
        - {id: first, type: ~Return, format: x}
      else:
        - {id: second, type: ~Return, format: "{{ outputs.first ?? 'gone' }}"}
- {id: after, type: ~Return, format: "{{ outputs.first ?? 'gone' }} {{ tasks.first ?? 'gone' }}"}
""",
        {"l[#1]/choice[#1]/second": "gone", "after": "gone gone"},
    ),
]


@pytest.mark.parametrize(("_name", "tasks", "expected"), OUTPUTS, ids=[row[0] for row in OUTPUTS])
async def test_outputs_are_found_where_they_stand(
    _name: str, tasks: str, expected: dict[str, str]
) -> None:
    record = await run(source(tasks))
    assert record["state"] == "SUCCESS"
    assert values(record) == expected
