"""Whole flows of control tasks on a small installation, as authors write them (01 §6)."""

from base64 import b64encode
from typing import Any

import pytest

from batuta.server.executor import residents
from batuta.testing.conformance.record import record_of
from batuta.testing.system import Surroundings, System, is_over

CORE = "io.kestra.plugin.core"
SHORT = {
    "Return": f"{CORE}.debug.Return",
    "Fail": f"{CORE}.execution.Fail",
    "Write": f"{CORE}.storage.Write",
    **{
        name: f"{CORE}.flow.{name}"
        for name in (
            "ForEach",
            "ForEachItem",
            "If",
            "LoopUntil",
            "Parallel",
            "Pause",
            "Sequential",
            "Subflow",
        )
    },
}


@pytest.fixture(autouse=True, params=["remembers", "forgets"])
def memory(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An executor that forgets executions whenever it can reads everything back from their rows."""
    if request.param == "forgets":
        monkeypatch.setattr(residents, "MAX_RESIDENTS", 0)
        monkeypatch.setattr(residents.Residents, "note_created", lambda *_: None)


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
    (
        "the states of all tasks are a map",
        """
- {id: one, type: ~Return, format: x}
- {id: two, type: ~Return, format: "{{ tasks | keys }} {{ tasks.one | toJson }}"}
""",
        {"one": "x", "two": '["one","two"] {"state":"SUCCESS"}'},
    ),
]


@pytest.mark.parametrize(("_name", "tasks", "expected"), OUTPUTS, ids=[row[0] for row in OUTPUTS])
async def test_outputs_are_found_where_they_stand(
    _name: str, tasks: str, expected: dict[str, str]
) -> None:
    record = await run(source(tasks))
    assert record["state"] == "SUCCESS"
    assert values(record) == expected


CHILD = """
id: child
namespace: acme
inputs:
  - {id: number, type: INT, defaults: 0}
tasks:
  - {id: t, type: io.kestra.plugin.core.debug.Return, format: "{{ inputs.number }}{{ labels.n ?? '' }}"}
outputs:
  - {id: given, type: STRING, value: "{{ outputs.t.value }}"}
  - {id: never, type: STRING, required: false, value: "{{ nowhere }}"}
"""

CALLS: list[tuple[str, str, dict[str, str]]] = [
    (
        "an optional output of the child that cannot be rendered is left out",
        """
- {id: call, type: ~Subflow, namespace: acme, flowId: child}
- {id: after, type: ~Return, format: "{{ outputs.call.outputs | toJson }}"}
""",
        {"after": '{"given":"0"}'},
    ),
    (
        "each batch knows its number, in inputs and labels",
        r"""
- {id: lines, type: ~Write, content: "a\nb\n"}
- id: each
  type: ~ForEachItem
  items: "{{ outputs.lines.uri }}"
  namespace: acme
  flowId: child
  inputs: {number: "{{ taskrun.iteration }}"}
  labels: {n: "n{{ taskrun.iteration }}"}
- {id: after, type: ~Return, format: "{{ read(outputs.each_merge.subflowOutputs) }}"}
""",
        {"after": '{given:"0n0"}\n{given:"1n1"}\n'},
    ),
]


@pytest.mark.parametrize(("_name", "tasks", "expected"), CALLS, ids=[row[0] for row in CALLS])
async def test_executions_of_other_flows(_name: str, tasks: str, expected: dict[str, str]) -> None:
    record = await run(source(tasks), CHILD)
    assert record["state"] == "SUCCESS", record["logs"]
    assert values(record) == expected


LOOKING_UP = f"""
- {{id: keep, type: {CORE}.kv.Set, key: k, value: v}}
- id: call
  type: ~Subflow
  namespace: acme
  flowId: plain
  outputs: {{x: "{{{{ kv('k') }}}}{{{{ outputs.t.value }}}}"}}
- {{id: after, type: ~Return, format: "{{{{ outputs.call.outputs.x ?? 'none' }}}}"}}
"""
PLAIN = f"id: plain\nnamespace: acme\ntasks: [{{id: t, type: {CORE}.debug.Return, format: x}}]\n"


async def test_outputs_of_a_call_may_look_something_up() -> None:
    assert values(await run(source(LOOKING_UP), PLAIN)) == {"after": "vx"}


@pytest.mark.parametrize("values_of", [{"outputs.enabled": False}, {"outputs": {"enabled": False}}])
async def test_a_server_may_forbid_outputs_of_a_call(values_of: dict[str, Any]) -> None:
    configuration = {"type": f"{CORE}.flow.Subflow", "values": values_of}
    async with System.open(Surroundings(plugin_configurations=(configuration,))) as system:
        keys = [await system.save_flow(each) for each in (source(LOOKING_UP), PLAIN)]
        view = await system.until(await system.start(keys[0]), is_over)
        record = await record_of(system.services, view)
    assert values(record) == {"after": "none"}


async def test_no_task_sets_system_labels_of_a_child() -> None:
    tasks = """
- id: call
  type: ~Subflow
  namespace: acme
  flowId: child
  labels: {"{{ 'system.' ~ 'correlationId' }}": forged}
"""
    record = await run(source(tasks), CHILD)
    assert record["state"] == "FAILED"
    refusal = "System labels can only be set by Kestra itself"
    assert [log["message"] for log in record["logs"]] == [
        f"{refusal}, offending label: system.correlationId=forged"
    ]


async def test_what_is_around_a_task_is_known_after_a_restart() -> None:
    tasks = """
- id: each
  type: ~ForEach
  values: [a, b]
  tasks:
    - id: choice
      type: ~If
      condition: "{{ taskrun.value == 'b' }}"
      then:
        - {id: once, type: ~Fail, condition: "{{ taskrun.attemptsCount == 0 }}"}
        - id: told
          type: ~Return
          format: "{{ parent.outputs.evaluationResult }} {{ parent.taskrun.value }} {{ outputs.choice | keys }}"
"""
    async with System.open() as system:
        execution_id = await system.start(await system.save_flow(source(tasks)))
        assert (await system.until(execution_id, is_over)).row.execution.state == "FAILED"
        await system.restart(execution_id)
        view = await system.until(execution_id, is_over)
        record = await record_of(system.services, view)
    assert record["state"] == "SUCCESS", record["logs"]
    assert values(record) == {"each/choice[b]/told": 'true b ["a","b"]'}


INSIDE = """
    - id: {name}
      type: {core}.flow.{kind}
      {fields}
"""
LEAVES = "[{id: NAME_1, type: RETURN}, {id: NAME_2, type: RETURN}]".replace(
    "RETURN", SHORT["Return"]
)
KINDS = {
    "Sequential": "tasks: LEAVES",
    "Parallel": "concurrent: 1\n      tasks: LEAVES",
    "Dag": "tasks: [{task: {id: NAME_2, type: RETURN}, dependsOn: [NAME_1]}, {task: {id: NAME_1, type: RETURN}}]",
    "If": "condition: 'true'\n      then: LEAVES",
    "Switch": "value: x\n      cases: {x: LEAVES}",
    "ForEach": "values: [p, q]\n      concurrencyLimit: 2\n      tasks: LEAVES",
    "EachSequential": "value: [p, q]\n      tasks: LEAVES",
    "EachParallel": "value: [p, q]\n      tasks: LEAVES",
    "LoopUntil": "condition: 'true'\n      tasks: LEAVES",
    "AllowFailure": "tasks: LEAVES",
    "Pause": "pauseDuration: PT0.01S\n      tasks: LEAVES",
    "WorkingDirectory": "tasks: LEAVES",
}
TWICE = {"ForEach", "EachSequential", "EachParallel"}
"""Their tasks run once for each of two values."""


def all_kinds() -> tuple[str, int]:
    """A list of every control task with two tasks inside, and how many task runs it makes."""
    parts, runs = [], 0
    for kind, fields in KINDS.items():
        written = fields.replace("LEAVES", LEAVES).replace("RETURN", SHORT["Return"])
        named = written.replace("NAME", kind)
        parts.append(INSIDE.format(name=kind, core=CORE, kind=kind, fields=named))
        runs += 1 + 2 * (2 if kind in TWICE else 1)
    return "".join(parts), runs


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"Dag", "Switch", "WorkingDirectory"}))
async def test_every_control_task_inside_each_other(kind: str) -> None:
    inside, runs = all_kinds()
    fields = KINDS[kind].replace("LEAVES", "").replace("\n      ", "\n  ")
    record = await run(source(f"- id: around\n  type: {CORE}.flow.{kind}\n  {fields}{inside}"))
    assert record["state"] == "SUCCESS", record["logs"]
    assert {one["state"] for one in record["taskRuns"]} == {"SUCCESS"}
    assert len(record["taskRuns"]) == 1 + runs * (2 if kind in TWICE else 1)


async def test_a_secret_given_to_a_pause_is_kept_encrypted_and_read_in_the_clear() -> None:
    tasks = f"""
- {{id: ask, type: ~Pause, onResume: [{{id: word, type: SECRET}}, {{id: a.b, type: SECRET, required: false}}]}}
- {{id: say, type: {CORE}.log.Log, message: "{{{{ outputs.ask.onResume.word }}}}"}}
- {{id: after, type: ~Return, format: "{{{{ outputs.ask.onResume.word | length }}}}"}}
"""
    key = b64encode(bytes(range(32))).decode()
    async with System.open(Surroundings(encryption_key=key)) as system:
        execution_id = await system.start(await system.save_flow(source(tasks)))
        await system.until(execution_id, lambda view: view.row.execution.state == "PAUSED")
        await system.resume(execution_id, inputs={"word": "hush"})
        record = await record_of(system.services, await system.until(execution_id, is_over))
    assert values(record) == {"after": "4"}
    said = [log["message"] for log in record["logs"] if log["taskId"] == "say"]
    assert said == ["******"]
    kept = record["taskRuns"][0]["outputs"]["onResume"]["word"]
    assert kept["type"].endswith("aes_encrypted")
    assert kept["value"] != "hush"


CHILDREN_OF_A_FOLDER: list[tuple[str, list[str]]] = [
    ("timeout: '{{ nowhere }}'", ["w FAILED", "w/a FAILED"]),
    ("runIf: '{{ nowhere }}'", ["w FAILED"]),
    ("runIf: ' '", ["w SUCCESS", "w/a SKIPPED", "w/b SUCCESS"]),
    ("runIf: ' false '", ["w SUCCESS", "w/a SUCCESS", "w/b SUCCESS"]),
]


@pytest.mark.parametrize(("field", "states"), CHILDREN_OF_A_FOLDER)
async def test_properties_of_the_children_of_a_working_directory(
    field: str, states: list[str]
) -> None:
    tasks = f"""
- id: w
  type: {CORE}.flow.WorkingDirectory
  tasks:
    - {{id: a, type: ~Return, {field}}}
    - {{id: b, type: ~Return, format: b}}
"""
    record = await run(source(tasks))
    pairs = zip(record["order"], record["taskRuns"], strict=True)
    assert [f"{path} {found['state']}" for path, found in pairs] == states
