"""Random templates over random data end in a result or in an error of ours, quickly."""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from batuta.expr import (
    Context,
    EnumName,
    ExpressionError,
    Limits,
    NullHost,
    Settings,
    compile_template,
)
from batuta.expr.jq import JqError, run_jq
from batuta.expr.registry import FILTERS, FUNCTIONS, TESTS
from batuta.expr.syntax.explain import explain
from batuta.expr.temporal import Duration, Instant, LocalDate, LocalDateTime, ZonedDateTime

LIMITS = Limits(steps=20_000, text_chars=200_000)
NAMES = ["a", "b", "m", "rows", "text", "n", "missing", "when", "loop", "x", "outputs"]
OPERATORS = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">",
    "<=",
    ">=",
    "~",
    "and",
    "or",
    "contains",
    "isIn",
    "??",
    "???",
    "..",
    "equals",
    "|",
    ".",
    "is",
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.integers(-5, 50),
    st.floats(),
    st.text(max_size=8),
    st.decimals(allow_nan=False, allow_infinity=False).map(Decimal),
    st.sampled_from(
        [
            Instant(1_709_615_228, 123_456_789),
            LocalDate(20_000),
            LocalDateTime(LocalDate(20_000), 5),
            ZonedDateTime.of(Instant(0)),
            Duration(5, 6),
            EnumName("NEW"),
            b"bytes",
            10**400,
            Decimal("1E+99999"),
            "{{ a }}",
            "2024-03-05T06:07:08Z",
            '{"k": [1]}',
            "[1, {a: b}]",
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text(max_size=3) | st.integers(0, 3), inner, max_size=4),
    ),
    max_leaves=8,
)
contexts = st.fixed_dictionaries({}, optional={name: values for name in NAMES if name != "missing"})

literals = st.one_of(
    st.integers(0, 2**64).map(str),
    st.integers(0, 9).map(str),
    st.floats(0, 1e6, allow_nan=False).map(lambda number: f"{number:.3f}"),
    st.sampled_from(
        [
            "true",
            "false",
            "null",
            "'x'",
            '"y"',
            "'a,b'",
            "''",
            '"#{a}z"',
            "'yyyy-MM-dd'",
            "'[a-z]+'",
        ]
    ),
    st.text("ab{}%#'\\ \"\n.,", max_size=6).map(
        lambda text: "'" + text.replace("\\", "").replace("'", "") + "'"
    ),
    st.sampled_from(
        [
            "'UTC'",
            "'Europe/Paris'",
            "'DAYS'",
            "'fr'",
            "'0.0#'",
            "'iso'",
            "'INT'",
            "'shell'",
            "'.[]'",
            "'.a'",
        ]
    ),
)


def _calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    arguments = st.lists(inner, max_size=4).map(", ".join)
    named = st.tuples(st.sampled_from(["format", "timeZone", "default", "regexp", "x"]), inner).map(
        lambda pair: f"{pair[0]}={pair[1]}"
    )
    filters = st.sampled_from(sorted(FILTERS.table))
    functions = st.sampled_from(sorted(FUNCTIONS.table))
    tests = st.sampled_from(sorted(TESTS.table))
    return st.one_of(
        st.tuples(inner, filters).map(lambda pair: f"{pair[0]} | {pair[1]}"),
        st.tuples(inner, filters, arguments).map(lambda t: f"{t[0]} | {t[1]}({t[2]})"),
        st.tuples(inner, filters, named).map(lambda t: f"{t[0]} | {t[1]}({t[2]})"),
        st.tuples(functions, arguments).map(lambda pair: f"{pair[0]}({pair[1]})"),
        st.tuples(inner, st.sampled_from(["is", "is not"]), tests).map(" ".join),
        st.tuples(inner, st.sampled_from(["size", "length", "class", "get", "year", "x"])).map(
            lambda pair: f"({pair[0]}).{pair[1]}()"
        ),
    )


expressions = st.recursive(
    st.sampled_from(NAMES) | literals,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"not {text}"),
        inner.map(lambda text: f"-{text}"),
        st.tuples(inner, inner, inner).map(lambda t: f"{t[0]} ? {t[1]} : {t[2]}"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]})[{pair[1]}]"),
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(inner, inner), max_size=2).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
        _calls(inner),
    ),
    max_leaves=8,
)
pieces = st.one_of(
    st.text("ab {}%#-\n", max_size=6),
    expressions.map(lambda text: f"{{{{ {text} }}}}"),
    expressions.map(lambda text: f"{{{{- {text} -}}}}"),
    expressions.map(lambda text: f"{{% set x = {text} %}}"),
)


