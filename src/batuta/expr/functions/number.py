"""Functions on numbers."""

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.operators import inclusive_range
from batuta.expr.registry import FUNCTIONS
from batuta.expr.values import Value, class_name, is_number


@FUNCTIONS("max", variadic=True, template="{{ max(1, 7, 3) }}", result="7")
def maximum(numbers: tuple[Value, ...]) -> Value:
    """The largest of its arguments."""
    return _extreme(numbers, 1)


@FUNCTIONS("min", variadic=True, template="{{ min(4, 2) }}", result="2")
def minimum(numbers: tuple[Value, ...]) -> Value:
    """The smallest of its arguments."""
    return _extreme(numbers, -1)


def _extreme(numbers: tuple[Value, ...], sign: int) -> Value:
    best: Value = None
    for number in numbers:
        if number is None:
            continue
        if not is_number(number):
            raise RuntimeFaultError(
                f"class {class_name(number)} cannot be cast to class java.lang.Number"
            )
        if best is None or (float(number) - float(best)) * sign > 0:
            best = number
    return best


@FUNCTIONS(
    "range",
    "start",
    "end",
    "increment",
    with_state=True,
    template="{{ range(1, 10, increment=4) }}",
    result="[1,5,9]",
)
def range_(s: State, *arguments: Value) -> Value:
    """Numbers, or single characters, from a start to an end that is included."""
    start, end, increment = arguments
    return inclusive_range(start, end, increment, limit=s.meter.limits.range_items)


@FUNCTIONS(
    "randomInt", "lower", "upper", with_state=True, template="{{ randomInt(5, 5) }}", result="5"
)
def random_int(s: State, lower: Value, upper: Value) -> Value:
    """A random integer from `lower` up to, but without, `upper`."""
    low, high = _bound(lower, "lower"), _bound(upper, "upper")
    if high < low:
        raise EvaluationError("The upper bound of 'randomInt()' must not be below the lower one.")
    if high == low:
        return int(low)
    return low + int.from_bytes(s.host.random_bytes(16), "big") % (high - low)


def _bound(value: Value, name: str) -> int:
    if value is None:
        raise EvaluationError(f"The 'randomIn()' function expects an argument {name}")
    if class_name(value) != "java.lang.Long":
        raise EvaluationError(f"The 'randomIn()' function expects an argument {name} of type Long.")
    return int(value)


@FUNCTIONS("randomPort", with_state=True, template="{{ randomPort() > 1023 }}", result="true")
def random_port(s: State) -> Value:
    """A TCP port that is free at the moment."""
    return s.host.random_port()
