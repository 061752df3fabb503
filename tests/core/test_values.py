"""What rendered texts mean to the engine, and the small decisions beside `step` (01 head, §4.6, §5.2)."""

from typing import Any

import pytest

from batuta.engine.execution import Seen
from batuta.engine.rollup import forgiven, worse
from batuta.engine.values import (
    is_template,
    is_truthy,
    to_duration,
    to_instant,
    to_int,
    to_text,
)
from batuta.model.state import State

S = State

TRUTH = [
    (None, False), ("", False), (" ", False), ("\n\t", False), ("false", False), ("0", False), ("-0", False),
    (False, False), (0, False), ("null", True), ("False", True), ("0.0", True), (" 0", True), ("no", True), (True, True), (3, True),
]  # fmt: skip


@pytest.mark.parametrize(("value", "truthy"), TRUTH)
def test_truth(value: Any, truthy: bool) -> None:
    assert is_truthy(value) is truthy


TEMPLATES = [
    ("{{ x }}", True), ("a {% if x %}", True), ("{# c #}", True), ("plain", False), ("{x}", False), (3, False), (None, False),
    ({"a": ["x", {"b": "{{ y }}"}]}, True), ({"{{ k }}": 1}, True), (["a", 1], False), ((), False),
]  # fmt: skip


@pytest.mark.parametrize(("value", "template"), TEMPLATES)
def test_what_has_to_be_rendered(value: Any, template: bool) -> None:
    assert is_template(value) is template


DURATIONS = [
    ("PT1M", 60_000_000),
    (" PT0.25s ", 250_000),
    ("90.0", 90_000_000),
    (2, 2_000_000),
    (0.5, 500_000),
]


@pytest.mark.parametrize(("value", "micros"), DURATIONS)
def test_durations(value: Any, micros: int) -> None:
    assert to_duration(value) == micros


@pytest.mark.parametrize("value", ["soon", "1.2.3", "-5", True, None, ""])
def test_no_durations(value: Any) -> None:
    with pytest.raises(ValueError, match="duration"):
        to_duration(value)


def test_numbers_instants_and_texts() -> None:
    assert to_int(" 3 ") == to_int(3) == to_int(3.0) == 3
    with pytest.raises(ValueError, match="whole number"):
        to_int(3.5)
    with pytest.raises(ValueError, match="`three` is no whole number"):
        to_int("three")
    assert to_instant(" 1970-01-01T00:00:01+00:00 ") == 1_000_000
    assert to_text("a") == "a"
    assert to_text({"a": [1, None]}) == '{"a":[1,null]}'


WORSE = [
    (S.SUCCESS, S.SKIPPED, S.SUCCESS), (S.SUCCESS, S.WARNING, S.WARNING), (S.WARNING, S.FAILED, S.FAILED),
    (S.FAILED, S.WARNING, S.FAILED), (S.FAILED, S.KILLED, S.KILLED), (S.WARNING, S.CANCELLED, S.WARNING), (S.SUCCESS, S.RETRIED, S.SUCCESS),
]  # fmt: skip


@pytest.mark.parametrize(("known", "other", "result"), WORSE)
def test_the_worst_child_counts(known: State, other: State, result: State) -> None:
    assert worse(known, other) is result


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("allow_failure", [True, False])
@pytest.mark.parametrize("allow_warning", [True, False])
def test_what_is_forgiven(state: State, allow_failure: bool, allow_warning: bool) -> None:
    result = forgiven(state, allow_failure=allow_failure, allow_warning=allow_warning)
    if state is S.FAILED and allow_failure:
        assert result is (S.SUCCESS if allow_warning else S.WARNING)
    elif state is S.WARNING and allow_warning:
        assert result is S.SUCCESS
    else:
        assert result is state


def test_numbers_seen_roughly_in_order_take_little_space() -> None:
    seen = Seen()
    for number in (1, 0, 4, 2, 2):
        seen = seen.add(number)
    assert seen == Seen(3, (4,))
    assert 4 in seen
    assert 3 not in seen
    assert list(seen) == [0, 1, 2, 4]
    assert len(seen) == 4
    assert seen.without(Seen().add(1)) == Seen(1, (2, 4))
    assert seen.without(Seen()) == seen
