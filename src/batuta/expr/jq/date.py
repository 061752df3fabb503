"""Broken-down times and formats of jq."""

from collections.abc import Callable
from math import floor

from batuta.expr.format.json_text import json_text
from batuta.expr.jq.errors import JqError
from batuta.expr.temporal.calendar import from_epoch_day, iso_week, to_epoch_day, weekday
from batuta.expr.values import Value

_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_FIELDS = 6
_NOON = 12
_CENTURY_TURNS = 69
_MAX_SECONDS = 10**13
_COMPOUND = {
    "T": "%H:%M:%S",
    "D": "%m/%d/%y",
    "F": "%Y-%m-%d",
    "R": "%H:%M",
    "c": "%a %b %e %H:%M:%S %Y",
    "x": "%m/%d/%y",
    "X": "%H:%M:%S",
    "r": "%I:%M:%S %p",
    "h": "%b",
}


def gmtime(seconds: float) -> list[Value]:
    """Year, month from 0, day, hour, minute, second, weekday from Sunday, day of the year from 0."""
    if not -_MAX_SECONDS < seconds < _MAX_SECONDS:
        raise JqError("error converting number of seconds since epoch to datetime")
    whole = floor(seconds)
    days, rest = divmod(whole, 86_400)
    year, month, day = from_epoch_day(days)
    second = rest % 60 + (seconds - whole)
    return [
        year,
        month - 1,
        day,
        rest // 3600,
        rest // 60 % 60,
        second,
        weekday(days) % 7,
        days - to_epoch_day(year, 1, 1),
    ]


def mktime(value: Value) -> Value:
    return _seconds(_broken_down(value, "mktime"))


def _broken_down(value: Value, name: str) -> list[int]:
    if not isinstance(value, list) or len(value) < _FIELDS:
        raise JqError(f"{name} requires array of 6 numbers")
    fields = value[:_FIELDS]
    if not all(isinstance(field, (int, float)) and not isinstance(field, bool) for field in fields):
        raise JqError(f"{name} requires parsed datetime inputs")
    return [int(field) for field in fields]


