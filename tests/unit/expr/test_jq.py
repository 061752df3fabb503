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


@pytest.mark.timeout(90)
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


def test_an_expression_that_runs_away_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batuta.expr.regex._SECONDS", 0.02)
    with pytest.raises(JqError, match="too long"):
        run_jq('try test("(a|aa)+\\\\1?$") catch 1', "a" * 40 + "!")


EDGES: list[tuple[str, Any, list[Any] | None]] = [
    # patterns
    ("[1] as [$a] ?// $a | $zz", None, None),
    (". as {$a} ?// [$a] | $a", [3], [3]),
    (". as {a: $x} ?// [$x] ?// $x | $x", 5, [5]),
    (". as 1 | .", 1, None),
    (". as {1} | .", 1, None),
    # paths
    ("path(try getpath($zz))", {}, None),
    ("[path(.a // .b)]", {"a": 1}, [[["a"]]]),
    ("[path(.a // .b)]", {"a": None}, [[["b"]]]),
    ("path(getpath($zz) // .b)", {}, None),
    ('[path(error("x") // .b)]', {}, [[["b"]]]),
    ("[path(label $f | .a, break $f, .b)]", {}, [[["a"]]]),
    ("[path(label $f | .a, .b)]", {}, [[["a"], ["b"]]]),
    ("[path(label $g | label $f | .a, break $g, .b)]", {}, [[["a"]]]),
    ('[path(getpath(["a"], ["b"]))]', {}, [[["a"], ["b"]]]),
    ("[path(first(.a, .b))]", {}, [[["a"]]]),
    ("[path(last(.a, .b))]", {}, [[["b"]]]),
    ("[path(first(empty))]", {}, [[]]),
    ('getpath(["x", "y"])', {}, [None]),
    ("setpath([null]; 1)", None, None),
    # streams
    ("[error(empty)]", 1, [[]]),
    ('range("a")', 1, None),
    ("[limit(5; 1, 2)]", 1, [[1, 2]]),
    ("[limit(0; 1, 2)]", 1, [[]]),
    # evaluation
    ('error("x") // 1', 1, [1]),
    ("$zz // 1", 1, None),
    ("[(1, null) or (true, false)]", 1, [[True, True, False]]),
    ("[(1, null) and (true, false)]", 1, [[True, False, False]]),
    ('-"a"', 1, None),
    ("{(1): 2}", 1, None),
    ("break $x", 1, None),
    ("[label $a | label $b | 1, break $a, 2]", 1, [[1]]),
    ("reduce empty as $x (1; 2)", 1, [1]),
    ("reduce 1 as $x (1; empty)", 1, [None]),
    ("nope(1)", 1, None),
    # syntax
    ("def f(1): .; f", 1, None),
    ('.c."d"', {"c": {"d": 1}}, [1]),
    ("{a: 1,}", 1, [{"a": 1}]),
    ("{[]}", 1, None),
    ("{a: 1 | 2}", 1, [{"a": 2}]),
    ('"\\uZZZZ"', 1, None),
    ('"\\q"', 1, None),
    # values
    ("nan | tojson", 1, ["null"]),
    ('"" / ","', 1, [[]]),
    ("[1] | .[nan]", 1, [None]),
    ("[1] | indices([])", 1, [None]),
    ("1000 | exp, cosh, sinh", 1, [float("inf")] * 3),
    ("-1000 | sinh", 1, [float("-inf")]),
    ("-1 | sqrt | isnan", 1, [True]),
    (
        "pow(10; 1000), pow(-10; 1001), pow(0; -1), pow(2; 3)",
        1,
        [float("inf"), float("-inf"), float("inf"), 8],
    ),
    # expressions
    ('[match("b*"; "gn").string]', "abb", [["bb"]]),
    ('test("a"; "y")', "a", None),
    ('[match("a"; "g").offset]', "aba", [[0, 2]]),
    ('gsub("."; "x" * 1000000)', "a" * 20, None),
    # times
    ("1e14 | todate", 1, None),
    ("[1e12, 0, 1, 0, 0, 0] | mktime", 1, None),
    ('strptime("%s") | mktime', "86400", [86400]),
    ('strptime("%Y-")', "2024x", None),
    ('strptime("%T") | .[3:6]', "10:11:12", [[10, 11, 12]]),
    ('strptime("%d%%") | .[2]', "5%", [5]),
    ('strptime("%y") | .[0]', "70", [1970]),
    ('strptime("%y") | .[0]', "12", [2012]),
    ('strptime("%b")', "Foo", None),
    ('strptime("%Y %Z") | .[0]', "2024 UTC", [2024]),
    ('strptime("%H%z") | mktime', "10+0200", [-2208960000]),
    ('strptime("%H%z") | mktime', "10-02:00", [-2208945600]),
    ('strptime("%z")', "+2", None),
    ('strptime("%I %p") | .[3]', "12 am", [0]),
    ('strptime("%Q")', "a", None),
    ('strptime("%Y")', "x", None),
]


@pytest.mark.parametrize(("program", "value", "expected"), EDGES, ids=range(len(EDGES)))
def test_an_edge_of_the_language(program: str, value: Any, expected: list[Any] | None) -> None:
    if expected is None:
        with pytest.raises(JqError):
            run_jq(program, value)
    else:
        assert run_jq(program, value) == expected
