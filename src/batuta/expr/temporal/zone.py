"""Time zones as the original names and resolves them: region ids, `UTC`, `Z`, `+02:00`, `GMT+2`."""

import re
from datetime import UTC as PYTHON_UTC
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from typing_extensions import override

_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2})(?::?(\d{2}))?)?", re.ASCII)
_REGION = re.compile(r"[A-Za-z][A-Za-z0-9~/._+-]+", re.ASCII)
_PREFIXES = ("UTC", "GMT", "UT")
_MAX_OFFSET = 18 * 3600
_SIXTY = 60
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local wall-clock arithmetic
# Python's zones end with the year 9999 and begin with 1; outside, the rules of a year with the same
# calendar 400 years (and a multiple) away hold.
_LOW, _HIGH = -62_135_510_400, 253_402_214_400
_CYCLE = 146_097 * 86_400
# The original knows these only as legacy ids, and refuses them (02 §7.2).
_LEGACY = frozenset(("EST", "MST", "HST"))


class Zone:
    """A set of offset rules with a name."""

    __slots__ = ("_fixed", "_rules", "id")

    def __init__(self, zone_id: str, rules: ZoneInfo | None, fixed: int | None = None) -> None:
        self.id = zone_id
        self._rules = rules
        self._fixed = fixed

    @property
    def is_fixed_offset(self) -> bool:
        """True for a bare offset such as `+02:00` or `Z`, which prints without brackets."""
        return self._fixed is not None and self.id[0] in "+-Z"

    @property
    def is_region(self) -> bool:
        return self._rules is not None

    def offset_at(self, epoch_seconds: int) -> int:
        """Seconds east of Greenwich at an instant."""
        if self._rules is None:
            return self._fixed or 0
        moment = datetime.fromtimestamp(_in_range(epoch_seconds), PYTHON_UTC)
        return _seconds(moment.astimezone(self._rules).utcoffset())

    def abbreviation_at(self, epoch_seconds: int) -> str:
        """`CET`, `EST`, … as the zone data has it."""
        if self._rules is None:
            return self.id
        moment = datetime.fromtimestamp(_in_range(epoch_seconds), PYTHON_UTC)
        return moment.astimezone(self._rules).tzname() or self.id

    def is_daylight_at(self, epoch_seconds: int) -> bool:
        if self._rules is None:
            return False
        moment = datetime.fromtimestamp(_in_range(epoch_seconds), PYTHON_UTC)
        return bool(moment.astimezone(self._rules).dst())

    def resolve(self, local_seconds: int, *, preferred: int | None = None) -> tuple[int, int]:
        """Local seconds and offset for a wall-clock time given in seconds."""
        if self._rules is None:
            return local_seconds, self._fixed or 0
        wall = _EPOCH + timedelta(seconds=_in_range(local_seconds))
        first = _seconds(wall.replace(tzinfo=self._rules, fold=0).utcoffset())
        second = _seconds(wall.replace(tzinfo=self._rules, fold=1).utcoffset())
        if first == second:
            return local_seconds, first
        if first < second:  # a gap: `first` is the offset before it
            return local_seconds + (second - first), second
        return local_seconds, (second if preferred == second else first)

    @override
    def __repr__(self) -> str:
        return f"Zone({self.id!r})"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Zone) and other.id == self.id

    @override
    def __hash__(self) -> int:
        return hash(self.id)


def _in_range(seconds: int) -> int:
    if _LOW <= seconds <= _HIGH:
        return seconds
    return (seconds - _LOW) % _CYCLE + _LOW + 10 * _CYCLE


def _seconds(offset: timedelta | None) -> int:
    return 0 if offset is None else offset.days * 86_400 + offset.seconds


def fixed_zone(offset: int) -> Zone:
    """The zone of a bare offset in seconds."""
    if not -_MAX_OFFSET <= offset <= _MAX_OFFSET:
        raise ValueError(f"zone offset not in range of 18 hours: {offset}")
    return Zone(_offset_id(offset), None, offset)


def _offset_id(offset: int) -> str:
    if offset == 0:
        return "Z"
    sign, rest = ("-", -offset) if offset < 0 else ("+", offset)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{sign}{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


@lru_cache(maxsize=1024)
def find_zone(zone_id: str) -> Zone:
    """Raises `ValueError` for an id that the original does not know."""
    if zone_id == "Z":
        return fixed_zone(0)
    if zone_id[:1] in {"+", "-"}:
        return fixed_zone(_parse_offset(zone_id))
    for prefix in _PREFIXES:
        if zone_id == prefix:
            return Zone(prefix, None, 0)
        if zone_id.startswith((f"{prefix}+", f"{prefix}-")) and zone_id != "GMT0":
            offset = _parse_offset(zone_id[len(prefix) :])
            return Zone(prefix if offset == 0 else prefix + _offset_id(offset), None, offset)
    if zone_id in _LEGACY or _REGION.fullmatch(zone_id) is None:
        raise ValueError(f"unknown time zone `{zone_id}`")
    try:
        return Zone(zone_id, ZoneInfo(zone_id))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"unknown time zone `{zone_id}`") from None


def zone_of(moment: datetime) -> Zone:
    """The zone of an aware Python date-time."""
    info = moment.tzinfo
    if isinstance(info, ZoneInfo) and info.key:
        return Zone(info.key, info)
    if info is PYTHON_UTC:
        return UTC
    return fixed_zone(_seconds(moment.utcoffset()))


def _parse_offset(text: str) -> int:
    match = _OFFSET.fullmatch(text)
    if match is None or (match[3] is not None and len(match[2]) == 1):
        raise ValueError(f"invalid zone offset `{text}`")
    hours, minutes, seconds = int(match[2]), int(match[3] or 0), int(match[4] or 0)
    if max(minutes, seconds) >= _SIXTY:
        raise ValueError(f"invalid zone offset `{text}`")
    total = hours * 3600 + minutes * 60 + seconds
    if total > _MAX_OFFSET:
        raise ValueError(f"zone offset not in range of 18 hours: `{text}`")
    return -total if match[1] == "-" else total


UTC = Zone("UTC", None, 0)
