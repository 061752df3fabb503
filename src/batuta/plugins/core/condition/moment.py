"""Dates and times as conditions read them (04 §15)."""

import re
from datetime import date, datetime, timedelta
from typing import Any

from batuta.plugins.core.condition.subject import ConditionError, Render, text_of

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_OFFSET = r"(?:Z|[+-]\d\d:\d\d(?::\d\d)?)"
_TIME = r"(\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)"
_DATE_TIME = re.compile(
    rf"(\d{{4}}-\d\d-\d\d)T{_TIME}({_OFFSET})(?:\[[^\[\]]+\])?", re.ASCII | re.IGNORECASE
)
_TIME_OF_DAY = re.compile(rf"{_TIME}({_OFFSET})", re.ASCII | re.IGNORECASE)
_MICROS = 6


def moment_of(raw: Any, render: Render) -> datetime:
    """A date-time with its offset. Raises `ConditionError`."""
    text = text_of(raw, render)
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ConditionError(f"`{text}` is no date-time with `Z` or an offset")
    return _read(f"{match[1]}T{_short(match[2])}{match[3].upper()}", text)


def day_of(raw: Any, render: Render) -> date:
    """A date, or the local date of a date-time in its own offset. Raises `ConditionError`."""
    text = text_of(raw, render)
    if _DATE.fullmatch(text):
        return _read(text, text).date()
    return moment_of(text, lambda known: known).date()


def time_of(raw: Any, render: Render) -> timedelta:
    """A time of day with offset, as its distance from midnight UTC. Raises `ConditionError`."""
    text = text_of(raw, render)
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise ConditionError(
            f"`{text}` is no time of day with `Z` or an offset, such as 16:00:00+02:00"
        )
    return time_in(_read(f"2000-01-01T{_short(match[1])}{match[2].upper()}", text))


def time_in(moment: datetime) -> timedelta:
    """The time of day of a date-time, as its distance from midnight UTC."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return moment - midnight - (moment.utcoffset() or timedelta())


def _short(time: str) -> str:
    """Microseconds are as fine as it gets."""
    whole, dot, fraction = time.partition(".")
    return f"{whole}{dot}{fraction[:_MICROS].ljust(_MICROS, '0')}" if dot else whole


def _read(iso: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(iso)
    except ValueError as error:
        raise ConditionError(f"`{text}`: {error}") from error
