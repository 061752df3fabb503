"""In which span of time the events of preconditions count together (04 §10.5). Pure.

Windows are aligned on multiples of their length from midnight (plus the advance), and the one that contains the event is
taken; that agrees with the original wherever the original works.
"""

from datetime import time as read_time
from datetime import timedelta

import msgspec

from batuta.expr.temporal import Zone
from batuta.model.duration import parse_duration
from batuta.model.instant import DAY, SECOND, Instant
from batuta.plugins.core.trigger.window import TimeWindow


class Span(msgspec.Struct, frozen=True):
    """From `start` up to, and without, `end`."""

    start: Instant
    end: Instant

    def __contains__(self, moment: Instant) -> bool:
        return self.start <= moment < self.end


def span_of(window: TimeWindow, moment: Instant, *, zone: Zone, first: Instant | None) -> Span:
    """The span that counts for an event at `moment`; `first` is the first event that was remembered."""
    match window.type:
        case "SLIDING_WINDOW":
            start = first if first is not None else moment
            return Span(start, Instant(start + parse_duration(window.window or "P1D")))
        case "DAILY_TIME_DEADLINE":
            return Span(_midnight(moment, zone), _on_day(window.deadline, moment, zone))
        case "DAILY_TIME_WINDOW":
            return Span(
                _on_day(window.start_time, moment, zone), _on_day(window.end_time, moment, zone)
            )
        case _:
            return _aligned(window, moment, zone)


def _aligned(window: TimeWindow, moment: Instant, zone: Zone) -> Span:
    length = parse_duration(window.window or "P1D")
    advance = parse_duration(window.window_advance) if window.window_advance else 0
    origin = _midnight(moment, zone) + advance
    start = origin + (moment - origin) // length * length
    return Span(Instant(start), Instant(start + length))


def _midnight(moment: Instant, zone: Zone) -> Instant:
    """The last midnight of the zone; across a change of the clock by the offset of the event."""
    offset = zone.offset_at(moment // SECOND) * SECOND
    local = moment + offset
    return Instant(local - local % DAY - offset)


def _on_day(time: str | None, moment: Instant, zone: Zone) -> Instant:
    """When `09:30` or `09:30:00` is on the day of the event; `Z` or an offset is heeded where it is given."""
    found = read_time.fromisoformat(time or "00:00")
    of_day = timedelta(
        hours=found.hour,
        minutes=found.minute,
        seconds=found.second,
        microseconds=found.microsecond,
    )
    offset = found.utcoffset()
    midnight = _midnight(moment, zone)
    if offset is not None:
        local = zone.offset_at(moment // SECOND) * SECOND
        midnight = Instant(midnight + local - offset // timedelta(microseconds=1))
    return Instant(midnight + of_day // timedelta(microseconds=1))
