"""Dates and times as text: by pattern and by the named formats (02 §7.2, §7.3)."""

from collections.abc import Callable

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
from batuta.expr.temporal import ZonedDateTime
from batuta.expr.temporal.calendar import iso_week, to_epoch_day, weekday
from batuta.expr.temporal.moment import NANOS, offset_text, year_text

NAMED_PATTERNS = {
    "iso": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "iso_milli": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "iso_sec": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "sql": "yyyy-MM-dd HH:mm:ss.SSSSSS",
    "sql_milli": "yyyy-MM-dd HH:mm:ss.SSS",
    "sql_sec": "yyyy-MM-dd HH:mm:ss",
}
STYLES = frozenset(("full", "long", "medium", "short"))
# Abbreviations of the original where the zone data has only a number.
_SHORT_NAMES = {
    "America/Sao_Paulo": "BRT",
    "America/Argentina/Buenos_Aires": "ART",
    "America/Bogota": "COT",
    "America/Lima": "PET",
    "Asia/Dubai": "GST",
    "Asia/Singapore": "SGT",
    "Asia/Kathmandu": "NPT",
    "Asia/Tehran": "IRST",
    "Asia/Dhaka": "BDT",
    "Asia/Bangkok": "ICT",
    "Europe/Istanbul": "TRT",
}
_DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MJD_EPOCH = 40_587


def format_date(moment: ZonedDateTime, pattern: str, locale: str) -> str:
    """By a named format or a pattern. Raises `ValueError` for a bad pattern."""
    iso = _ISO.get(pattern)
    if iso is not None:
        return iso(moment)
    if pattern in STYLES:
        pattern = names.style_pattern(pattern, locale)
    elements = parse_pattern(NAMED_PATTERNS.get(pattern, pattern))
    return _Writer(moment, locale).write(elements)


# Named ISO formats


def _fraction(nanos: int) -> str:
    return f".{nanos:09}".rstrip("0") if nanos else ""


def _iso_date(moment: ZonedDateTime) -> str:
    return str(moment.local.date)


def _iso_time(moment: ZonedDateTime) -> str:
    seconds, nanos = divmod(moment.local.nano_of_day, NANOS)
    hour, rest = divmod(seconds, 3600)
    return f"{hour:02}:{rest // 60:02}:{rest % 60:02}{_fraction(nanos)}"


def _iso_local(moment: ZonedDateTime) -> str:
    return f"{_iso_date(moment)}T{_iso_time(moment)}"


def _offset(moment: ZonedDateTime) -> str:
    return offset_text(moment.offset)


def _iso_zoned(moment: ZonedDateTime) -> str:
    text = _iso_local(moment) + _offset(moment)
    return text if moment.zone.is_fixed_offset else f"{text}[{moment.zone.id}]"


def _iso_ordinal(moment: ZonedDateTime) -> str:
    year = moment.local.date.fields[0]
    return f"{year_text(year)}-{_day_of_year(moment):03}{_offset(moment)}"


def _iso_week(moment: ZonedDateTime) -> str:
    day = moment.local.date.epoch_day
    year, week = iso_week(day)
    return f"{year_text(year)}-W{week:02}-{weekday(day)}{_offset(moment)}"


def _rfc_1123(moment: ZonedDateTime) -> str:
    year, month, day = moment.local.date.fields
    name = _DAY_NAMES[weekday(moment.local.date.epoch_day) - 1]
    seconds = moment.local.nano_of_day // NANOS
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    offset = "GMT" if moment.offset == 0 else _compact_offset(moment.offset)
    return f"{name}, {day} {_MONTH_NAMES[month - 1]} {year:04} {clock} {offset}"


_ISO: dict[str, Callable[[ZonedDateTime], str]] = {
    "iso_local_date": _iso_date,
    "iso_local_time": _iso_time,
    "iso_local_date_time": _iso_local,
    "iso_date": lambda moment: _iso_date(moment) + _offset(moment),
    "iso_time": lambda moment: _iso_time(moment) + _offset(moment),
    "iso_offset_time": lambda moment: _iso_time(moment) + _offset(moment),
    "iso_offset_date_time": lambda moment: _iso_local(moment) + _offset(moment),
    "iso_date_time": _iso_zoned,
    "iso_zoned_date_time": _iso_zoned,
    "iso_instant": lambda moment: str(moment.instant),
    "iso_ordinal_date": _iso_ordinal,
    "iso_week_date": _iso_week,
    "rfc_1123_date_time": _rfc_1123,
}
ISO_NAMES = frozenset(_ISO)


def _day_of_year(moment: ZonedDateTime) -> int:
    day = moment.local.date
    return day.epoch_day - to_epoch_day(day.fields[0], 1, 1) + 1


def _compact_offset(offset: int) -> str:
    return "+0000" if offset == 0 else offset_text(offset).replace(":", "")


