"""Dates and times with nanoseconds, as the original has them; Python's own stop at microseconds and year 9999.

All are frozen values. Units are in the names; `nanos` is a fraction of a second or of a day as stated.
"""

from functools import total_ordering

import msgspec
from typing_extensions import override

from batuta.expr.temporal import calendar
from batuta.expr.temporal.zone import UTC, Zone

NANOS = 1_000_000_000
DAY_SECONDS = 86_400
DAY_NANOS = DAY_SECONDS * NANOS
_FOUR_DIGITS = 9_999


def fraction(nanos: int) -> str:
    """Digits of a fraction of a second in groups of three with the point; nothing for zero."""
    if nanos == 0:
        return ""
    if nanos % 1_000_000 == 0:
        return f".{nanos // 1_000_000:03}"
    if nanos % 1_000 == 0:
        return f".{nanos // 1_000:06}"
    return f".{nanos:09}"


def year_text(year: int) -> str:
    """At least four digits, a plus sign beyond 9999."""
    if year > _FOUR_DIGITS:
        return f"+{year}"
    return f"{year:04}" if year >= 0 else f"-{-year:04}"


@total_ordering
class Instant(msgspec.Struct, frozen=True, gc=False):
    """A point of time: seconds since the epoch and nanoseconds of the second."""

    seconds: int
    nanos: int = 0

    @classmethod
    def of_nanos(cls, nanos: int) -> "Instant":
        seconds, rest = divmod(nanos, NANOS)
        return cls(seconds, rest)

    @classmethod
    def of_micros(cls, micros: int) -> "Instant":
        return cls.of_nanos(micros * 1_000)

    def total_nanos(self) -> int:
        return self.seconds * NANOS + self.nanos

    @override
    def __str__(self) -> str:
        days, seconds = divmod(self.seconds, DAY_SECONDS)
        hour, rest = divmod(seconds, 3600)
        minute, second = divmod(rest, 60)
        return f"{LocalDate(days)}T{hour:02}:{minute:02}:{second:02}{fraction(self.nanos)}Z"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Instant):
            return NotImplemented
        return (self.seconds, self.nanos) < (other.seconds, other.nanos)


@total_ordering
class LocalDate(msgspec.Struct, frozen=True, gc=False):
    epoch_day: int

    @classmethod
    def of(cls, year: int, month: int, day: int) -> "LocalDate":
        return cls(calendar.to_epoch_day(year, month, day))

    @property
    def fields(self) -> tuple[int, int, int]:
        return calendar.from_epoch_day(self.epoch_day)

    def plus_months(self, months: int) -> "LocalDate":
        """Clamped to the end of the month."""
        year, month, day = self.fields
        year_shift, month_index = divmod(month - 1 + months, 12)
        year, month = year + year_shift, month_index + 1
        return LocalDate.of(year, month, min(day, calendar.month_length(year, month)))

    @override
    def __str__(self) -> str:
        year, month, day = self.fields
        return f"{year_text(year)}-{month:02}-{day:02}"

    def __lt__(self, other: object) -> bool:
        return self.epoch_day < other.epoch_day if isinstance(other, LocalDate) else NotImplemented


def time_text(nano_of_day: int) -> str:
    """`07:08`, `07:08:09`, `07:08:09.500`: seconds only where needed."""
    seconds, nanos = divmod(nano_of_day, NANOS)
    hour, rest = divmod(seconds, 3600)
    minute, second = divmod(rest, 60)
    text = f"{hour:02}:{minute:02}"
    return f"{text}:{second:02}{fraction(nanos)}" if second or nanos else text


@total_ordering
class LocalDateTime(msgspec.Struct, frozen=True, gc=False):
    date: LocalDate
    nano_of_day: int = 0

    @property
    def local_seconds(self) -> int:
        return self.date.epoch_day * DAY_SECONDS + self.nano_of_day // NANOS

    def plus_nanos(self, nanos: int) -> "LocalDateTime":
        days, nano_of_day = divmod(self.nano_of_day + nanos, DAY_NANOS)
        return LocalDateTime(LocalDate(self.date.epoch_day + days), nano_of_day)

    def at(self, zone: Zone, *, preferred: int | None = None) -> "ZonedDateTime":
        """In a gap the clock is put forward; in an overlap `preferred` counts, else the earlier offset."""
        local, offset = zone.resolve(self.local_seconds, preferred=preferred)
        shifted = self.plus_nanos((local - self.local_seconds) * NANOS)
        return ZonedDateTime(shifted, offset, zone)

    @override
    def __str__(self) -> str:
        return f"{self.date}T{time_text(self.nano_of_day)}"

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, LocalDateTime):
            return NotImplemented
        return (self.date, self.nano_of_day) < (other.date, other.nano_of_day)


@total_ordering
class ZonedDateTime(msgspec.Struct, frozen=True):
    """`offset` in seconds east of Greenwich, as valid in `zone` at that time."""

    local: LocalDateTime
    offset: int
    zone: Zone

    @classmethod
    def of(cls, instant: Instant, zone: Zone = UTC) -> "ZonedDateTime":
        offset = zone.offset_at(instant.seconds)
        days, seconds = divmod(instant.seconds + offset, DAY_SECONDS)
        return cls(LocalDateTime(LocalDate(days), seconds * NANOS + instant.nanos), offset, zone)

    @property
    def instant(self) -> Instant:
        return Instant(self.local.local_seconds - self.offset, self.local.nano_of_day % NANOS)

    def in_zone(self, zone: Zone) -> "ZonedDateTime":
        return ZonedDateTime.of(self.instant, zone)

    def with_local(self, local: LocalDateTime) -> "ZonedDateTime":
        """The same zone at another local time, keeping the offset where it is valid."""
        return local.at(self.zone, preferred=self.offset)

    @override
    def __str__(self) -> str:
        text = f"{self.local}{offset_text(self.offset)}"
        return text if self.zone.is_fixed_offset else f"{text}[{self.zone.id}]"

    def __lt__(self, other: object) -> bool:
        return self.instant < other.instant if isinstance(other, ZonedDateTime) else NotImplemented


def offset_text(offset: int) -> str:
    """`Z`, `+02:00`, `-05:30:15`."""
    if offset == 0:
        return "Z"
    sign, rest = ("-", -offset) if offset < 0 else ("+", offset)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{sign}{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


@total_ordering
class Duration(msgspec.Struct, frozen=True, gc=False):
    """Elapsed time; `nanos` of a second are never negative."""

    seconds: int
    nanos: int = 0

    @classmethod
    def of_nanos(cls, nanos: int) -> "Duration":
        seconds, rest = divmod(nanos, NANOS)
        return cls(seconds, rest)

    @override
    def __str__(self) -> str:
        if self.seconds == 0 and self.nanos == 0:
            return "PT0S"
        total = self.seconds * NANOS + self.nanos
        sign, size = ("-", -total) if total < 0 else ("", total)
        whole, nanos = divmod(size, NANOS)
        hours, rest = divmod(whole, 3600)
        minutes, seconds = divmod(rest, 60)
        text = (
            "PT" + (f"{sign}{hours}H" if hours else "") + (f"{sign}{minutes}M" if minutes else "")
        )
        if seconds or nanos:
            decimals = f".{nanos:09}".rstrip("0") if nanos else ""
            text += f"{sign}{seconds}{decimals}S"
        return text

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Duration):
            return NotImplemented
        return (self.seconds, self.nanos) < (other.seconds, other.nanos)
