"""Dates: letters of patterns, named formats, reading, zones, and arithmetic at clock changes."""

from typing import Any

import pytest

from batuta.expr import Context, ExpressionError, RuntimeFaultError, render
from batuta.expr.temporal import Instant, LocalDate, LocalDateTime, ZonedDateTime, find_zone

VARIABLES: dict[str, Any] = {
    "when": ZonedDateTime.of(Instant(1_709_615_228, 123_456_789), find_zone("Europe/Paris")),
    "noon": ZonedDateTime.of(Instant(1_720_008_000), find_zone("UTC")),
    "night": ZonedDateTime.of(Instant(1_720_051_199), find_zone("UTC")),
    "old": ZonedDateTime(LocalDateTime(LocalDate.of(-44, 3, 15)), 0, find_zone("UTC")),
    "far": ZonedDateTime(LocalDateTime(LocalDate.of(12_345, 1, 2)), 0, find_zone("UTC")),
    "local": LocalDateTime(LocalDate.of(2024, 3, 31), 9_000_000_000_000),
}

PATTERNS = [
    ("yyyy uuuu yy uu y", "UTC", "2024 2024 24 24 2024"),
    ("YYYY w ww W e ee c ccc cccc", "UTC", "2024 10 10 2 3 03 3 Tue Tuesday"),
    ("g F D DD DDD", "UTC", "60374 1 65 65 065"),
    ("MMMMM LLLL LLLLL EEEEE", "UTC", "M March M T"),
    ("h hh K KK k kk H HH a", "Asia/Tokyo", "2 02 2 02 14 14 14 14 PM"),
    (
        "m mm s ss S SS n nnnnnnnnnnnn N A",
        "UTC",
        "7 07 8 08 1 12 123456789 000123456789 18428123456789 18428123",
    ),
    ("X XX XXX XXXX XXXXX", "Asia/Kolkata", "+0530 +0530 +05:30 +0530 +05:30"),
    ("x xx xxx xxxx xxxxx", "America/New_York", "-05 -0500 -05:00 -0500 -05:00"),
    ("Z ZZ ZZZ ZZZZ ZZZZZ", "America/New_York", "-0500 -0500 -0500 GMT-05:00 -05:00"),
    ("Z ZZZZ ZZZZZ X x O OOOO", "UTC", "+0000 GMT Z Z +00 GMT GMT"),
    ("O OOOO", "Asia/Kolkata", "GMT+5:30 GMT+05:30"),
    ("VV z zzzz", "Asia/Tokyo", "Asia/Tokyo JST Japan Standard Time"),
    ("VV z zzzz", "UTC", "UTC UTC Coordinated Universal Time"),
    ("VV z zzzz", "+02:00", "+02:00 +02:00 +02:00"),
    ("z", "America/Sao_Paulo", "BRT"),
    ("B BBBB BBBBB", "UTC", None),
    ("Q QQ QQQ q qq qqq", "UTC", "1 01 Q1 1 01 Q1"),
    ("G GGGG GGGGG", "UTC", "AD Anno Domini A"),
    ("'it''s' ''yyyy''", "UTC", "it's '2024'"),
    ("yyyy[-MM[-dd]]", "UTC", "2024-03-05"),
    ("pppM ppppMM|", "UTC", "  3   03|"),
    ("full", "UTC", None),
    ("long", "UTC", None),
    ("medium", "UTC", None),
    ("short", "UTC", None),
    ("iso_offset_date_time", "UTC", "2024-03-05T05:07:08.123456789Z"),
    ("rfc_1123_date_time", "UTC", "Tue, 5 Mar 2024 05:07:08 GMT"),
    ("iso_date", "UTC", "2024-03-05Z"),
]


@pytest.mark.parametrize(("pattern", "zone", "expected"), PATTERNS, ids=range(len(PATTERNS)))
def test_letters_are_written_as_in_the_original(
    pattern: str, zone: str, expected: str | None
) -> None:
    context = Context({**VARIABLES, "p": pattern, "z": zone})
    result = render("{{ when | date(p, z) }}", context)
    assert result
    if expected is not None:
        assert result == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ old | date('y G uuuu yy') }}", "45 BC -0044 45"),
        ("{{ far | date('yyyy u yyyyy') }}", "+12345 12345 12345"),
        ("{{ noon | date('h K k a') }} {{ night | date('h K k a') }}", "12 0 12 PM 11 11 23 PM"),
        ("{{ noon | date('zzzz', 'America/New_York') }}", "Eastern Daylight Time"),
        ("{{ when | date('EEEE d MMMM', locale='de_DE') }}", "Dienstag 5 März"),
        ("{{ when | date('w e', locale='fr-FR') }}", "10 2"),
        ("{{ when | date('EEE', locale='zz') }}", "Tue"),
        ("{{ local | date('iso_sec', 'Europe/Paris') }}", "2024-03-31T03:30:00+02:00"),
        ("{{ 1700000000123456789 | date('SSSSSSSSS') }}", "456789000"),
    ],
)
def test_dates_are_written(text: str, expected: str) -> None:
    assert render(text, Context(VARIABLES)) == expected


