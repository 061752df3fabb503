"""How values are taken where a text, number, boolean or time is expected."""

import math
from typing import Any

import pytest

from batuta.flow.literal import Misfit, java_text, literal_misfit, read_scalar
from batuta.sdk.facts import Facts

TEXTS = [
    (None, "null"),
    (True, "true"),
    (12, "12"),
    (1.0, "1.0"),
    (-0.0, "-0.0"),
    (1.1, "1.1"),
    (0.001, "0.001"),
    (0.0001, "1.0E-4"),
    (1e7, "1.0E7"),
    (-12345678.5, "-1.23456785E7"),
    (1e300, "1.0E300"),
    (math.inf, "Infinity"),
    (-math.inf, "-Infinity"),
    (math.nan, "NaN"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS)
def test_numbers_are_written_as_java_writes_them(value: object, text: str) -> None:
    assert java_text(value) == text


STRING, INTEGER, NUMBER, BOOLEAN = (
    Facts(type=name) for name in ("string", "integer", "number", "boolean")
)
DURATION, MOMENT, DAY, TIME = (
    Facts(type="string", format=name) for name in ("duration", "date-time", "date", "partial-time")
)
ENUM = Facts(type="string", enum=("A", "B"))

READ: list[tuple[Facts, Any, Any]] = [
    (STRING, 12, "12"),
    (STRING, True, "true"),
    (INTEGER, " 7 ", 7),
    (INTEGER, 1.9, 1),
    (INTEGER, "", None),
    (NUMBER, "1.5", 1.5),
    (NUMBER, " ", None),
    (BOOLEAN, "TRUE", True),
    (BOOLEAN, 0, False),
    (BOOLEAN, "", None),
    (DURATION, "PT1S", "PT1S"),
    (DURATION, 30, "PT30S"),
    (DURATION, " ", None),
    (MOMENT, "2025-01-31T08:00:00+01:00[Europe/Paris]", "2025-01-31T08:00:00+01:00[Europe/Paris]"),
    (DAY, "2025-01-31", "2025-01-31"),
    (TIME, "08:00", "08:00"),
    (TIME, "", None),
    (ENUM, "A", "A"),
]


@pytest.mark.parametrize(("facts", "value", "read"), READ)
def test_a_value_is_converted(facts: Facts, value: object, read: object) -> None:
    assert read_scalar(value, facts) == read


REFUSED: list[tuple[Facts, Any]] = [
    (STRING, []),
    (STRING, {}),
    (INTEGER, "1.5"),
    (INTEGER, True),
    (INTEGER, 2**31),
    (INTEGER, math.inf),
    (NUMBER, "many"),
    (NUMBER, []),
    (BOOLEAN, "yes"),
    (BOOLEAN, 1.0),
    (DURATION, "5s"),
    (DURATION, True),
    (MOMENT, "2025-01-31"),
    (MOMENT, 12),
    (DAY, "31.1.2025"),
    (TIME, "0800"),
    (ENUM, "a"),
    (ENUM, 1),
]


@pytest.mark.parametrize(("facts", "value"), REFUSED)
def test_a_value_that_does_not_fit_is_refused(facts: Facts, value: object) -> None:
    with pytest.raises(Misfit, match="must be"):
        read_scalar(value, facts)


LITERALS: list[tuple[Facts, Any, bool]] = [
    (DURATION, "{{ x }}", True),
    (DURATION, "10s", False),
    (DURATION, 10, False),
    (INTEGER, "", False),
    (STRING, {"a": 1}, True),
    (ENUM, "C", False),
    (Facts(type="array"), "[1]", True),
    (Facts(type="array"), "a", False),
    (Facts(type="object"), '{"a": 1}', True),
    (Facts(type="object"), [1], False),
    (Facts(any_of=(STRING,)), [], True),
]


@pytest.mark.parametrize(("facts", "value", "fits"), LITERALS)
def test_a_literal_in_a_dynamic_property_is_judged(facts: Facts, value: object, fits: bool) -> None:
    assert (literal_misfit(value, facts) is None) == fits