def _tags(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(expressions, inner, inner).map(
            lambda t: f"{{% if {t[0]} %}}{t[1]}{{% else %}}{t[2]}{{% endif %}}"
        ),
        st.tuples(expressions, inner).map(
            lambda t: f"{{% for x in {t[0]} %}}{t[1]}{{{{ loop.index }}}}{{% endfor %}}"
        ),
        inner.map(lambda text: f"{{% macro f(a, b=1) %}}{text}{{% endmacro %}}{{{{ f(1, b=x) }}}}"),
        inner.map(lambda text: f"{{% block c %}}{text}{{% endblock %}}{{{{ block('c') }}}}"),
        inner.map(lambda text: f"{{% filter upper | trim %}}{text}{{% endfilter %}}"),
        inner.map(lambda text: f"{{% raw %}}{text}{{% endraw %}}"),
        st.tuples(inner, inner).map("".join),
    )


templates = st.recursive(pieces, _tags, max_leaves=4)
CALM = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def attempt(text: str, variables: dict[str, Any]) -> None:
    host = NullHost(settings=Settings(limits=LIMITS))
    context = Context(variables, host)
    problems = []
    try:
        template = compile_template(text)
    except ExpressionError as problem:
        problems.append(problem)
    else:
        assert explain(template.tree) is not None
        assert template.references is not None
        for render in (template.render, template.render_typed):
            try:
                render(context)
            except ExpressionError as problem:
                problems.append(problem)
    assert all(problem.message and problem.pointer() for problem in problems)


@CALM
@given(text=templates, variables=contexts)
@example(text="{{ a + a }}{{ a | sort }}", variables={"a": [3, 1]})
def test_templates_of_the_grammar_end_well(text: str, variables: dict[str, Any]) -> None:
    attempt(text, variables)


@CALM
@given(text=st.text("{}%#-()[].|~?:=,'\"\\ \nabif01or_é", max_size=40), variables=contexts)
def test_any_text_ends_well(text: str, variables: dict[str, Any]) -> None:
    attempt("{{" + text, variables)
    attempt(text + "}}", variables)


@CALM
@given(
    name=st.sampled_from(sorted(FILTERS.table)),
    value=values,
    arguments=st.lists(values, max_size=4),
)
def test_filters_take_anything(name: str, value: Any, arguments: list[Any]) -> None:
    names = [f"p{index}" for index in range(len(arguments))]
    variables = {"v": value, **dict(zip(names, arguments, strict=True))}
    attempt(f"{{{{ v | {name}({', '.join(names)}) }}}}", variables)
    attempt(f"{{{{ v | {name} }}}}", variables)


@CALM
@given(name=st.sampled_from(sorted(FUNCTIONS.table)), arguments=st.lists(values, max_size=4))
def test_functions_take_anything(name: str, arguments: list[Any]) -> None:
    names = [f"p{index}" for index in range(len(arguments))]
    variables = {**dict(zip(names, arguments, strict=True)), "flow": {"namespace": "a", "id": "f"}}
    attempt(f"{{{{ {name}({', '.join(names)}) }}}}", variables)


jq_programs = st.recursive(
    st.sampled_from(
        [
            ".",
            ".a",
            ".[]",
            "..",
            "1",
            '"x"',
            "null",
            "length",
            "keys",
            "$x",
            ".[0]",
            "tojson",
            "empty",
        ]
    ),
    lambda inner: st.one_of(
        st.tuples(
            inner,
            st.sampled_from(["|", ",", "+", "-", "*", "/", "%", "==", "//", "and", "|=", "="]),
            inner,
        ).map(" ".join),
        inner.map(lambda text: f"[{text}]"),
        inner.map(lambda text: f"map({text})"),
        inner.map(lambda text: f"try ({text}) catch ."),
        inner.map(lambda text: f"path({text})"),
        inner.map(lambda text: f"reduce .[] as $x (0; {text})"),
        inner.map(lambda text: f"sort_by({text})"),
        inner.map(lambda text: f"({text})?"),
        inner.map(lambda text: f"{{a: {text}}}"),
        inner.map(lambda text: f'"t\\({text})"'),
    ),
    max_leaves=6,
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


@CALM
@given(program=jq_programs | st.text('().[]{}|,:;$"\\ab01 ', max_size=20), value=json_values)
def test_jq_programs_end_well(program: str, value: Any) -> None:
    try:
        results = run_jq(program, value)
    except JqError:
        return
    assert isinstance(results, list)
