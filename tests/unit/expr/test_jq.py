"""jq programs: results checked against the C implementation when the table was made, refusals, and limits."""

import json
from pathlib import Path
from typing import Any

import pytest

from batuta.expr.jq import JqError, run_jq

TABLE = json.loads((Path(__file__).parent / "jq_cases.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("program", "expected"), TABLE["cases"], ids=range(len(TABLE["cases"])))
def test_a_program_gives_what_the_table_says(program: str, expected: list[Any] | None) -> None:
    if expected is None:
        with pytest.raises(JqError):
            run_jq(program, TABLE["input"])
    else:
        assert json.dumps(run_jq(program, TABLE["input"])) == json.dumps(expected)


@pytest.mark.parametrize(
    "program",
    [
        "[range(1e9)]",
        "def f: f; f",
        "[repeat(1)]",
        "last(range(1e12))",
        'reduce range(100) as $i ("a"; . + .)',
        "reduce range(100) as $i ([1]; . + .)",
        "until(false; .)",
        '"a" * 1e9',
        "null | .[1e9] = 1",
        "reduce range(60) as $i ([1]; [., .]) | flatten",
        "reduce range(60) as $i ([1]; [., .]) | tojson",
        "reduce range(60) as $i ({}; {a: ., b: .}) | . * .",
        "reduce range(60) as $i ([1]; [., .]) | . == .[0]",
        "[limit(1e9; repeat(1))]",
        "range(1e6)",
        "try repeat(1) catch 2",
        "null // until(false; .)",
        '("a" * 40) + "!" | test("(a+)+$")',
        "(" * 200 + "1" + ")" * 200,
        "1" + " + 1" * 20_000,
    ],
)
def test_a_program_without_end_is_stopped(program: str) -> None:
    try:
        results = run_jq(program, {})
    except JqError:
        return
    assert results == [False]


@pytest.mark.parametrize(
    "program",
    [
        "env",
        "$ENV",
        "input",
        "inputs",
        "debug",
        "stderr",
        "halt",
        "halt_error",
        'import "a" as a; .',
        "a::b",
    ],
)
def test_nothing_outside_can_be_reached(program: str) -> None:
    with pytest.raises(JqError):
        run_jq(f"try ({program}) catch 1", {})


def test_the_time_is_given() -> None:
    assert run_jq("now | todate", None, now=86_400.0) == ["1970-01-02T00:00:00Z"]
