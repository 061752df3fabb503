"""What rendered values mean: truth, durations, numbers, the values of a loop."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from batuta.engine.plan import Expression
from batuta.model import codec
from batuta.model.duration import parse_duration
from batuta.model.instant import SECOND, Instant, Micros, from_iso

_FALSE = frozenset({"", "false", "0", "-0"})


def is_template(value: Expression) -> bool:
    """Whether rendering may change the value; all else is used as it stands."""
    match value:
        case str():
            return "{{" in value or "{%" in value or "{#" in value
        case Mapping():
            return any(is_template(key) or is_template(item) for key, item in value.items())
        case list() | tuple():
            return any(map(is_template, value))
        case _:
            return False


def is_truthy(value: Any) -> bool:
    """01, head: null, blanks, `false`, `0` and `-0` are false, every other text is true."""
    if value is None or isinstance(value, bool):
        return bool(value)
    text = str(value)
    return bool(text.strip()) and text not in _FALSE


def to_duration(value: Any) -> Micros:
    """Microseconds of an ISO-8601 duration or of a plain number of seconds. Raises `ValueError`."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return round(value * SECOND)
    text = str(value).strip()
    try:
        return parse_duration(text)
    except ValueError:
        if not text.replace(".", "", 1).isdecimal():
            raise
        return round(float(text) * SECOND)


def to_int(value: Any) -> int:
    """Raises `ValueError` for what is no whole number."""
    try:
        number = float(value) if isinstance(value, float) else int(str(value).strip())
        whole = int(number)
    except (ValueError, OverflowError):
        raise ValueError(f"`{value}` is no whole number") from None
    if number != whole:
        raise ValueError(f"`{value}` is no whole number")
    return whole


def to_instant(value: Any) -> Instant:
    """Raises `ValueError` for what is no date with time and offset."""
    try:
        return from_iso(str(value).strip())
    except ValueError:
        raise ValueError(f"`{value}` is no date with time and offset") from None


def to_items(values: Any) -> tuple[str, ...]:
    """The values of a loop (01 §6.6): a list, or its JSON text; repeated ones are dropped. Raises `ValueError`."""
    values = _read_list(values) if isinstance(values, str) else values
    match values:
        case list() | tuple():
            return _texts(values)
        case _:
            shown = codec.encode_text(values)
            raise ValueError(f"the values of a loop are a list, not `{shown}`")


def to_entries(values: Any) -> tuple[tuple[str, ...], bool]:
    """The values of a Loop, repeated ones included: a list, a map, or JSON text of either.

    Of a map keys and values in turn; the flag tells that. Raises `ValueError`.
    """
    if isinstance(values, str):
        values = _read_list(values, "no JSON list or map, and no URI of a file (kestra:///…)")
    match values:
        case Mapping():
            _refuse_missing("Loop", list(values.values()))
            return tuple(to_text(part) for entry in values.items() for part in entry), True
        case list() | tuple():
            _refuse_missing("Loop", values)
            return tuple(map(to_text, values)), False
        case _:
            shown = codec.encode_text(values)
            raise ValueError(f"the values of a Loop are a list, a map or a file, not `{shown}`")


def _texts(values: Sequence[Any]) -> tuple[str, ...]:
    _refuse_missing("Each", values)
    return tuple(dict.fromkeys(map(to_text, values)))


def _refuse_missing(kind: str, values: Sequence[Any]) -> None:
    missing = sum(value is None for value in values)
    if missing:
        shown = ", ".join(map(_java_text, values))
        raise ValueError(f"Found '{missing}' null values on {kind}, with values=[{shown}]")


def to_text(value: Any) -> str:
    """A text as it is, everything else as compact JSON."""
    return value if isinstance(value, str) else codec.encode_text(value)


def _read_list(text: str, what: str = "no JSON list") -> Any:
    try:
        return codec.decode(text)
    except ValueError as error:
        raise ValueError(f"`{text}` is {what}: {error}") from error


def _java_text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case str():
            return value
        case Mapping():
            return f"{{{_joined(f'{key}={_java_text(item)}' for key, item in value.items())}}}"
        case list() | tuple():
            return f"[{_joined(map(_java_text, value))}]"
        case _:
            return codec.encode_text(value)


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts)
