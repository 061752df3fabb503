"""Dates and times inside Ion: timestamps, and the texts of annotated types, in both directions."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

_ZONED = re.compile(r"([^\[\]]+?)(?:\[([^\[\]]+)\])?")
_LONG_FRACTION = re.compile(r"(\.\d{6})\d+")
_MILLI = 1000
_DATE_LENGTH = len("2024-05-01")


def timestamp(text: str) -> date | datetime:
    """An Ion timestamp. Midnight in UTC is a date (05 §3.6). Raises `ValueError`."""
    if len(text) <= _DATE_LENGTH:
        parts = [int(part) for part in text.rstrip("T").split("-")]
        return date(*[*parts, 1, 1][:3])
    moment = datetime.fromisoformat(_short_fraction(text.removesuffix("T")))
    if moment.tzinfo is None:
        return moment.date()
    if moment.utcoffset():
        return moment
    moment = moment.astimezone(UTC)
    return moment.date() if moment.time() == time() else moment


def write_timestamp(moment: datetime) -> str:
    """An instant with milliseconds, or six digits where there are microseconds."""
    fraction = moment.microsecond
    digits = f"{fraction // _MILLI:03d}" if fraction % _MILLI == 0 else f"{fraction:06d}"
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}.{digits}Z"


def _read_zoned(text: str) -> datetime:
    match = _ZONED.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is no date-time")
    moment = _read_datetime(match[1])
    if match[2] is None or moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(ZoneInfo(match[2]))
    except (KeyError, OSError):
        return moment


def _read_datetime(text: str) -> datetime:
    moment = datetime.fromisoformat(_short_fraction(text))
    return (
        moment.astimezone(UTC) if moment.tzinfo is not None and not moment.utcoffset() else moment
    )


def _read_time(text: str) -> time:
    return time.fromisoformat(_short_fraction(text))


def _short_fraction(text: str) -> str:
    return _LONG_FRACTION.sub(r"\1", text)


ANNOTATED: Mapping[str, Callable[[str], object]] = {
    "ZonedDateTime": _read_zoned,
    "OffsetDateTime": _read_datetime,
    "LocalDateTime": _read_datetime,
    "LocalTime": _read_time,
    "OffsetTime": _read_time,
    "LocalDate": date.fromisoformat,
    "Instant": _read_datetime,
}
"""How the text behind an annotation is read; each raises `ValueError`."""


def annotation_of(moment: datetime) -> str | None:
    """The annotated type of a date-time; None for an instant."""
    if moment.tzinfo is None:
        return "LocalDateTime"
    if moment.tzinfo is UTC:
        return None
    return "ZonedDateTime" if isinstance(moment.tzinfo, ZoneInfo) else "OffsetDateTime"


def iso_text(moment: datetime | time) -> str:
    """ISO-8601 with seconds, the shortest fraction, and `Z` for UTC; no zone name."""
    offset = _offset(moment)
    text = moment.replace(tzinfo=None, microsecond=0).isoformat()
    if moment.microsecond:
        text += f".{moment.microsecond:06d}".rstrip("0")
    if offset is None:
        return text
    return text + ("Z" if not offset else offset_text(offset))


def _offset(moment: datetime | time) -> timedelta | None:
    if isinstance(moment, datetime) or moment.tzinfo is None:
        return moment.utcoffset()
    return moment.tzinfo.utcoffset(None)


def offset_text(offset: timedelta) -> str:
    """`+02:00`."""
    return time(tzinfo=timezone(offset)).isoformat()[8:]


def zoned_text(moment: datetime) -> str:
    """ISO-8601 with the zone in brackets, as `java.time.ZonedDateTime` prints it."""
    zone = moment.tzinfo
    name = f"[{zone.key}]" if isinstance(zone, ZoneInfo) and zone.key else ""
    return iso_text(moment) + name
