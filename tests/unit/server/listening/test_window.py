"""Windows of preconditions (04 §10.5)."""

import pytest

from batuta.expr.temporal import UTC
from batuta.model.instant import Instant, from_iso, to_iso
from batuta.plugins.core.trigger.window import TimeWindow
from batuta.server.listening.window import span_of


def window(**properties: str) -> TimeWindow:
    return TimeWindow.model_validate(properties)


def span(given: TimeWindow, time: str, first: str | None = None) -> tuple[str, str]:
    found = span_of(
        given,
        from_iso(f"2026-03-10T{time}Z"),
        zone=UTC,
        first=None if first is None else from_iso(f"2026-03-10T{first}Z"),
    )
    return to_iso(found.start)[5:19], to_iso(found.end)[5:19]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("06:00:00", "08:30", ("03-10T06:00:00", "03-10T08:30:00")),
        ("06:00:00+02:00", "08:30:00Z", ("03-10T04:00:00", "03-10T08:30:00")),
        ("20:00:00-01:00", "22:15:30.5", ("03-10T21:00:00", "03-10T22:15:30")),
    ],
)
def test_times_of_day_heed_their_offset(start: str, end: str, expected: tuple[str, str]) -> None:
    given = window(type="DAILY_TIME_WINDOW", startTime=start, endTime=end)
    assert span(given, "12:00:00") == expected


@pytest.mark.parametrize(
    ("properties", "time", "expected"),
    [
        ({"window": "P1D"}, "10:37:20", ("03-10T00:00:00", "03-11T00:00:00")),
        ({"window": "PT1H"}, "10:37:20", ("03-10T10:00:00", "03-10T11:00:00")),
        ({"window": "PT15M"}, "10:37:20", ("03-10T10:30:00", "03-10T10:45:00")),
        ({"window": "PT6H"}, "10:37:20", ("03-10T06:00:00", "03-10T12:00:00")),
        (
            {"window": "P1D", "windowAdvance": "PT6H"},
            "03:00:00",
            ("03-09T06:00:00", "03-10T06:00:00"),
        ),
        (
            {"window": "P1D", "windowAdvance": "-PT4H"},
            "21:00:00",
            ("03-10T20:00:00", "03-11T20:00:00"),
        ),
        (
            {"type": "DAILY_TIME_WINDOW", "startTime": "04:00:00", "endTime": "08:30:00"},
            "05:00:00",
            ("03-10T04:00:00", "03-10T08:30:00"),
        ),
        (
            {"type": "DAILY_TIME_DEADLINE", "deadline": "09:00:00"},
            "05:00:00",
            ("03-10T00:00:00", "03-10T09:00:00"),
        ),
    ],
)
def test_the_window_that_contains_the_event_counts(
    properties: dict[str, str], time: str, expected: tuple[str, str]
) -> None:
    assert span(window(**properties), time) == expected


def test_a_sliding_window_begins_with_the_first_event() -> None:
    sliding = window(type="SLIDING_WINDOW", window="PT2H")
    assert span(sliding, "10:00:00", "09:30:00") == ("03-10T09:30:00", "03-10T11:30:00")
    assert span(sliding, "10:00:00") == ("03-10T10:00:00", "03-10T12:00:00")


def test_the_end_is_outside() -> None:
    found = span_of(window(window="PT1H"), from_iso("2026-03-10T10:00:00Z"), zone=UTC, first=None)
    assert found.start in found
    assert found.end not in found
    assert Instant(found.end - 1) in found
