"""The cron language of schedules, and when it fires (04 §7.2 to §7.4).

Fields, alternatives (`||`, `|`) and nicknames are parsed once; fire times are found on wall-clock fields of a zone and are
whole seconds. Zones come in as anything that tells its offset at an instant.
"""

import calendar
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from datetime import date as _date_type
from typing import Protocol

import msgspec
from typing_extensions import override

from batuta.model.instant import SECOND, Instant

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_NEAR = 2 * _DAY
"""Seconds around an instant in which a change of offset matters."""
_REPEAT_GAP = 2 * _HOUR
"""04 §7.4: a repeated wall-clock time fires again only when the following occurrence is nearer than this."""
_HORIZON_YEARS = 12
"""29 February is at most eight years away."""
_MAX_SKIPPED = 50
"""Occurrences in a row that may fall into gaps of the zone."""
_EPOCH_ORDINAL = 719_163
_LAST_YEAR = 9998

NICKNAMES: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


class Offsets(Protocol):
    """A time zone."""

    def offset_at(self, epoch_seconds: int, /) -> int:
        """Seconds east of Greenwich at an instant."""
        ...


class CronError(ValueError):
    """`field` is the name of the offending field, or "" when the number of fields is wrong."""

    def __init__(self, text: str, reason: str, *, field: str = "") -> None:
        place = f"{field}: " if field else ""
        super().__init__(f"invalid cron expression '{text}': {place}{reason}")
        self.text = text
        self.field = field
        self.reason = reason


