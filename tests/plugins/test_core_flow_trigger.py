"""Flow triggers: which executions of other flows start one, and what it is given (04 §10, §15, §16)."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pytest

from batuta.store.query import Filter, Op, Query
from batuta.testing.conformance.flows import SURROUNDINGS
from batuta.testing.conformance.record import record_of
from batuta.testing.system import System, is_over
from tests.plugins.flows import core

pytestmark = [pytest.mark.timeout(200), pytest.mark.slow]

SETTLE_SECONDS = 0.15
LISTENER = "listener"
UP = """
id: up
namespace: company.team
labels: {team: data, n: 1}
inputs: [{id: x, type: STRING, defaults: none}]
outputs: [{id: n, type: INT, value: "{{ 7 }}"}, {id: m, type: JSON, value: "{{ {'a': [1]} }}"}]
tasks: [{id: r, type: debug.Return, format: "of {{ inputs.x }}"}]
"""
OTHER = """
id: other
namespace: company.other
outputs: [{id: o, type: STRING, value: other}, {id: n, type: INT, value: 9}]
tasks: [{id: t, type: log.Log, message: x}]
"""
BAD = "{id: bad, namespace: company.team, tasks: [{id: t, type: execution.Fail}]}"
WARNS = "{id: warns, namespace: company.team, tasks: [{id: t, type: execution.Fail, allowFailure: true}]}"
RETRIES = """
id: retries
namespace: company.team
tasks:
  - {id: t, type: execution.Fail, allowFailure: true, retry: {type: constant, interval: PT0.01S, maxAttempts: 2}}
