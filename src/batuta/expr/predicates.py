"""Tests: `x is defined`, `x is not empty` (02 §6)."""

from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.format.json_text import read_json
from batuta.expr.registry import TESTS
from batuta.expr.values import KeySet, Value, is_collection, is_map, is_text


@TESTS(
    "defined", plain=True, catches_missing=True, template="{{ nothing is defined }}", result="false"
)
def defined(value: Value) -> bool:
    """There is a value, and it is not null."""
    return value is not None


@TESTS("null", plain=True, template="{{ null is null }}", result="true")
def null(value: Value) -> bool:
    """The value is null; an undefined variable is an error."""
    return value is None


@TESTS("empty", plain=True, template="{{ '  ' is empty }}", result="true")
def empty(value: Value) -> bool:
    """Null, blank text, or an empty list or map."""
    if value is None:
        return True
    if isinstance(value, str):
        return not value.strip()
    return (is_map(value) or is_collection(value)) and len(value) == 0


@TESTS("even", plain=True, template="{{ 4 is even }}", result="true")
def even(value: Value) -> bool:
    """An integer that can be halved."""
    if value is None:
        raise EvaluationError('Can not pass null value to "even" test.')
    return _integer(value) % 2 == 0


@TESTS("odd", plain=True, template="{{ 3 is odd }}", result="true")
def odd(value: Value) -> bool:
    """An integer that is not even."""
    if value is None:
        raise EvaluationError('Can not pass null value to "odd" test.')
    return _integer(value) % 2 != 0


def _integer(value: Value) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise RuntimeFaultError("the test needs an integer")
    return value


@TESTS("iterable", plain=True, template="{{ [1] is iterable }}", result="true")
def iterable(value: Value) -> bool:
    """A list, set or array; neither a map nor a text."""
    return isinstance(value, (list, tuple, set, frozenset, KeySet))


@TESTS("map", plain=True, template="{{ {'a': 1} is map }}", result="true")
def is_a_map(value: Value) -> bool:
    """A map."""
    return is_map(value)


@TESTS("json", plain=True, template="{{ '[1]' is json }}", result="true")
def json(value: Value) -> bool:
    """A text that begins with a JSON value, or is empty."""
    if not is_text(value):
        raise RuntimeFaultError("the test needs a text")
    if not value.strip():
        return True
    try:
        read_json(value)
    except ValueError:
        return False
    return True
