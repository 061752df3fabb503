"""Filters that turn values into data formats, and jq."""

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.format.ion_text import ion_text
from batuta.expr.format.json_text import json_text, read_json
from batuta.expr.format.text import java_text
from batuta.expr.registry import FILTERS
from batuta.expr.values import Value, class_name, to_plain

_MAX_SHOWN = 2_000


@FILTERS("toJson", plain=True, template="{{ {'a': [1, null]} | toJson }}", result='{"a":[1,null]}')
def to_json(value: Value) -> str:
    """JSON text; map entries with a null value are left out."""
    return json_text(value)


@FILTERS("json", plain=True, template="{{ [1] | json }}", result="[1]")
def json(value: Value) -> str:
    """Old name of `toJson`."""
    return json_text(value)


@FILTERS("yaml", plain=True, template="{{ {'k': 'v'} | yaml }}", result="k: v\n")
def yaml(value: Value) -> str:
    """YAML text."""
    from batuta.expr.format.yaml_text import yaml_text

    return "null" if value is None else yaml_text(value)


@FILTERS("toIon", plain=True, template="{{ {'k': 'v'} | toIon }}", result='{k:"v"}')
def to_ion(value: Value) -> str:
    """Ion text."""
    return ion_text(value)


@FILTERS(
    "jq",
    "expression",
    with_state=True,
    template="{{ [{'n': 1}, {'n': 2}] | jq('.[].n') }}",
    result="[1,2]",
)
def jq(s: State, value: Value, expression: Value) -> Value:
    """The results of a jq program, always as a list."""
    from batuta.expr.jq import JqError, run_jq

    if expression is None:
        raise EvaluationError("The 'jq' filter expects an argument 'expression'.")
    if value is None:
        return None
    if not isinstance(expression, str):
        raise RuntimeFaultError(f"the jq program must be a text, not {class_name(expression)}")
    try:
        now = s.host.now().total_nanos() / 1_000_000_000
        return run_jq(str(expression), _document(value), now=now)
    except JqError as problem:
        raise _unparsable(value) from problem


def _unparsable(value: Value) -> EvaluationError:
    shown = java_text(value)[:_MAX_SHOWN]
    return EvaluationError(f"Unable to parse jq value '{shown}' with type '{class_name(value)}'")


def _document(value: Value) -> Value:
    if not isinstance(value, str):
        return to_plain(value)
    if not value.strip():
        return None
    try:
        return read_json(value)
    except ValueError:
        raise _unparsable(value) from None
