"""When an execution went as recorded, and what is said when it did not."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given

from batuta.testing.conformance.compare import compare
from batuta.testing.conformance.text import differences, is_same_text
from tests.strategies import plain_values

RECORD: dict[str, Any] = {
    "state": "SUCCESS",
    "histories": ["CREATED", "RUNNING", "SUCCESS"],
    "systemLabels": {"system.correlationId": "<id>"},
    "taskRuns": [
        {"taskId": "loop", "state": "SUCCESS", "attempts": 1},
        {
            "taskId": "t",
            "value": "a",
            "iteration": 0,
            "parent": "loop",
            "state": "SUCCESS",
            "outputs": {"value": "A"},
        },
        {
            "taskId": "t",
            "value": "b",
            "iteration": 1,
            "parent": "loop",
            "state": "SUCCESS",
            "outputs": {"value": "B"},
        },
    ],
    "order": ["loop", "loop/t[a]", "loop/t[b]"],
    "logs": [{"level": "INFO", "taskId": "t", "value": "a", "message": "at <date>"}],
}


def actual() -> dict[str, Any]:
    record = deepcopy(RECORD)
    record["systemLabels"] = {"system.correlationId": "4fX9"}
    record["taskRuns"].reverse()
    record["logs"][0]["message"] = "at 2025-01-02T03:04:05.678Z"
    record["logs"].append({"level": "DEBUG", "taskId": "t", "message": "more"})
    return record


def test_the_same_run_has_no_differences() -> None:
    assert compare(RECORD, actual()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.update(state="FAILED"), "state: expected"),
        (lambda r: r["histories"].pop(), "histories: expected"),
        (lambda r: r["taskRuns"].pop(), "taskRuns loop: missing"),
        (lambda r: r["taskRuns"][0].update(value="c"), "taskRuns loop/t[c]: not expected"),
        (lambda r: r["taskRuns"][0].update(outputs={"value": "x"}), "outputs.value"),
        (lambda r: r["taskRuns"][2].update(outputs={"x": 1}), "outputs: not expected"),
        (lambda r: r.update(outputs={"x": 1}), "outputs: none expected"),
        (lambda r: r.update(labels={"x": "1"}), "labels: none expected"),
        (lambda r: r["order"].reverse(), "order"),
        (lambda r: r["logs"].pop(0), "logs: missing INFO t[a]"),
        (
            lambda r: r["logs"].append({"level": "WARN", "taskId": "t", "message": "x"}),
            "logs: not expected: WARN",
        ),
        (
            lambda r: r.update(children=[{"flowId": "x", "state": "SUCCESS"}]),
            "child x: not expected",
        ),
        (lambda r: r.update(error="no", errorOn="start"), "error: none expected"),
        (lambda r: r.update(stepErrors=[{"step": "kill", "message": "no"}]), "stepErrors"),
    ],
)
def test_every_difference_is_named(change: Any, said: str) -> None:
    record = actual()
    change(record)
    found = compare(RECORD, record)
    assert len([line for line in found if said in line]) == 1, found


def test_of_an_error_the_place_counts_and_not_the_wording() -> None:
    expected = {"error": "theirs", "errorOn": "flow"}
    assert compare(expected, {"error": "ours", "errorOn": "flow"}) == []
    assert compare(expected, {"error": "ours", "errorOn": "start"})
    assert compare(expected, {"state": "SUCCESS"})


def test_what_is_approximate_needs_only_what_was_recorded() -> None:
    record = actual()
    record["taskRuns"].append({"taskId": "more", "state": "SUCCESS"})
    assert compare({**RECORD, "approximate": ["taskRuns"]}, record) == []


def test_children_pair_with_the_one_that_differs_least() -> None:
    children = [{"flowId": "c", "state": "SUCCESS"}, {"flowId": "c", "state": "FAILED"}]
    assert compare({"children": children}, {"children": children[::-1]}) == []
    assert compare({"children": children}, {"children": children[:1] * 2}) == [
        'child c state: expected "FAILED", got "SUCCESS"'
    ]


@pytest.mark.parametrize(
    ("expected", "text", "same"),
    [
        ("<id>", "3Ab_-.x", True),
        ("<id>", "a b", False),
        ("from <date> on", "from 2025-01-02 03:04:05 on", True),
        ("<uri>", "kestra:///a/b.txt", True),
        ("<uri>", "a/b.txt", False),
        ("took <duration>", "took PT0.25S", True),
        ("in <path>", "in /tmp/x", True),
        ("x<any>y", "x\n1\ny", True),
        ("a.c", "abc", False),
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}', True),
        ("[1, 2]", "[2, 1]", False),
        ("one\ntwo", "two\none", True),
    ],
)
def test_texts_match_placeholders_and_json(expected: str, text: str, same: bool) -> None:
    assert is_same_text(expected, text) is same


@pytest.mark.parametrize(
    ("expected", "value", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (True, True, True),
        (None, {}, True),
        ([], None, True),
        ([], {"a": 1}, False),
        ("<any>", None, True),
        ({"a": None}, {}, True),
        ({"a": "<any>"}, {}, True),
        ({"<id>": 1}, {"xyz": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1, 2], [1], False),
        ("1", 1, False),
    ],
)
def test_values_compare_as_plain_data(expected: Any, value: Any, same: bool) -> None:
    assert (list(differences(expected, value)) == []) is same


@given(plain_values())
def test_every_value_is_the_same_as_itself(value: Any) -> None:
    assert list(differences(value, deepcopy(value))) == []


@given(plain_values(), plain_values())
def test_sameness_does_not_depend_on_the_side(left: Any, right: Any) -> None:
    assert bool(list(differences(left, right))) is bool(list(differences(right, left)))


@pytest.mark.parametrize(
    ("wordings", "same"),
    [(None, False), (frozenset(), True), (frozenset({"t"}), False), (frozenset({"u"}), True)],
)
def test_the_wording_of_an_error_counts_where_the_author_chose_it(
    wordings: frozenset[str] | None, same: bool
) -> None:
    expected = {"logs": [{"level": "ERROR", "taskId": "t", "message": "theirs"}]}
    ours = {"logs": [{"level": "ERROR", "taskId": "t", "message": "ours"}]}
    assert (compare(expected, ours, wordings=wordings) == []) is same


def test_an_error_at_another_place_is_another_error() -> None:
    expected = {"logs": [{"level": "ERROR", "taskId": "t", "message": "theirs"}]}
    for ours in (
        {"level": "ERROR", "taskId": "u", "message": "ours"},
        {"level": "WARN", "taskId": "t", "message": "ours"},
    ):
        assert compare(expected, {"logs": [ours]}, wordings=frozenset())
