import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batuta.model.ion import (
    IonError,
    RowReader,
    read_one,
    read_values,
    to_json_data,
    write_row,
    write_value,
)

PARIS = ZoneInfo("Europe/Paris")
FORMS = [
    ({"id": 1, "name": "Ana"}, '{id:1,name:"Ana"}'),
    ({"note": None}, "{note:null}"),
    ({"a b": 1, "null": 2, "$7": 3, "it's": 4, "é": 5}, "{'a b':1,'null':2,'$7':3,'it\\'s':4,'é':5}"),
    ([1, [True, False]], "[1,[true,false]]"),
    (1.5, "1.5e0"),
    (100.0, "100e0"),
    (1e300, "1e+300"),
    (Decimal("1.50"), "1.50"),
    (Decimal("-0.05"), "-0.05"),
    (Decimal(15), "15."),
    (Decimal("1E+5"), "1d5"),
    (12345678901234567890, "12345678901234567890"),
    (b"hello", "{{aGVsbG8=}}"),
    (b"", "{{}}"),
    (date(2024, 5, 1), "2024-05-01"),
    (datetime(2024, 5, 1, 8, tzinfo=UTC), "2024-05-01T08:00:00.000Z"),
    (datetime(2024, 5, 1, 8, 0, 0, 1, tzinfo=UTC), "2024-05-01T08:00:00.000001Z"),
    (datetime(2024, 5, 1, 10, tzinfo=PARIS), 'ZonedDateTime::"2024-05-01T10:00:00+02:00[Europe/Paris]"'),
    (datetime(2024, 5, 1, 10, tzinfo=timezone(timedelta(hours=2))), 'OffsetDateTime::"2024-05-01T10:00:00+02:00"'),
    (datetime(2024, 5, 1, 10), 'LocalDateTime::"2024-05-01T10:00:00"'),  # noqa: DTZ001
    (time(10), 'LocalTime::"10:00:00"'),
    (time(10, 0, 0, 500_000, tzinfo=timezone(timedelta(hours=2))), 'OffsetTime::"10:00:00.5+02:00"'),
    ('a "b"\n\\\t\x00é\x85', '"a \\"b\\"\\n\\\\\\t\\x00é\\x85"'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), FORMS, ids=[text for _, text in FORMS])
def test_written_form_reads_back(value: object, text: str) -> None:
    assert write_value(value) == text
    assert read_one(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-05-01T00:00:00Z", date(2024, 5, 1)),
        ("2024-05-01T00:00:00-00:00", date(2024, 5, 1)),
        ("2024T", date(2024, 1, 1)),
        ("2024-05T", date(2024, 5, 1)),
        ("2024-05-01T10:00+02:00", datetime(2024, 5, 1, 10, tzinfo=timezone(timedelta(hours=2)))),
        ("2024-05-01T10:00:00.123456789Z", datetime(2024, 5, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("15d-1", Decimal("1.5")),
        ("0x_ff", 255),
        ("0b101", 5),
        ("1_000", 1000),
        ("-1e2", -100.0),
        ("null.string", None),
        ("symbol", "symbol"),
        ("'a symbol'", "a symbol"),
        ("'''one''' '''two'''", "onetwo"),
        ('{{ "clob" }}', b"clob"),
        ("{{ aGVs\n bG8= }}", b"hello"),
        ("(a b 1)", ["a", "b", 1]),
        ("[1, 2, ]", [1, 2]),
        ("unknown::7", 7),
        ("a::b::{x:1}", {"x": 1}),
        ("// comment\n/* more */ {a: /* in */ 1}", {"a": 1}),
        ('{"json": [1.5, 1e2, null, true, "\\u00e9"], "x": {}}', {"json": [Decimal("1.5"), 100.0, None, True, "é"], "x": {}}),
        ('"\\ud83d\\ude00"', "😀"),
        ("$ion_1_0 5", 5),
        ("{'''long''':1,\"q\":2,'s':3}", {"long": 1, "q": 2, "s": 3}),
        ("+inf", math.inf),
        ("{a:{b:{{aGVsbG8=}}}}", {"a": {"b": b"hello"}}),
    ],
)  # fmt: skip
def test_other_forms_are_read(text: str, value: object) -> None:
    assert read_one(text) == value


def test_concatenated_and_line_separated_values_are_read_alike() -> None:
    assert list(read_values('{a:1}{a:2} {a:3}\n{"a":4}\n\n5 "x"')) == [
        *({"a": n} for n in (1, 2, 3, 4)),
        5,
        "x",
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("{a:1}\n{a:}\n", 2, 4, "starts no value"),
        ("{a:1", 1, 5, "ends inside a value"),
        ('{a:1}\n\n{b:"x}\n', 3, 4, "not closed"),
        ("{a 1}\n", 1, 4, "expected `:`"),
        ("[1 2]\n", 1, 4, "expected `,` or `]`"),
        ("12x\n", 1, 1, "no number"),
        ("2024-13-45\n", 1, 1, "month"),
        ('ZonedDateTime::"soon"\n', 1, 1, "ZonedDateTime"),
        ("{{!!}}\n", 1, 1, "base64"),
        ('"\\q"\n', 1, 1, "escape"),
        ("[" * 300, 1, 202, "deeper"),
    ],
)
def test_mistakes_are_placed(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(IonError, match=reason) as caught:
        list(read_values(text))
    assert (caught.value.line, caught.value.column) == (line, column)


def test_bytes_that_are_no_utf8_are_refused() -> None:
    with pytest.raises(IonError, match="UTF-8"):
        list(read_values(b"\xff\xfe\n"))


def test_null_rows_are_not_written() -> None:
    assert write_row(None) == b""
    assert write_row({"a": None}) == b"{a:null}\n"


def test_what_ion_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        write_value({"x": object()})


def test_json_data_of_rows() -> None:
    row = {
        "d": Decimal("1.50"),
        "n": Decimal(7),
        "at": datetime(2024, 5, 1, 10, tzinfo=PARIS),
        "day": date(2024, 5, 1),
        "b": b"hi",
        "l": (1, {2}),
        "for": timedelta(minutes=5),
    }
    assert to_json_data(row) == {
        "d": 1.5, "n": 7, "at": "2024-05-01T10:00:00+02:00", "day": "2024-05-01", "b": "aGk=", "l": [1, [2]], "for": 300.0,
    }  # fmt: skip


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    st.dates(date(1, 1, 1)),
    st.datetimes(),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(PARIS)),  # noqa: DTZ001
    st.times(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def same(left: object, right: object) -> bool:
    if isinstance(left, datetime) and isinstance(right, datetime) and left.tzinfo is not None:
        return left.astimezone(UTC) == right.astimezone(UTC)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and left == right


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_value_survives_writing_and_reading(value: object) -> None:
    text = write_value(value)
    assert "\n" not in text
    assert same(read_one(text), value)


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES.filter(lambda value: value is not None), max_size=5), st.integers(1, 40))
def test_rows_are_the_same_however_the_bytes_are_cut(rows: list[object], size: int) -> None:
    data = b"".join(map(write_row, rows))
    reader = RowReader()
    found = [
        row
        for start in range(0, len(data), size)
        for row in reader.feed(data[start : start + size])
    ]
    found.extend(reader.finish())
    assert same(found, rows)


def test_a_value_over_many_lines_is_read_once_complete() -> None:
    reader = RowReader()
    lines = ["[\n", *(f"  {number},\n" for number in range(500)), "]\n", "{a:1}\n"]
    found = [value for line in lines for value in reader.feed(line.encode())] + list(
        reader.finish()
    )
    assert found == [list(range(500)), {"a": 1}]
