"""Mathematical functions of jq."""

import math
import sys
from collections.abc import Callable

from batuta.expr.jq.native import need, plain
from batuta.expr.jq.value import number
from batuta.expr.values import Value


def _math(name: str, code: Callable[[float], float]) -> None:
    @plain(name)
    def _apply(value: Value) -> Value:
        operand = need(value, "number", "number required")
        try:
            return number(code(operand))
        except ValueError:
            return math.nan
        except OverflowError:
            return math.copysign(math.inf, operand) if name == "sinh" else math.inf


def _log(code: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: -math.inf if value == 0 else code(value)


def _whole(code: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: value if math.isinf(value) or math.isnan(value) else float(code(value))


_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "floor": _whole(math.floor),
    "ceil": _whole(math.ceil),
    "trunc": _whole(math.trunc),
    "round": _whole(lambda value: math.copysign(math.floor(abs(value) + 0.5), value)),
    "rint": _whole(round),
    "nearbyint": _whole(round),
    "sqrt": math.sqrt,
    "fabs": abs,
    "abs": abs,
    "exp": math.exp,
    "exp2": lambda value: 2.0**value,
    "exp10": lambda value: 10.0**value,
    "log": _log(math.log),
    "log2": _log(math.log2),
    "log10": _log(math.log10),
    "cbrt": lambda value: math.copysign(abs(value) ** (1 / 3), value),
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
}
for _name, _code in _FUNCTIONS.items():
    _math(_name, _code)


@plain("pow", 2)
def _pow(_: Value, base: Value, exponent: Value) -> Value:
    power = float(need(exponent, "number", "number required"))
    try:
        result = float(need(base, "number", "number required")) ** power
    except (OverflowError, ZeroDivisionError):
        return -math.inf if base < 0 and power % 2 else math.inf
    return math.nan if isinstance(result, complex) else number(result)


@plain("atan2", 2)
def _atan2(_: Value, y: Value, x: Value) -> Value:
    return number(
        math.atan2(need(y, "number", "number required"), need(x, "number", "number required"))
    )


@plain("infinite")
def _infinite(_: Value) -> Value:
    return math.inf


@plain("nan")
def _nan(_: Value) -> Value:
    return math.nan


@plain("isinfinite")
def _isinfinite(value: Value) -> Value:
    return math.isinf(need(value, "number", "number required"))


@plain("isnan")
def _isnan(value: Value) -> Value:
    return math.isnan(need(value, "number", "number required"))


@plain("isnormal")
def _isnormal(value: Value) -> Value:
    return (
        math.isfinite(need(value, "number", "number required")) and abs(value) >= sys.float_info.min
    )
