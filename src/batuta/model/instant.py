"""Instants: integer microseconds since 1970-01-01T00:00:00Z, everywhere below the edges."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType

Instant = NewType("Instant", int)
Micros = int
"""A length of time in microseconds."""

SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
DAY: Micros = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_iso(instant: int) -> str:
    """ISO-8601 in UTC as Java prints an `Instant`: 0, 3 or 6 digits of fraction and `Z`."""
    seconds, micros = divmod(instant, SECOND)
    text = _second(seconds)
    if micros == 0:
        return f"{text}Z"
    if micros % 1000 == 0:
        return f"{text}.{micros // 1000:03d}Z"
    return f"{text}.{micros:06d}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    """Instants that are shown together are often of the same few seconds."""
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def from_iso(text: str) -> Instant:
    """An ISO-8601 date-time with `Z` or an offset. Raises `ValueError` for anything else."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"`{text}` has no offset or `Z`")
    return from_datetime(moment)


def from_datetime(moment: datetime) -> Instant:
    """`moment` must be aware."""
    delta = moment - _EPOCH
    return Instant((delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds)


def to_datetime(instant: int) -> datetime:
    """Aware, in UTC."""
    return _EPOCH + timedelta(microseconds=instant)