"""
FILES = """
id: files
namespace: company.team
outputs: [{id: f, type: FILE, value: "{{ outputs.w.uri }}"}]
tasks: [{id: w, type: storage.Write, content: of none}]
"""
SOURCES = {"files": FILES, "up": UP, "other": OTHER, "bad": BAD, "warns": WARNS, "retries": RETRIES}
OF_UP = "{type: condition.ExecutionFlow, namespace: company.team, flowId: up}"


@dataclass(frozen=True)
class Case:
    """`trigger` in YAML without id and type; `runs` are started one after another; `says` of each that it started."""

    trigger: str
    says: Sequence[str] = ()
    runs: str = "up"
    inputs: str = ""
    told: str = "{{ trigger.flowId }} {{ trigger.state }}"
    head: str = ""
    warns: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


def condition(*conditions: str, **rest: Any) -> Case:
    return Case(f"conditions: [{', '.join(conditions)}]", **rest)


def multiple(**conditions: str) -> str:
    named = ", ".join(f"{name}: {each}" for name, each in conditions.items())
    window = "window: P1D, windowAdvance: P0D"
    return f"{{type: condition.MultipleCondition, id: m, {window}, conditions: {{{named}}}}}"


def needs(properties: str, *says: str, runs: str = "up other", **rest: Any) -> Case:
    return Case(f"preconditions: {{id: p, {properties}}}", says, runs, **rest)


FIRED = ["up SUCCESS"]
TWO = "flows: [{namespace: company.team, flowId: up}, {namespace: company.other, flowId: other}]"

STATES: dict[str, Case] = {
    "every_end_counts_without_conditions": Case(
        "{}", ["up SUCCESS", "bad FAILED", "warns WARNING"], "up bad warns"
    ),
    "only_these_states": Case(
        "states: [FAILED, WARNING]", ["bad FAILED", "warns WARNING"], "up bad warns"
    ),
    "running_counts_when_asked_for": Case("states: [RUNNING]", ["up RUNNING"]),
    "a_disabled_trigger_hears_nothing": Case("disabled: true"),
    "a_disabled_flow_hears_nothing": Case("{}", head="disabled: true"),
}

CONDITIONS: dict[str, Case] = {
    "flow": condition(OF_UP, runs="other up", says=FIRED),
    "flow_of_another_namespace": condition(
        "{type: condition.ExecutionFlow, namespace: company, flowId: up}"
    ),
    "namespace": condition(
        "{type: condition.ExecutionNamespace, namespace: company.team}", runs="other up", says=FIRED
    ),
    "namespace_prefix": condition(
        "{type: condition.ExecutionNamespace, namespace: company, comparison: PREFIX}",
        runs="other up",
        says=["other SUCCESS", "up SUCCESS"],
    ),
    "namespace_may_go_on": condition(
        "{type: condition.ExecutionNamespace, namespace: company.t, prefix: true}",
        runs="other up",
        says=FIRED,
    ),
    "namespace_suffix": condition(
        "{type: condition.ExecutionNamespace, namespace: other, comparison: SUFFIX}",
        runs="other up",
        says=["other SUCCESS"],
    ),
    "status_in": condition(
        "{type: condition.ExecutionStatus, in: [FAILED]}", runs="up bad", says=["bad FAILED"]
    ),
    "status_not_in": condition(
        "{type: condition.ExecutionStatus, notIn: [FAILED, WARNING]}",
        runs="up bad warns",
        says=FIRED,
    ),
    "labels_as_a_map": condition(
        "{type: condition.ExecutionLabels, labels: {team: data, n: 1}}", runs="other up", says=FIRED
    ),
    "labels_as_a_list": condition(
        "{type: condition.ExecutionLabels, labels: [{key: team, value: other}]}", runs="up"
    ),
    "outputs": condition(
        '{type: condition.ExecutionOutputs, expression: "{{ trigger.outputs.n == 7 }}"}',
        runs="other bad up",
        says=FIRED,
    ),
    "expression_over_the_other_execution": condition(
        OF_UP,
        "{type: condition.Expression, expression: \"{{ labels.team == 'data' and execution.outputs.n == 7 and flow.id == 'listener' and outputs.r.value == 'of none' }}\"}",
        says=FIRED,
    ),
    "an_expression_that_is_null_or_false": condition(
        OF_UP, '{type: condition.Expression, expression: "{{ null }}"}'
    ),
    "zero_is_true_for_an_expression": condition(
        OF_UP, '{type: condition.Expression, expression: "{{ 0 }}"}', says=FIRED
    ),
    "an_expression_that_fails_counts_as_false": condition(
        OF_UP,
        '{type: condition.Expression, expression: "{{ nothing }}"}',
        warns=["Unable to find `nothing` used in the expression `{{ nothing }}` at line 1"],
    ),
    "not_means_none": condition(
        OF_UP,
        '{type: condition.Not, conditions: [{type: condition.Expression, expression: "{{ false }}"}, {type: condition.Expression, expression: "{{ true }}"}]}',
    ),
    "or_means_one": condition(
        f"{{type: condition.Or, conditions: [{{type: condition.ExecutionStatus, in: [KILLED]}}, {OF_UP}]}}",
        runs="other up",
        says=FIRED,
    ),
    "retried": condition(
        "{type: condition.HasRetryAttempt, in: [FAILED]}",
        runs="up retries bad",
        says=["retries WARNING"],
    ),
    "retried_inside_a_group": condition(
        "{type: condition.Not, conditions: [{type: condition.HasRetryAttempt, in: [FAILED]}]}",
        runs="up retries",
        says=FIRED,
    ),
    "the_listening_flow_itself": condition(
        OF_UP,
        "{type: condition.FlowCondition, namespace: company.team, flowId: listener}",
        "{type: condition.FlowNamespaceCondition, namespace: company, prefix: true}",
        says=FIRED,
    ),
    "dates": condition(
        OF_UP,
        '{type: condition.DateTimeBetween, date: "{{ execution.startDate }}", after: "2020-01-01T00:00:00Z"}',
        '{type: condition.Or, conditions: [{type: condition.Weekend, date: "2026-01-31"}]}',
        '{type: condition.DayWeek, date: "2026-01-30", dayOfWeek: FRIDAY}',
        says=FIRED,
    ),
    "old_names": condition(
        "{type: io.kestra.core.models.conditions.types.ExecutionFlowCondition, namespace: company.team, flowId: up}",
        "{type: io.kestra.core.models.conditions.types.VariableCondition, expression: '{{ true }}'}",
        says=FIRED,
    ),
    "several_in_a_multiple_condition": condition(
        multiple(
            a=OF_UP, b="{type: condition.ExecutionFlow, namespace: company.other, flowId: other}"
        ),
        runs="up up other other",
        says=["other SUCCESS"],
    ),
    "a_gate_beside_a_multiple_condition": condition(
        "{type: condition.ExecutionStatus, in: [SUCCESS]}",
        multiple(
            a="{type: condition.ExecutionFlow, namespace: company.team, flowId: bad}", b=OF_UP
        ),
        runs="bad up",
    ),
}

GIVEN: dict[str, Case] = {
    "inputs_are_rendered_and_typed": Case(
        'inputs: {n: "{{ trigger.outputs.n }}", r: "{{ outputs.r.value }}", l: [1, "{{ trigger.outputs.m.a[0] }}"], id: "{{ execution.id == trigger.executionId }}"}',
        ["7 of none [1,1] true"],
        inputs="[{id: n, type: INT}, {id: r, type: STRING}, {id: l, type: ARRAY, itemType: INT}, {id: id, type: BOOLEAN}]",
        told="{{ inputs.n }} {{ inputs.r }} {{ inputs.l }} {{ inputs.id }}",
    ),
    "inputs_that_cannot_be_rendered_start_nothing": Case(
        'inputs: {n: "{{ nothing }}"}',
        inputs="[{id: n, type: STRING}]",
        warns=["Unable to find `nothing` used in the expression `{{ nothing }}` at line 1"],
    ),
    "a_file_of_the_other_execution": Case(
        'inputs: {f: "{{ trigger.outputs.f }}"}',
        ["of none"],
        "files",
        inputs="[{id: f, type: FILE}]",
        told="{{ read(inputs.f) }}",
    ),
    "inputs_that_do_not_fit_are_kept_as_rendered": Case(
        'inputs: {n: "{{ trigger.flowId }}"}',
        ["up"],
        inputs="[{id: n, type: INT}]",
        told="{{ inputs.n }}",
    ),
    "an_own_default_is_used": Case(
        "{}", ["d"], inputs="[{id: n, type: STRING, defaults: d}]", told="{{ inputs.n }}"
    ),
    "the_trigger_object": Case(
        "{}",
        ['up SUCCESS company.team 1 7 data 1 {"team":"data","n":"1"}'],
        told="{{ trigger.flowId }} {{ trigger.state }} {{ trigger.namespace }} {{ trigger.flowRevision }} {{ trigger.outputs.n }} {{ trigger.outputs.m.a[0] == 1 ? trigger.executionLabels.team : '' }} {{ trigger.executionLabels.n }} {{ trigger.executionLabels | toJson }}",
    ),
    "labels_are_those_of_the_flow_and_the_trigger": Case(
        'labels: {by: "{{ trigger.flowId }}", none: "{{ null }}", bad: "{{ nothing }}"}',
        FIRED,
        head="labels: {own: l}",
        labels={"own": "l", "by": "up"},
        warns=[
            "The label 'bad' is left out: Unable to find `nothing` used in the expression `{{ nothing }}` at line 1"
        ],
    ),
}

PRECONDITIONS: dict[str, Case] = {
    "both_in_any_order": needs(TWO, "up SUCCESS", runs="other up"),
    "everything_must_happen_again": needs(
        TWO, "other SUCCESS", "up SUCCESS", runs="up other other up"
    ),
    "without_reset_each_fitting_event_fires": needs(
        f"{TWO}, resetOnSuccess: false", "other SUCCESS", "up SUCCESS", runs="up other bad up"
    ),
    "states_of_a_flow": needs(
        "flows: [{namespace: company.team, flowId: bad, states: [SUCCESS]}, {namespace: company.team, flowId: up}]",
        runs="bad up",
    ),
    "labels_of_a_flow": needs(
        "flows: [{namespace: company.team, labels: {team: data, n: 1}}]",
        "up SUCCESS",
        runs="bad up",
    ),
    "a_flow_of_any_name": needs(
        "flows: [{namespace: company.team}]", "up SUCCESS", "bad FAILED", runs="up other bad"
    ),
    "where": needs(
        "where: [{id: w, filters: [{field: NAMESPACE, type: STARTS_WITH, value: company}, {field: FLOW_ID, type: IN, values: [up, x]}]}]",
        "up SUCCESS",
    ),
    "where_with_or": needs(
        "where: [{id: w, operand: OR, filters: [{field: STATE, type: EQUAL_TO, value: FAILED}, {field: FLOW_ID, type: REGEX, value: 'oth.*'}]}]",
        "other SUCCESS",
        "bad FAILED",
        runs="up other bad",
    ),
    "where_over_an_expression": needs(
        "where: [{id: w, filters: [{field: EXPRESSION, type: IS_TRUE, value: \"{{ labels.team == 'data' }}\"}]}]",
        "up SUCCESS",
        runs="up",
    ),
    "filters_are_looked_at_until_one_fails": needs(
        f"{TWO}, where: [{{id: w, filters: [{{field: FLOW_ID, type: EQUAL_TO, value: up}}, {{field: EXPRESSION, type: IS_TRUE, value: \"{{{{ labels.team == 'data' }}}}\"}}]}}]",
        "up SUCCESS",
        runs="other up",
    ),
    "a_filter_that_fails_is_not_met_and_others_are": needs(
        f"{TWO}, where: [{{id: w, filters: [{{field: EXPRESSION, type: IS_TRUE, value: \"{{{{ labels.team == 'data' }}}}\"}}]}}]",
        "up SUCCESS",
        runs="other up",
        warns=[
            "io.pebbletemplates.pebble.error.PebbleException: Could not perform equals comparison ({{ labels.team == 'data' }}:1)"
        ],
    ),
    "where_and_flows_are_independent": needs(
        "flows: [{namespace: company.team, flowId: up}], where: [{id: w, filters: [{field: FLOW_ID, type: EQUAL_TO, value: other}]}]",
        "other SUCCESS",
    ),
    "outputs_of_all_are_merged": needs(
        TWO,
        "other 7 1",
        told="{{ trigger.outputs.o }} {{ trigger.outputs.n }} {{ trigger.outputs.m.a[0] }}",
    ),
    "a_sliding_window": needs(f"{TWO}, timeWindow: {{type: SLIDING_WINDOW}}", "other SUCCESS"),
    "a_window_of_an_hour": needs(
        f"{TWO}, timeWindow: {{type: DURATION_WINDOW, window: PT1H}}", "other SUCCESS"
    ),
    "a_day_until_its_end": needs(
        f'{TWO}, timeWindow: {{type: DAILY_TIME_DEADLINE, deadline: "23:59:59"}}', "other SUCCESS"
    ),
    "a_deadline_that_is_over": needs(
        f'{TWO}, timeWindow: {{type: DAILY_TIME_DEADLINE, deadline: "00:00:00"}}'
    ),
    "conditions_filter_events_first": Case(
        f"{{preconditions: {{id: p, {TWO}}}, conditions: [{{type: condition.ExecutionLabels, labels: {{team: data}}}}]}}",
        runs="up other",
    ),
}

CASES: Mapping[str, Case] = {**STATES, **CONDITIONS, **GIVEN, **PRECONDITIONS}


async def outcome(case: Case) -> Mapping[str, Any]:
    """What the executions that were started said, warnings of the trigger, and labels of the first."""
    body = case.trigger.strip("{}") if case.trigger == "{}" else case.trigger
    inner = body[1:-1] if body.startswith("{") else body
    entry = f"{{id: listen, type: trigger.Flow{', ' + inner if inner else ''}}}"
    inputs = f"inputs: {case.inputs}\n" if case.inputs else ""
    listener = (
        f"id: {LISTENER}\nnamespace: company.team\n{case.head}\n{inputs}triggers: [{entry}]\n"
        f"tasks: [{{id: t, type: debug.Return, format: {quoted(case.told)}}}]"
    )
    names = case.runs.split()
    async with System.open(SURROUNDINGS) as system:
        keys = {name: await system.save_flow(core(SOURCES[name])) for name in dict.fromkeys(names)}
        listening = await system.save_flow(core(listener))
        for name in names:
            started = await system.start(keys[name])
            assert is_over(await system.until(started, is_over, seconds=20))

        async def all_over() -> bool:
            return all(map(is_over, await system.executions()))

        await system.quiet(SETTLE_SECONDS, all_over, seconds=20)
        made = [
            await record_of(system.services, view)
            for view in await system.executions()
            if view.row.execution.flow == listening
        ]
        query = Query(filters=[Filter("trigger_id", Op.EQUALS, "listen")], size=100)
        warnings = [row.message for row in (await system.services.store.journal.logs(query)).rows]
    return {
        "says": [record["taskRuns"][0]["outputs"]["value"] for record in made],
        "labels": made[0]["labels"] if made else {},
        "warns": warnings,
    }


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@lru_cache
def outcomes() -> Mapping[str, Any]:
    async def every() -> Mapping[str, Any]:
        places = asyncio.Semaphore(16)

        async def one(case: Case) -> Any:
            async with places:
                try:
                    return await outcome(case)
                except Exception as error:
                    return f"{type(error).__name__}: {error}"

        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(one(case)) for name, case in CASES.items()}
        return {name: task.result() for name, task in tasks.items()}

    return asyncio.run(every())


@pytest.mark.parametrize("name", CASES)
def test_listener(name: str) -> None:
    case, seen = CASES[name], outcomes()[name]
    if isinstance(seen, str):
        pytest.fail(seen)
    wanted = {"says": list(case.says), "warns": list(case.warns)}
    assert {key: seen[key] for key in wanted} == wanted
    if case.labels:
        assert seen["labels"] == case.labels


async def started_by(*listeners: str) -> list[Mapping[str, Any]]:
    """Executions of all flows after one of `up`, the oldest first."""
    async with System.open(SURROUNDINGS) as system:
        key = await system.save_flow(core(UP))
        for source in listeners:
            await system.save_flow(core(source))
        await system.start(key)

        async def all_over() -> bool:
            return all(map(is_over, await system.executions()))

        await system.quiet(SETTLE_SECONDS, all_over, seconds=20)
        return [await record_of(system.services, view) for view in await system.executions()]


async def test_every_trigger_of_every_listener_starts_one() -> None:
    listener = """
