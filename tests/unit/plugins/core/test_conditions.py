"""The catalogue of conditions by its edges (04 §15)."""

from collections.abc import Mapping
from typing import Any

import pytest

from batuta.expr import Context, render
from batuta.plugins.core.condition.subject import ConditionError
from batuta.sdk import Condition, Registry
from batuta.sdk.definition import RESOLVE

REGISTRY = Registry(["batuta.plugins.core"])
EXECUTION: Mapping[str, Any] = {
    "id": "x",
    "namespace": "acme.data",
    "flowId": "load",
    "state": {"current": "WARNING"},
    "labels": [{"key": "env", "value": "prod"}, {"key": "n", "value": "1"}],
    "outputs": {"n": 7, "list": []},
    "taskRunList": [
        {"attempts": [{"state": {"current": "FAILED"}}, {"state": {"current": "SUCCESS"}}]},
        {"attempts": [{"state": {"current": "KILLED"}}]},
    ],
}
FLOW = {"id": "watcher", "namespace": "acme.ops"}


def holds(name: str, execution: Mapping[str, Any] | None = EXECUTION, **properties: Any) -> bool:
    kind = REGISTRY.get(f"io.kestra.plugin.core.condition.{name}")
    spec = {"type": kind.TYPE, **properties}
    condition = kind.model_validate(spec, context={RESOLVE: REGISTRY.get})
    assert isinstance(condition, Condition)
    context = Context({"flow": FLOW, "trigger": {"date": "2026-03-02T23:30:00-05:00"}})

    def text(template: str, extra: Mapping[str, Any] | None = None) -> str | None:
        return render(template, context.with_variables(extra) if extra else context)

    facts = {"flow": FLOW, **({} if execution is None else {"execution": execution})}
    return condition.test(facts, text)


def nested(name: str, **properties: Any) -> dict[str, Any]:
    return {"type": f"io.kestra.plugin.core.condition.{name}", **properties}


YES, NO = nested("Expression", expression="yes"), nested("Expression", expression="{{ false }}")


