"""Tasks that look at or change the running execution, output values, templated tasks (05 §1, §8, §13, §15, §19, §21)."""

from collections.abc import Mapping
from functools import lru_cache

import pytest

from tests.plugins.flows import Case, Done, run_all, seen, wanted

pytestmark = [pytest.mark.timeout(200), pytest.mark.slow]

CREATED = [
    f'Created new execution [[link execution="<id>" flowId="{flow}" namespace="company.other"]]'
    for flow in ("o", "bad")
]

PROPERTIES: dict[str, Case] = {
    "numbers_and_booleans_may_be_text_or_expressions": Case(
        """
  - {id: a, type: kv.Set, key: k, value: x, overwrite: "{{ 1 == 1 }}", ttl: "90"}
  - {id: b, type: kv.Get, key: k, errorOnMissing: "false"}
  - {id: w, type: storage.Write, content: "1\\n2\\n3\\n"}
  - {id: s, type: storage.Split, from: "{{ outputs.w.uri }}", rows: "{{ vars.n }}"}
  - {id: t, type: storage.Split, from: "{{ outputs.w.uri }}", rows: "2"}""",
        {"b": {"value": "x"}, "s": {"uris": ["<uri>"] * 3}, "t": {"uris": ["<uri>"] * 2}},
        head="variables: {n: 1}",
    ),
    "a_list_may_be_one_expression": Case(
        """
  - {id: a, type: log.Log, message: x}
  - {id: f, type: log.Fetch, tasksId: "{{ vars.ids }}"}
  - {id: g, type: log.Fetch, tasksId: '["a", "{{ vars.ids[0] }}"]'}""",
        {"f": {"uri": "<uri>", "size": 1}, "g": {"uri": "<uri>", "size": 1}},
        ["x"],
        head="variables: {ids: [a]}",
    ),
    "a_bare_text_is_no_list": Case(
        "  - {id: f, type: log.Fetch, tasksId: a}",
        says=[
            "tasksId: expected a JSON list, got `a`: JSON is malformed: invalid character (byte 0)"
        ],
        state="FAILED",
    ),
    "a_number_that_is_none_is_named": Case(
        """
  - {id: w, type: storage.Write, content: x}
  - {id: s, type: storage.Split, from: "{{ outputs.w.uri }}", rows: "{{ 'many' }}"}""",
        says=[
            "rows: Input should be a valid integer, unable to parse string as an integer, got `many`"
        ],
        state="FAILED",
    ),
    "an_undefined_variable_fails_before_the_task": Case(
        "  - {id: s, type: kv.Set, key: k, value: '{{ nothing }}'}",
        says=[
            "Unable to find `nothing` used in the expression `{{ nothing }}` at line 1",
        ],
        state="FAILED",
    ),
}