id: {name}
namespace: company.{name}
triggers:
  - {{id: one, type: trigger.Flow, conditions: [{of_up}]}}
  - {{id: two, type: io.kestra.core.models.triggers.types.Flow, conditions: [{of_up}]}}
tasks: [{{id: t, type: log.Log, message: x}}]
"""
    made = await started_by(*(listener.format(name=name, of_up=OF_UP) for name in ("a", "b")))
    triggers = sorted((each["flowId"], each["trigger"]["id"]) for each in made[1:])
    assert triggers == [("a", "one"), ("a", "two"), ("b", "one"), ("b", "two")]
    assert {each["trigger"]["type"] for each in made[1:]} == {
        "io.kestra.plugin.core.trigger.Flow",
        "io.kestra.core.models.triggers.types.Flow",
    }


async def test_a_chain_shares_the_correlation() -> None:
    chain = """
id: {name}
namespace: company.team
triggers: [{{id: t, type: trigger.Flow, conditions: [{{type: condition.ExecutionFlow, namespace: company.team, flowId: {after}}}]}}]
tasks: [{{id: t, type: log.Log, message: x}}]
"""
    made = await started_by(chain.format(name="b", after="up"), chain.format(name="c", after="b"))
    assert [each["flowId"] for each in made] == ["up", "b", "c"]
    assert len({each["systemLabels"]["system.correlationId"] for each in made}) == 1
    assert made[2]["trigger"]["variables"]["executionLabels"] == {}


SLOW = """
id: slow
namespace: company.team
concurrency: {limit: 1, behavior: CANCEL}
tasks: [{id: t, type: flow.Sleep, duration: PT10S}]
"""
HEARS = """
id: hears
namespace: company.other
triggers: [{id: t, type: trigger.Flow}]
tasks: [{id: t, type: debug.Return, format: "{{ trigger.state }}"}]
"""


async def test_ends_without_a_result_are_heard_too() -> None:
    async with System.open(SURROUNDINGS) as system:
        slow = await system.save_flow(core(SLOW))
        await system.save_flow(core(HEARS))
        first = await system.start(slow)
        await system.until(first, lambda view: view.row.execution.state == "RUNNING")
        second = await system.start(slow)
        await system.until(second, is_over)
        await system.kill(first)
        await system.until(first, is_over)

        async def all_over() -> bool:
            return all(map(is_over, await system.executions()))

        await system.quiet(SETTLE_SECONDS, all_over, seconds=20)
        made = [await record_of(system.services, view) for view in await system.executions()]
    heard = [each["trigger"]["variables"]["state"] for each in made if each["flowId"] == "hears"]
    assert heard == ["CANCELLED", "KILLED"]


async def test_children_of_a_subflow_are_heard() -> None:
    parent = """
