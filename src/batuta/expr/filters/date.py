"""Filters on dates (02 §4, §7)."""

from datetime import date as python_date
from datetime import datetime, timedelta

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.format.date_reader import read_date
from batuta.expr.format.date_text import format_date
from batuta.expr.format.names import find_locale
from batuta.expr.registry import FILTERS
from batuta.expr.temporal import Instant, LocalDate, LocalDateTime, Zone, ZonedDateTime, find_zone
from batuta.expr.temporal.moment import DAY_NANOS, NANOS
from batuta.expr.temporal.python import from_python
from batuta.expr.values import Long, Value, class_name, is_number, is_text, wrap64

_NOON = 12 * 3600 * NANOS
_NANO_UNITS = {
    "NANOS": 1,
    "MICROS": 1_000,
    "MILLIS": 1_000_000,
    "SECONDS": NANOS,
    "MINUTES": 60 * NANOS,
    "HOURS": 3600 * NANOS,
    "HALF_DAYS": 12 * 3600 * NANOS,
}
_DAY_UNITS = {"DAYS": 1, "WEEKS": 7}
_MONTH_UNITS = {
    "MONTHS": 1,
    "YEARS": 12,
    "DECADES": 120,
    "CENTURIES": 1_200,
    "MILLENNIA": 12_000,
}
_MILLI_DIGITS, _NANO_DIGITS = 13, 19


@FILTERS(
    "date",
    "format",
    "timeZone",
    "existingFormat",
    "locale",
    with_state=True,
    template="{{ '2024-03-05T06:07:08Z' | date('EEEE d MMMM', locale='fr') }}",
    result="mardi 5 mars",
)
def date(s: State, value: Value, *arguments: Value) -> Value:
    """A date by a named format or a pattern of Java's `DateTimeFormatter`."""
    if value is None:
        return None
    pattern, time_zone, existing, locale = arguments
    zone = zone_of(s, time_zone)
    return written(
        s, moment_of(s, value, zone, existing=existing), zone, pattern=pattern, locale=locale
    )


@FILTERS(
    "dateAdd",
    "amount",
    "unit",
    "format",
    "timeZone",
    "existingFormat",
    "locale",
    with_state=True,
    template="{{ '2024-01-31' | dateAdd(1, 'MONTHS', 'yyyy-MM-dd') }}",
    result="2024-02-29",
)
def date_add(s: State, value: Value, *arguments: Value) -> Value:
    """A date moved by an amount of a unit such as `DAYS`, written like `date` does."""
    if value is None:
        return None
    amount, unit, pattern, time_zone, existing, locale = arguments
    zone = zone_of(s, time_zone)
    moved = added(
        moment_of(s, value, zone, existing=existing), _amount(amount), _text(unit, "unit")
    )
    return written(s, moved, zone, pattern=pattern, locale=locale)


@FILTERS(
    "timestamp",
    "timeZone",
    "existingFormat",
    with_state=True,
    template="{{ '2024-03-05T00:00:00Z' | timestamp }}",
    result="1709596800",
)
def timestamp(s: State, value: Value, *arguments: Value) -> Value:
    """Seconds since 1970."""
    if value is None:
        return None
    return Long(_instant(s, value, *arguments).seconds)


