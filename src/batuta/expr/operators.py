"""Operators on values (02 §1.5). Each function takes evaluated operands.

A function that refuses its operands raises `OperandError`; the compiled operator turns it, and any other
failure while its operands are evaluated, into the generic error of the original where that does so.
"""

from collections.abc import Callable, Mapping
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from math import copysign, fmod, inf, isinf, isnan, nan

from batuta.expr.errors import EvaluationError, LimitError, RuntimeFaultError
from batuta.expr.format.number_text import double_text, round_to_float
from batuta.expr.format.text import java_text
from batuta.expr.values import (
    Char,
    Float,
    Long,
    Value,
    class_name,
    is_collection,
    is_enum,
    is_map,
    is_number,
    java_equals,
    wrap32,
    wrap64,
)

_DECIMAL128 = Context(prec=34, Emin=-999_999, Emax=999_999)
_EXACT = Context(prec=2_000, Emin=-999_999, Emax=999_999)


class OperandError(EvaluationError):
    """The operands do not suit the operator."""


# Arithmetic


def add(left: Value, right: Value) -> Value:
    """Sum or, with a text on either side, concatenation. Lists are handled by the caller."""
    if type(left) is str or type(right) is str:
        return java_text(left) + java_text(right)
    return arithmetic("+", left, right)


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """Widening: BigDecimal > double > float > 64-bit > 32-bit."""
    if not (is_number(left) and is_number(right)):
        raise OperandError(f"invalid operands for mathematical operation [{operator}]")
    if isinstance(left, int) and isinstance(right, int):
        return _integers(operator, left, right)
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _decimals(operator, _through_double(left), _through_double(right))
    if _is_double(left) or _is_double(right):
        return _doubles(operator, float(left), float(right))
    result = _doubles(operator, round_to_float(float(left)), round_to_float(float(right)))
    return Float(round_to_float(result))


def _is_double(value: Value) -> bool:
    return type(value) is float


def _integers(operator: str, left: int, right: int) -> Long:
    if _is_int(left) and _is_int(right):
        # Computed in 32 bits, typed 64-bit (02 §1.5).
        return Long(wrap32(_integer(operator, wrap32(left), wrap32(right))))
    return wrap64(_integer(operator, wrap64(left), wrap64(right)))


def _is_int(value: int) -> bool:
    """32-bit, or a big integer, which the original narrows to 32 bits beside one."""
    kind = class_name(value)
    return kind != "java.lang.Long"


def _integer(operator: str, left: int, right: int) -> int:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
    if right == 0:
        raise OperandError("/ by zero")
    quotient = abs(left) // abs(right)
    if (left < 0) != (right < 0):
        quotient = -quotient
    return quotient if operator == "/" else left - quotient * right


def _doubles(operator: str, left: float, right: float) -> float:
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return _divide(left, right)
    if isinf(left) or right == 0 or isnan(right):
        return nan
    return fmod(left, right)


