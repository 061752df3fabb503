"""From a flow to its plan."""

from typing import Any

import msgspec
import pytest

from batuta.engine import plan
from batuta.engine.plan import Choice, Dag, Each, EachItem, Leaf, Loop, Pause, Plan, Subflow
from batuta.flow.compile import compile_flow, nested_tasks
from batuta.model import codec
from batuta.model.ids import FlowKey, TaskId
from batuta.model.instant import SECOND
from tests.unit.flow.sources import flow, log, tasks

FLOW = "io.kestra.plugin.core.flow"


def compiled(body: str) -> Plan:
    return compile_flow(flow(body), key=FlowKey("main", "acme.data", "sample"), revision=3)


def node(found: Plan, name: str) -> Any:
    return found.nodes[TaskId(name)]


def test_sections_become_branches_of_ids() -> None:
    found = compiled(
        tasks(log("a"), log("b"))
        + f"errors:\n  {log('e')}\nfinally:\n  {log('f')}\nafterExecution:\n  {log('g')}\n"
    )
    assert (found.tasks, found.errors, found.finally_, found.after) == (
        ("a", "b"),
        ("e",),
        ("f",),
        ("g",),
    )
    assert (found.flow.id, found.revision) == ("sample", 3)


def test_a_leaf_carries_its_properties_as_plain_data() -> None:
    leaf = node(compiled(tasks(log("a", "{{ inputs.x }}"))), "a")
    assert isinstance(leaf, Leaf)
    assert leaf.spec == {
        "id": "a",
        "type": "io.kestra.plugin.core.log.Log",
        "message": "{{ inputs.x }}",
    }
    assert leaf.inline


def test_disabled_tasks_are_left_out_and_remembered() -> None:
    found = compiled(
        f"""
        tasks:
          - id: s
            type: {FLOW}.Sequential
            tasks:
              - {{id: a, type: io.kestra.plugin.core.log.Log, message: x, disabled: true}}
          - {{id: b, type: io.kestra.plugin.core.log.Log, message: x, disabled: true}}
        """
    )
    assert found.tasks == ("s",)
    assert set(found.nodes) == {"s"}
    assert node(found, "s").has_disabled
    assert node(found, "s").tasks == ()


READS = [
    ("plain text", frozenset()),
    ("{{ inputs.x }}", frozenset()),
    ("{{ outputs.one.value }} {{ outputs['two'].x }}", frozenset({"one", "two"})),
    ("{{ outputs[taskrun.value] }}", None),
    ("{{ render(vars.x) }}", None),
    ("{{ vars.from_one }}", frozenset({"one"})),
    ("{{ outputs.", None),
]


@pytest.mark.parametrize(("template", "read"), READS)
def test_the_outputs_that_a_task_reads_are_known(
    template: str, read: frozenset[str] | None
) -> None:
    body = 'variables: {from_one: "{{ outputs.one.value }}"}\n' + tasks(log("a", template))
    assert node(compiled(body), "a").outputs_read == read


def test_the_nearest_retry_applies() -> None:
    found = compiled(
        f"""
        retry: {{type: constant, interval: PT3S}}
        tasks:
          - id: s
            type: {FLOW}.Sequential
            retry: {{type: random, minInterval: PT1S, maxInterval: PT2S, maxAttempts: 4}}
            tasks:
              - id: own
                type: io.kestra.plugin.core.log.Log
                message: x
                retry: {{type: exponential, interval: PT1S, maxInterval: PT9S, behavior: CREATE_NEW_EXECUTION}}
              - {{id: inner, type: io.kestra.plugin.core.log.Log, message: x}}
          - {{id: outer, type: io.kestra.plugin.core.log.Log, message: x}}
        """
    )
    own, inner, outer = (node(found, name).retry for name in ("own", "inner", "outer"))
    assert own == plan.Retry(
        kind="exponential", interval=SECOND, max_interval=9 * SECOND, new_execution=True
    )
    assert inner == plan.Retry(
        kind="random", interval=SECOND, max_interval=2 * SECOND, max_attempts=4, own=False
    )
    assert outer == plan.Retry(kind="constant", interval=3 * SECOND, own=False)
    assert node(found, "s").retry.own