id: parent
namespace: company.team
tasks: [{id: s, type: flow.Subflow, namespace: company.team, flowId: up}]
"""
    listener = f"""
id: hears
namespace: company.other
triggers: [{{id: t, type: trigger.Flow, conditions: [{OF_UP}]}}]
tasks: [{{id: t, type: log.Log, message: x}}]
"""
    async with System.open(SURROUNDINGS) as system:
        await system.save_flow(core(UP))
        key = await system.save_flow(core(parent))
        await system.save_flow(core(listener))
        await system.start(key)

        async def all_over() -> bool:
            return all(map(is_over, await system.executions()))

        await system.quiet(SETTLE_SECONDS, all_over, seconds=20)
        flows = [view.row.execution.flow.id for view in await system.executions()]
    assert sorted(flows) == ["hears", "parent", "up"]


async def test_a_new_revision_of_the_listener_counts_at_once() -> None:
    async with System.open(SURROUNDINGS) as system:
        up = await system.save_flow(core(UP))
        for text in (
            HEARS,
            HEARS.replace("id: t, type: trigger", "id: t, disabled: true, type: trigger"),
        ):
            await system.save_flow(core(text))
            await system.until(await system.start(up), is_over)

            async def all_over() -> bool:
                return all(map(is_over, await system.executions()))

            await system.quiet(SETTLE_SECONDS, all_over, seconds=20)
        flows = [view.row.execution.flow.id for view in await system.executions()]
    assert sorted(flows) == ["hears", "up", "up"]


async def test_each_child_of_a_loop_over_items_is_heard_with_its_own_file() -> None:
    child = """
