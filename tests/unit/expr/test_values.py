"""Text, JSON and classes of values that only code can put into a context."""

from decimal import Decimal
from enum import StrEnum
from math import inf, nan
from types import MappingProxyType
from typing import Any

import pytest

from batuta.expr import Context, LimitError, RuntimeFaultError, render
from batuta.expr.errors import nearest_names
from batuta.expr.format.json_text import json_text
from batuta.expr.format.number_text import (
    decimal_text,
    double_text,
    float_text,
    plain_decimal,
    round_to_float,
)
from batuta.expr.format.text import java_text, printed
from batuta.expr.values import (
    Array,
    Entry,
    Float,
    KeySet,
    Long,
    Loop,
    class_name,
    java_equals,
    to_plain,
)


class Color(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "plain", "java"),
    [
        (0.0, "0.0", "0.0"),
        (-0.0, "-0.0", "-0.0"),
        (inf, "Infinity", "Infinity"),
        (-inf, "-Infinity", "-Infinity"),
        (nan, "NaN", "NaN"),
        (1e7, "1.0E7", "1.0E7"),
        (123456.789e10, "1.23456789E15", "1.23456789E15"),
        (-1e-4, "-1.0E-4", "-1.0E-4"),
        (Float(0.1), None, None),
        (Float(round_to_float(0.1)), "0.1", "0.1"),
        (Float(round_to_float(1e10)), "1.0E10", "1.0E10"),
        (Float(5.0), "5.0", "5.0"),
        (Float(inf), "Infinity", "Infinity"),
        (Decimal("NaN"), None, "NaN"),
        (Decimal("1.50"), "1.50", "1.50"),
        (Decimal("-1E-10"), "-0.0000000001", "-1E-10"),
        (Decimal("12E+5"), "1200000", "1.2E+6"),
        ((1, "a"), '[1,"a"]', "[1, a]"),
        (Array(["a"]), '["a"]', "[Ljava.lang.String;@1"),
        (KeySet(["a"]), '["a"]', "[a]"),
        (Entry("k", [1]), "k=[1]", "k=[1]"),
        (MappingProxyType({"a": None}), "{}", "{a=null}"),
        (b"abc", '"YWJj"', "[B@3"),
        (10**30, str(10**30), str(10**30)),
        ({1: True, None: 2}, None, "{1=true, null=2}"),
    ],
)
def test_values_have_two_texts(value: Any, plain: str | None, java: str | None) -> None:
    if plain is not None:
        assert printed(value) == plain
    if java is not None:
        assert java_text(value) == java


def test_json_escapes_by_number_have_upper_case_digits() -> None:
    assert json_text('\x1b\n"é\x7f') == '"\\u001B\\n\\"é\x7f"'
    assert (
        json_text([inf, nan, {1.5: "a", True: "b"}]) == '["Infinity","NaN",{"1.5":"a","true":"b"}]'
    )


def test_what_nobody_knows_has_no_text() -> None:
    for write in (printed, json_text):
        with pytest.raises(RuntimeFaultError):
            write(object())
    with pytest.raises(RuntimeFaultError):
        json_text({None: 1})


def test_numbers_with_too_many_digits_are_refused() -> None:
    with pytest.raises(LimitError):
        plain_decimal(Decimal("1E+999999"))
    assert decimal_text(Decimal("1E+999999")) == "1E+999999"
    assert round_to_float(1e300) == inf
    assert round_to_float(-1e300) == -inf
    assert float_text(round_to_float(16_777_217.0)) == "1.6777216E7"
    assert double_text(100.0) == "100.0"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (2**40, "java.lang.Long"),
        (2**70, "java.math.BigInteger"),
        ((), "java.util.ArrayList"),
        (MappingProxyType({}), "java.util.LinkedHashMap"),
        (Color.RED, "java.lang.Enum"),
        (Loop(1), "java.util.LinkedHashMap"),
        (object(), "java.time.object"),
    ],
)
def test_classes_are_named(value: Any, name: str) -> None:
    assert class_name(value) == name


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, Long(1), False),
        (nan, nan, True),
        (Decimal("1.0"), Decimal("1.00"), False),
        ([1], KeySet([1]), False),
        ([1], {"a": 1}, False),
        ([[1]], [1], False),
        ({"a": {"b": [1]}}, {"a": {"b": [1]}}, True),
        ([{"a": 1}], [[1]], False),
        ([1], (1,), True),
        (True, 1, False),
        ("a", "a", True),
    ],
)
def test_equality_knows_classes(left: Any, right: Any, same: bool) -> None:
    assert java_equals(left, right) is same


def test_data_without_end_is_refused() -> None:
    left: list[Any] = [1]
    right: list[Any] = [1]
    for _ in range(60):
        left, right = [left, left], [right, right]
    for work in (lambda: java_equals(left, right), lambda: to_plain(left), lambda: java_text(left)):
        with pytest.raises(LimitError):
            work()


def test_the_loop_variable_is_a_map() -> None:
    loop = Loop(3)
    assert dict(loop) == {"index": 0, "length": 3, "first": True, "last": False, "revindex": 2}
    assert len(loop) == 5
    assert render(
        "{% for x in [1] %}{% set l = loop %}{{ l }}{{ loop.zz ?? 'd' }}{% endfor %}", Context({})
    ) == ('{"index":0,"length":1,"first":true,"last":true,"revindex":0}d')


def test_near_names_prefer_the_same_letters() -> None:
    assert nearest_names("NAME", ["name", "game", 5]) == ("name",)
    assert nearest_names("zzz", ["name"]) == ()
    assert nearest_names("k5", [f"k{number}" for number in range(5_000)])