CONTROL = f"""
tasks:
  - id: if
    type: {FLOW}.If
    condition: "{{{{ x }}}}"
    then: [{{id: good, type: io.kestra.plugin.core.log.Log, message: x}}]
    else: [{{id: bad, type: io.kestra.plugin.core.log.Log, message: x}}]
  - id: switch
    type: {FLOW}.Switch
    value: v
    cases:
      1: [{{id: one, type: io.kestra.plugin.core.log.Log, message: x}}]
  - id: dag
    type: {FLOW}.Dag
    concurrent: 2
    tasks:
      - task: {{id: first, type: io.kestra.plugin.core.log.Log, message: x}}
      - task: {{id: second, type: io.kestra.plugin.core.log.Log, message: x}}
        dependsOn: [first]
  - id: each
    type: {FLOW}.ForEach
    values: [a, b]
    concurrencyLimit: 3
    tasks: [{{id: item, type: io.kestra.plugin.core.log.Log, message: x}}]
  - id: parallel
    type: {FLOW}.EachParallel
    value: "[]"
    tasks: [{{id: item2, type: io.kestra.plugin.core.log.Log, message: x}}]
  - id: loop
    type: {FLOW}.WaitFor
    condition: "{{{{ x }}}}"
    checkFrequency: {{interval: PT1S, maxIterations: 3}}
    tasks: [{{id: ask, type: io.kestra.plugin.core.log.Log, message: x}}]
  - id: pause
    type: {FLOW}.Pause
    delay: PT1S
    onPause: {{id: tell, type: io.kestra.plugin.core.log.Log, message: x}}
    onResume: [{{id: reason, type: STRING}}]
  - id: call
    type: {FLOW}.Subflow
    namespace: acme
    flowId: other
    revision: 2
    restartBehavior: NEW_EXECUTION
  - id: files
    type: {FLOW}.ForEachItem
    items: "{{{{ outputs.if.uri }}}}"
    namespace: acme
    flowId: other
    batch: {{rows: 10}}
  - id: dir
    type: {FLOW}.WorkingDirectory
    outputFiles: ["*.txt"]
    tasks: [{{id: inside, type: io.kestra.plugin.core.log.Log, message: "{{{{ outputs.if.x }}}}"}}]
"""


def test_control_tasks_become_their_nodes() -> None:
    found = compiled(CONTROL)
    choice, switch, dag, each, parallel = (
        node(found, name) for name in ("if", "switch", "dag", "each", "parallel")
    )
    assert isinstance(choice, Choice)
    assert (choice.is_condition, choice.cases) == (True, {"true": ("good",), "false": ("bad",)})
    assert (switch.cases, switch.defaults) == ({"1": ("one",)}, None)
    assert isinstance(dag, Dag)
    assert (dag.depends_on, dag.concurrent) == ({"first": (), "second": ("first",)}, 2)
    assert isinstance(each, Each)
    assert (each.values, each.concurrency, each.ordered) == (["a", "b"], 3, True)
    assert (parallel.concurrency, parallel.ordered) == (0, False)


def test_waiting_and_calling_tasks_become_their_nodes() -> None:
    found = compiled(CONTROL)
    loop, pause, call, files, folder = (
        node(found, name) for name in ("loop", "pause", "call", "files", "dir")
    )
    assert isinstance(loop, Loop)
    assert (loop.interval, loop.max_iterations, loop.type) == ("PT1S", 3, f"{FLOW}.WaitFor")
    assert isinstance(pause, Pause)
    assert (pause.duration, pause.on_pause) == ("PT1S", "tell")
    assert pause.on_resume[0]["id"] == "reason"
    assert isinstance(call, Subflow)
    assert (call.revision, call.restart_failed, call.wait) == (2, False, True)
    assert isinstance(files, EachItem)
    assert (files.split, files.call.id, files.merge) == (
        "files_split",
        "files_items",
        "files_merge",
    )
    assert node(found, "files_split").outputs_read == frozenset({"if"})
    assert (folder.tasks, folder.outputs_read) == (("inside",), frozenset({"if"}))
    assert folder.spec["outputFiles"] == ["*.txt"]


