"""What the original makes of a value where a text, number, boolean or time is expected (01 §1.6, §1.7)."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from batuta.model import codec
from batuta.model.duration import parse_duration
from batuta.sdk.facts import Facts

INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1
_INTEGER = re.compile(r"\s*[-+]?[0-9]+\s*", re.ASCII)
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_PLAIN_FLOAT = (1e-3, 1e7)
"""Java writes doubles between these without an exponent."""


class Misfit(ValueError):  # noqa: N818 - a value that does not fit, not a fault of the program
    """The value cannot be read as what is expected. The message says both."""


def is_expression(value: Any) -> bool:
    return isinstance(value, str) and ("{{" in value or "{%" in value)


def java_text(value: Any) -> str:
    """The text of a scalar as Java prints it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _java_float(value)
    return str(value)


def _java_float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    low, high = _PLAIN_FLOAT
    if value == 0 or low <= abs(value) < high:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    rest = "".join(str(digit) for digit in digits[1:]) or "0"
    return f"{'-' if sign else ''}{digits[0]}.{rest}E{len(digits) + int(exponent) - 1}"


def shape_of(value: Any) -> str:
    """What a value is, in the words of a message."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean `{java_text(value)}`"
    if isinstance(value, str):
        shown = value if len(value) <= 60 else f"{value[:60]}…"  # noqa: PLR2004 - fits a line
        return f"the text `{shown}`"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list):
        return "a list"
    return f"the number `{java_text(value)}`"


def read_scalar(value: Any, facts: Facts) -> Any:
    """The value as the declared type; None where an empty text stands for nothing. Raises `Misfit`."""
    if facts.enum is not None:
        return _enum(value, facts.enum)
    reader = _READERS.get(facts.format or "") or _READERS.get(facts.type or "")
    return value if reader is None else reader(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping | list):
        raise Misfit(f"must be a text, but is {shape_of(value)}")
    return value if isinstance(value, str) else java_text(value)


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value != 0
    if isinstance(value, str):
        text = value.strip()
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        if not text:
            return None
    raise Misfit(f"must be `true` or `false`, but is {shape_of(value)}")


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and not value.strip():
        return None
    if (isinstance(value, str) and _INTEGER.fullmatch(value)) or (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ):
        number = int(value)
    else:
        raise Misfit(f"must be a whole number, but is {shape_of(value)}")
    if not -INT_MAX - 1 <= number <= INT_MAX:
        raise Misfit(f"must be a whole number of 32 bits, but is {shape_of(value)}")
    return number


def _number(value: Any) -> int | float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            return float(value)
        except ValueError:
            pass
    raise Misfit(f"must be a number, but is {shape_of(value)}")


def _enum(value: Any, names: tuple[str, ...]) -> Any:
    if isinstance(value, str) and value in names:
        return value
    raise Misfit(f"must be one of {', '.join(names)}, but is {shape_of(value)}")


def _duration(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"PT{java_text(value)}S"
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            parse_duration(value)
        except ValueError:
            pass
        else:
            return value
    raise Misfit(f"must be a duration such as PT30S or P1D, but is {shape_of(value)}")


def _moment(what: str, example: str, parse: Callable[[str], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                parse(value)
            except ValueError:
                pass
            else:
                return value
        raise Misfit(f"must be {what} such as {example}, but is {shape_of(value)}")

    return read


def _zoned(text: str) -> datetime:
    moment = datetime.fromisoformat(text.partition("[")[0])
    if moment.tzinfo is None or len(text) <= len("2025-01-01"):
        raise ValueError(text)
    return moment


def _clock_time(text: str) -> time:
    if ":" not in text:
        raise ValueError(text)
    return time.fromisoformat(text)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "string": _text,
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "duration": _duration,
    "date-time": _moment("a date-time with `Z` or an offset", "2025-01-31T08:00:00Z", _zoned),
    "date": _moment("a date", "2025-01-31", date.fromisoformat),
    "time": _moment("a time", "08:00:00", _clock_time),
    "partial-time": _moment("a time", "08:00:00", _clock_time),
}


def literal_misfit(value: Any, facts: Facts) -> str | None:
    """Why a literal in a dynamic property can never fit when it is rendered, or None (01 §1.6.1)."""
    if is_expression(value) or facts.any_of is not None or facts.ref or facts.plugin_kind:
        return None
    try:
        if facts.type in {"array", "object"}:
            _collection_literal(value, facts.type)
        elif facts.format == "duration" and not isinstance(value, str):
            raise Misfit(f"must be a duration such as PT30S or P1D, but is {shape_of(value)}")  # noqa: TRY301
        elif _has_form(facts) and read_scalar(value, facts) is None:
            raise Misfit("must not be empty")  # noqa: TRY301
    except Misfit as misfit:
        return str(misfit)
    return None


def _has_form(facts: Facts) -> bool:
    """Whether some texts do not fit."""
    return facts.enum is not None or facts.format not in {None, "uri"} or facts.type != "string"


def _collection_literal(value: Any, kind: str) -> None:
    expected, word = (list, "a list") if kind == "array" else (Mapping, "a map")
    if isinstance(value, expected):
        return
    if isinstance(value, str):
        try:
            value = codec.decode(value)
        except ValueError:
            pass
        else:
            if isinstance(value, expected):
                return
    raise Misfit(f"must be {word} or an expression that gives one, but is {shape_of(value)}")
