"""Text to dates and times: ISO forms, and patterns given as `existingFormat` (02 §7.1)."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from batuta.expr.format import names
from batuta.expr.format.date_pattern import (
    FULL,
    SHORT,
    TWO_DIGITS,
    Element,
    Field,
    Literal,
    parse_pattern,
)
from batuta.expr.format.date_text import ISO_NAMES, NAMED_PATTERNS, STYLES
from batuta.expr.temporal import LocalDate, LocalDateTime, Zone, ZonedDateTime, find_zone
from batuta.expr.temporal.calendar import to_epoch_day, weekday
from batuta.expr.temporal.moment import NANOS
from batuta.expr.temporal.zone import UTC, fixed_zone

Moment = ZonedDateTime | LocalDateTime | LocalDate

_DATE = r"(?P<year>[+-]?\d{4,9})-(?P<month>\d\d)-(?P<day>\d\d)"
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,9}))?)?"
_OFFSET = r"(?P<offset>[Zz]|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)"
_REGION = r"(?:\[(?P<zone>[^\]]+)\])?"
_ISO = re.compile(rf"{_DATE}(?:[Tt]{_TIME}(?:{_OFFSET}{_REGION})?)?", re.ASCII)
_ISO_WEEK = re.compile(
    rf"(?P<year>\d{{4}})-W(?P<week>\d\d)-(?P<weekday>[1-7])(?:{_OFFSET})?", re.ASCII
)
_ISO_ORDINAL = re.compile(rf"(?P<year>\d{{4}})-(?P<day_of_year>\d{{3}})(?:{_OFFSET})?", re.ASCII)
_ISO_DATE = re.compile(rf"{_DATE}(?:{_OFFSET})?", re.ASCII)
_RFC = re.compile(
    r"(?:(?P<day_name>Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(?P<day>\d{1,2}) "
    r"(?P<month_name>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) (?P<year>\d{4}) "
    r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))? (?P<offset>GMT|[+-]\d{4})",
    re.ASCII | re.IGNORECASE,
)
_SPECIAL_FORMS = {
    "iso_week_date": _ISO_WEEK,
    "iso_ordinal_date": _ISO_ORDINAL,
    "iso_date": _ISO_DATE,
    "iso_local_date": _ISO_DATE,
    "rfc_1123_date_time": _RFC,
}
_ENGLISH = "en"
_HOURS, _SIXTY, _MAX_WEEK = 24, 60, 53


def read_date(text: str, pattern: str | None, locale: str) -> Moment:
    """Raises `ValueError` if the text is not completely understood."""
    if pattern is None or (pattern in ISO_NAMES and pattern not in _SPECIAL_FORMS):
        expression = _ISO
    elif pattern in _SPECIAL_FORMS:
        expression = _SPECIAL_FORMS[pattern]
        locale = _ENGLISH
    else:
        if pattern in STYLES:
            pattern = names.style_pattern(pattern, locale)
        expression = _expression(NAMED_PATTERNS.get(pattern, pattern), locale)
    match = expression.fullmatch(text)
    if match is None:
        raise ValueError(f"Text '{text}' could not be parsed")
    fields = {name: value for name, value in match.groupdict().items() if value is not None}
    return _resolve(fields, locale, text)


def _resolve(fields: dict[str, str], locale: str, text: str) -> Moment:
    day = _date(fields, locale)
    if day is None:
        raise ValueError(f"Text '{text}' could not be parsed: no date in it")
    if (
        "day_name" in fields
        and _day_index(fields["day_name"], locale) != weekday(day.epoch_day) - 1
    ):
        raise ValueError(f"Text '{text}' could not be parsed: another day of the week")
    nano_of_day = _time(fields, locale)
    if nano_of_day is None:
        return day
    local = LocalDateTime(day, nano_of_day)
    zone = _zone(fields)
    if zone is None:
        return local
    region = fields.get("zone")
    moment = local.at(zone)
    return moment.in_zone(find_zone(region)) if region and "offset" in fields else moment


def _date(fields: dict[str, str], locale: str) -> LocalDate | None:
    year = _year(fields)
    if year is None:
        return None
    if "day_of_year" in fields:
        return _ordinal(year, int(fields["day_of_year"]))
    if "week" in fields:
        return _week(year, int(fields["week"]), int(fields["weekday"]))
    month = _month(fields, locale)
    if month is None or "day" not in fields:
        return None
    return LocalDate.of(year, month, int(fields["day"]))


def _year(fields: dict[str, str]) -> int | None:
    if "short_year" in fields:
        return 2000 + int(fields["short_year"])
    return int(fields["year"]) if "year" in fields else None


def _month(fields: dict[str, str], locale: str) -> int | None:
    if "month" in fields:
        return int(fields["month"])
    name = fields.get("month_name")
    if name is None:
        return None
    lists = [
        names.months(locale, width, alone=alone)
        for width in ("full", "short")
        for alone in (False, True)
    ]
    place = _place(name, lists)
    return place + 1 if place >= 0 else None


def _place(name: str, lists: Iterable[names.Names]) -> int:
    """Where the first list that holds a name, in any case, has it; -1 if none does."""
    wanted = name.lower()
    lower = [[each.lower() for each in known] for known in lists]
    return next(iter([known.index(wanted) for known in lower if wanted in known]), -1)


def _day_index(name: str, locale: str) -> int:
    lists = [names.weekdays(locale, width) for width in ("full", "short")]
    return _place(name, lists)


def _ordinal(year: int, day_of_year: int) -> LocalDate:
    first = to_epoch_day(year, 1, 1)
    if not 1 <= day_of_year <= to_epoch_day(year + 1, 1, 1) - first:
        raise ValueError(f"no day {day_of_year} in {year}")
    return LocalDate(first + day_of_year - 1)


def _week(year: int, week: int, day: int) -> LocalDate:
    fourth = to_epoch_day(year, 1, 4)
    monday = fourth - weekday(fourth) + 1
    result = LocalDate(monday + (week - 1) * 7 + day - 1)
    if not 1 <= week <= _MAX_WEEK:
        raise ValueError(f"no week {week} in {year}")
    return result


def _time(fields: dict[str, str], locale: str) -> int | None:
    """Nanoseconds of the day, or `None` if there is no hour."""
    hour = _hour(fields, locale)
    if hour is None:
        return None
    minute, second = int(fields.get("minute", 0)), int(fields.get("second", 0))
    if hour >= _HOURS or minute >= _SIXTY or second >= _SIXTY:
        raise ValueError("no such time")
    nanos = int((fields.get("fraction") or "0").ljust(9, "0"))
    nanos = int(fields.get("nano", nanos))
    return (hour * 3600 + minute * 60 + second) * NANOS + nanos


def _hour(fields: dict[str, str], locale: str) -> int | None:
    if "hour" in fields:
        return int(fields["hour"])
    if "hour_from_one" in fields:
        return int(fields["hour_from_one"]) % 24
    for name in ("half_hour", "half_hour_from_one"):
        if name in fields:
            hour = int(fields[name])
            half = fields.get("half")
            if hour > _HOURS // 2:
                raise ValueError("no such hour")
            if half is None:
                return None
            return hour % 12 + 12 * names.halves_of_day(locale).index(half)
    return None


def _zone(fields: dict[str, str]) -> Zone | None:
    offset = fields.get("offset")
    if offset is not None:
        if offset in {"Z", "z"}:
            return fixed_zone(0)
        return find_zone("UTC" if offset.upper() == "GMT" else _full_offset(offset))
    region = fields.get("zone")
    return None if region is None else (UTC if region in {"UTC", "GMT"} else find_zone(region))


def _full_offset(offset: str) -> str:
    digits = offset[1:].replace(":", "")
    pairs = [digits[index : index + 2] for index in range(0, len(digits), 2)]
    return offset[0] + ":".join(pairs)


# Patterns as regular expressions


@lru_cache(maxsize=512)
def _expression(pattern: str, locale: str) -> re.Pattern[str]:
    return re.compile(_regex(parse_pattern(pattern), locale, set()), re.ASCII)


def _regex(elements: tuple[Element, ...], locale: str, used: set[str]) -> str:
    result = ""
    for element in elements:
        if isinstance(element, Literal):
            result += re.escape(element.text)
        elif isinstance(element, Field):
            result += (" *" if element.pad else "") + _field(element, locale, used)
        else:
            result += f"(?:{_regex(element.elements, locale, used)})?"
    return result


def _field(field: Field, locale: str, used: set[str]) -> str:
    reader = _READERS.get(field.letter)
    if reader is None:
        raise ValueError(f"The letter {field.letter} cannot be read")
    name, expression = reader(field.count, locale)
    if name in used:
        return f"(?:{expression})"
    used.add(name)
    return f"(?P<{name}>{expression})"


def _digits(name: str) -> Callable[[int, str], tuple[str, str]]:
    def read(count: int, _: str) -> tuple[str, str]:
        return name, r"\d{1,2}" if count == 1 else rf"\d{{{count}}}"

    return read


def _read_year(count: int, _: str) -> tuple[str, str]:
    if count == TWO_DIGITS:
        return "short_year", r"\d\d"
    if count < FULL:
        return "year", rf"\d{{{count},9}}"
    return "year", rf"\d{{{count}}}|[+-]\d{{{count + 1},9}}"


def _read_month(count: int, locale: str) -> tuple[str, str]:
    if count <= TWO_DIGITS:
        return _digits("month")(count, locale)
    return "month_name", _any_of(names.months(locale, "full" if count == FULL else "short"))


def _read_month_alone(count: int, locale: str) -> tuple[str, str]:
    if count <= TWO_DIGITS:
        return _digits("month")(count, locale)
    width = "full" if count == FULL else "short"
    return "month_name", _any_of(names.months(locale, width, alone=True))


def _read_day_name(count: int, locale: str) -> tuple[str, str]:
    return "day_name", _any_of(names.weekdays(locale, "full" if count == FULL else "short"))


def _read_half(_: int, locale: str) -> tuple[str, str]:
    return "half", _any_of(names.halves_of_day(locale))


def _read_day_of_year(count: int, _: str) -> tuple[str, str]:
    return "day_of_year", r"\d{3}" if count == SHORT else r"\d{1,3}"


def _read_fraction(count: int, _: str) -> tuple[str, str]:
    return "fraction", rf"\d{{{count}}}"


def _read_nano(_count: int, _locale: str) -> tuple[str, str]:
    return "nano", r"\d{1,9}"


def _read_offset_or_z(count: int, _: str) -> tuple[str, str]:
    return "offset", f"Z|{_OFFSETS[count]}"


def _read_offset(count: int, _: str) -> tuple[str, str]:
    return "offset", _OFFSETS[count]


def _read_zone_offset(count: int, _: str) -> tuple[str, str]:
    return "offset", {4: r"GMT(?:[+-]\d\d:\d\d)?", 5: r"Z|[+-]\d\d:\d\d"}.get(count, r"[+-]\d{4}")


def _read_zone(_count: int, _locale: str) -> tuple[str, str]:
    return "zone", r"[A-Za-z][A-Za-z0-9/_+-]*|[+-]\d\d:\d\d|Z"


def _any_of(texts: tuple[str, ...]) -> str:
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))


_OFFSETS = {
    1: r"[+-]\d\d(?:\d\d)?",
    2: r"[+-]\d{4}",
    3: r"[+-]\d\d:\d\d",
    4: r"[+-]\d{4}(?:\d\d)?",
    5: r"[+-]\d\d:\d\d(?::\d\d)?",
}
_READERS: dict[str, Callable[[int, str], tuple[str, str]]] = {
    "y": _read_year,
    "u": _read_year,
    "M": _read_month,
    "L": _read_month_alone,
    "d": _digits("day"),
    "D": _read_day_of_year,
    "E": _read_day_name,
    "H": _digits("hour"),
    "k": _digits("hour_from_one"),
    "K": _digits("half_hour"),
    "h": _digits("half_hour_from_one"),
    "m": _digits("minute"),
    "s": _digits("second"),
    "S": _read_fraction,
    "n": _read_nano,
    "a": _read_half,
    "X": _read_offset_or_z,
    "x": _read_offset,
    "Z": _read_zone_offset,
    "V": _read_zone,
    "z": _read_zone,
}
