"""The entry points: rendering, typed rendering, recursive rendering, the cache, references, lazy variables, errors."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from batuta.expr import (
    Context,
    EvaluationError,
    ExpressionError,
    ExpressionSyntaxError,
    Layered,
    LazyVars,
    LimitError,
    Limits,
    MissingVariableError,
    NullHost,
    RenderRecursionError,
    Settings,
    compile_template,
    explain,
    render,
    render_typed,
    render_value,
)
from batuta.expr.syntax.references import References
from batuta.expr.template import _Cache
from batuta.expr.temporal import Instant, find_zone


class Watched(Mapping[str, Any]):
    """A map that remembers what was asked."""

    def __init__(self, entries: dict[str, Any]) -> None:
        self.entries = entries
        self.asked: list[str] = []

    def __getitem__(self, key: str) -> Any:
        self.asked.append(key)
        return self.entries[key]

    def __iter__(self) -> Iterator[str]:
        self.asked.append("*")
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)


def test_text_without_markup_comes_back_as_it_is() -> None:
    text = "plain } text"
    assert render(text, Context({})) is text
    assert render_typed(text, Context({})) is text
    assert render(None, Context({})) is None
    assert render_typed(None, Context({})) is None


def test_values_are_rendered_inside_maps_and_lists() -> None:
    context = Context({"a": "x", "n": 1})
    value = {"{{ a }}": ["{{ n }}", 5, None, {"k": "{{ a }}{{ n }}"}], "x": "second"}
    assert render_value(value, context) == {"x": ["1", 5, None, {"k": "x1"}]}
    assert render_value("{{ a }}", context) == "x"
    assert render_value(7, context) == 7


def test_a_template_looks_up_only_what_it_names() -> None:
    outputs = Watched({"a": {"v": 1}, "b": {"v": 2}})
    variables = Watched({"outputs": outputs, "inputs": {}})
    assert render("{{ outputs.a.v }}", Context(variables)) == "1"
    assert variables.asked == ["outputs"]
    assert outputs.asked == ["a"]


def test_typed_values_leave_without_marks() -> None:
    context = Context({"n": 1})
    result = render_typed("{{ [n + 1, 'ab' | first, 'a,b' | split(',')] }}", context)
    assert [type(item) for item in result] == [int, str, list]


def test_lists_of_the_context_are_never_changed() -> None:
    rows = [3, 1, 2]
    shared = {"rows": rows, "deep": {"rows": rows, "more": [rows]}, "one": 1}
    text = "{{ rows | sort }}{{ rows + 4 }}{{ deep.rows }}{{ deep.more }}{{ rows - one }}{{ rows }}"
    assert render(text, Context(shared)) == "[1,2,3][1,2,3,4][1,2,3,4][[1,2,3,4]][2,3,4][2,3,4]"
    assert rows == [3, 1, 2]


def test_python_dates_are_understood() -> None:
    context = Context(
        {
            "utc": datetime(2024, 3, 5, 6, 7, 8, 500_000, tzinfo=UTC),
            "paris": datetime(2024, 3, 5, 6, 7, 8, tzinfo=ZoneInfo("Europe/Paris")),
            "fixed": datetime(2024, 3, 5, 6, 7, 8, tzinfo=timezone(timedelta(hours=2))),
            "local": datetime(2024, 3, 5, 6, 7),  # noqa: DTZ001 - naive on purpose
            "day": date(2024, 3, 5),
            "span": timedelta(hours=1, seconds=5),
        }
    )
    text = "{{ utc }} {{ paris }} {{ fixed }} {{ local }} {{ day }} {{ span }}"
    assert render(text, context) == (
        "2024-03-05T06:07:08.500Z 2024-03-05T06:07:08+01:00[Europe/Paris] 2024-03-05T06:07:08+02:00 "
        "2024-03-05T06:07 2024-03-05 PT1H5S"
    )
    assert render("{{ [utc, paris, fixed, local, day, span] }}", context) == (
        '["2024-03-05T06:07:08.500Z","2024-03-05T05:07:08Z","2024-03-05T04:07:08Z",'
        '"2024-03-05T06:07:00","2024-03-05",3605.000000000]'
    )
    assert render("{{ utc | date('HH:mm') }} {{ day | date('HH') }}", context) == "06:07 12"


def test_recursive_rendering_is_a_setting() -> None:
    host = NullHost(settings=Settings(recursive_rendering=True))
    context = Context({"a": "{{ b }}", "b": 5}, host)
    assert render("{{ a }}", context) == "5"
    assert render_typed("{{ a }}", context) == "5"
    with pytest.raises(RenderRecursionError):
        render("{{ x }}", Context({"x": "a{{ x }}"}, host))


def test_the_zone_of_the_server_is_a_setting() -> None:
    host = NullHost(settings=Settings(zone=find_zone("Asia/Tokyo")), now=Instant(0))
    assert render("{{ now() }}", Context({}, host)) == "1970-01-01T09:00:00.000000+09:00"


# The cache


def test_a_template_is_compiled_once() -> None:
    assert compile_template("{{ once }}") is compile_template("{{ once }}")


def test_the_cache_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batuta.expr.template._MAX_TEMPLATES", 3)
    cache = _Cache()
    for number in range(5):
        cache.add(f"{{{{ a{number} }}}}")
    assert list(cache.templates) == ["{{ a2 }}", "{{ a3 }}", "{{ a4 }}"]
    assert cache.chars == 3 * len("{{ a2 }}")


def test_the_cache_does_not_keep_giants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batuta.expr.template._MAX_CACHED_CHARS", 80)
    cache = _Cache()
    cache.add("{{ a }}" * 10)
    assert not cache.templates


# References


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain { text", References()),
        (
            "{{ inputs.name | default(vars.x) }}",
            References(variables=frozenset({"inputs", "vars"})),
        ),
        (
            "{{ outputs.a.x }}{{ outputs['b'][0].y }}{{ tasks.c.state }}",
            References(frozenset({"outputs", "tasks"}), frozenset("ab"), frozenset("c")),
        ),
        ("{{ outputs }}", References(frozenset({"outputs"}), dynamic=True)),
        ("{{ outputs[inputs.id].x }}", References(frozenset({"outputs", "inputs"}), dynamic=True)),
        (
            "{{ render(x) }}",
            References(frozenset("x"), functions=frozenset({"render"}), dynamic=True),
        ),
        ("{{ printContext() }}", References(functions=frozenset({"printContext"}), dynamic=True)),
        (
            "{{ tasksWithState('FAILED') }}",
            References(frozenset({"tasks"}), functions=frozenset({"tasksWithState"}), dynamic=True),
        ),
        (
            "{% for x in outputs.a.rows %}{{ x }}{% if y is defined %}{{ z.m(k) }}{% endif %}{% endfor %}",
            References(frozenset({"outputs", "x", "y", "z", "k"}), frozenset("a")),
        ),
        ('{{ "a#{b}" }}{{ {c: d} }}{{ [e] }}', References(frozenset("bcde"))),
        (
            "{{ currentEachOutput(outputs.t) }}",
            References(
                frozenset({"outputs", "taskrun", "parents"}),
                frozenset("t"),
                functions=frozenset({"currentEachOutput"}),
            ),
        ),
    ],
)
def test_references_are_found_without_evaluating(text: str, expected: References) -> None:
    assert compile_template(text).references == expected
    assert compile_template(text).references == expected


# Lazy variables


def lazy(raw: dict[str, Any], **more: Any) -> Context:
    variables: dict[str, Any] = dict(more)
    context = Context(variables)
    variables["vars"] = LazyVars(raw, lambda value: render_value(value, context))
    return context


def test_variables_are_rendered_when_they_are_read() -> None:
    context = lazy(
        {"url": "http://{{ vars.host }}/", "host": "{{ inputs.h }}", "bad": "{{ nope }}"},
        inputs={"h": "x"},
    )
    assert render("{{ vars.url }}{{ vars.url }}", context) == "http://x/http://x/"
    assert (
        render("{{ vars | keys }}{{ vars contains 'bad' }}{{ vars | length }}", context)
        == '["url","host","bad"]true3'
    )
    assert render("{{ vars.none ?? 'd' }}", context) == "d"
    assert context.variables["vars"].raw["host"] == "{{ inputs.h }}"


def test_a_circle_of_variables_is_named() -> None:
    context = lazy({"a": "{{ vars.b }}", "b": "{{ vars.c }}", "c": "{{ vars.a }}"})
    with pytest.raises(EvaluationError) as caught:
        render("{{ vars.a }}", context)
    assert "vars.a -> vars.b -> vars.c -> vars.a" in caught.value.pointer()


def test_an_error_inside_a_variable_is_not_hidden() -> None:
    context = lazy({"bad": "{{ nope }}"})
    with pytest.raises(EvaluationError) as caught:
        render("{{ vars.bad ?? 'd' }}", context)
    assert "`nope`" in caught.value.pointer()


def test_maps_lie_over_each_other() -> None:
    both = Layered({"a": 1, "b": 2}, {"b": 3, "c": 4})
    assert dict(both) == {"a": 1, "b": 2, "c": 4}
    assert len(both) == 3
    assert "a" in both
    assert "c" in both
    assert "z" not in both
    context = Context({"b": 3}).with_variables({"a": 1})
    assert render("{{ a }}{{ b }}", context) == "13"


# Errors


def failure(text: str, variables: dict[str, Any] | None = None) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        render(text, Context(variables or {}))
    return caught.value


def test_an_error_points_at_itself() -> None:
    problem = failure("a\n{{ inputs.nmae | upper }}", {"inputs": {"name": 1, "other": 2}})
    assert isinstance(problem, MissingVariableError)
    assert (problem.line, problem.column, problem.nearest) == (2, 11, ("name",))
    assert problem.pointer() == (
        "Unable to find `nmae`\n  line 2 | {{ inputs.nmae | upper }}\n                     ^\ndid you mean `name`?"
    )
    assert str(problem) == (
        "Unable to find `nmae` used in the expression `a\n{{ inputs.nmae | upper }}` at line 2"
    )


def test_an_operator_says_what_it_failed_for() -> None:
    problem = failure("{{ 1 + Inputs.x }}", {"inputs": {}})
    assert problem.detail == "Could not perform addition"
    assert problem.pointer().splitlines()[-1] == "did you mean `inputs`?"
    assert "because: Unable to find `Inputs`" in problem.pointer()


def test_a_syntax_error_has_a_caret() -> None:
    problem = failure("x {{ 1 + }}")
    assert isinstance(problem, ExpressionSyntaxError)
    assert problem.pointer().splitlines()[1:] == ["  line 1 | x {{ 1 + }}", "                    ^"]


def test_an_error_without_a_place_has_no_caret() -> None:
    assert EvaluationError("x").pointer() == "x"
    assert EvaluationError("x").message.endswith("x (?:?)")


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("{% for i in 1..1000 %}{% set a = i %}{% endfor %}", Limits(steps=500)),
        ("{% for i in 1..100 %}{{ 'xxxxxxxxxx' ~ i }}{% endfor %}", Limits(text_chars=50)),
        ("{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}", Limits(depth=10)),
        ("{% for i in rows %}{{ i }}{% endfor %}", Limits(text_chars=3)),
        ("{% for i in rows %}{{ i | upper }}-{{ loop.index }}{% endfor %}", Limits(text_chars=3)),
    ],
)
def test_a_bound_ends_the_rendering(text: str, limits: Limits) -> None:
    host = NullHost(settings=Settings(limits=limits))
    with pytest.raises(LimitError):
        render(text, Context({"rows": ["abc", "def"] * 10}, host))


# Explaining


def test_the_parse_tree_is_readable() -> None:
    text = "Hi {{ a.b[0] | join(',') ?? 'x' }}{% for i in 1..3 %}{{ i }}{% else %}n{% endfor %}"
    assert explain(compile_template(text).tree).splitlines() == [
        'text "Hi "',
        "print",
        "  operator ??",
        "    filter join",
        "      subscript",
        "        attribute b",
        "          variable a",
        "        key: 0",
        '      argument: ","',
        '    "x"',
        "for i",
        "  in: operator ..",
        "    1",
        "    3",
        "  do:",
        "    print",
        "      variable i",
        "  else:",
        '    text "n"',
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{% if a %}b{% elseif c %}d{% else %}e{% endif %}",
        "{% macro m(a, b=1) %}{{ a ~ b }}{% endmacro %}{{ m(1, b=2) }}",
        "{% filter upper | trim %}x{% endfilter %}",
        "{% block b %}x{% endblock %}{% set x = {'k': [1, -2.5, null, true]} %}",
        "{{ a ? b.m(1) : c is not empty }}{{ not a }}",
        f"{{{{ '{'long ' * 30}' }}}}",
    ],
)
def test_every_kind_of_node_is_explained(text: str) -> None:
    assert explain(compile_template(text).tree)


def test_decimals_and_big_numbers_print() -> None:
    values = {"d": Decimal("1E+3"), "b": 10**30, "x": b"abc", "n": None}
    assert render("{{ d }} {{ d ~ '' }} {{ b }} {{ x }} {{ [x, n] }}", Context(values)) == (
        f'1000 1E+3 {10**30} "YWJj" ["YWJj",null]'
    )