@pytest.mark.parametrize(
    ("name", "properties", "wanted"),
    [
        # the date of the trigger is a Monday where it was written, and a Tuesday in UTC
        ("DayWeek", {"dayOfWeek": "MONDAY"}, True),
        ("DayWeek", {"dayOfWeek": "TUESDAY"}, False),
        ("DayWeek", {"dayOfWeek": "{{ 'SUNDAY' }}", "date": "2026-03-01"}, True),
        ("DayWeek", {"dayOfWeek": "SUNDAY", "date": "2026-03-01T10:00:00+01:00[Europe/Paris]"}, True),
        ("Weekend", {}, False),
        ("Weekend", {"date": "2026-02-28T23:59:59.999999999Z"}, True),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "FIRST"}, True),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "LAST"}, False),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "FOURTH", "date": "2026-02-23"}, True),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "LAST", "date": "2026-02-23"}, True),
        ("DayWeekInMonth", {"dayOfWeek": "MONDAY", "dayInMonth": "FOURTH", "date": "2026-03-30"}, False),
        ("DateTimeBetween", {"after": "2026-03-03T04:29:59Z"}, True),
        ("DateTimeBetween", {"after": "2026-03-03T04:30:00Z"}, False),
        ("DateTimeBetween", {"before": "2026-03-02T23:30:01-05:00"}, True),
        ("DateTimeBetween", {"after": "2026-03-01T00:00:00Z", "before": "2026-03-02T00:00:00Z"}, False),
        ("TimeBetween", {"after": "23:29:00-05:00"}, True),
        ("TimeBetween", {"after": "23:30:00-05:00"}, False),
        ("TimeBetween", {"before": "23:30:01-05:00"}, True),
        ("TimeBetween", {"after": "22:00:00-05:00", "before": "06:00:00-05:00"}, False),
        ("TimeBetween", {"after": "16:00:00+02:00", "before": "18:00:00+02:00", "date": "2026-03-02T15:00:00Z"}, True),
        ("Expression", {"expression": "0"}, True),
        ("Expression", {"expression": "{{ 'false ' }}"}, False),
        ("Expression", {"expression": " \n"}, False),
        ("Expression", {"expression": "{{ null }}"}, False),
        ("Expression", {"expression": "{{ flow.id == 'watcher' }}"}, True),
        ("ExecutionOutputs", {"expression": "{{ trigger.outputs.n == 7 }}"}, True),
        ("ExecutionOutputs", {"expression": "{{ trigger.outputs.n == 8 }}"}, False),
        ("ExecutionFlow", {"namespace": "acme.data", "flowId": "load"}, True),
        ("ExecutionFlow", {"namespace": "{{ 'acme' }}.data", "flowId": "load"}, True),
        ("ExecutionFlow", {"namespace": "acme", "flowId": "load"}, False),
        ("ExecutionNamespace", {"namespace": "acme.d", "prefix": True}, True),
        ("ExecutionNamespace", {"namespace": "acme.d"}, False),
        ("ExecutionNamespace", {"namespace": "acme", "prefix": True, "comparison": "EQUALS"}, False),
        ("ExecutionNamespace", {"namespace": "data", "comparison": "SUFFIX"}, True),
        ("ExecutionNamespace", {"namespace": "acme", "comparison": "SUFFIX", "prefix": True}, False),
        ("ExecutionStatus", {"in": ["WARNING", "FAILED"]}, True),
        ("ExecutionStatus", {"in": ["WARNING"], "notIn": ["WARNING"]}, False),
        ("ExecutionStatus", {"notIn": ["FAILED"]}, True),
        ("ExecutionStatus", {"in": "{{ ['WARNING'] }}"}, True),
        ("ExecutionStatus", {"in": []}, True),
        ("ExecutionStatus", {}, True),
        ("ExecutionLabels", {"labels": {"env": "prod", "n": 1}}, True),
        ("ExecutionLabels", {"labels": [{"key": "env", "value": "prod"}]}, True),
        ("ExecutionLabels", {"labels": {"env": "prod", "x": "y"}}, False),
        ("ExecutionLabels", {"labels": {"env": "PROD"}}, False),
        ("HasRetryAttempt", {"in": ["FAILED"]}, True),
        ("HasRetryAttempt", {"in": ["SUCCESS"]}, True),
        ("HasRetryAttempt", {"in": ["KILLED"]}, False),
        ("HasRetryAttempt", {"in": ["FAILED"], "notIn": ["FAILED"]}, False),
        ("HasRetryAttempt", {"notIn": ["SUCCESS"]}, False),
        ("FlowCondition", {"namespace": "acme.ops", "flowId": "watcher"}, True),
        ("FlowCondition", {"namespace": "acme.data", "flowId": "load"}, False),
        ("FlowNamespaceCondition", {"namespace": "acme.o", "prefix": True}, True),
        ("FlowNamespaceCondition", {"namespace": "acme.o"}, False),
        ("Not", {"conditions": [NO, NO]}, True),
        ("Not", {"conditions": [YES, NO]}, False),
        ("Or", {"conditions": [NO, YES]}, True),
        ("Or", {"conditions": [NO, NO]}, False),
        ("Or", {"conditions": [nested("Not", conditions=[NO])]}, True),
        ("PublicHoliday", {"country": "FR", "date": "2026-07-14"}, True),
        ("PublicHoliday", {"country": "us", "date": "2026-07-14"}, False),
        ("PublicHoliday", {"country": "DE", "subDivision": "BY", "date": "2026-01-06"}, True),
        ("PublicHoliday", {"country": "DE", "date": "2026-01-06"}, False),
    ],
)  # fmt: skip
def test_condition(name: str, properties: dict[str, Any], *, wanted: bool) -> None:
    assert holds(name, **properties) is wanted


@pytest.mark.parametrize(
    ("name", "properties"),
    [
        ("DateTimeBetween", {}),
        ("TimeBetween", {}),
        ("TimeBetween", {"after": "16:00:00"}),
        ("DayWeek", {"dayOfWeek": "MONDAY", "date": "2026-13-01"}),
        ("DayWeek", {"dayOfWeek": "{{ 'someday' }}"}),
        ("PublicHoliday", {}),
        ("PublicHoliday", {"country": "{{ 'ZZ' }}"}),
        ("ExecutionStatus", {"in": "{{ ['DONE'] }}"}),
        ("ExecutionStatus", {"in": "SUCCESS"}),
        ("ExecutionOutputs", {"expression": "{{ trigger.outputs.n }}"}),
    ],
)
def test_what_cannot_be_judged_is_an_error(name: str, properties: dict[str, Any]) -> None:
    with pytest.raises(ConditionError):
        holds(name, **properties)


@pytest.mark.parametrize(
    "name",
    ["ExecutionStatus", "HasRetryAttempt", "ExecutionOutputs", "ExecutionFlow"],
)
def test_conditions_on_executions_need_one(name: str) -> None:
    properties = {
        "ExecutionOutputs": {"expression": "true"},
        "ExecutionFlow": {"namespace": "a", "flowId": "b"},
    }
    with pytest.raises(ConditionError, match="Invalid condition with null execution"):
        holds(name, None, **properties.get(name, {}))


def test_outputs_that_are_empty_are_not_looked_at() -> None:
    empty = {**EXECUTION, "outputs": {}}
    assert not holds("ExecutionOutputs", empty, expression="{{ nothing.at.all }}")
