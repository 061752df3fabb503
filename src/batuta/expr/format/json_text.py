"""JSON text of values, written and read (02 §2.2, `toJson`, `fromJson`)."""

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from math import isfinite
from typing import Any

from batuta.expr.errors import LimitError, RuntimeFaultError
from batuta.expr.format.number_text import decimal_text, double_text, float_text
from batuta.expr.temporal import Duration, Instant, LocalDate, LocalDateTime, ZonedDateTime
from batuta.expr.temporal.python import from_python
from batuta.expr.values import CHARS_PER_NODE, MAX_NODES, Entry, Float, Value, is_number

MAX_DEPTH = 500
_BLANKS = " \t\n\r"

_LONG_ESCAPES = re.compile(r"[\x00-\x07\x0b\x0e-\x1f]")


def json_text(value: Value, *, keep_nulls: bool = False) -> str:
    """Compact; map entries with a null value are left out unless `keep_nulls`."""
    pieces: list[str] = []
    _Writer(pieces, keep_nulls=keep_nulls).write(value, 0)
    return "".join(pieces)


class _Writer:
    __slots__ = ("add", "keep_nulls", "left")

    def __init__(self, pieces: list[str], *, keep_nulls: bool) -> None:
        self.add = pieces.append
        self.keep_nulls = keep_nulls
        self.left = MAX_NODES

    def write(self, value: Value, depth: int) -> None:
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            raise LimitError("The value is too big to be written as JSON")
        kind = type(value)
        if kind is str:
            self.left -= len(value) // CHARS_PER_NODE
            self.add(quote(value))
        elif value is None:
            self.add("null")
        elif isinstance(value, Mapping):
            self._map(value, depth)
        elif isinstance(value, (list, tuple, set, frozenset)):
            self._list(value, depth)
        else:
            self.add(_scalar(value))

    def _map(self, value: Mapping[Any, Value], depth: int) -> None:
        add = self.add
        if isinstance(value, Entry):
            value = {value["key"]: value["value"]}
        separator = "{"
        for key, item in value.items():
            if item is None and not self.keep_nulls:
                continue
            add(separator)
            separator = ","
            add(quote(_key(key)))
            add(":")
            self.write(item, depth + 1)
        add("{}" if separator == "{" else "}")

    def _list(self, value: Any, depth: int) -> None:
        separator = "["
        for item in value:
            self.add(separator)
            separator = ","
            self.write(item, depth + 1)
        self.add("[]" if separator == "[" else "]")


def quote(text: str) -> str:
    """A JSON string; escapes by number have upper-case digits."""
    quoted: str = encode_basestring(text)
    if _LONG_ESCAPES.search(text) is None:
        return quoted
    return "".join(
        f"\\u{ord(char):04X}" if _LONG_ESCAPES.match(char) else encode_basestring(char)[1:-1]
        for char in text
    ).join('""')


def _key(key: Value) -> str:
    if isinstance(key, str):
        return str(key)
    if key is None:
        raise RuntimeFaultError("Null key for a Map not allowed in JSON")
    return _scalar(key).strip('"')


def _scalar(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(value):
        return _number(value)
    if isinstance(value, bytes):
        return f'"{b64encode(value).decode()}"'
    if isinstance(value, str):
        return quote(str(value))
    if isinstance(value, (datetime, date, timedelta)):
        value = from_python(value)
    return _moment(value)


def _moment(value: Value) -> str:
    if isinstance(value, ZonedDateTime):
        value = value.instant
    if isinstance(value, Duration):
        return f"{value.seconds}.{value.nanos:09}"
    if isinstance(value, LocalDateTime):
        return f'"{_with_seconds(value)}"'
    if isinstance(value, (Instant, LocalDate)):
        return f'"{value}"'
    raise RuntimeFaultError(f"A value of type {type(value).__name__} cannot be written as JSON")


def _number(value: Value) -> str:
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, Decimal):
        return decimal_text(value)
    text = float_text(value) if isinstance(value, Float) else double_text(value)
    return text if isfinite(value) else f'"{text}"'


def _with_seconds(value: LocalDateTime) -> str:
    text = str(value)
    return f"{text}:00" if text.count(":") == 1 else text


def _refuse_constant(text: str) -> Value:
    raise ValueError(f"Non-standard token '{text}'")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def read_json(text: str) -> Value:
    """The first JSON value of a text; what follows it is ignored. Raises `ValueError`."""
    start = len(text) - len(text.lstrip(_BLANKS))
    try:
        value, _ = _DECODER.raw_decode(text, start)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value