def _divide(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or isnan(left):
        return nan
    return copysign(inf, left) * copysign(1.0, right)


def _through_double(value: Value) -> Decimal:
    number = float(value)
    if isnan(number) or isinf(number):
        raise OperandError("Infinite or NaN")
    return Decimal(double_text(number))


def _decimals(operator: str, left: Decimal, right: Decimal) -> Decimal:
    try:
        match operator:
            case "+":
                return _EXACT.add(left, right)
            case "-":
                return _EXACT.subtract(left, right)
            case "*":
                return _DECIMAL128.multiply(left, right)
            case "/":
                return _DECIMAL128.divide(left, right)
        return _DECIMAL128.remainder(left, right)
    except (DivisionByZero, InvalidOperation, Overflow) as problem:
        raise OperandError(f"Division by zero: {type(problem).__name__}") from None


def negate(value: Value) -> Value:
    if not is_number(value):
        raise RuntimeFaultError(f"`-` needs a number, not {class_name(value)}")
    if isinstance(value, int):
        return wrap64(-value)
    if isinstance(value, Float):
        return Float(-value)
    return -value


def plus(value: Value) -> Value:
    if not is_number(value):
        raise RuntimeFaultError(f"`+` needs a number, not {class_name(value)}")
    return wrap64(value) if isinstance(value, int) else value


# Comparison


def equal(left: Value, right: Value) -> bool:
    """Numbers as doubles, an enumeration with its name, everything else deeply."""
    if type(left) is str and type(right) is str:
        return left == right
    if is_number(left) and is_number(right):
        return float(left) == float(right)
    if is_enum(left) and isinstance(right, str) and not isinstance(right, Char):
        return str(java_text(left)) == str(right)
    return java_equals(left, right)


def not_equal(left: Value, right: Value) -> bool:
    return not equal(left, right)


def ordered(test: Callable[[float, float], bool]) -> Callable[[Value, Value], bool]:
    """A comparison of numbers; a null operand gives false."""

    def compare(left: Value, right: Value) -> bool:
        if left is None or right is None:
            return False
        if not (is_number(left) and is_number(right)):
            raise OperandError("only numbers can be compared")
        return test(float(left), float(right))

    return compare


# Logic


def truth(value: Value) -> bool | None:
    """A boolean as it is, number ≠ 0, text not empty; `None` for null, an error for the rest."""
    if value is True or value is False or value is None:
        return value
    if is_number(value):
        return bool(value != 0)
    if isinstance(value, str):
        return len(value) > 0
    raise RuntimeFaultError(f"class {class_name(value)} is no condition")


def logical(value: Value, operator: str) -> bool:
    """Operand of `and` and `or`."""
    result = truth(value)
    if result is None:
        raise EvaluationError(f"null value given to {operator} and strict variables is set to true")
    return result


def ternary_condition(value: Value) -> bool:
    """A null condition is false here."""
    return bool(truth(value))


def negated(value: Value) -> bool:
    """`not`."""
    if value is None:
        raise EvaluationError("null value given to not() and strict variables is set to true")
    try:
        return not truth(value)
    except RuntimeFaultError:
        raise EvaluationError(
            f'Unsupported value type {class_name(value)}. Expected Boolean, String, Number in "not" operator'
        ) from None


def if_condition(value: Value) -> bool:
    if value is None:
        raise EvaluationError(
            "null value given to if statement and strict variables is set to true"
        )
    try:
        return bool(truth(value))
    except RuntimeFaultError:
        raise EvaluationError("Wrong operand(s) type in conditional expression") from None


# Membership


def contains(left: Value, right: Value) -> bool:
    """Containment by object equality; texts by substring."""
    if left is None:
        return False
    if isinstance(left, str):
        return java_text(right) in left
    if is_map(left):
        return _has_key(left, right)
    if isinstance(left, (list, tuple, set, frozenset)):
        if is_collection(left) and is_collection(right):
            return all(_has(left, item) for item in right)
        return _has(left, right)
    raise EvaluationError(
        "Contains operator can only be used on Collections, Maps and arrays. "
        f"Actual type was: {class_name(left)}"
    )


def _has(items: Value, wanted: Value) -> bool:
    return any(java_equals(item, wanted) for item in items)


def _has_key(mapping: Mapping[Value, Value], key: Value) -> bool:
    if type(key) is str:
        return key in mapping
    return any(java_equals(known, key) for known in mapping)


def is_in(left: Value, right: Value) -> bool:
    """Membership by Java text; a map is searched in keys and values."""
    if left is None or right is None:
        return False
    text = java_text(left)
    if is_map(right):
        for key, value in right.items():
            if java_text(key) == text or _text_of_item(value) == text:
                return True
        return False
    if is_collection(right):
        return text in [
            _text_of_item(item) for item in right
        ]  # all of them: null is refused anywhere
    return False


def _text_of_item(item: Value) -> str:
    if item is None:
        raise RuntimeFaultError("isIn met a null item")
    return java_text(item)


# Ranges

_RANGE_TYPES = "Arguments of range function must be of type Number or String with a length of 1"


def inclusive_range(start: Value, end: Value, increment: Value, *, limit: int) -> list[Value]:
    """Numbers are truncated; single characters give characters. No more than `limit` items."""
    if increment is None:
        step = 1
    elif is_number(increment):
        step = int(increment)
    else:
        raise EvaluationError("The increment of the range function must be a number")
    if step == 0:
        raise EvaluationError("The increment of the range function must be different than 0")
    if is_number(start) and is_number(end):
        return [Long(number) for number in _steps(int(start), int(end), step, limit=limit)]
    if _is_letter(start) and _is_letter(end):
        return [Char(chr(code)) for code in _steps(ord(start), ord(end), step, limit=limit)]
    raise EvaluationError(_RANGE_TYPES)


def _is_letter(value: Value) -> bool:
    return isinstance(value, str) and len(value) == 1 and value <= "\uffff"


def _steps(start: int, end: int, step: int, *, limit: int) -> range:
    result = range(start, end + (1 if step > 0 else -1), step)
    if (end - start) // step >= limit:
        raise LimitError(f"The range has more than {limit} items")
    return result


# Lists under + and -


def list_with(added: Value) -> list[Value]:
    """The items that `items + added` appends."""
    return list(added) if is_collection(added) else [added]


def list_without(items: list[Value], removed: Value) -> list[Value]:
    """What is left of `items - removed`: all of a collection's items, or the first equal item."""
    if is_collection(removed):
        return [item for item in items if not _has(removed, item)]
    for index, item in enumerate(items):
        if java_equals(item, removed):
            return items[:index] + items[index + 1 :]
    return items
