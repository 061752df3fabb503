"""Values and spellings at the edge of each rule: one template, its variables and its result in a row."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from batuta.expr import (
    Context,
    ExpressionError,
    LimitError,
    Limits,
    NullHost,
    Settings,
    Template,
    compile_template,
    render,
    render_typed,
)
from batuta.expr.compiler import state
from batuta.expr.format.number_text import float_text, round_to_float
from batuta.expr.format.text import printed
from batuta.expr.regex import java_replace
from batuta.expr.temporal import Duration, Instant, ZonedDateTime, find_zone
from batuta.expr.temporal.zone import UTC as UTC_ZONE
from batuta.expr.temporal.zone import fixed_zone, zone_of
from batuta.expr.values import Float


class Count(int):
    """An integer of a class that the language has never met."""


VALUES: dict[str, Any] = {
    "rows": ["a", "b"],
    "mixed": ["a", 5, None],
    "numbers": [1, 2],
    "maps": [{"k": "x"}, {"k": 2}],
    "n": 5,
    "text": "b",
    "one": Count(1),
    "micro": Instant(0, 5_000),
    "spans": [Duration(5), Duration(1, 1), Duration(0)],
    "odd": ZonedDateTime.of(Instant(0), find_zone("+01:02:03")),
    "outputs": {"t": {"u": {"v": 1}}, "plain": 5},
    "taskrun": {"value": "u"},
    "parents": [],
    "tasks": {"a": 5, "b": {"state": "FAILED"}, "c": {"x": {"state": "FAILED"}}},
}
RESULTS = [
    # loops
    ("{% for x in mixed %}{{ x }},{% endfor %}", "a,5,,"),
    (
        "{% for x in mixed %}{{ x }}{{ loop.index }},{% endfor %}",
        "a05122,".replace("5122", ",51,2"),
    ),
    ("{% for x in numbers %}{{ x }},{% endfor %}", "1,2,"),
    ("{% for x in numbers %}{{ x | abs }}{{ x }}{% endfor %}", "1122"),
    ("{% for x in rows %}{{ rows[n - 4] }}{% endfor %}", "bb"),
    ("{% for x in maps %}{{ x[text] ?? 'none' }}{% endfor %}", "nonenone"),
    ("{% for x in rows %}{{ (x ~ 'c').length }}{% endfor %}", "22"),
    ("{% for x in rows %}{{ x | startsWith(text) }} {% endfor %}", "false true "),
    ("{% for x in rows %}{% if not loop.last %}{{ x }}{% endif %}{% endfor %}", "a"),
    ("{% for x in rows %}{% for y in numbers %}{{ x }}{{ y }}{% endfor %}{% endfor %}", "a1a2b1b2"),
    (
        "{% for x in rows %}{% filter upper %}{% set q = x %}{{ q }}{% endfilter %}{% endfor %}{{ q ?? '-' }}",
        "AB-",
    ),
    (
        "{% for x in rows %}{% block b %}{% set q = x %}{{ q }}{% endblock %}{% endfor %}{{ q ?? '-' }}",
        "ab-",
    ),
    ("{% set loop = {'last': 'mine'} %}{{ loop.last }}", "mine"),
    # operators
    ("{{ 2.5 - 1.0 }} {{ 2 * 3 }} {{ n * 2.5 }} {{ n * n }}", "1.5 6 12.5 25"),
    ("{{ 9223372036854775807 + 1 }}", "-9223372036854775808"),
    ("{{ [1] - 5 }}", "[1]"),
    ("{{ n < 6 }} {{ 1 >= 2 }} {{ 1.5 <= n }} {{ null > 1 }}", "true false true false"),
    ("{{ {'a': 1} == {'a': 1, 'b': 2} }}", "false"),
    ("{{ outputs[text] ?? 'd' }} {{ maps[0].zz ?? 'd' }} {{ maps[0].k ?? 'd' }}", "d d x"),
    (
        "{% for m in maps %}{{ m.zz ?? 'd' }}{{ m.k ?? 'd' }}{{ m.k.zz ?? 'e' }}{% endfor %}",
        "dxed2e",
    ),
    ("{{ {'a': null}.a ?? 'd' }} {{ n.zz ?? 'd' }}", None),
    # filters
    ("{{ null | timestampNano ?? null | timestampMicro ?? 'none' }}", "none"),
    ("{{ [null, 'a'] | replace({'a': 'b'}) }}", '[null,"b"]'),
    ("{{ 'a-b'.replace('-', '+') }} {{ 'aXb'.replaceAll('X', '') }}", "a+b ab"),
    ("[{{ '' | substringAfterLast('x') }}]", "[]"),
    ("{{ '' | yaml }}{{ '--- a' | yaml }}", "--- \"\"\n'--- a'\n"),
    ("{{ [1] | jq('.[0]') }}{{ null | jq('.') }}", "[1]"),
    ("{{ spans | sort }}", "[0.000000000,1.000000001,5.000000000]"),
    # texts of values
    ("{{ one }} {{ micro }} {{ spans[2] }}", "1 1970-01-01T00:00:00.000005Z PT0S"),
    ("{{ odd | date('OOOO', '+01:02:03') }}", "GMT+01:02:03"),
    ("{{ odd | date('yyyy[-MM', 'UTC') }}", "1970-01"),
    # functions
    ("{{ iterationOutput('t') }}", '{"v":1}'),
    ("{{ currentEachOutput({'z': 1}) }}", '{"z":1}'),
    (
        "{{ tasksWithState('failed') }}",
        '[{"taskId":"b","state":"FAILED"},{"taskId":"c","value":"x","state":"FAILED"}]',
    ),
    ("{{ fileExists('x') }}", "false"),
    # lexing
    ("a{% verbatim %}{% endverbatim %}b{% verbatim %}{{ x }}{% endverbatim %}", "ab{{ x }}"),
]


@pytest.mark.parametrize(("text", "expected"), RESULTS, ids=range(len(RESULTS)))
def test_a_template_gives(text: str, expected: str | None) -> None:
    context = Context({**VALUES, "flow": {"namespace": "a"}})
    if expected is None:
        with pytest.raises(ExpressionError):
            render(text, context)
    else:
        assert render(text, context) == expected


FAILURES = [
    ("{{ ((0.0 / 0)).intValue }}", "runtime"),
    ("{% if 1..9999999 %}{% endif %}", "evaluation"),
    ("{{ (1..9999999) > 5 }}", "evaluation"),
    ("{{ (1..9999999) == 5 }}", "evaluation"),
    ("{{ (1..9999999) + 5 }}", "evaluation"),
    ("{{ '" + "9" * 5_000 + "' | number }}", "evaluation"),
    ("{{ now() | dateAdd('x', 'DAYS') }}", "evaluation"),
    ("{{ now() | dateAdd([1], 'DAYS') }}", "evaluation"),
    ("{{ 1 | numberFormat('.E0') }}", "runtime"),
    ("{{ ('1e9000' | number('BIGDECIMAL')) | numberFormat('0') }}", "evaluation"),
    ("{{ 'a' | jq(5) }}", "runtime"),
    ("{% if a %}" * 300 + "{% endif %}" * 300, "syntax"),
    ("{% block b %}" * 300 + "{% endblock %}" * 300, "syntax"),
    ("{{ 1" + " + 1" * 20_000 + " }}", "syntax"),
]


@pytest.mark.parametrize(("text", "kind"), FAILURES, ids=range(len(FAILURES)))
def test_a_template_fails(text: str, kind: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        render(text, Context(VALUES))
    assert caught.value.kind == kind, caught.value.detail


READINGS = [
    ("3/5/24, 6:07\u202fAM", "short", "2024-03-05T06:07:00"),
    ("0024-03-05", "yyyy-LL-dd", "0024-03-05T00:00:00"),
    ("024-3-5", "yyy-L-d", "0024-03-05T00:00:00"),
    ("M 5 2024", "MMMMM d yyyy", None),
    ("T 2024-03-05", "EEEEE yyyy-MM-dd", None),
    ("2024-03-05 06:07", "yyyy-MM-dd hh:mm", "2024-03-05T00:00:00"),
]


@pytest.mark.parametrize(("text", "pattern", "expected"), READINGS, ids=range(len(READINGS)))
def test_dates_are_read_by_rare_letters(text: str, pattern: str, expected: str | None) -> None:
    context = Context({"t": text, "p": pattern})
    template = "{{ t | date('iso_local_date_time', existingFormat=p) }}"
    if expected is None:
        with pytest.raises(ExpressionError):
            render(template, context)
    else:
        assert render(template, context) == expected


# Limits


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("{{ 1..11 }}", Limits(range_items=10)),
        ("{% for i in 1..11 %}{{ i }}{% endfor %}", Limits(range_items=10)),
        ("{{ range(1, 11) }}", Limits(range_items=10)),
        ("{{ 'aaaa' | replace({'a': 'bbbb'}) }}", Limits(text_chars=10)),
        ("{{ 'aaaa' | replace({'a': 'bbbb'}, true) }}", Limits(text_chars=10)),
        ("{{ 'aaaa'.replace('a', 'bbbb') }}", Limits(text_chars=10)),
        ("{{ 'aaaa'.replaceAll('a', 'bbbb') }}", Limits(text_chars=10)),
        ("{{ ['aaaa', 'bbbb', 'cccc'] | join }}", Limits(text_chars=10)),
        ("{{ 'a' | indent(5, 'bbbb') }}", Limits(text_chars=10)),
        ("{% for x in rows %}{{ x | upper }}{% endfor %}", Limits(text_chars=1)),
        ("{% for x in rows %}{{ x ~ 'bcdefghijk' }}{% endfor %}", Limits(text_chars=10)),
        ("{% for x in rows %}{% set y = x %}{{ y }}{% endfor %}", Limits(text_chars=2)),
        ("{% for x in rows %}{{ x }}{% endfor %}", Limits(steps=5)),
        ("{% set y = 'aaaa' | replace({'a': 'bbbb'}) %}", Limits(text_chars=3)),
        ("{% set y = 'abcd' | split('') | join('') %}", Limits(steps=2)),
    ],
)
def test_the_limits_of_the_settings_hold(text: str, limits: Limits) -> None:
    variables = {"rows": ["abc", "def"] * 10}
    assert render(text, Context(variables)) is not None
    with pytest.raises(LimitError):
        render(text, Context(variables, NullHost(settings=Settings(limits=limits))))


def test_replacing_again_and_again_ends() -> None:
    text = "{{ x" + ".replace('a', x)" * 9 + " }}"
    with pytest.raises(LimitError):
        render(text, Context({"x": "a" * 10}))


def test_a_big_value_that_comes_again_and_again_ends() -> None:
    rows = [["x" * 100_000]] * 100_000
    for text in ("{{ x }}", "{{ x | toJson }}", "{{ x }}{{ loop.index }}"):
        with pytest.raises(LimitError):
            render(f"{{% for x in rows %}}{text}{{% endfor %}}", Context({"rows": rows}))


def test_a_list_is_searched_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_MAX_SEARCH", 3)
    variables = {"rows": [2, 1], "deep": [[5, 5, 5, 5, 5]]}
    assert render("{{ rows | sort }}{{ deep | length }}", Context(variables)) == "[1,2]1"


DEEP = "{{ [[[[[[[[[[1]]]]]]]]]] }}"


@pytest.mark.parametrize(
    "use",
    [
        lambda: Template(DEEP),
        lambda: compile_template(DEEP).render(Context({})),
        lambda: compile_template(DEEP).render_typed(Context({})),
    ],
    ids=["compile", "render", "typed"],
)
def test_a_template_is_refused_where_python_has_no_room_left(use: Callable[[], Any]) -> None:
    def at_the_bottom() -> Any:
        try:
            return at_the_bottom()
        except RecursionError:
            return use()

    assert compile_template(DEEP).render_typed(Context({}))
    with pytest.raises(LimitError):
        at_the_bottom()


# Values from code


def test_single_floats_print_their_shortest_text() -> None:
    assert round_to_float(1e39) == float("inf")
    assert round_to_float(-1e39) == float("-inf")
    for value in (
        0.1,
        16777216.0,
        8589973504.0,
        1.0882609442620121e27,
        1.00000012,
        9.8e-45,
        3.4028235e38,
    ):
        single = round_to_float(value)
        assert round_to_float(float(float_text(Float(single)))) == single


def test_a_float_is_plain_outside() -> None:
    result = render_typed("{{ '1.5f' | number('FLOAT') }}", Context({}))
    assert type(result) is float


def test_a_class_that_was_never_met_prints_as_its_base() -> None:
    assert printed(Count(7)) == "7"
    assert render("{{ d | numberFormat('0') }}", Context({"d": Decimal(12)})) == "12"


def test_durations_are_ordered() -> None:
    assert Duration(1) < Duration(1, 5) < Duration(2)
    with pytest.raises(TypeError):
        _ = Duration(1) < 5


def test_zones_come_from_python() -> None:
    assert zone_of(datetime(2024, 1, 1, tzinfo=UTC)) is UTC_ZONE
    with pytest.raises(ValueError, match="18 hours"):
        fixed_zone(20 * 3600)


def test_a_reference_takes_as_many_digits_as_there_are_groups() -> None:
    assert java_replace("abcdefghijk", "".join(f"({c})" for c in "abcdefghij"), "$10$1") == "jak"
