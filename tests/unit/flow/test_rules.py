"""Rules of whole flows: one wrong flow for each, with the place of the fault."""

import pytest

from batuta.flow.rules import Offers
from tests.unit.flow.sources import log, read, tasks

FLOW = "io.kestra.plugin.core.flow"
LOG = log()[2:]

WRONG = [
    ("labels: {system.owner: me}", "system-label", "labels.system.owner"),
    ("labels: [{key: a}]", "constraint", "labels[0].value"),
    ("labels: [hello]", "value", "labels[0]"),
    ("labels: hello", "value", "labels"),
    ("labels: {a: {b: c}}", "value", "labels.a"),
    ("inputs: [{id: a, type: STRING}, {id: a, type: INT}]", "duplicate-id", "inputs[1].id"),
    ("inputs: [{id: a, type: STRING, validator: '['}]", "pattern", "inputs[0].validator"),
    ("inputs: [{id: a, type: INT, min: x}]", "value", "inputs[0].min"),
    ("inputs: [{id: a, type: INT, values: [x]}]", "unknown-property", "inputs[0].values"),
    ("inputs: [{id: a, type: STRING, defaults: x, prefill: y}]", "prefill", "inputs[0].prefill"),
    ("inputs: [{id: a, type: ARRAY, itemType: ARRAY}]", "item-type", "inputs[0].itemType"),
    ("inputs: [{id: a, type: FILE, defaults: x}]", "file-default", "inputs[0].defaults"),
    (
        "inputs: [{id: a, type: STRING, dependsOn: {inputs: [b]}}]",
        "depends-on",
        "inputs[0].dependsOn.inputs[0]",
    ),
    ("outputs: [{id: o, value: x}]", "required", "outputs[0].type"),
    ("retry: {type: constant, interval: PT5S, maxDuration: PT5S}", "retry", "retry.interval"),
    ("retry: {type: linear}", "unknown-type", "retry.type"),
    ("retry: 3", "unknown-type", "retry"),
    ("sla: [{id: s, type: MAX_DURATION, behavior: FAIL}]", "required", "sla[0].duration"),
    ("concurrency: {limit: 0}", "constraint", "concurrency.limit"),
    ("variables: [a]", "value", "variables"),
    ("revision: '2'", "value", "revision"),
    (
        "triggers: [{id: t, type: io.kestra.plugin.core.log.Log}]",
        "unknown-type",
        "triggers[0].type",
    ),
    ("triggers: [{type: 3}]", "unknown-type", "triggers[0].type"),
    (
        "pluginDefaults: [{type: io.kestra.plugin.core.log.Log, values: {nope: 1}}]",
        "plugin-default",
        "pluginDefaults[0].values.nope",
    ),
    (
        "pluginDefaults: [{type: x, values: {a: null}}]",
        "plugin-default",
        "pluginDefaults[0].values.a",
    ),
    ("pluginDefaults: [{type: x}]", "required", "pluginDefaults[0].values"),
    (f"errors: [{{id: s, type: {FLOW}.Switch, value: x}}]", "no-tasks", "errors[0]"),
    (
        f"errors: [{{id: d, type: {FLOW}.Dag, tasks: [{{task: {LOG}, dependsOn: [zz]}}]}}]",
        "depends-on",
        "errors[0].tasks[0].dependsOn[0]",
    ),
    (
        f"errors: [{{id: d, type: {FLOW}.Dag, tasks: [{{task: {log('x')[2:]}, dependsOn: [x]}}]}}]",
        "cycle",
        "errors[0].tasks[0].dependsOn",
    ),
    (
        (
            f"errors: [{{id: w, type: {FLOW}.WorkingDirectory, tasks: [{{id: s, type: {FLOW}.Sequential, "
            f"tasks: [{log('x')[2:]}]}}]}}]"
        ),
        "working-directory",
        "errors[0].tasks[0]",
    ),
    (
        (
            f"errors: [{{id: w, type: {FLOW}.WorkingDirectory, tasks: [{{id: e, "
            "type: io.kestra.plugin.core.execution.Labels, labels: {a: b}}]}]"
        ),
        "working-directory",
        "errors[0].tasks[0]",
    ),
    (
        f"errors: [{{id: t, type: {FLOW}.Template, namespace: a, templateId: b}}]",
        "template",
        "errors[0].type",
    ),
    (
        "errors: [{id: e, type: io.kestra.plugin.core.execution.Exit, state: DONE}]",
        "value",
        "errors[0].state",
    ),
    (
        f"errors: [{{id: s, type: {FLOW}.Subflow, namespace: acme.data, flowId: sample}}]",
        "recursion",
        "errors[0].flowId",
    ),
    (
        f"inputs: [{{id: a-b, type: STRING}}]\nerrors: [{log('x', '{{ inputs.a-b }}')[2:]}]",
        "dash",
        "errors[0].message",
    ),
    (
        "errors: [{id: h, type: io.kestra.plugin.core.http.Request, uri: x, options: {auth: {type: NO}}}]",
        "unknown-type",
        "errors[0].options.auth.type",
    ),
    (
        (
            "errors: [{id: g, type: io.kestra.plugin.ai.completion.ChatCompletion, messages: [], "
            "provider: {type: io.kestra.plugin.core.log.Log}}]"
        ),
        "unknown-type",
        "errors[0].provider.type",
    ),
]


