"""Values of the key-value store: keys, kinds, and conversion of text (05 §11)."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from batuta.expr.temporal import Duration, Instant, LocalDate, LocalDateTime, ZonedDateTime
from batuta.model import codec
from batuta.model.duration import parse_duration
from batuta.model.instant import SECOND, from_iso, to_iso
from batuta.sdk import RunContext, TaskError
from batuta.sdk.context import KeyValue

_KEY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*", re.ASCII)
_READABLE = re.compile(r"(?:\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?)?", re.ASCII)
"""The part of a date-time before its zone."""
_DURATION = re.compile(r"P(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?", re.ASCII)


class KeyValueType(StrEnum):
    STRING = "STRING"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATETIME = "DATETIME"
    DATE = "DATE"
    DURATION = "DURATION"
    JSON = "JSON"


def check_key(key: str) -> None:
    """Raises `TaskError` that spells the rule."""
    if _KEY.fullmatch(key) is None:
        raise TaskError(
            f"Invalid key '{key}': it must start with a letter or digit and hold only letters, digits, `.`, `_` and `-`"
        )


def convert(value: Any, kind: KeyValueType | None) -> tuple[Any, KeyValueType]:
    """The stored form of a rendered value, and its type. Raises `ValueError` for a text that does not fit `kind`."""
    if isinstance(value, str):
        return _FROM_TEXT[kind or KeyValueType.STRING](value)
    for types, read in _TEMPORAL:
        if isinstance(value, types):
            return read(str(value))
    if kind is KeyValueType.STRING and value is not None and not isinstance(value, Mapping | list):
        return codec.encode_text(value), KeyValueType.STRING
    if isinstance(value, bool):
        return value, KeyValueType.BOOLEAN
    if isinstance(value, int | float):
        return value, KeyValueType.NUMBER
    return value, KeyValueType.JSON


def shown(entry: KeyValue) -> Any:
    """The value as outputs show it: text that looks like a duration becomes seconds (05 §11.1)."""
    value = entry.value
    if isinstance(value, str) and _is_duration(value, entry.kind):
        return parse_duration(value) / SECOND
    return value


def _is_duration(text: str, kind: str) -> bool:
    if kind == KeyValueType.DURATION:
        return True
    return len(text) > 1 and text[-1] not in "PT" and _DURATION.fullmatch(text) is not None


def _text(text: str) -> tuple[Any, KeyValueType]:
    return text, KeyValueType.STRING


def _number(text: str) -> tuple[Any, KeyValueType]:
    value = codec.decode(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"`{text}` is no number")  # noqa: TRY004 - the value, not the type, is wrong
    return value, KeyValueType.NUMBER


def _boolean(text: str) -> tuple[Any, KeyValueType]:
    return text.lower() == "true", KeyValueType.BOOLEAN


def _instant(text: str) -> tuple[Any, KeyValueType]:
    try:
        if "T" in text.upper():
            return _moment(to_iso(from_iso(text)))
    except ValueError:
        pass
    readable = _READABLE.match(text)
    end = 0 if readable is None else readable.end()
    raise ValueError(f"Text '{text}' could not be parsed at index {end}")


def _moment(text: str) -> tuple[str, KeyValueType]:
    """05 §3.6, trap 11: what is stored as midnight in UTC is read back as a date."""
    day, _, time = text.partition("T")
    if time == "00:00:00Z":
        return day, KeyValueType.DATE
    return text, KeyValueType.DATETIME


def _duration(text: str) -> tuple[Any, KeyValueType]:
    parse_duration(text)
    return text, KeyValueType.DURATION


def _json(text: str) -> tuple[Any, KeyValueType]:
    return codec.decode(text), KeyValueType.JSON


# 05 §11.2: DATE is read as a date-time, as 1.1 does.
_FROM_TEXT: Mapping[KeyValueType, Callable[[str], tuple[Any, KeyValueType]]] = {
    KeyValueType.STRING: _text,
    KeyValueType.NUMBER: _number,
    KeyValueType.BOOLEAN: _boolean,
    KeyValueType.DATETIME: _instant,
    KeyValueType.DATE: _instant,
    KeyValueType.DURATION: _duration,
    KeyValueType.JSON: _json,
}

_TEMPORAL: tuple[tuple[Any, Callable[[str], tuple[str, KeyValueType]]], ...] = (
    (Instant, _moment),
    ((ZonedDateTime, LocalDateTime), lambda text: (text, KeyValueType.DATETIME)),
    (LocalDate, lambda text: (text, KeyValueType.DATE)),
    (Duration, lambda text: (text, KeyValueType.DURATION)),
)


def namespace_of(namespace: str | None, ctx: RunContext) -> str:
    """The flow's own namespace when the task names none."""
    return namespace or ctx.info.namespace


async def find(key: str, namespace: str, ctx: RunContext) -> KeyValue | None:
    """05 §11.3: from the flow's own namespace the search climbs to the parents, from another it does not."""
    candidate = namespace
    while True:
        entry = await ctx.kv.get(candidate, key)
        if entry is not None or namespace != ctx.info.namespace or "." not in candidate:
            return entry
        candidate = candidate.rpartition(".")[0]


def missing(key: str, namespace: str) -> TaskError:
    return TaskError(
        f"No value found for key '{key}' in namespace '{namespace}' and `errorOnMissing` is set to true"
    )
