"""What preconditions remember, and when they fire (04 §10.4)."""

import json
from typing import Any

import pytest

from batuta.engine.execution import Execution
from batuta.expr.temporal import UTC
from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import from_iso
from batuta.model.label import Label
from batuta.model.state import History, State
from batuta.plugins.core.trigger.flow import Preconditions
from batuta.server.listening.preconditions import Heard, Memory, hear, merged, of_preconditions

NOTHING = Memory()
NOON = from_iso("2026-03-10T12:00:00Z")


def needs(**properties: Any) -> Preconditions:
    return Preconditions.model_validate({"id": "p", **properties})


def ended(flow_id: str, state: State = State.SUCCESS, **outputs: Any) -> Execution:
    return Execution(
        id=ExecutionId(flow_id),
        flow=FlowKey("main", "acme", flow_id),
        revision=1,
        histories=(History(state, NOON),),
        labels=(Label("env", "prod"),),
        outputs=outputs or None,
    )


def told(
    given: Preconditions, *executions: Execution, at: str = "12:00", memory: Memory = NOTHING
) -> Heard:
    heard = Heard(memory=memory)
    for execution in executions:
        heard = hear(
            of_preconditions(given, execution, lambda template: template),
            heard.after if heard.fires else heard.memory,
            execution,
            at=from_iso(f"2026-03-10T{at}:00Z"),
            zone=UTC,
        )
    return heard


BOTH = {"flows": [{"namespace": "acme", "flowId": "a"}, {"namespace": "acme", "flowId": "b"}]}


def test_it_fires_when_everything_has_happened_and_forgets() -> None:
    heard = told(needs(**BOTH), ended("a"), ended("b"))
    assert heard.fires
    assert heard.after == Memory()


def test_a_part_is_remembered() -> None:
    heard = told(needs(**BOTH), ended("a"), ended("a"))
    assert not heard.fires
    assert [json.loads(name.removeprefix("flow ")) for name in heard.memory.met] == [
        {"namespace": "acme", "flow_id": "a"}
    ]


def test_without_reset_each_fitting_event_fires_again_and_others_do_not() -> None:
    given = needs(**BOTH, resetOnSuccess=False)
    assert told(given, ended("a"), ended("b"), ended("b")).fires
    assert not told(given, ended("a"), ended("b"), ended("other")).fires


def test_outputs_of_all_are_merged_and_the_first_wins() -> None:
    heard = told(needs(**BOTH), ended("a", x=1, both="a"), ended("b", y=2, both="b"))
    assert heard.outputs == {"x": 1, "y": 2, "both": "a"}


@pytest.mark.parametrize(
    ("upstream", "meets"),
    [
        ({"flowId": "a"}, True),
        ({}, True),
        ({"flowId": "z"}, False),
        ({"states": ["FAILED"]}, False),
        ({"labels": {"env": "prod"}}, True),
        ({"labels": {"env": "test"}}, False),
    ],
)
def test_an_upstream_flow_is_met_by(upstream: dict[str, Any], *, meets: bool) -> None:
    assert told(needs(flows=[{"namespace": "acme", **upstream}]), ended("a")).fires is meets


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"field": "FLOW_ID", "type": "EQUAL_TO", "value": "a"}, True),
        ({"field": "FLOW_ID", "type": "NOT_EQUAL_TO", "value": "a"}, False),
        ({"field": "STATE", "type": "IN", "values": ["SUCCESS"]}, True),
        ({"field": "STATE", "type": "NOT_IN", "values": ["SUCCESS"]}, False),
        ({"field": "NAMESPACE", "type": "STARTS_WITH", "value": "ac"}, True),
        ({"field": "NAMESPACE", "type": "ENDS_WITH", "value": "me"}, True),
        ({"field": "NAMESPACE", "type": "CONTAINS", "value": "xx"}, False),
        ({"field": "NAMESPACE", "type": "REGEX", "value": "a.*e"}, True),
        ({"field": "NAMESPACE", "type": "IS_NOT_NULL", "value": "-"}, True),
        ({"field": "NAMESPACE", "type": "IS_NULL", "value": "-"}, False),
        ({"field": "EXPRESSION", "type": "IS_TRUE", "value": "yes"}, True),
        ({"field": "EXPRESSION", "type": "IS_FALSE", "value": "false"}, True),
    ],
)
def test_a_filter(condition: dict[str, Any], *, holds: bool) -> None:
    assert told(needs(where=[{"id": "w", "filters": [condition]}]), ended("a")).fires is holds


def test_one_of_several_filters_is_enough_with_or() -> None:
    filters = [
        {"field": "FLOW_ID", "type": "EQUAL_TO", "value": "z"},
        {"field": "STATE", "type": "EQUAL_TO", "value": "SUCCESS"},
    ]
    assert told(needs(where=[{"id": "w", "operand": "OR", "filters": filters}]), ended("a")).fires
    assert not told(needs(where=[{"id": "w", "filters": filters}]), ended("a")).fires


def test_what_happened_before_the_window_is_forgotten() -> None:
    given = needs(**BOTH, timeWindow={"type": "DURATION_WINDOW", "window": "PT1H"})
    first = told(given, ended("a"), at="09:30")
    later = told(given, ended("b"), memory=first.memory)
    assert not later.fires
    assert len(later.memory.met) == 1
    assert told(given, ended("a"), memory=later.memory).fires


def test_a_requirement_that_was_edited_must_be_met_anew() -> None:
    before = told(needs(**BOTH), ended("a")).memory
    edited = [{**BOTH["flows"][0], "states": ["SUCCESS"]}, BOTH["flows"][1]]
    assert not told(needs(flows=edited), ended("b"), memory=before).fires


def test_merging_joins_lists_and_maps() -> None:
    new = {"list": [2], "map": {"b": 1}}
    stored = {"list": [1], "map": {"a": 1}}
    assert merged(new, stored) == {"list": [1, 2], "map": {"b": 1, "a": 1}}