class Fields(msgspec.Struct, frozen=True, gc=False):
    """What one alternative allows, each sorted. Weekdays count from 0, Monday."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    any_day: bool
    """The day of the month is `*` itself; a stepped star is a restriction (04 §7.2)."""
    any_weekday: bool


class Cron(msgspec.Struct, frozen=True):
    """Fires when any of its alternatives does."""

    text: str
    alternatives: tuple[Fields, ...]

    @override
    def __str__(self) -> str:
        return self.text


class _Kind(msgspec.Struct, frozen=True):
    name: str
    low: int
    high: int
    names: Mapping[str, int] = {}


_SECOND = _Kind("second", 0, 59)
_KINDS = (
    _Kind("minute", 0, 59),
    _Kind("hour", 0, 23),
    _Kind("day of month", 1, 31),
    _Kind("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    _Kind("day of week", 0, 7, {name: number for number, name in enumerate(_WEEKDAYS, 1)}),
)

_TERM = re.compile(
    r"(?P<star>\*)?(?P<first>[0-9A-Za-z]+)?(?:-(?P<last>[0-9A-Za-z]+))?(?:/(?P<step>\d+))?",
    re.ASCII,
)


def parse_cron(text: str, *, with_seconds: bool = False) -> Cron:
    """Five fields, six with `with_seconds`, or a nickname. Raises `CronError` naming the field."""
    if text in NICKNAMES:
        fields = _read_fields(NICKNAMES[text], with_seconds=False, text=text)
        return Cron(text=text, alternatives=(fields,))
    parts = [part for union in text.split("||") for part in _alternatives(union, text)]
    return Cron(
        text=text,
        alternatives=tuple(
            _read_fields(part, with_seconds=with_seconds, text=text) for part in parts
        ),
    )


def _alternatives(expression: str, text: str) -> Iterator[str]:
    """`0|30 9 * * *` as `0 9 * * *` and `30 9 * * *`."""
    choices = [field.split("|") for field in expression.split()]
    count = max((len(choice) for choice in choices), default=1)
    if any(len(choice) not in {1, count} for choice in choices):
        raise CronError(text, "all fields with `|` must have the same number of alternatives")
    for index in range(count):
        yield " ".join(choice[index] if len(choice) > 1 else choice[0] for choice in choices)


def _read_fields(expression: str, *, with_seconds: bool, text: str) -> Fields:
    fields = expression.split()
    kinds = (_SECOND, *_KINDS) if with_seconds else _KINDS
    if len(fields) != len(kinds):
        raise CronError(text, f"expected {len(kinds)} fields, found {len(fields)}")
    values = [_read_field(field, kind, text) for field, kind in zip(fields, kinds, strict=True)]
    if not with_seconds:
        values.insert(0, (0,))
    seconds, minutes, hours, days, months, weekdays = values
    return Fields(
        seconds=seconds,
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=tuple(sorted({(number - 1) % 7 for number in weekdays})),
        any_day=fields[-3] == "*",
        any_weekday=fields[-1] == "*",
    )


def _read_field(field: str, kind: _Kind, text: str) -> tuple[int, ...]:
    values: set[int] = set()
    for term in field.split(","):
        values.update(_read_term(term, kind, text))
    return tuple(sorted(values))


def _read_term(term: str, kind: _Kind, text: str) -> range:
    match = _TERM.fullmatch(term)
    star, first, last, step = match.groups() if match else (None, None, None, None)
    if star and (first or last):
        first = None
        star = None
    if not star and not first and (last or not step):
        raise CronError(text, f"`{term}` is no value, range, list or step", field=kind.name)
    period = _period(step, kind, text) if step else 1
    if not first:
        return range(kind.low, kind.high + 1, period)
    low = _value(first, kind, text)
    high = _value(last, kind, text) if last else (kind.high if step else low)
    if low > high:
        raise CronError(
            text, f"`{term}` is an inverted range: {low} is after {high}", field=kind.name
        )
    return range(low, high + 1, period)


def _period(step: str, kind: _Kind, text: str) -> int:
    period = int(step)
    if not max(kind.low, 1) <= period <= kind.high:
        raise CronError(
            text,
            f"step {step} is not in the range of {max(kind.low, 1)} to {kind.high}",
            field=kind.name,
        )
    return period


def _value(word: str, kind: _Kind, text: str) -> int:
    number = kind.names.get(word.upper()) if not word.isdigit() else int(word)
    if number is None:
        known = f" or a name such as {next(iter(kind.names))}" if kind.names else ""
        raise CronError(text, f"`{word}` is not a number{known}", field=kind.name)
    if not kind.low <= number <= kind.high:
        raise CronError(
            text, f"{word} is not in the range of {kind.low} to {kind.high}", field=kind.name
        )
    return number


def next_after(cron: Cron, instant: int, zone: Offsets) -> Instant | None:
    """The first fire time strictly after an instant; None when there is none."""
    return _best(cron, lambda fields: _next_occurrence(fields, instant // SECOND, zone), min)


def at_or_after(cron: Cron, instant: int, zone: Offsets) -> Instant | None:
    """`instant` itself when it is a fire time, else the first one after it."""
    if is_fire_time(cron, instant, zone):
        return Instant(instant)
    return next_after(cron, instant, zone)


def previous_before(cron: Cron, instant: int, zone: Offsets) -> Instant | None:
    """The last fire time strictly before an instant. Repeated wall-clock times count twice (04 §7.4)."""
    start = -(-instant // SECOND) - 1
    return _best(cron, lambda fields: _last_until(fields, start, zone), max)


def is_fire_time(cron: Cron, instant: int, zone: Offsets) -> bool:
    """Whether an instant lies on a fire time; fractions of a second make it none."""
    second = instant // SECOND
    return instant % SECOND == 0 and any(
        _matches(fields, second + zone.offset_at(second)) for fields in cron.alternatives
    )


def _best(
    cron: Cron, find: Callable[[Fields], int | None], choose: Callable[[list[int]], int]
) -> Instant | None:
    found = [second for fields in cron.alternatives if (second := find(fields)) is not None]
    return Instant(choose(found) * SECOND) if found else None


def _next_occurrence(fields: Fields, second: int, zone: Offsets) -> int | None:
    """04 §7.4: the second pass of a repeated hour is suppressed for sparse schedules."""
    found = _first_from(fields, second + 1, zone)
    if found is None:
        return None
    offset = zone.offset_at(second)
    if zone.offset_at(found) >= offset or not _matches(fields, second + offset):
        return found
    following = _first_from(fields, found + 1, zone)
    if following is not None and following - found < _REPEAT_GAP:
        return found
    return _first_from(fields, second + _HOUR + 1, zone)


def _first_from(fields: Fields, second: int, zone: Offsets) -> int | None:
    """The first occurrence at or after an instant."""
    while (change := _change_after(zone, second)) is not None:
        local = _local_at_or_after(fields, second + zone.offset_at(second))
        if local is not None and local - zone.offset_at(second) < change:
            return local - zone.offset_at(second)
        second = change
    wall: int | None = second + zone.offset_at(second)
    for _ in range(_MAX_SKIPPED):
        wall = _local_at_or_after(fields, wall) if wall is not None else None
        if wall is None:
            return None
        found = [moment for moment in _instants(wall, zone) if moment >= second]
        if found:
            return min(found)
        wall += 1
    return None


def _last_until(fields: Fields, second: int, zone: Offsets) -> int | None:
    """The last occurrence at or before an instant."""
    while (change := _change_before(zone, second)) is not None:
        local = _local_at_or_before(fields, second + zone.offset_at(second))
        if local is not None and local - zone.offset_at(second) >= change:
            return local - zone.offset_at(second)
        second = change - 1
    wall: int | None = second + zone.offset_at(second)
    for _ in range(_MAX_SKIPPED):
        wall = _local_at_or_before(fields, wall) if wall is not None else None
        if wall is None:
            return None
        found = [moment for moment in _instants(wall, zone) if moment <= second]
        if found:
            return max(found)
        wall -= 1
    return None


def _instants(wall: int, zone: Offsets) -> list[int]:
    """The instants that show a wall-clock time: none in a gap, two in an overlap."""
    offsets = {zone.offset_at(wall - _DAY), zone.offset_at(wall + _DAY)}
    return [wall - offset for offset in offsets if zone.offset_at(wall - offset) == offset]


def _change_after(zone: Offsets, second: int) -> int | None:
    """The first second of the next offset, when it is near."""
    return _change(zone, second, second + _NEAR)


def _change_before(zone: Offsets, second: int) -> int | None:
    """The first second of the present offset, when it is near."""
    return _change(zone, second - _NEAR, second)


def _change(zone: Offsets, low: int, high: int) -> int | None:
    before = zone.offset_at(low)
    if zone.offset_at(high) == before:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if zone.offset_at(middle) == before:
            low = middle
        else:
            high = middle
    return high


def _matches(fields: Fields, wall: int) -> bool:
    ordinal, rest = divmod(wall, _DAY)
    hour, rest = divmod(rest, _HOUR)
    minute, second = divmod(rest, _MINUTE)
    if second not in fields.seconds or minute not in fields.minutes or hour not in fields.hours:
        return False
    year, month, day = _date(ordinal)
    return month in fields.months and day in _days(fields, year, month)


def _local_at_or_after(fields: Fields, wall: int) -> int | None:
    ordinal, rest = divmod(wall, _DAY)
    year, month, day = _date(ordinal)
    last_year = min(year + _HORIZON_YEARS, _LAST_YEAR)
    if day in _days(fields, year, month) and month in fields.months:
        clock = _clock_at_or_after(fields, rest)
        if clock is not None:
            return ordinal * _DAY + clock
    first = _clock_at_or_after(fields, 0)
    day += 1
    while year <= last_year and first is not None:
        days = _days(fields, year, month) if month in fields.months else ()
        index = bisect_left(days, day)
        if index < len(days):
            return _ordinal(year, month, days[index]) * _DAY + first
        year, month, day = (year, month + 1, 1) if month < 12 else (year + 1, 1, 1)  # noqa: PLR2004
    return None


def _local_at_or_before(fields: Fields, wall: int) -> int | None:
    ordinal, rest = divmod(wall, _DAY)
    year, month, day = _date(ordinal)
    first_year = max(year - _HORIZON_YEARS, 1)
    if day in _days(fields, year, month) and month in fields.months:
        clock = _clock_at_or_before(fields, rest)
        if clock is not None:
            return ordinal * _DAY + clock
    last = _clock_at_or_before(fields, _DAY - 1)
    day -= 1
    while year >= first_year and last is not None:
        days = _days(fields, year, month) if month in fields.months else ()
        index = bisect_right(days, day) - 1
        if index >= 0:
            return _ordinal(year, month, days[index]) * _DAY + last
        year, month, day = (year, month - 1, 31) if month > 1 else (year - 1, 12, 31)
    return None


def _clock_at_or_after(fields: Fields, clock: int) -> int | None:
    hour, rest = divmod(clock, _HOUR)
    minute, second = divmod(rest, _MINUTE)
    for candidate in fields.hours[bisect_left(fields.hours, hour) :]:
        low_minute = minute if candidate == hour else 0
        for each in fields.minutes[bisect_left(fields.minutes, low_minute) :]:
            low_second = second if (candidate, each) == (hour, minute) else 0
            index = bisect_left(fields.seconds, low_second)
            if index < len(fields.seconds):
                return candidate * _HOUR + each * _MINUTE + fields.seconds[index]
    return None


def _clock_at_or_before(fields: Fields, clock: int) -> int | None:
    hour, rest = divmod(clock, _HOUR)
    minute, second = divmod(rest, _MINUTE)
    for candidate in reversed(fields.hours[: bisect_right(fields.hours, hour)]):
        high_minute = minute if candidate == hour else 59
        for each in reversed(fields.minutes[: bisect_right(fields.minutes, high_minute)]):
            high_second = second if (candidate, each) == (hour, minute) else 59
            index = bisect_right(fields.seconds, high_second) - 1
            if index >= 0:
                return candidate * _HOUR + each * _MINUTE + fields.seconds[index]
    return None


def _days(fields: Fields, year: int, month: int) -> tuple[int, ...]:
    """04 §7.2: with both days restricted a date matches either; with one, that one."""
    first_weekday, length = calendar.monthrange(year, month)
    if fields.any_weekday:
        return fields.days[: bisect_right(fields.days, length)]
    by_weekday = {
        day for day in range(1, length + 1) if (first_weekday + day - 1) % 7 in fields.weekdays
    }
    if not fields.any_day:
        by_weekday.update(day for day in fields.days if day <= length)
    return tuple(sorted(by_weekday))


def _ordinal(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01."""
    return _date_type(year, month, day).toordinal() - _EPOCH_ORDINAL


def _date(ordinal: int) -> tuple[int, int, int]:
    found = _date_type.fromordinal(ordinal + _EPOCH_ORDINAL)
    return found.year, found.month, found.day
