from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batuta.expr.temporal.zone import find_zone
from batuta.model.cron import (
    Cron,
    CronError,
    at_or_after,
    is_fire_time,
    next_after,
    parse_cron,
    previous_before,
)
from batuta.model.instant import SECOND, from_iso, to_datetime, to_iso

NEW_YORK = "America/New_York"


def upcoming(
    cron: str, start: str, count: int, *, zone: str = "UTC", seconds: bool = False
) -> list[str]:
    return walk(next_after, parse_cron(cron, with_seconds=seconds), start, count, zone)


def walk(step, cron: Cron, start: str, count: int, zone: str) -> list[str]:
    rules = find_zone(zone)
    moment = from_iso(start)
    found = []
    while len(found) < count and (moment := step(cron, moment, rules)) is not None:
        offset = timedelta(seconds=rules.offset_at(moment // SECOND))
        found.append(
            (to_datetime(moment) + offset).strftime("%m-%d %H:%M")
            + f"{offset.total_seconds() / 3600:+g}"
        )
    return found


@pytest.mark.parametrize(
    "text",
    """* * * * *|0 9 * * 7|0 9 * * 0|0 9 * * SAT-SUN|0 9 * * 5-7|0 9 * * 0-2|0 9 * * SUN,SAT|0 9 * * MON/2|0 9 * * */2
    */59 * * * *|5/10 * * * *|0-30/5,45 * * * *|5-5 * * * *|*,5 * * * *|*/5,10 * * * *|0 9 29 2 *|0 9 31 2 *|0 9 31 4,6 *
    00 09 * * *|/5 * * * *|0 0 */31 * *|0 0 * */12 *|@hourly|@midnight|0 0 * feb-Apr *|0 9 * * fri|0 0 1-7,15-21/2 * *""".replace(
        "\n", "|"
    ).split("|"),
)
def test_accepted_expressions(text: str) -> None:
    assert parse_cron(text.strip()).alternatives


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("0 9 * * 8", "day of week"),
        ("0 9 * * SUN-TUE", "day of week"),
        ("0 9 * * FRI-MON", "day of week"),
        ("0 9 * * 6-0", "day of week"),
        ("0 22-6 * * *", "hour"),
        ("10-5 * * * *", "minute"),
        ("0 9 * * Monday", "day of week"),
        ("0 9 * JANUARY *", "month"),
        ("0 9 ? * *", "day of month"),
        ("*/0 * * * *", "minute"),
        ("*/60 * * * *", "minute"),
        ("0 */24 * * *", "hour"),
        ("0 0 */32 * *", "day of month"),
        ("0 0 * */13 *", "month"),
        ("0 0 L * *", "day of month"),
        ("0 0 LW * *", "day of month"),
        ("0 0 15W * *", "day of month"),
        ("0 0 L-3 * *", "day of month"),
        ("0 0 * * 1L", "day of week"),
        ("0 0 * * 1#1", "day of week"),
        ("H * * * *", "minute"),
        ("5~10 * * * *", "minute"),
        ("1, * * * *", "minute"),
        (",1 * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("*/5/2 * * * *", "minute"),
        ("1-5-7 * * * *", "minute"),
        ("*-5 * * * *", "minute"),
        ("5-* * * * *", "minute"),
        ("*/ * * * *", "minute"),
        ("-5 * * * *", "minute"),
        ("1.5 * * * *", "minute"),
        ("*5 * * * *", "minute"),
        ("0 0 JAN * *", "day of month"),
        ("", ""),
        ("*", ""),
        ("* * *", ""),
        ("0 9 * * * # morning", ""),
        ("TZ=UTC 0 9 * * *", ""),
        ("0 0 0 * * *", ""),
        ("1, 2 * * * *", ""),
        ("@reboot", ""),
        ("@DAILY", ""),
        (" @daily", ""),
        ("0|15|30 9|10 * * *", ""),
    ],
)
def test_refused_expressions_name_the_field(text: str, field: str) -> None:
    with pytest.raises(CronError, match="invalid cron expression") as caught:
        parse_cron(text)
    assert caught.value.field == field


def test_seconds_need_six_fields_but_nicknames_work() -> None:
    with pytest.raises(CronError):
        parse_cron("0 9 * * *", with_seconds=True)
    assert parse_cron("@daily", with_seconds=True) == parse_cron("@daily")
    assert (
        upcoming("*/20 0 0 * * *", "2025-01-01T00:00:00Z", 2, seconds=True) == ["01-01 00:00+0"] * 2
    )


def test_alternatives_are_united() -> None:
    assert upcoming("0|30 9 * * *", "2025-01-01T00:00:00Z", 2) == ["01-01 09:00+0", "01-01 09:30+0"]
    assert upcoming("0 9 * * * || 0 10 * * *", "2025-01-01T00:00:00Z", 2) == [
        "01-01 09:00+0",
        "01-01 10:00+0",
    ]


@pytest.mark.parametrize(
    ("cron", "start", "days"),
    [
        ("0 9 1 * MON", "2025-01-01T10:00:00Z", "01-06 01-13 01-20 01-27 02-01 02-03"),
        ("0 9 */10 * *", "2025-01-25T00:00:00Z", "01-31 02-01 02-11 02-21 03-01"),
        ("0 9 */2 * MON", "2025-01-02T00:00:00Z", "01-03 01-05 01-06 01-07 01-09 01-11"),
        ("0 0 31 * *", "2025-01-31T00:00:00Z", "03-31 05-31 07-31"),
        ("0 9 * * */2", "2025-01-01T10:00:00Z", "01-02 01-04 01-05 01-07"),
        ("0 0 31 2 *", "2025-01-01T00:00:00Z", ""),
    ],
)
def test_days_of_month_and_week(cron: str, start: str, days: str) -> None:
    wanted = days.split()
    assert [each[:5] for each in upcoming(cron, start, max(len(wanted), 1))] == wanted


def test_29_february_is_found_over_a_century_without_it() -> None:
    found = next_after(parse_cron("0 0 29 2 *"), from_iso("2097-01-01T00:00:00Z"), find_zone("UTC"))
    assert to_iso(found or 0) == "2104-02-29T00:00:00Z"


@pytest.mark.parametrize(
    ("cron", "start", "zone", "wanted"),
    [
        ("30 2 * * *", "2025-03-08T12:00:00Z", NEW_YORK, ["03-10 02:30-4", "03-11 02:30-4"]),
        ("30 2 9 3 *", "2025-01-01T00:00:00Z", NEW_YORK, ["03-09 02:30-4"]),
        ("0 * * * *", "2025-03-09T06:00:00Z", NEW_YORK, ["03-09 03:00-4"]),
        ("*/30 * * * *", "2025-03-09T06:30:00Z", NEW_YORK, ["03-09 03:00-4"]),
        ("0 0 * * *", "2025-04-23T22:30:00Z", "Africa/Cairo", ["04-26 00:00+3"]),
        ("30 2 * * *", "2025-03-29T10:00:00Z", "Europe/Paris", ["03-31 02:30+2"]),
        ("15 2 * * *", "2025-10-04T05:00:00Z", "Australia/Lord_Howe", ["10-06 02:15+11"]),
        ("30 1 * * *", "2025-11-01T12:00:00Z", NEW_YORK, ["11-02 01:30-4", "11-03 01:30-5"]),
        ("0 2 * * *", "2025-11-01T12:00:00Z", NEW_YORK, ["11-02 02:00-5", "11-03 02:00-5"]),
        ("0 * * * *", "2025-11-02T04:30:00Z", NEW_YORK, ["11-02 01:00-4", "11-02 01:00-5", "11-02 02:00-5"]),
        ("30 1,2 * * *", "2025-11-02T04:30:00Z", NEW_YORK, ["11-02 01:30-4", "11-02 01:30-5", "11-02 02:30-5"]),
        (
            "*/30 1 * * *",
            "2025-11-02T04:30:00Z",
            NEW_YORK,
            ["11-02 01:00-4", "11-02 01:30-4", "11-02 01:00-5", "11-02 01:30-5", "11-03 01:00-5"],
        ),
        ("30 0,1 * * *", "2025-11-02T03:30:00Z", NEW_YORK, ["11-02 00:30-4", "11-02 01:30-4", "11-03 00:30-5"]),
        ("30 1 * * *", "2025-11-02T05:45:00Z", NEW_YORK, ["11-02 01:30-5"]),
        ("30 1 * * *", "2025-11-02T06:29:59Z", NEW_YORK, ["11-02 01:30-5"]),
        ("30 1 2 11 *", "2025-11-02T05:45:00Z", NEW_YORK, ["11-02 01:30-5"]),
    ],
)  # fmt: skip
def test_changes_of_offset(cron: str, start: str, zone: str, wanted: list[str]) -> None:
    found = upcoming(cron, start, len(wanted), zone=zone)
    assert found == wanted


def test_previous_lists_both_passes_of_a_repeated_hour() -> None:
    cron = parse_cron("30 1 * * *")
    assert walk(previous_before, cron, "2025-11-03T00:00:00Z", 3, NEW_YORK) == [
        "11-02 01:30-5",
        "11-02 01:30-4",
        "11-01 01:30-4",
    ]


def test_previous_skips_the_gap() -> None:
    cron = parse_cron("30 2 * * *")
    assert walk(previous_before, cron, "2025-03-11T04:00:00Z", 2, NEW_YORK) == [
        "03-10 02:30-4",
        "03-08 02:30-5",
    ]


def test_fire_times_themselves_are_neither_next_nor_previous() -> None:
    cron, utc = parse_cron("0 9 * * *"), find_zone("UTC")
    nine = from_iso("2025-01-15T09:00:00Z")
    assert next_after(cron, nine, utc) == from_iso("2025-01-16T09:00:00Z")
    assert previous_before(cron, nine, utc) == from_iso("2025-01-14T09:00:00Z")
    assert previous_before(cron, nine + SECOND, utc) == nine
    assert at_or_after(cron, nine, utc) == nine
    assert at_or_after(cron, nine + 1, utc) == from_iso("2025-01-16T09:00:00Z")
    assert not is_fire_time(cron, nine + 1, utc)


FIELDS = st.tuples(
    st.sampled_from(["*", "0", "*/7", "5,35", "10-20", "50/3"]),
    st.sampled_from(["*", "0", "*/5", "1,2", "22-23", "2"]),
    st.sampled_from(["*", "1", "*/10", "31", "28-31"]),
    st.sampled_from(["*", "3", "*/5", "2,11", "JAN-MAR"]),
    st.sampled_from(["*", "0", "MON-FRI", "*/3", "SUN"]),
)
MOMENTS = st.integers(
    from_iso("2024-01-01T00:00:00Z") // SECOND, from_iso("2026-12-31T00:00:00Z") // SECOND
).map(lambda second: second * SECOND)


@settings(max_examples=300, deadline=None)
@given(
    FIELDS,
    MOMENTS,
    st.sampled_from(["UTC", "Europe/Paris", NEW_YORK, "Australia/Lord_Howe", "+05:45"]),
)
def test_fire_times_match_increase_and_lead_back(
    fields: tuple[str, ...], start: int, zone_id: str
) -> None:
    cron, zone = parse_cron(" ".join(fields)), find_zone(zone_id)
    found = [start]
    for _ in range(4):
        moment = next_after(cron, found[-1], zone)
        if moment is None:
            break
        found.append(moment)
    assert all(is_fire_time(cron, moment, zone) for moment in found[1:])
    assert all(left < right for left, right in pairwise(found))
    for left, right in pairwise(found[1:]):
        before = previous_before(cron, right, zone)
        assert before is not None
        assert left <= before < right


@settings(max_examples=60, deadline=None)
@given(FIELDS, MOMENTS, st.sampled_from(["UTC", "Europe/Paris", NEW_YORK]))
def test_no_fire_time_is_missed_within_two_days(
    fields: tuple[str, ...], start: int, zone_id: str
) -> None:
    cron, zone = parse_cron(" ".join(fields)), find_zone(zone_id)
    minutes = range(
        start - start % (60 * SECOND) + 60 * SECOND, start + 48 * 3600 * SECOND, 60 * SECOND
    )
    wanted = {moment for moment in minutes if is_fire_time(cron, moment, zone)}
    found = set()
    moment = next_after(cron, start, zone)
    while moment is not None and moment in minutes:
        found.add(moment)
        moment = next_after(cron, moment, zone)
    suppressed = wanted - found
    assert found <= wanted
    assert all(
        zone.offset_at(moment // SECOND) < zone.offset_at(moment // SECOND - 3600 * 2)
        for moment in suppressed
    )
