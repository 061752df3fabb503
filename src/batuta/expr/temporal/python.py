"""Python's own date-times, which contexts may hold, as values of the language."""

from datetime import UTC, date, datetime, time, timedelta

from batuta.expr.temporal.calendar import to_epoch_day
from batuta.expr.temporal.moment import Duration, Instant, LocalDate, LocalDateTime, ZonedDateTime
from batuta.expr.temporal.zone import zone_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_python(
    value: datetime | date | timedelta,
) -> Instant | ZonedDateTime | LocalDateTime | LocalDate | Duration:
    """Aware in UTC: an instant. Aware elsewhere: zoned. Naive: local."""
    if isinstance(value, timedelta):
        return Duration.of_nanos(_micros(value) * 1_000)
    if not isinstance(value, datetime):
        return LocalDate(to_epoch_day(value.year, value.month, value.day))
    if value.tzinfo is None:
        day = LocalDate(to_epoch_day(value.year, value.month, value.day))
        return LocalDateTime(day, _nano_of_day(value.time()))
    instant = Instant.of_micros(_micros(value - _EPOCH))
    return instant if value.tzinfo is UTC else ZonedDateTime.of(instant, zone_of(value))


def _micros(span: timedelta) -> int:
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def _nano_of_day(clock: time) -> int:
    seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
    return seconds * 1_000_000_000 + clock.microsecond * 1_000
