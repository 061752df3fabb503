"""The members that values answer to: `text.length`, `rows.size()`, `when.year` (02 §1.4).

Parameters are given as letters: `s` text, `*` anything. Where the original has an `int` parameter no member
is listed, because integer literals are 64-bit and never match it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from batuta.expr.errors import RuntimeFaultError
from batuta.expr.format.number_text import round_to_float
from batuta.expr.format.text import java_text
from batuta.expr.regex import java_replace, java_split, matches_whole, plain_replace
from batuta.expr.temporal import Duration, Instant, LocalDate, LocalDateTime, ZonedDateTime
from batuta.expr.temporal.calendar import is_leap, month_length, to_epoch_day, weekday
from batuta.expr.temporal.moment import NANOS, offset_text, time_text
from batuta.expr.utf16 import unit_index, units
from batuta.expr.values import (
    Array,
    EnumName,
    Float,
    KeySet,
    Long,
    Value,
    entry_of,
    is_list,
    is_number,
    java_equals,
    wrap32,
    wrap64,
)

MONTHS = [
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
]
DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]


class Member(NamedTuple):
    """A method of a value; `parameters` are letters as in the module's text.

    A `grows` method takes the most characters that its result may have as last argument.
    """

    parameters: str
    function: Callable[..., Value]
    grows: bool = False


def find_member(target: Value, name: str, arguments: list[Value]) -> Member | None:
    """The member of that name (any case) that takes these arguments."""
    members = _table(target)
    member = members.get(name.lower()) or _EVERY.get(name.lower())
    if member is None or len(member.parameters) != len(arguments):
        return None
    for letter, argument in zip(member.parameters, arguments, strict=True):
        if letter == "s" and type(argument) is not str:
            return None
    return member


def members_of(target: Value) -> Iterable[str]:
    """Names to suggest for a member that does not exist."""
    return _table(target)


def _table(target: Value) -> dict[str, Member]:
    if isinstance(target, str):
        return _TEXT if type(target) is str else _ENUM
    if is_number(target):
        return _NUMBER
    if isinstance(target, Mapping):
        return _MAP
    if is_list(target) or isinstance(target, KeySet):
        return _LIST
    return _TABLES.get(type(target), {})


def _hash(text: str) -> int:
    code = 0
    data = text.encode("utf-16-le", "surrogatepass")
    for index in range(0, len(data), 2):
        code = (code * 31 + data[index] + 256 * data[index + 1]) & 0xFFFFFFFF
    return wrap32(code)


def _ascii_strip(text: str) -> str:
    return text.strip("".join(map(chr, range(33))))


def _index_of_item(items: list[Value], wanted: Value) -> int:
    return next((i for i, item in enumerate(items) if java_equals(item, wanted)), -1)


def _edge(items: list[Value], index: int) -> Value:
    if not items:
        raise RuntimeFaultError("the list is empty")
    return items[index]


def _replace(text: str, old: str, new: str, limit: int) -> str:  # noqa: PLR0917 - as in Java
    return plain_replace(text, old, new, limit=limit)


def _replace_all(text: str, pattern: str, new: str, limit: int) -> str:  # noqa: PLR0917 - as in Java
    return java_replace(text, pattern, new, limit=limit)


def _members(**table: tuple[Any, ...]) -> dict[str, Member]:
    return {name.lower(): Member(*entry) for name, entry in table.items()}


_EVERY = _members(toString=("", java_text))
_TEXT = _members(
    length=("", units),
    isEmpty=("", lambda text: not text),
    isBlank=("", lambda text: not text.strip()),
    trim=("", _ascii_strip),
    strip=("", str.strip),
    stripLeading=("", str.lstrip),
    stripTrailing=("", str.rstrip),
    toUpperCase=("", str.upper),
    toLowerCase=("", str.lower),
    startsWith=("s", str.startswith),
    endsWith=("s", str.endswith),
    indexOf=("s", lambda text, part: unit_index(text, text.find(part))),
    lastIndexOf=("s", lambda text, part: unit_index(text, text.rfind(part))),
    replace=("ss", _replace, True),
    replaceAll=("ss", _replace_all, True),
    concat=("s", str.__add__),
    split=("s", lambda text, pattern: Array(java_split(text, pattern, 0))),
    matches=("s", matches_whole),
    equalsIgnoreCase=("s", lambda text, other: text.casefold() == other.casefold()),
    getBytes=("", lambda text: text.encode("utf-8", "replace")),
    hashCode=("", _hash),
    intern=("", str),
)
_ENUM = _members(name=("", str.__str__))
_NUMBER = _members(
    intValue=("", lambda number: wrap32(int(number))),
    longValue=("", lambda number: wrap64(int(number))),
    doubleValue=("", float),
    floatValue=("", lambda number: Float(round_to_float(float(number)))),
    isNaN=("", lambda number: number != number),  # noqa: PLR0124 - NaN is no number
    isInfinite=("", lambda number: isinstance(number, float) and abs(number) == float("inf")),
)
_LIST = _members(
    size=("", len),
    isEmpty=("", lambda items: not items),
    indexOf=("*", _index_of_item),
    getFirst=("", lambda items: _edge(items, 0)),
    getLast=("", lambda items: _edge(items, -1)),
)
_MAP = _members(
    size=("", len),
    isEmpty=("", lambda mapping: not mapping),
    get=("*", lambda mapping, key: mapping.get(key) if _hashable(key) else None),
    containsKey=("*", lambda mapping, key: _hashable(key) and key in mapping),
    containsValue=(
        "*",
        lambda mapping, value: any(java_equals(item, value) for item in mapping.values()),
    ),
    keySet=("", KeySet),
    values=("", lambda mapping: list(mapping.values())),
    entrySet=("", lambda mapping: KeySet(map(entry_of, mapping.items()))),
    getKey=("", lambda mapping: mapping["key"]),
    getValue=("", lambda mapping: mapping["value"]),
)


def _hashable(key: Value) -> bool:
    return not isinstance(key, (list, Mapping))


def _date_members(date_of: Callable[[Value], LocalDate]) -> dict[str, Member]:
    def year(value: Value) -> int:
        return date_of(value).fields[0]

    def month(value: Value) -> int:
        return date_of(value).fields[1]

    return _members(
        getYear=("", year),
        getMonthValue=("", month),
        getMonth=("", lambda value: EnumName(MONTHS[month(value) - 1])),
        getDayOfMonth=("", lambda value: date_of(value).fields[2]),
        getDayOfYear=(
            "",
            lambda value: date_of(value).epoch_day - to_epoch_day(year(value), 1, 1) + 1,
        ),
        getDayOfWeek=("", lambda value: EnumName(DAYS[weekday(date_of(value).epoch_day) - 1])),
    )


def _time_members(nano_of_day: Callable[[Value], int]) -> dict[str, Member]:
    def seconds(value: Value) -> int:
        return nano_of_day(value) // NANOS

    return _members(
        getHour=("", lambda value: seconds(value) // 3600),
        getMinute=("", lambda value: seconds(value) // 60 % 60),
        getSecond=("", lambda value: seconds(value) % 60),
        getNano=("", lambda value: nano_of_day(value) % NANOS),
        toLocalTime=("", lambda value: time_text(nano_of_day(value))),
    )


_LOCAL_DATE = {
    **_date_members(lambda value: value),
    **_members(
        lengthOfMonth=("", lambda value: month_length(*value.fields[:2])),
        isLeapYear=("", lambda value: is_leap(value.fields[0])),
        toEpochDay=("", lambda value: Long(value.epoch_day)),
    ),
}
_LOCAL_DATE_TIME = {
    **_date_members(lambda value: value.date),
    **_time_members(lambda value: value.nano_of_day),
    **_members(toLocalDate=("", lambda value: value.date)),
}
_ZONED = {
    **_date_members(lambda value: value.local.date),
    **_time_members(lambda value: value.local.nano_of_day),
    **_members(
        toLocalDate=("", lambda value: value.local.date),
        toLocalDateTime=("", lambda value: value.local),
        toInstant=("", lambda value: value.instant),
        toEpochSecond=("", lambda value: Long(value.instant.seconds)),
        getOffset=("", lambda value: offset_text(value.offset)),
        getZone=("", lambda value: value.zone.id),
    ),
}
_INSTANT = _members(
    getEpochSecond=("", lambda value: Long(value.seconds)),
    getNano=("", lambda value: value.nanos),
    toEpochMilli=("", lambda value: Long(value.total_nanos() // 1_000_000)),
)
_DURATION = _members(
    getSeconds=("", lambda value: Long(value.seconds)),
    getNano=("", lambda value: value.nanos),
    toSeconds=("", lambda value: Long(value.seconds)),
    toMillis=("", lambda value: Long((value.seconds * NANOS + value.nanos) // 1_000_000)),
    toMinutes=("", lambda value: Long(int(value.seconds / 60))),
    toHours=("", lambda value: Long(int(value.seconds / 3600))),
    toDays=("", lambda value: Long(int(value.seconds / 86_400))),
    isZero=("", lambda value: value.seconds == 0 and value.nanos == 0),
    isNegative=("", lambda value: value.seconds < 0),
)
_TABLES: dict[type, dict[str, Member]] = {
    LocalDate: _LOCAL_DATE,
    LocalDateTime: _LOCAL_DATE_TIME,
    ZonedDateTime: _ZONED,
    Instant: _INSTANT,
    Duration: _DURATION,
    bool: _members(booleanValue=("", bool)),
}