TASKS: dict[str, Case] = {
    "return_gives_text": Case(
        """
  - {id: a, type: debug.Return, format: "{{ 1 + 1 }}"}
  - {id: b, type: debug.Return}
  - {id: c, type: debug.Return, format: {a: "{{ flow.id }}"}}
  - {id: d, type: io.kestra.core.tasks.debugs.Return, format: 5}""",
        {"a": {"value": "2"}, "b": None, "c": {"value": '{"a":"f"}'}, "d": {"value": "5"}},
    ),
    "output_values_keep_their_yaml_types": Case(
        """
  - id: o
    type: output.OutputValues
    values:
      text: "{{ 1 + 1 }}"
      int: 3
      float: 1.5
      flag: true
      list: [1, "{{ flow.id }}", {a: "{{ 2 }}"}]
      map: {"{{ flow.id }}": "{{ flow.id }}", n: 1}
  - {id: p, type: output.OutputValues, values: "{{ {'a': 1, 'b': [1, 2]} }}"}
  - {id: q, type: output.OutputValues}
  - {id: r, type: debug.Return, format: "{{ outputs.o.values.list[2].a }} {{ outputs.o.values.map.f }} {{ outputs.p.values.b[1] }}"}""",
        {
            "o": {
                "values": {
                    "text": "2",
                    "int": 3,
                    "float": 1.5,
                    "flag": True,
                    "list": [1, "f", {"a": "2"}],
                    "map": {"f": "f", "n": 1},
                }
            },
            "p": {"values": {"a": 1, "b": [1, 2]}},
            "q": {"values": {}},
            "r": {"value": "2 f 2"},
        },
    ),
    "assert_names_what_fails": Case(
        """
  - {id: ok, type: execution.Assert, conditions: ["{{ true }}", "{{ 'no' }}", "1"]}
  - {id: bad, type: execution.Assert, conditions: ["{{ 0 }}", "false", "{{ '' }}", " ", "{{ nothing }}"], errorMessage: "in {{ flow.id }}"}""",
        says=[
            "Assertion `{{ 0 }}` failed!",
            "Assertion `false` failed!",
            "Assertion `{{ '' }}` failed!",
            "Assertion ` ` failed!",
            "Assertion `{{ nothing }}` failed, failed to render `Unable to find `nothing` used in the expression `{{ nothing }}` at line 1`",
            "5 assertions failed!\nin f",
        ],
        state="FAILED",
    ),
    "one_failed_assertion": Case(
        "  - {id: bad, type: execution.Assert, conditions: ['{{ 1 == 2 }}']}",
        says=["Assertion `{{ 1 == 2 }}` failed!", "1 assertion failed!"],
        state="FAILED",
    ),
    "conditions_may_be_one_expression": Case(
        """
  - {id: ok, type: execution.Assert, conditions: "{{ [true, 'yes', 1] }}"}
  - {id: bad, type: execution.Assert, conditions: "{{ [true, false] }}"}""",
        says=["Assertion `false` failed!", "1 assertion failed!"],
        state="FAILED",
    ),
    "conditions_are_a_list": Case(
        "  - {id: bad, type: execution.Assert, conditions: '{{ true }}'}",
        says=["conditions: expected a list"],
        state="FAILED",
    ),
    "fail_on_a_condition": Case(
        """
  - {id: a, type: execution.Fail, condition: "{{ ' false ' }}"}
  - {id: b, type: execution.Fail, condition: "-0"}
  - {id: c, type: io.kestra.core.tasks.executions.Fail, condition: "{{ 'yes' }}", errorMessage: "oh {{ flow.id }}"}""",
        says=["oh f", "Fail on a condition"],
        state="FAILED",
    ),
    "labels_of_every_form": Case(
        """
  - {id: a, type: execution.Labels, labels: {a: 1, "{{ 'b' }}": true, c: "{{ flow.id }}"}}
  - {id: b, type: execution.Labels, labels: [{key: a, value: 2}, {key: "{{ flow.id }}", value: x}]}
  - {id: c, type: io.kestra.core.tasks.executions.Labels, labels: "{{ {'j': 1.5, 'a': 'last'} }}"}
  - {id: r, type: debug.Return, format: "{{ labels.a }} {{ labels.b }} {{ labels.c }} {{ labels.f }} {{ labels.j }}"}
  - {id: e, type: execution.Labels, labels: {k: ""}}""",
        {"r": {"value": "last true f x 1.5"}},
        ["Label values cannot be empty, offending label: k"],
        "FAILED",
    ),
    "a_system_label_is_refused": Case(
        "  - {id: a, type: execution.Labels, labels: [{key: system.x, value: v}]}",
        says=["System labels can only be set by Kestra itself, offending label: system.x=v"],
        state="FAILED",
    ),
    "variables_are_set_deeply_and_unset": Case(
        """
  - {id: a, type: execution.SetVariables, variables: {m: {y: "{{ 1 + 1 }}"}, l: [2, 1], n: null, new: [3]}}
  - {id: r1, type: debug.Return, format: "{{ vars | toJson }}"}
  - {id: b, type: execution.SetVariables, overwrite: false, variables: {other: x}}
  - {id: c, type: execution.UnsetVariables, variables: [m.x, l, "{{ 'other' }}"]}
  - {id: d, type: execution.UnsetVariables, variables: '["zzz", "m.q.r"]', ignoreMissing: true}
  - {id: r2, type: debug.Return, format: "{{ vars | toJson }}"}
  - {id: e, type: execution.SetVariables, overwrite: false, variables: {n: 1, m: 1, fresh: 1}}""",
        {
            "r1": {"value": '{"m":{"x":1,"y":"2"},"l":[1,2],"n":5,"new":[3]}'},
            "r2": {"value": '{"m":{"y":"2"},"n":5,"new":[3]}'},
        },
        ["`overwrite` is set to false and the following variables already exist: n,m"],
        "FAILED",
        head="variables: {m: {x: 1}, l: [1], n: 5}",
    ),
    "exit_of_every_state": Case(
        """
  - {id: a, type: execution.Exit, runIf: "{{ false }}"}
  - {id: b, type: execution.Exit, state: "{{ 'WARNING' }}"}
  - {id: c, type: log.Log, message: never}""",
        state="WARNING",
    ),
    "templated_tasks_run_in_place": Case(
        """
  - id: t
    type: templating.TemplatedTask
    spec: |
      id: inner
      type: "{{ vars.type }}"
      format: "made in {{ flow.id }}"
  - {id: r, type: debug.Return, format: "{{ outputs.t.value }}"}
  - id: x
    type: io.kestra.core.tasks.templating.TemplatedTask
    spec: |
      id: inner
      type: io.kestra.plugin.core.templating.TemplatedTask
      spec: x""",
        {"t": {"value": "made in f"}, "r": {"value": "made in f"}},
        ["The templated task cannot be of type 'io.kestra.plugin.core.templating.TemplatedTask'"],
        "FAILED",
        head="variables: {type: io.kestra.plugin.core.debug.Return}",
    ),
    "a_templated_task_is_runnable": Case(
        """
  - id: x
    type: templating.TemplatedTask
    spec: |
      id: inner
      type: io.kestra.plugin.core.flow.Sequential
      tasks: []""",
        says=["The templated task must be a runnable task"],
        state="FAILED",
    ),
    "a_templated_task_edits_no_execution": Case(
        """
  - id: x
    type: templating.TemplatedTask
    spec: |
      type: io.kestra.plugin.core.execution.Labels
      labels: {a: b}""",
        says=["The templated task must be a runnable task"],
        state="FAILED",
    ),
    "templated_tasks_log_and_store": Case(
        """
  - id: l
    type: templating.TemplatedTask
    spec: |
      id: inner
      type: io.kestra.plugin.core.log.Log
      message: ["{{ flow.id }}", two]
      level: WARN
  - id: k
    type: templating.TemplatedTask
    spec: "{{ {'id': 'inner', 'type': 'io.kestra.plugin.core.kv.Set', 'key': 'k', 'value': 'v'} | toJson }}"
  - {id: g, type: kv.Get, key: k}""",
        {"g": {"value": "v"}},
        ["f", "two"],
    ),
    "count_over_flows_and_namespaces": Case(
        """
  - {id: s1, type: flow.Subflow, namespace: company.other, flowId: o}
  - {id: s2, type: flow.Subflow, namespace: company.other, flowId: bad, transmitFailed: false}
  - {id: flows, type: execution.Count, flows: [{namespace: company.other, flowId: o}, {namespace: company.other, flowId: none}], expression: "{{ count >= 0 }}", startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"}
  - {id: spaces, type: execution.Count, namespaces: [company.other, company.none, company], expression: "{{ true }}", startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"}
  - {id: failed, type: io.kestra.core.tasks.executions.Counts, namespaces: ["company.other"], states: [FAILED], expression: "{{ count == 1 }}", startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"}
  - {id: none, type: execution.Count, namespaces: ["company.other"], expression: "{{ count > 5 }}", startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"}
  - {id: past, type: execution.Count, flows: [{namespace: company.other, flowId: o}], expression: "{{ count == 0 }}", startDate: "2020-01-01T00:00:00Z", endDate: "2020-02-01T00:00:00+01:00[Europe/Paris]"}
  - {id: bad, type: execution.Count, expression: "{{ true }}", startDate: "2020-01-01T00:00:00Z"}""",
        {
            "flows": {
                "results": [
                    {"namespace": "company.other", "flowId": "o", "count": 1},
                    {"namespace": "company.other", "flowId": "none", "count": 0},
                ],
                "total": 1,
            },
            "spaces": {"results": [{"namespace": "company.other", "count": 2}], "total": 2},
            "failed": {"results": [{"namespace": "company.other", "count": 1}], "total": 1},
            "none": {"results": [], "total": 0},
            "past": {
                "results": [{"namespace": "company.other", "flowId": "o", "count": 0}],
                "total": 0,
            },
        },
        [*CREATED, "At least one of `flows` and `namespaces` must be set."],
        "FAILED",
        others=(
            "{id: o, namespace: company.other, tasks: [{id: t, type: debug.Return}]}",
            "{id: bad, namespace: company.other, tasks: [{id: t, type: debug.Return, format: '{{ nothing }}'}]}",
        ),
    ),
    "purge_of_executions": Case(
        """
  - {id: s1, type: flow.Subflow, namespace: company.other, flowId: o}
  - {id: s2, type: flow.Subflow, namespace: company.other, flowId: o}
  - {id: none, type: execution.PurgeExecutions, namespace: company.other, endDate: "{{ now() | dateAdd(-1, 'DAYS') }}"}
  - {id: state, type: execution.PurgeExecutions, namespace: company.other, endDate: "{{ now() | dateAdd(1, 'DAYS') }}", states: [FAILED]}
  - {id: parts, type: execution.PurgeExecutions, namespace: company.other, flowId: o, endDate: "{{ now() | dateAdd(1, 'DAYS') }}", purgeExecution: false, purgeStorage: false, purgeMetric: false}
  - {id: all, type: io.kestra.plugin.core.storage.Purge, namespace: company, endDate: "{{ now() | dateAdd(1, 'DAYS') }}", batchSize: 1}
  - {id: again, type: io.kestra.core.tasks.storages.Purge, namespace: company.other, endDate: "{{ now() | dateAdd(1, 'DAYS') }}"}
  - {id: own, type: execution.PurgeExecutions, endDate: "{{ now() | dateAdd(1, 'DAYS') }}", states: [RUNNING]}""",
        {
            "none": {"executionsCount": 0, "logsCount": 0, "storagesCount": 0, "metricsCount": 0},
            "state": {"executionsCount": 0, "logsCount": 0, "storagesCount": 0, "metricsCount": 0},
            "parts": {"executionsCount": 0, "logsCount": 4, "storagesCount": 0, "metricsCount": 0},
            "all": {"executionsCount": 2, "logsCount": 0, "storagesCount": 0, "metricsCount": 2},
            "again": {"executionsCount": 0, "logsCount": 0, "storagesCount": 0, "metricsCount": 0},
            "own": {"executionsCount": 0, "logsCount": 0, "storagesCount": 0, "metricsCount": 0},
        },
        CREATED[:1] * 2,
        others=(
            "{id: o, namespace: company.other, tasks: [{id: t, type: log.Log, message: [a, b]}, {id: m, type: metric.Publish, metrics: [{type: counter, name: n, value: 1}]}]}",
        ),
    ),
    "resume_of_another_execution": Case(
        """
  - {id: s, type: flow.Subflow, namespace: company.other, flowId: waits, wait: false}
  - {id: nap, type: flow.Sleep, duration: PT0.3S}
  - {id: go, type: execution.Resume, executionId: "{{ outputs.s.executionId }}", namespace: company.other, flowId: waits, inputs: {who: "{{ flow.id }}"}}
  - {id: nap2, type: flow.Sleep, duration: 0.3}
  - {id: who, type: kv.Get, key: who}
  - {id: again, type: execution.Resume, executionId: "{{ outputs.s.executionId }}", namespace: company.other, flowId: waits}""",
        outputs={"who": {"value": "f"}},
        says=[
            CREATED[0].replace('"o"', '"waits"'),
            "Waiting for PT0.3S",
            "Waiting for PT0.3S",
            "Execution '<id>' is not paused, can't resume it",
        ],
        state="FAILED",
        others=(
            """
id: waits
namespace: company.other
tasks:
  - {id: p, type: flow.Pause, onResume: [{id: who, type: STRING}]}
  - {id: k, type: kv.Set, key: who, value: "{{ outputs.p.onResume.who }}", namespace: company.team}""",
        ),
    ),
    "resume_needs_an_execution_that_waits": Case(
        "  - {id: a, type: execution.Resume, executionId: none}",
        says=["No execution found for execution id none"],
        state="FAILED",
    ),
    "toggle_of_an_unknown_trigger": Case(
        "  - {id: a, type: trigger.Toggle, trigger: none}",
        says=["Flow f has no trigger none that can be switched"],
        state="FAILED",
    ),
}

CASES: Mapping[str, Case] = {**PROPERTIES, **TASKS}


@lru_cache
def done() -> Mapping[str, Done]:
    return run_all(CASES)


@pytest.mark.parametrize("name", CASES)
def test_flow(name: str) -> None:
    assert seen(CASES[name], done()[name]) == wanted(CASES[name])
