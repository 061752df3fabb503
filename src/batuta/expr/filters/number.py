"""Filters on numbers."""

import re
from decimal import Decimal
from math import isinf

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError, LimitError, RuntimeFaultError
from batuta.expr.filters.text import needs_text
from batuta.expr.format.number_pattern import format_number
from batuta.expr.format.number_text import double_text, float_text, round_to_float
from batuta.expr.registry import FILTERS
from batuta.expr.values import (
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    LONG_MIN,
    BigInteger,
    Float,
    Long,
    Value,
    class_name,
    is_number,
    wrap64,
)

_MAX_DIGITS = 4_000
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?", re.ASCII)
_HEX = re.compile(r"([+-]?)(?:0[xX]|#)([0-9A-Fa-f]+)", re.ASCII)


@FILTERS("abs", plain=True, template="{{ -7 | abs }}", result="7")
def abs_(value: Value) -> Value:
    """The size of a number without its sign."""
    if value is None:
        raise EvaluationError("The 'abs' filter needs a number, not null.")
    if not is_number(value):
        raise EvaluationError(f"The 'abs' filter needs a number, not {class_name(value)}.")
    if isinstance(value, Float):
        return Float(abs(value))
    if isinstance(value, int) and not isinstance(value, BigInteger):
        return wrap64(abs(value)) if class_name(value) == "java.lang.Long" else abs(value)
    return abs(value)


@FILTERS("className", plain=True, template="{{ 1.5 | className }}", result="java.lang.Double")
def class_name_filter(value: Value) -> Value:
    """The name of the Java class that Kestra would hold the value in."""
    return None if value is None else class_name(value)


@FILTERS(
    "numberFormat",
    "format",
    with_state=True,
    template="{{ 1234567.891 | numberFormat('#,##0.00') }}",
    result="1,234,567.89",
)
def number_format(s: State, value: Value, pattern: Value) -> Value:
    """A number by a pattern of Java's `DecimalFormat`."""
    if value is None:
        return None
    if not is_number(value):
        raise EvaluationError("The input for the 'NumberFormat' filter has to be a number.")
    locale = s.host.settings.locale
    return format_number(value, None if pattern is None else needs_text(pattern), locale)


@FILTERS("number", "type", template="{{ '42' | number + 1 }}", result="43")
def number(value: Value, kind: Value) -> Value:
    """The number that a text holds; the type is inferred unless given."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise EvaluationError("The 'number' filter needs a text.")
    text = str(value)
    if len(text) > _MAX_DIGITS:
        raise LimitError("The text has too many digits for a number")
    convert = _CONVERSIONS.get(kind) if isinstance(kind, str) else None
    return (convert or _inferred)(text)


def _bad(text: str) -> RuntimeFaultError:
    return RuntimeFaultError(f'For input string: "{text}"')


def _integer(text: str, low: int, high: int) -> int:
    if _INTEGER.fullmatch(text) is None or not low <= int(text) <= high:
        raise _bad(text)
    return int(text)


def _int(text: str) -> Value:
    return _integer(text, INT_MIN, INT_MAX)


def _long(text: str) -> Value:
    return Long(_integer(text, LONG_MIN, LONG_MAX))


def _big_integer(text: str) -> Value:
    if _INTEGER.fullmatch(text) is None:
        raise _bad(text)
    return BigInteger(text)


def _double(text: str) -> Value:
    stripped = text.strip()
    special = {"NaN": "nan", "Infinity": "inf", "+Infinity": "inf", "-Infinity": "-inf"}
    if stripped in special:
        return float(special[stripped])
    bare = stripped[:-1] if stripped[-1:] in {"d", "D", "f", "F"} else stripped
    if _DECIMAL.fullmatch(bare) is None:
        raise _bad(text)
    return float(bare)


def _float(text: str) -> Value:
    return Float(round_to_float(_double(text)))


def _big_decimal(text: str) -> Value:
    if _DECIMAL.fullmatch(text) is None:
        raise _bad(text)
    return Decimal(text)


_CONVERSIONS = {
    "INT": _int,
    "LONG": _long,
    "FLOAT": _float,
    "DOUBLE": _double,
    "BIGDECIMAL": _big_decimal,
    "BIGINTEGER": _big_integer,
}


def _inferred(text: str) -> Value:
    """The rules of `NumberUtils.createNumber` (02 §4)."""
    if not text.strip():
        raise _bad(text)
    hexadecimal = _HEX.fullmatch(text)
    if hexadecimal is not None:
        return _by_size(int(hexadecimal[1] + hexadecimal[2], 16), digits=hexadecimal[2])
    if text[-1] in "lL" and _INTEGER.fullmatch(text[:-1]):
        return _suffixed_long(text[:-1])
    if text[-1] in "fFdD":
        return _suffixed_decimal(text)
    if _INTEGER.fullmatch(text):
        return _plain_integer(text)
    if _DECIMAL.fullmatch(text) is None:
        raise _bad(text)
    return _smallest_decimal(text)


def _by_size(value: int, *, digits: str) -> Value:
    shown = int(digits, 16)
    if shown > LONG_MAX:
        return BigInteger(value)
    return Long(value) if shown > INT_MAX else value


def _suffixed_long(text: str) -> Value:
    value = int(text)
    return Long(value) if LONG_MIN <= value <= LONG_MAX else BigInteger(value)


def _suffixed_decimal(text: str) -> Value:
    body = text[:-1]
    if _DECIMAL.fullmatch(body) is None:
        raise _bad(text)
    if text[-1] in "fF":
        single = round_to_float(float(body))
        if not _lost(single, body):
            return Float(single)
    double = float(body)
    return Decimal(body) if _lost(double, body) else double


def _lost(value: float, text: str) -> bool:
    """Too big, or rounded to zero."""
    return isinf(value) or (
        value == 0
        and any(
            char in "123456789" for char in text.split("e", maxsplit=1)[0].split("E", maxsplit=1)[0]
        )
    )


def _plain_integer(text: str) -> Value:
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits.startswith("0"):
        if any(char in "89" for char in digits):
            raise _bad(text)
        octal = int(digits, 8)
        return _by_integer_size(-octal if text.startswith("-") else octal)
    return _by_integer_size(int(text))


def _by_integer_size(value: int) -> Value:
    if INT_MIN <= value <= INT_MAX:
        return value
    return Long(value) if LONG_MIN <= value <= LONG_MAX else BigInteger(value)


def _smallest_decimal(text: str) -> Value:
    double = float(text)
    single = round_to_float(double)
    exact = Decimal(text)
    if not _lost(single, text) and float_text(single) == double_text(double):
        return Float(single)
    if not _lost(double, text) and Decimal(double_text(double)) == exact:
        return double
    return exact
