"""Injections written for this and other engines render inert or fail cleanly."""

import sys
from decimal import Decimal
from time import perf_counter
from typing import Any

import pytest

from batuta.expr import (
    Context,
    ExpressionError,
    LazyVars,
    NullHost,
    compile_template,
    render_value,
)
from batuta.expr.temporal import Instant, LocalDate, ZonedDateTime, find_zone
from tests.unit.expr.payloads import EXPRESSIONS, PAYLOADS

SECRET = "s3cr3t-value"
FORBIDDEN = (
    "<class",
    "<built-in",
    "<function",
    "<bound",
    " object at 0x",
    "subclasses",
    "root:",
    SECRET,
    "uid=",
)
SECONDS = (
    20.0 if sys.gettrace() is None else 55.0
)  # alone two at most; coverage and a busy machine take more


class Trap:
    """A Python object that no template may look into."""

    token = SECRET

    def __str__(self) -> str:
        return SECRET

    def __len__(self) -> int:
        raise AssertionError("a template called Python code")


def variables() -> dict[str, Any]:
    context: dict[str, Any] = {
        "x": {"k": "v"},
        "text": "some text",
        "rows": ["a", "b"],
        "m": {"k": 1},
        "n": 5,
        "f": 1.5,
        "d": Decimal("1.5"),
        "when": LocalDate(20_000),
        "then": ZonedDateTime.of(Instant(0), find_zone("Europe/Paris")),
        "trap": Trap(),
        "flow": {"id": "f", "namespace": "a.b"},
    }
    context["lazy"] = LazyVars({"a": "{{ n }}"}, lambda raw: render_value(raw, Context(context)))
    return context


def test_there_are_enough_of_them() -> None:
    assert len(set(PAYLOADS)) >= 300


@pytest.mark.timeout(60)
@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_an_injection_is_inert(payload: str) -> None:
    shared = variables()
    before = repr({key: value for key, value in shared.items() if key not in {"trap", "lazy"}})
    begin = perf_counter()
    try:
        result = compile_template(payload).render(Context(shared, NullHost()))
    except ExpressionError as problem:
        result = problem.pointer()
        # An error quotes the template, so only what is not in it may be judged.
        result = result.replace(payload, "")
    assert perf_counter() - begin < SECONDS
    for line in payload.splitlines():
        result = result.replace(line, "")
    assert not [word for word in FORBIDDEN if word in result and word not in payload]
    after = repr({key: value for key, value in shared.items() if key not in {"trap", "lazy"}})
    assert before == after


@pytest.mark.parametrize("payload", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_data_that_looks_like_a_template_stays_data(payload: str) -> None:
    text = f"{{{{ {payload} }}}}"
    context = Context({"inputs": {"value": text}})
    if "raw" not in text:
        assert compile_template("{{ inputs.value }}").render(context) == text
        assert (
            compile_template("{{ inputs.value | upper | lower }}").render(context)
            == text.upper().lower()
        )


@pytest.mark.parametrize(
    "template",
    [
        "{{ trap }}",
        "{{ trap.token }}",
        "{{ trap['token'] }}",
        "{{ trap.token() }}",
        "{{ trap ~ '' }}",
        "{{ [trap] }}",
        "{{ trap | length }}",
        "{{ trap == trap.token }}",
        "{{ trap | toJson }}",
        "{{ trap | yaml }}",
        "{{ trap | upper }}",
        "{{ {'a': trap} ~ '' }}",
    ],
)
def test_a_python_object_shows_nothing(template: str) -> None:
    try:
        result = compile_template(template).render(Context(variables()))
    except ExpressionError as problem:
        result = problem.pointer()
    assert SECRET not in result
