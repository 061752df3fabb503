"""Functions that read data formats."""

from collections.abc import Callable

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError
from batuta.expr.format.ion_text import read_ion
from batuta.expr.format.json_text import read_json
from batuta.expr.registry import FUNCTIONS
from batuta.expr.values import Value


def _parsed(text: Value, read: Callable[[str], Value], *, name: str, kind: str) -> Value:
    if not isinstance(text, str):
        raise EvaluationError(
            f"The '{name}' function expects an argument '{kind}' with type string."
        )
    try:
        return read(str(text))
    except (ValueError, RecursionError) as problem:
        raise EvaluationError(f"Invalid {kind}: {problem}") from None


@FUNCTIONS(
    "fromJson",
    "json",
    required=("json",),
    template="{{ fromJson('{\"a\": [1, 2]}').a }}",
    result="[1,2]",
)
def from_json(text: Value) -> Value:
    """The value of a JSON text."""
    return _json(text, "fromJson")


@FUNCTIONS("json", "json", required=("json",), template="{{ json('[1]')[0] }}", result="1")
def json(text: Value) -> Value:
    """Old name of `fromJson`."""
    return _json(text, "json")


def _json(text: Value, name: str) -> Value:
    if text is None:
        return None
    return _parsed(text, read_json, name=name, kind="json")


@FUNCTIONS(
    "fromIon",
    "ion",
    required=("ion",),
    template="{{ fromIon('{title: \"Main\"}').title }}",
    result="Main",
)
def from_ion(text: Value) -> Value:
    """The value of an Ion text."""
    if text is None:
        return None
    return _parsed(text, read_ion, name="fromIon", kind="ion")


@FUNCTIONS(
    "yaml", "yaml", with_state=True, template="{{ yaml('list: [4, 5]').list[1] }}", result="5"
)
def yaml(s: State, text: Value) -> Value:
    """The value of a YAML text."""
    return _parsed(text, s.host.parse_yaml, name="yaml", kind="yaml")