BAD_PATTERNS = [
    "b",
    "yyyy'",
    "]",
    "{",
    "#",
    "MMMMMM",
    "ddd",
    "V",
    "VVV",
    "OO",
    "BB",
    "cc",
    "p",
    "pp",
    "ppp-",
    "aa",
    "SSSSSSSSSS",
    "y" * 600,
    "p" * 300 + "d",
    "pEEEE",
]


@pytest.mark.parametrize("pattern", BAD_PATTERNS)
def test_bad_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(RuntimeFaultError):
        render("{{ when | date(p) }}", Context({**VARIABLES, "p": pattern}))


READINGS = [
    ("2024-03-05", None, "2024-03-05T00:00:00"),
    ("2024-03-05T06:07", None, "2024-03-05T06:07:00"),
    ("2024-03-05T06:07:08.5", None, "2024-03-05T06:07:08.5"),
    ("2024-03-05t06:07:08z", None, "2024-03-05T06:07:08"),
    ("2024-03-05T06:07:08+02", None, "2024-03-05T04:07:08"),
    ("2024-03-05T06:07:08+0230", None, "2024-03-05T03:37:08"),
    ("2024-10-26T12:00:00+02:00[Europe/Paris]", None, "2024-10-26T10:00:00"),
    ("2024-03-05", "iso_local_date", "2024-03-05T00:00:00"),
    ("2024-03-05Z", "iso_date", "2024-03-05T00:00:00"),
    ("2024-03-05T06:07:08", "iso_local_date_time", "2024-03-05T06:07:08"),
    ("2024-W10-2", "iso_week_date", "2024-03-05T00:00:00"),
    ("2024-065", "iso_ordinal_date", "2024-03-05T00:00:00"),
    ("Tue, 5 Mar 2024 06:07:08 +0100", "rfc_1123_date_time", "2024-03-05T05:07:08"),
    ("5 Mar 2024 06:07 GMT", "rfc_1123_date_time", "2024-03-05T06:07:00"),
    ("2024-03-05 06:07:08.123", "sql_milli", "2024-03-05T06:07:08.123"),
    ("05/03/24", "dd/MM/yy", "2024-03-05T00:00:00"),
    ("5.3.2024 18", "d.M.yyyy H", "2024-03-05T18:00:00"),
    ("03-05-2024 06:07 PM", "MM-dd-yyyy hh:mm a", "2024-03-05T18:07:00"),
    ("2024-03-05 0:07 AM", "yyyy-MM-dd K:mm a", "2024-03-05T00:07:00"),
    ("2024-03-05 24:07", "yyyy-MM-dd kk:mm", "2024-03-05T00:07:00"),
    ("Tuesday 5 March 2024", "EEEE d MMMM yyyy", "2024-03-05T00:00:00"),
    ("Tue 05 Mar 2024", "EEE dd LLL yyyy", "2024-03-05T00:00:00"),
    ("20240305060708", "yyyyMMddHHmmss", "2024-03-05T06:07:08"),
    ("2024-65", "yyyy-D", "2024-03-05T00:00:00"),
    ("2024-03-05 06:07 +0200", "yyyy-MM-dd HH:mm Z", "2024-03-05T04:07:00"),
    ("2024-03-05 06:07 Z", "yyyy-MM-dd HH:mm X", "2024-03-05T06:07:00"),
    ("2024-03-05 06:07 +02", "yyyy-MM-dd HH:mm x", "2024-03-05T04:07:00"),
    ("2024-03-05 06:07 Europe/Paris", "yyyy-MM-dd HH:mm VV", "2024-03-05T05:07:00"),
    ("2024-03-05 06:07 UTC", "yyyy-MM-dd HH:mm z", "2024-03-05T06:07:00"),
    ("2024-03-05 06:07:08 5", "yyyy-MM-dd HH:mm:ss n", "2024-03-05T06:07:08.000000005"),
    ("2024-03-05", "yyyy-MM-dd[ HH:mm]", "2024-03-05T00:00:00"),
    ("2024-03-05 06:07", "yyyy-MM-dd[ HH:mm]", "2024-03-05T06:07:00"),
    ("2024-03-05 'x", "yyyy-MM-dd '''x'", "2024-03-05T00:00:00"),
    ("2024  3", "yyyy pp", None),
    ("2024 066 066", "yyyy DDD DDD", "2024-03-06T00:00:00"),
]