@FILTERS(
    "timestampMilli",
    "timeZone",
    "existingFormat",
    with_state=True,
    template="{{ '2024-03-05T00:00:00Z' | timestampMilli }}",
    result="1709596800000",
)
def timestamp_milli(s: State, value: Value, *arguments: Value) -> Value:
    """Milliseconds since 1970."""
    if value is None:
        return None
    return wrap64(_instant(s, value, *arguments).total_nanos() // 1_000_000)


@FILTERS(
    "timestampMicro",
    "timeZone",
    "existingFormat",
    with_state=True,
    template="{{ '2024-03-05T00:00:00Z' | timestampMicro }}",
    result="1709596800000000",
)
def timestamp_micro(s: State, value: Value, *arguments: Value) -> Value:
    """Microseconds since 1970, as text."""
    if value is None:
        return None
    return str(_instant(s, value, *arguments).total_nanos() // 1_000)


@FILTERS(
    "timestampNano",
    "timeZone",
    "existingFormat",
    with_state=True,
    template="{{ '2024-03-05T00:00:00Z' | timestampNano }}",
    result="1709596800000000000",
)
def timestamp_nano(s: State, value: Value, *arguments: Value) -> Value:
    """Nanoseconds since 1970, as text."""
    if value is None:
        return None
    return str(_instant(s, value, *arguments).total_nanos())


def zone_of(s: State, name: Value) -> Zone:
    """The zone of a `timeZone` argument; the server's if it is not given."""
    return s.host.settings.zone if name is None else find_zone(_text(name, "timeZone"))


def written(s: State, moment: ZonedDateTime, zone: Zone, *, pattern: Value, locale: Value) -> str:
    """A moment in a zone by a format."""
    language = s.host.settings.locale if locale is None else _text(locale, "locale")
    find_locale(language)
    name = "iso" if pattern is None else _text(pattern, "format")
    return format_date(moment.in_zone(zone), name, language)


def moment_of(s: State, value: Value, zone: Zone, *, existing: Value) -> ZonedDateTime:
    """The table of 02 §7.1."""
    if isinstance(value, (datetime, python_date, timedelta)):
        value = from_python(value)
    if is_text(value):
        pattern = None if existing is None else _text(existing, "existingFormat")
        value = read_date(value, pattern, s.host.settings.locale)
        if isinstance(value, LocalDate):
            return LocalDateTime(value).at(zone)
    if isinstance(value, ZonedDateTime):
        return value
    if isinstance(value, Instant):
        return ZonedDateTime.of(value, zone)
    if isinstance(value, LocalDateTime):
        return value.at(zone)
    if isinstance(value, LocalDate):
        return LocalDateTime(value, _NOON).at(zone)
    return ZonedDateTime.of(_epoch(value), zone)


def _epoch(value: Value) -> Instant:
    """A 64-bit integer; the number of its characters tells the unit."""
    if class_name(value) != "java.lang.Long":
        raise RuntimeFaultError(f"Unsupported date type {class_name(value)}")
    text = str(value)
    if len(text) == _MILLI_DIGITS:
        return Instant.of_nanos(int(value) * 1_000_000)
    if len(text) == _NANO_DIGITS:
        if text.endswith("000"):
            return Instant.of_nanos(int(value))
        return Instant(int(text[:_MILLI_DIGITS]) // 1_000, int(text[_MILLI_DIGITS:]) * 1_000)
    return Instant(int(value))


def _instant(s: State, value: Value, *arguments: Value) -> Instant:
    time_zone, existing = arguments
    return moment_of(s, value, zone_of(s, time_zone), existing=existing).instant


def added(moment: ZonedDateTime, amount: int, unit: str) -> ZonedDateTime:
    """Calendar units keep the time on the clock, the others count elapsed time."""
    if unit in _NANO_UNITS:
        nanos = moment.instant.total_nanos() + amount * _NANO_UNITS[unit]
        return ZonedDateTime.of(Instant.of_nanos(nanos), moment.zone)
    if unit in _DAY_UNITS:
        return moment.with_local(moment.local.plus_nanos(amount * _DAY_UNITS[unit] * DAY_NANOS))
    if unit in _MONTH_UNITS:
        day = moment.local.date.plus_months(amount * _MONTH_UNITS[unit])
        return moment.with_local(LocalDateTime(day, moment.local.nano_of_day))
    raise RuntimeFaultError(f"No enum constant java.time.temporal.ChronoUnit.{unit}")


def _amount(value: Value) -> int:
    if is_number(value):
        return int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            pass
    raise EvaluationError("The 'dateAdd' filter expects a number as argument 'amount'.")


def _text(value: Value, name: str) -> str:
    if not is_text(value):
        raise RuntimeFaultError(f"the argument '{name}' must be a text, not {class_name(value)}")
    return str(value)
