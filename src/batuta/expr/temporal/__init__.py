"""Dates, times, zones and durations of the language (02 §7)."""

from batuta.expr.temporal.moment import (
    Duration,
    Instant,
    LocalDate,
    LocalDateTime,
    ZonedDateTime,
)
from batuta.expr.temporal.zone import UTC, Zone, find_zone

__all__ = [
    "UTC",
    "Duration",
    "Instant",
    "LocalDate",
    "LocalDateTime",
    "Zone",
    "ZonedDateTime",
    "find_zone",
]