@pytest.mark.parametrize(("text", "pattern", "expected"), READINGS, ids=range(len(READINGS)))
def test_texts_are_read_as_dates(text: str, pattern: str | None, expected: str | None) -> None:
    context = Context({"t": text, "p": pattern})
    template = "{{ t | date('iso_local_date_time', existingFormat=p) }}"
    if expected is None:
        with pytest.raises(RuntimeFaultError):
            render(template, context)
    else:
        assert render(template, context) == expected


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("2024-02-30", None),
        ("2024-13-01", None),
        ("2024-03-05 06:07", None),
        ("2024-03-05T25:00", None),
        ("2024-03-05T06:60", None),
        ("6:07", "H:mm"),
        ("2024", "yyyy"),
        ("2024-03", "yyyy-MM"),
        ("2023-366", "yyyy-D"),
        ("2024-W60-1", "iso_week_date"),
        ("Wed, 5 Mar 2024 06:07:08 GMT", "rfc_1123_date_time"),
        ("5 Foo 2024", "d MMM yyyy"),
        ("2024-03-05 13:00 PM", "yyyy-MM-dd hh:mm a"),
        ("1", "G"),
        ("2024-03-05T06:07:08+99:00", None),
        ("2024-03-05T06:07:08+02:00[Mars/Base]", None),
    ],
)
def test_texts_that_are_no_dates_are_refused(text: str, pattern: str | None) -> None:
    with pytest.raises(RuntimeFaultError):
        render("{{ t | date(existingFormat=p) }}", Context({"t": text, "p": pattern}))


@pytest.mark.parametrize(
    "zone",
    [
        "EST",
        "Mars/Base",
        "+25:00",
        "+2:3",
        "+02:61",
        "GMT+99",
        "UTC+",
        "../x",
        "",
        "+",
        "GMT+1:2",
        "Europe/",
    ],
)
def test_unknown_zones_are_refused(zone: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
        find_zone(zone)
    with pytest.raises(ExpressionError):
        render("{{ when | date(timeZone=z) }}", Context({**VARIABLES, "z": zone}))


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("Z", "Z"),
        ("UTC", "UTC"),
        ("GMT+2", "GMT+02:00"),
        ("UTC-03:30", "UTC-03:30"),
        ("+5", "+05:00"),
        ("-0530", "-05:30"),
        ("GMT+0", "GMT"),
        ("+01:02:03", "+01:02:03"),
    ],
)
def test_zones_are_named_as_in_the_original(zone: str, expected: str) -> None:
    found = find_zone(zone)
    assert found.id == expected
    assert found == find_zone(zone)
    assert hash(found) == hash(find_zone(zone))
    assert repr(found) == f"Zone({expected!r})"
    assert found.abbreviation_at(0) == expected
    assert not found.is_daylight_at(0)


def test_gaps_and_overlaps_are_resolved() -> None:
    paris = find_zone("Europe/Paris")
    gap = LocalDateTime(LocalDate.of(2024, 3, 31), 9_000 * 10**9).at(paris)
    assert str(gap) == "2024-03-31T03:30+02:00[Europe/Paris]"
    both = LocalDateTime(LocalDate.of(2024, 10, 27), 9_000 * 10**9)
    assert both.at(paris).offset == 7200
    assert both.at(paris, preferred=3600).offset == 3600
    later = ZonedDateTime.of(Instant(1_730_003_400), paris)
    assert later.with_local(both).offset == 3600


def test_years_outside_of_the_zone_data_have_rules() -> None:
    paris = find_zone("Europe/Paris")
    assert ZonedDateTime.of(Instant(10**12), paris).offset in {3600, 7200}
    assert LocalDateTime(LocalDate.of(20_000, 7, 1)).at(paris).offset == 7200
    assert ZonedDateTime.of(Instant(-(10**11)), paris).local.date.fields[0] < 0


def test_moments_are_ordered() -> None:
    assert Instant(1) < Instant(2) < Instant(2, 1)
    assert LocalDate(1) < LocalDate(2)
    assert LocalDateTime(LocalDate(1)) < LocalDateTime(LocalDate(1), 5)
    assert ZonedDateTime.of(Instant(1)) < ZonedDateTime.of(Instant(2))
    for value in (
        Instant(1),
        LocalDate(1),
        LocalDateTime(LocalDate(1)),
        ZonedDateTime.of(Instant(1)),
    ):
        with pytest.raises(TypeError):
            _ = value < 5