@pytest.mark.parametrize(
    ("body", "code", "path"), WRONG, ids=[f"{each[1]} {each[2]}" for each in WRONG]
)
def test_a_wrong_flow_is_refused_at_its_fault(body: str, code: str, path: str) -> None:
    errors = [(problem.code, problem.path) for problem in read(f"{body}\n{tasks(log())}").errors]
    assert (code, path) in errors


WARNED = [
    ("inputs: [{id: a, type: INT, defaults: x}]", "default"),
    ("inputs: [{id: a, type: BOOL, defaults: maybe}]", "default"),
    ("inputs: [{id: a, type: STRING, required: false, defaults: x}]", "required-default"),
    ("inputs: [{id: a, type: SELECT, values: [a], expression: '{{ x }}'}]", "choices"),
    (
        "listeners: [{conditions: [{type: io.kestra.plugin.core.condition.Weekend}], tasks: [%s]}]",
        "ignored",
    ),
    ("triggers: [{id: t, type: io.kestra.plugin.core.trigger.Flow}]", "every-execution"),
    (f"errors: [{{id: s, type: {FLOW}.Sequential, timeout: PT1S, tasks: [%s]}}]", "only-runnable"),
]


@pytest.mark.parametrize(("body", "code"), WARNED, ids=[each[1] for each in WARNED])
def test_a_doubtful_flow_is_accepted_with_a_warning(body: str, code: str) -> None:
    reading = read(body.replace("%s", log("inner")[2:]) + "\n" + tasks(log()))
    assert reading.errors == ()
    assert code in [problem.code for problem in reading.warnings]


RIGHT = [
    "labels: {system.readOnly: 'true'}",
    "inputs: [{id: a, type: FILE, defaults: 'nsfile:///a.txt'}]",
    "triggers: [{id: hello, type: io.kestra.plugin.core.trigger.Webhook, key: k, minLogLevel: WARN}]",
    f"errors: [{{id: p, type: {FLOW}.Pause, timeout: PT1S}}]",
    f"inputs: [{{id: a-b, type: STRING}}]\nerrors: [{log('x', '{{ inputs[`a-b`] }} inputs.a-b')[2:]}]",
    "errors: [{id: e, type: io.kestra.plugin.core.execution.Exit, state: CANCELLED}]",
]


@pytest.mark.parametrize("body", RIGHT)
def test_an_unusual_flow_is_accepted_silently(body: str) -> None:
    reading = read(f"{body}\n{tasks(log())}")
    assert reading.problems == ()


GROUPED = f"""
workerGroup: {{key: gpu}}
tasks:
  - {{{LOG[1:-1]}, workerGroup: {{key: cpu}}}}
  - id: w
    type: {FLOW}.WorkingDirectory
    workerGroup: {{key: gpo, fallback: FAIL}}
    tasks: [{log("inner")[2:]}]
  - {{{log("dynamic")[3:-1]}, workerGroup: {{key: "{{{{ inputs.x }}}}"}}}}
"""


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ({"gpu", "cpu"}, ["tasks[1].workerGroup.key"]),
        (set(), ["workerGroup.key", "tasks[0].workerGroup.key", "tasks[1].workerGroup.key"]),
    ],
)
def test_a_worker_group_that_nobody_serves_is_told(groups: set[str], told: list[str]) -> None:
    reading = read(GROUPED, offers=Offers(groups=frozenset(groups)))
    assert [problem.path for problem in reading.warnings] == told
    assert {problem.code for problem in reading.warnings} == {"worker-group"}


def test_the_worker_group_of_a_trigger_is_told_to_be_ignored() -> None:
    trigger = "{id: t, type: io.kestra.plugin.core.trigger.Schedule, cron: '@daily', workerGroup: {key: gpu}}"
    reading = read(f"{tasks(log())}triggers: [{trigger}]", offers=Offers(groups=frozenset({"gpu"})))
    assert [problem.path for problem in reading.warnings] == ["triggers[0].workerGroup"]
