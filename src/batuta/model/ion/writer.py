"""Ion text of plain values, compact and on one line (05 §3.6)."""

import base64
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

from batuta.model.ion.temporal import annotation_of, iso_text, write_timestamp, zoned_text

_PLAIN = re.compile(r"(?!(?:null|true|false|nan)\Z)(?!\$\d+\Z)[A-Za-z_$][A-Za-z0-9_$]*", re.ASCII)
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]')
_ESCAPED_SYMBOL = re.compile(r"['\\\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\", "'": "\\'"}
_BYTE = 0xFF
_MAX_ZEROS = 20
"""Decimals with more zeros than this between point and digits are written with an exponent."""


def write_row(value: Any) -> bytes:
    """One line, with its end. A null row is not written: the result is empty. Raises `TypeError`."""
    return b"" if value is None else f"{write_value(value)}\n".encode("utf-8", "surrogatepass")


def write_value(value: Any) -> str:
    """Ion text of maps, lists, scalars, dates and times. Raises `TypeError` for anything else."""
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    for kind, writer in _BY_BASE:
        if isinstance(value, kind):
            return writer(value)
    raise TypeError(f"Ion has no form for {type(value).__name__}")


def _text(value: str) -> str:
    return f'"{_ESCAPED.sub(_escape, value)}"' if _ESCAPED.search(value) else f'"{value}"'


@lru_cache(maxsize=4096)
def _symbol(name: str) -> str:
    if _PLAIN.fullmatch(name):
        return name
    return f"'{_ESCAPED_SYMBOL.sub(_escape, name)}'"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code <= _BYTE else f"\\u{code:04x}")


def _float(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "+inf" if value > 0 else "-inf"
    text = repr(value)
    return text if "e" in text else f"{text.removesuffix('.0')}e0"


def _decimal(value: Decimal) -> str:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return _float(float(value))
    text = "".join(map(str, digits))
    minus = "-" if sign else ""
    if exponent == 0:
        return f"{minus}{text}."
    if exponent > 0 or -exponent > len(text) + _MAX_ZEROS:
        return f"{minus}{text}d{exponent}"
    padded = text.rjust(1 - exponent, "0")
    return f"{minus}{padded[:exponent]}.{padded[exponent:]}"


def _struct(value: Mapping[Any, Any]) -> str:
    fields = ",".join(f"{_symbol(str(key))}:{write_value(item)}" for key, item in value.items())
    return f"{{{fields}}}"


def _list(value: Any) -> str:
    return f"[{','.join(map(write_value, value))}]"


def _blob(value: bytes | bytearray | memoryview) -> str:
    return f"{{{{{base64.b64encode(value).decode()}}}}}"


def _datetime(value: datetime) -> str:
    annotation = annotation_of(value)
    if annotation is None:
        return write_timestamp(value)
    text = zoned_text(value) if annotation == "ZonedDateTime" else iso_text(value)
    return f'{annotation}::"{text}"'


def _time(value: time) -> str:
    kind = "LocalTime" if value.tzinfo is None else "OffsetTime"
    return f'{kind}::"{iso_text(value)}"'


def _seconds(value: timedelta) -> str:
    micros = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    whole, fraction = divmod(abs(micros), 1_000_000)
    return f"{'-' if micros < 0 else ''}{whole}.{fraction:06d}000"


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    str: _text,
    int: str,
    bool: lambda value: "true" if value else "false",
    float: _float,
    type(None): lambda _: "null",
    dict: _struct,
    list: _list,
    tuple: _list,
    Decimal: _decimal,
    bytes: _blob,
    datetime: _datetime,
    date: date.isoformat,
    time: _time,
    timedelta: _seconds,
}

_BY_BASE: tuple[tuple[Any, Callable[[Any], str]], ...] = (
    (Enum, lambda value: write_value(value.value)),
    (str, lambda value: _text(str(value))),
    (int, lambda value: str(int(value))),
    (float, lambda value: _float(float(value))),
    (Mapping, _struct),
    ((list, tuple, set, frozenset), _list),
    ((bytearray, memoryview), _blob),
    (datetime, _datetime),
    (date, date.isoformat),
)


def to_json_data(value: Any) -> Any:
    """The same value as JSON can hold it: dates and times as ISO text, decimals as numbers, bytes as base64 text."""
    if value is None or isinstance(value, str | int | float):
        return value
    for kind, convert in _AS_JSON:
        if isinstance(value, kind):
            return convert(value)
    return str(value)


def _number(value: Decimal) -> int | float | str:
    if not value.is_finite():
        return str(value)
    return int(value) if value.as_tuple().exponent == 0 else float(value)


_AS_JSON: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Decimal, _number),
    (Mapping, lambda value: {str(key): to_json_data(item) for key, item in value.items()}),
    ((list, tuple, set, frozenset), lambda value: [to_json_data(item) for item in value]),
    ((datetime, time), iso_text),
    (date, date.isoformat),
    (timedelta, timedelta.total_seconds),
    ((bytes, bytearray, memoryview), lambda value: base64.b64encode(value).decode()),
)