def test_parents_are_known_and_a_task_of_on_pause_has_none() -> None:
    parents = compiled(CONTROL).parents
    assert parents[TaskId("good")] == "if"
    assert parents[TaskId("files_items")] == "files"
    assert parents[TaskId("inside")] == "dir"
    assert "tell" not in parents


def test_a_type_that_does_not_run_here_is_a_leaf_that_fails_when_it_runs() -> None:
    leaf = node(
        compiled("tasks: [{id: q, type: io.kestra.plugin.gcp.bigquery.Query, sql: 'select 1'}]"),
        "q",
    )
    assert leaf.type == "io.kestra.plugin.gcp.bigquery.Query"
    assert leaf.spec["sql"] == "select 1"


def test_flow_wide_declarations_are_kept() -> None:
    found = compiled(
        """
        concurrency: {limit: 2, behavior: FAIL}
        outputs: [{id: o, type: INT, value: "{{ 1 }}", required: false}]
        sla:
          - {id: s, type: MAX_DURATION, duration: PT1M, behavior: CANCEL, labels: {late: yes}}
          - {id: a, type: EXECUTION_ASSERTION, assert: "{{ true }}", behavior: FAIL}
        """
        f"\n        tasks: [{log()[2:]}]\n"
    )
    assert found.concurrency == plan.Concurrency(2, "FAIL")
    assert found.outputs[0].type == "INT"
    assert not found.outputs[0].required
    assert (found.sla[0].duration, found.sla[0].labels[0].value) == (60 * SECOND, "true")
    assert found.sla[1].assertion == "{{ true }}"


def test_listeners_run_before_the_tasks_of_after_execution() -> None:
    body = f"listeners: [{{tasks: [{log('heard')[2:]}]}}]\nafterExecution: [{log('end')[2:]}]\n"
    assert compiled(body + tasks(log())).after == ("heard", "end")


def test_a_plan_survives_json() -> None:
    found = compiled(CONTROL)
    assert codec.decode_as(Plan, codec.encode(found)) == found


def test_nested_tasks_are_listed_depth_first() -> None:
    names = [task.id for task in nested_tasks(flow(CONTROL).tasks)]
    assert names[:4] == ["if", "good", "bad", "switch"]
    assert {"tell", "second", "inside"} <= set(names)


def test_a_plan_is_frozen() -> None:
    with pytest.raises(AttributeError):
        compiled(tasks(log())).revision = 4  # type: ignore[misc]
    assert issubclass(Plan, msgspec.Struct)


def test_a_loop_becomes_iterations_with_outputs_of_their_own() -> None:
    body = tasks(
        f"- id: loop\n  type: {FLOW}.Loop\n  values: '{{{{ x }}}}'\n  concurrencyLimit: 3\n"
        "  transmitFailed: false\n  fetchType: STORE\n  breakWhen: '{{ y }}'\n"
        "  outputs: [{id: o, type: INT, value: '{{ z }}', required: false}]\n"
        f"  tasks:\n    {log('inside')}\n  finally:\n    {log('last')}"
    )
    found = node(compiled(body), "loop")
    assert found == plan.Iterations(
        id=TaskId("loop"),
        type=f"{FLOW}.Loop",
        values="{{ x }}",
        tasks=(TaskId("inside"),),
        finally_=(TaskId("last"),),
        concurrency=3,
        transmit_failed=False,
        outputs=(plan.FlowOutput(id="o", type="INT", value="{{ z }}", required=False),),
        fetch="STORE",
        break_when="{{ y }}",
    )