id: child
namespace: company.team
inputs: [{id: items, type: FILE}]
outputs: [{id: f, type: FILE, value: "{{ outputs.w.uri }}"}]
tasks: [{id: w, type: storage.Write, content: "of {{ read(inputs.items) }}"}]
"""
    parent = """
id: parent
namespace: company.team
tasks:
  - {id: w, type: storage.Write, content: "1\\n2\\n3\\n4\\n5\\n"}
  - {id: each, type: flow.ForEachItem, items: "{{ outputs.w.uri }}", namespace: company.team, flowId: child, inputs: {items: "{{ taskrun.items }}"}}
"""
    listener = """
id: hears
namespace: company.team
inputs: [{id: f, type: FILE}]
triggers:
  - id: t
    type: trigger.Flow
    inputs: {f: "{{ trigger.outputs.f }}"}
    preconditions: {id: p, flows: [{namespace: company.team, flowId: child, states: [SUCCESS]}]}
tasks: [{id: t, type: debug.Return, format: "{{ read(inputs.f) | trim }}"}]
"""
    async with System.open(SURROUNDINGS) as system:
        key = await system.save_flow(core(parent))
        for source in (child, listener):
            await system.save_flow(core(source))
        await system.start(key)

        async def all_over() -> bool:
            views = await system.executions()
            return len(views) == 11 and all(map(is_over, views))

        await system.quiet(SETTLE_SECONDS, all_over, seconds=20)
        made = [await record_of(system.services, view) for view in await system.executions()]
    said = [each["taskRuns"][0]["outputs"]["value"] for each in made if each["flowId"] == "hears"]
    assert sorted(said) == [f"of {number}" for number in range(1, 6)]


async def test_two_flows_many_times_fire_as_often_as_both_have_ended() -> None:
    listener = f"""
id: hears
namespace: company.team
triggers: [{{id: t, type: trigger.Flow, preconditions: {{id: p, {TWO}}}}}]
tasks: [{{id: t, type: log.Log, message: x}}]
"""
    async with System.open(SURROUNDINGS) as system:
        keys = [await system.save_flow(core(source)) for source in (UP, OTHER)]
        await system.save_flow(core(listener))
        for _ in range(6):
            for key in keys:
                await system.until(await system.start(key), is_over)

        async def all_over() -> bool:
            return all(map(is_over, await system.executions()))

        await system.quiet(SETTLE_SECONDS, all_over, seconds=20)
        flows = [view.row.execution.flow.id for view in await system.executions()]
    assert flows.count("hears") == 6