def _seconds(fields: list[int]) -> int:
    year, month, day, hour, minute, second = fields
    try:
        days = to_epoch_day(year + month // 12, month % 12 + 1, 1) + day - 1
    except ValueError:
        raise JqError("invalid gmtime representation") from None
    return days * 86_400 + hour * 3600 + minute * 60 + second


def strftime(value: Value, form: Value) -> Value:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = gmtime(value)
    if not isinstance(form, str):
        raise JqError("strftime/1 requires a string format")
    seconds = _seconds(_broken_down(value, "strftime/1"))
    result, index = [], 0
    while index < len(form):
        char = form[index]
        index += 1
        if char == "%" and index < len(form):
            result.append(_written(form[index], seconds))
            index += 1
        else:
            result.append(char)
    return "".join(result)


def _written(letter: str, seconds: int) -> str:
    compound = _COMPOUND.get(letter)
    if compound is not None:
        return str(strftime(seconds, compound))
    year, month, day, hour, minute, second, week_day, year_day = gmtime(seconds)
    days = seconds // 86_400
    values: dict[str, str] = {
        "Y": str(year), "y": f"{year % 100:02}", "C": f"{year // 100:02}",
        "m": f"{month + 1:02}", "d": f"{day:02}", "e": f"{day:2}", "j": f"{year_day + 1:03}",
        "H": f"{hour:02}", "I": f"{hour % 12 or 12:02}", "k": f"{hour:2}", "l": f"{hour % 12 or 12:2}",
        "M": f"{minute:02}", "S": f"{int(second):02}", "p": "AM" if hour < _NOON else "PM",
        "a": _DAYS[week_day - 1][:3], "A": _DAYS[week_day - 1], "u": str(week_day or 7), "w": str(week_day),
        "b": _MONTHS[month][:3], "B": _MONTHS[month], "Z": "UTC", "z": "+0000", "s": str(seconds),
        "G": str(iso_week(days)[0]), "V": f"{iso_week(days)[1]:02}",
        "U": f"{(year_day + 7 - week_day) // 7:02}", "W": f"{(year_day + 7 - (week_day - 1) % 7) // 7:02}",
        "n": "\n", "t": "\t", "%": "%",
    }  # fmt: skip
    return values.get(letter, f"%{letter}")


def strptime(value: Value, form: Value) -> Value:
    if not isinstance(value, str) or not isinstance(form, str):
        raise JqError("strptime/1 requires string inputs and arguments")
    reader = _Reader(value)
    if not reader.read(form) or reader.position != len(value):
        raise JqError(f"date {json_text(value)} does not match format {json_text(form)}")
    seconds = _seconds(reader.fields()) - reader.offset
    return gmtime(seconds)


class _Reader:
    """Reads a text by a format; `offset` is the zone's, in seconds."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.offset = 0
        self._found: dict[str, int] = {}
        self._afternoon: bool | None = None

    def fields(self) -> list[int]:
        found = self._found
        if "s" in found:
            year, month, day, hour, minute, second, *_ = gmtime(found["s"])
            return [year, month, day, hour, minute, int(second)]
        hour = found.get("H", 0)
        if self._afternoon is not None:
            hour = hour % 12 + (12 if self._afternoon else 0)
        year = found.get("Y", 1900)
        month, day = found.get("m", 1) - 1, found.get("d", 1)
        if "j" in found:
            month, day = 0, found["j"]
        return [year, month, day, hour, found.get("M", 0), found.get("S", 0)]

    def read(self, form: str) -> bool:
        index = 0
        while index < len(form):
            char = form[index]
            index += 1
            if char == "%" and index < len(form):
                letter = form[index]
                index += 1
                if not self._field(letter):
                    return False
            elif char.isspace():
                self._blanks()
            elif not self._literal(char):
                return False
        return True

    def _blanks(self) -> None:
        while self.text[self.position : self.position + 1].isspace():
            self.position += 1

    def _literal(self, char: str) -> bool:
        if self.text[self.position : self.position + 1] != char:
            return False
        self.position += 1
        return True

    def _field(self, letter: str) -> bool:
        if letter in _NUMBERS:
            name, width = _NUMBERS[letter]
            return self._number(name, width)
        if letter in _COMPOUND and letter != "h":
            return self.read(_COMPOUND[letter])
        reader = _LETTERS.get(letter)
        return reader(self) if reader is not None else False

    def month(self) -> bool:
        return self._name(_MONTHS, "m")

    def weekday(self) -> bool:
        return self._name(_DAYS, "weekday")

    def percent(self) -> bool:
        return self._literal("%")

    def _number(self, name: str, width: int) -> bool:
        self._blanks()
        start = self.position
        while (
            self.position - start < width and self.text[self.position : self.position + 1].isdigit()
        ):
            self.position += 1
        digits = self.text[start : self.position]
        if not digits or not digits.isascii():
            return False
        value = int(digits)
        if name == "y":
            name, value = "Y", value + (1900 if value >= _CENTURY_TURNS else 2000)
        self._found[name] = value
        return True

    def _name(self, names: list[str], field: str) -> bool:
        rest = self.text[self.position :].lower()
        for index, name in enumerate(names):
            for form in (name.lower(), name[:3].lower()):
                if rest.startswith(form):
                    self._found[field] = index + 1
                    self.position += len(form)
                    return True
        return False

    def half(self) -> bool:
        half = self.text[self.position : self.position + 2].upper()
        self.position += 2
        self._afternoon = half == "PM"
        return half in {"AM", "PM"}

    def zone(self) -> bool:
        rest = self.text[self.position :]
        for name in ("UTC", "GMT", "Z"):
            if rest.startswith(name):
                self.position += len(name)
                return True
        digits = rest[1:6].replace(":", "")[:4]
        if rest[:1] not in {"+", "-"} or not digits.isdigit() or len(digits) < len("hhmm"):
            return False
        self.position += 6 if rest[3:4] == ":" else 5
        size = int(digits[:2]) * 3600 + int(digits[2:]) * 60
        self.offset = -size if rest[0] == "-" else size
        return True


_NUMBERS = {
    "Y": ("Y", 4), "y": ("y", 2), "m": ("m", 2), "d": ("d", 2), "e": ("d", 2), "j": ("j", 3),
    "H": ("H", 2), "k": ("H", 2), "I": ("H", 2), "l": ("H", 2), "M": ("M", 2), "S": ("S", 2), "s": ("s", 13),
}  # fmt: skip
_LETTERS: dict[str, Callable[[_Reader], bool]] = {
    **dict.fromkeys("bBh", _Reader.month),
    **dict.fromkeys("aA", _Reader.weekday),
    **dict.fromkeys("zZ", _Reader.zone),
    "p": _Reader.half,
    "%": _Reader.percent,
}