# Patterns


def _padded(number: int, count: int) -> str:
    return f"-{-number:0{count}}" if number < 0 else f"{number:0{count}}"


class _Writer:
    """Writes the elements of a pattern for one moment."""

    __slots__ = ("locale", "moment", "nano_of_day")

    def __init__(self, moment: ZonedDateTime, locale: str) -> None:
        self.moment = moment
        self.locale = locale
        self.nano_of_day = moment.local.nano_of_day

    def write(self, elements: tuple[Element, ...]) -> str:
        return "".join(map(self._element, elements))

    def _element(self, element: Element) -> str:
        if isinstance(element, Literal):
            return element.text
        if isinstance(element, Field):
            text = _FIELDS[element.letter](self, element.count)
            if element.pad and len(text) > element.pad:
                raise ValueError(
                    f"Cannot print as output of {len(text)} characters exceeds pad width"
                )
            return text.rjust(element.pad)
        return self.write(element.elements)

    @property
    def _seconds(self) -> int:
        return self.nano_of_day // NANOS

    @property
    def _hour(self) -> int:
        return self._seconds // 3600

    def year(self, count: int) -> str:
        year = self.moment.local.date.fields[0]
        return _year(year if year > 0 else 1 - year, count)

    def proleptic_year(self, count: int) -> str:
        return _year(self.moment.local.date.fields[0], count)

    def month(self, count: int) -> str:
        return self._month(count, alone=False)

    def month_alone(self, count: int) -> str:
        return self._month(count, alone=True)

    def _month(self, count: int, *, alone: bool) -> str:
        month = self.moment.local.date.fields[1]
        if count <= TWO_DIGITS:
            return _padded(month, count)
        return names.months(self.locale, _width(count), alone=alone)[month - 1]

    def day(self, count: int) -> str:
        return _padded(self.moment.local.date.fields[2], count)

    def day_of_year(self, count: int) -> str:
        return _padded(_day_of_year(self.moment), count)

    def day_name(self, count: int) -> str:
        index = weekday(self.moment.local.date.epoch_day) - 1
        return names.weekdays(self.locale, _width(max(count, SHORT)))[index]

    def local_day(self, count: int) -> str:
        if count > TWO_DIGITS:
            return self.day_name(count)
        first, _ = names.week_rules(self.locale)
        return _padded((weekday(self.moment.local.date.epoch_day) - 1 - first) % 7 + 1, count)

    def aligned_week(self, count: int) -> str:
        return _padded((self.moment.local.date.fields[2] - 1) // 7 + 1, count)

    def week_year(self, count: int) -> str:
        return _year(self._week()[0], count)

    def week(self, count: int) -> str:
        return _padded(self._week()[1], count)

    def week_of_month(self, count: int) -> str:
        year, month, day = self.moment.local.date.fields
        first, minimal = names.week_rules(self.locale)
        offset = (weekday(to_epoch_day(year, month, 1)) - 1 - first) % 7
        return _padded((day - 1 + offset) // 7 + (1 if 7 - offset >= minimal else 0), count)

    def _week(self) -> tuple[int, int]:
        """Year and week by the rules of the locale."""
        first, minimal = names.week_rules(self.locale)
        day = self.moment.local.date.epoch_day
        year = self.moment.local.date.fields[0]
        for candidate in (year + 1, year, year - 1):
            new_year = to_epoch_day(candidate, 1, 1)
            offset = (weekday(new_year) - 1 - first) % 7
            start = new_year - offset + (0 if 7 - offset >= minimal else 7)
            if day >= start:
                return candidate, (day - start) // 7 + 1
        raise ValueError("no week for this date")  # pragma: no cover - some year holds every day

    def julian_day(self, count: int) -> str:
        return _padded(self.moment.local.date.epoch_day + _MJD_EPOCH, count)

    def hour(self, count: int) -> str:
        return _padded(self._hour, count)

    def hour_from_one(self, count: int) -> str:
        return _padded(self._hour or 24, count)

    def half_hour(self, count: int) -> str:
        return _padded(self._hour % 12, count)

    def half_hour_from_one(self, count: int) -> str:
        return _padded(self._hour % 12 or 12, count)

    def minute(self, count: int) -> str:
        return _padded(self._seconds // 60 % 60, count)

    def second(self, count: int) -> str:
        return _padded(self._seconds % 60, count)

    def fraction(self, count: int) -> str:
        return f"{self.nano_of_day % NANOS:09}"[:count]

    def nano(self, count: int) -> str:
        return _padded(self.nano_of_day % NANOS, count)

    def nano_of_the_day(self, count: int) -> str:
        return _padded(self.nano_of_day, count)

    def milli_of_day(self, count: int) -> str:
        return _padded(self.nano_of_day // 1_000_000, count)

    def half_of_day(self, _: int) -> str:
        return names.halves_of_day(self.locale)[self._hour // 12]

    def period_of_day(self, count: int) -> str:
        minute = self._seconds // 60 % 60
        width = {1: "short", 4: "full", 5: "narrow"}[count]
        return names.period_of_day(self._hour, minute, locale=self.locale, width=width)

    def quarter(self, count: int) -> str:
        return self._quarter(count, alone=False)

    def quarter_alone(self, count: int) -> str:
        return self._quarter(count, alone=True)

    def _quarter(self, count: int, *, alone: bool) -> str:
        index = (self.moment.local.date.fields[1] - 1) // 3
        if count <= TWO_DIGITS:
            return _padded(index + 1, count)
        return names.quarters(self.locale, _width(count), alone=alone)[index]

    def era(self, count: int) -> str:
        era = 1 if self.moment.local.date.fields[0] > 0 else 0
        return names.eras(self.locale, _width(max(count, SHORT)))[era]

    def offset_or_z(self, count: int) -> str:
        return "Z" if self.moment.offset == 0 else self.offset_digits(count)

    def offset_digits(self, count: int) -> str:
        """`x` to `xxxxx`: hours only, with minutes, with colon, with seconds if any."""
        total = self.moment.offset
        sign, rest = ("-", -total) if total < 0 else ("+", total)
        hours, rest = divmod(rest, 3600)
        minutes, seconds = divmod(rest, 60)
        colon = ":" if count in {3, 5} else ""
        text = f"{sign}{hours:02}"
        if count > 1 or minutes:
            text += f"{colon}{minutes:02}"
        if count > SHORT and seconds:
            text += f"{colon}{seconds:02}"
        return text

    def offset_zone(self, count: int) -> str:
        if count <= SHORT:
            return self.offset_digits(2)
        return self.offset_gmt(4) if count == FULL else self.offset_or_z(5)

    def offset_gmt(self, count: int) -> str:
        total = self.moment.offset
        if total == 0:
            return "GMT"
        text = self.offset_digits(5)
        if count == FULL:
            return f"GMT{text}"
        hours, _, rest = text[1:].partition(":")
        return f"GMT{text[0]}{int(hours)}" + ("" if rest == "00" else f":{rest}")

    def zone_id(self, _: int) -> str:
        return self.moment.zone.id

    def zone_name(self, count: int) -> str:
        zone, seconds = self.moment.zone, self.moment.instant.seconds
        if count == FULL:
            return self._long_zone_name()
        if not zone.is_region:
            return zone.id
        short = zone.abbreviation_at(seconds)
        return _SHORT_NAMES.get(zone.id, short) if short[0] in "+-" else short

    def _long_zone_name(self) -> str:
        zone = self.moment.zone
        if zone.id == "UTC":
            return "Coordinated Universal Time"
        if not zone.is_region:
            return zone.id
        daylight = zone.is_daylight_at(self.moment.instant.seconds)
        return names.zone_name(zone.id, self.locale, daylight=daylight)


def _year(year: int, count: int) -> str:
    if count == TWO_DIGITS:
        return f"{year % 100:02}"
    if count >= FULL and abs(year) >= 10**count:
        return f"{'-' if year < 0 else '+'}{abs(year)}"
    return _padded(year, count)


def _width(count: int) -> str:
    return {SHORT: "short", FULL: "full"}.get(count, "narrow")


_FIELDS: dict[str, Callable[[_Writer, int], str]] = {
    "y": _Writer.year,
    "u": _Writer.proleptic_year,
    "Y": _Writer.week_year,
    "M": _Writer.month,
    "L": _Writer.month_alone,
    "d": _Writer.day,
    "D": _Writer.day_of_year,
    "E": _Writer.day_name,
    "e": _Writer.local_day,
    "c": _Writer.local_day,
    "F": _Writer.aligned_week,
    "w": _Writer.week,
    "W": _Writer.week_of_month,
    "g": _Writer.julian_day,
    "H": _Writer.hour,
    "k": _Writer.hour_from_one,
    "K": _Writer.half_hour,
    "h": _Writer.half_hour_from_one,
    "m": _Writer.minute,
    "s": _Writer.second,
    "S": _Writer.fraction,
    "n": _Writer.nano,
    "N": _Writer.nano_of_the_day,
    "A": _Writer.milli_of_day,
    "a": _Writer.half_of_day,
    "B": _Writer.period_of_day,
    "Q": _Writer.quarter,
    "q": _Writer.quarter_alone,
    "G": _Writer.era,
    "X": _Writer.offset_or_z,
    "x": _Writer.offset_digits,
    "Z": _Writer.offset_zone,
    "O": _Writer.offset_gmt,
    "V": _Writer.zone_id,
    "z": _Writer.zone_name,
    "v": _Writer.zone_name,
}
