"""Operations on JSON values as jq defines them: order, arithmetic, access by path."""

from collections.abc import Callable, Iterator
from math import fmod, inf, isinf, isnan
from typing import Any

from batuta.expr.format.json_text import json_text
from batuta.expr.jq.errors import JqError, JqLimitError
from batuta.expr.values import Value

Path = tuple[Any, ...]
MAX_TEXT = 16 * 1024 * 1024
"""Characters of a text that a program makes."""
_MAX_ITEMS = 1_000_000
_MAX_NODES = 500_000
_WHOLE = float(2**53)
_SHOWN = 11


def type_name(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def truthy(value: Value) -> bool:
    return value is not None and value is not False


def number(value: float) -> Value:
    """A whole number is an integer."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        return int(value)
    return value


class Walk:
    """Counts the values that one operation meets: a few shared arrays can stand for endless data."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MAX_NODES

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise JqLimitError("the value is too big")


def order(value: Value) -> Any:
    """A key that sorts null, false, true, numbers, texts, arrays, objects."""
    return _order(value, Walk())


def _order(value: Value, walk: Walk) -> Any:
    walk.step()
    if isinstance(value, list):
        return (5, [_order(item, walk) for item in value])
    if isinstance(value, dict):
        names = sorted(value)
        return (6, names, [_order(value[name], walk) for name in names])
    return _scalar_order(value)


def _scalar_order(value: Value) -> Any:
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (2,) if value else (1,)
    if isinstance(value, (int, float)):
        return (3, -inf if isnan(value) else value)
    return (4, value)


def equal(left: Value, right: Value) -> bool:
    return type_name(left) == type_name(right) and bool(order(left) == order(right))


def shown(value: Value) -> str:
    text = to_json(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "..."


def to_json(value: Value) -> str:
    return json_text(finite(value), keep_nulls=True)


def finite(value: Value) -> Value:
    """Not-a-number becomes null and infinities the largest number, as jq prints them."""
    return _finite(value, Walk())


def _finite(value: Value, walk: Walk) -> Value:
    walk.step()
    if isinstance(value, float):
        if isnan(value):
            return None
        if isinf(value):
            return 1.7976931348623157e308 if value > 0 else -1.7976931348623157e308
    if isinstance(value, list):
        return [_finite(item, walk) for item in value]
    if isinstance(value, dict):
        return {key: _finite(item, walk) for key, item in value.items()}
    return value


# Arithmetic


def _fits(text: str) -> str:
    if len(text) > MAX_TEXT:
        raise JqLimitError("the text is too long")
    return text


def _sized(items: list[Value]) -> list[Value]:
    if len(items) > _MAX_ITEMS:
        raise JqLimitError("the array is too long")
    return items


def _mismatch(left: Value, right: Value, what: str) -> JqError:
    return JqError(
        f"{type_name(left)} ({shown(left)}) and {type_name(right)} ({shown(right)}) cannot be {what}"
    )


def add(left: Value, right: Value) -> Value:
    if left is None or right is None:
        return right if left is None else left
    kind = type_name(left)
    if kind != type_name(right) or kind == "boolean":
        raise _mismatch(left, right, "added")
    if kind == "number":
        return number(left + right)
    if kind == "string":
        return _fits(left + right)
    return _sized(left + right) if kind == "array" else {**left, **right}


def subtract(left: Value, right: Value) -> Value:
    kind = type_name(left)
    if kind != type_name(right) or kind not in {"number", "array"}:
        raise _mismatch(left, right, "subtracted")
    if kind == "number":
        return number(left - right)
    return [item for item in left if not any(equal(item, other) for other in right)]


def multiply(left: Value, right: Value) -> Value:
    kinds = type_name(left), type_name(right)
    if kinds == ("number", "number"):
        return number(left * right)
    if set(kinds) == {"string", "number"}:
        text, count = (left, right) if isinstance(left, str) else (right, left)
        if count <= 0:
            return None
        if len(text) * count > MAX_TEXT:
            raise JqLimitError("the text is too long")
        return text * max(1, int(count))
    if kinds == ("object", "object"):
        return _merged(left, right, Walk())
    raise _mismatch(left, right, "multiplied")


def _merged(left: dict[str, Value], right: dict[str, Value], walk: Walk) -> dict[str, Value]:
    walk.step()
    result = dict(left)
    for key, item in right.items():
        former = result.get(key)
        both = isinstance(former, dict) and isinstance(item, dict)
        result[key] = _merged(former, item, walk) if both else item  # type: ignore[arg-type]
    return result


def divide(left: Value, right: Value) -> Value:
    kinds = type_name(left), type_name(right)
    if kinds == ("number", "number"):
        if right == 0:
            raise _mismatch(left, right, "divided because the divisor is zero")
        return number(left / right)
    if kinds == ("string", "string"):
        return split(left, right)
    raise _mismatch(left, right, "divided")


def modulo(left: Value, right: Value) -> Value:
    if type_name(left) != "number" or type_name(right) != "number":
        raise _mismatch(left, right, "divided")
    divisor = int(right) if not isnan(right) and not isinf(right) else 0
    if divisor == 0:
        raise _mismatch(left, right, "divided because the divisor is zero")
    dividend = int(left) if not isnan(left) and not isinf(left) else 0
    return int(fmod(dividend, abs(divisor)))


def split(text: str, separator: str) -> list[Value]:
    if not text:
        return []
    return list(text) if not separator else list(text.split(separator))


BINARY: dict[str, Callable[[Value, Value], Value]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": modulo,
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": lambda left, right: order(left) < order(right),
    "<=": lambda left, right: order(left) <= order(right),
    ">": lambda left, right: order(left) > order(right),
    ">=": lambda left, right: order(left) >= order(right),
}


# Access


def _is_index(key: Value) -> bool:
    return isinstance(key, (int, float)) and not isinstance(key, bool)


def get(value: Value, key: Value) -> Value:
    """`value[key]`; null has null everywhere."""
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key)
    if isinstance(value, list) and _is_index(key):
        return _item(value, key)
    if isinstance(key, dict) and (value is None or isinstance(value, (list, str))):
        return slice_of(value, key.get("start"), key.get("end"))
    if isinstance(value, list) and isinstance(key, list):
        return indices(value, key)
    if value is None and (isinstance(key, str) or _is_index(key) or key is None):
        return None
    if isinstance(key, str):
        raise JqError(f'Cannot index {type_name(value)} with "{key}"')
    raise JqError(f"Cannot index {type_name(value)} with {type_name(key)}")


def _item(value: list[Value], key: float) -> Value:
    if isnan(key) or isinf(key):
        return None
    index = int(key // 1)
    index += len(value) if index < 0 else 0
    return value[index] if 0 <= index < len(value) else None


def slice_of(value: Value, start: Value, end: Value) -> Value:
    if value is None:
        return None
    if not isinstance(value, (list, str)):
        raise JqError(f"Cannot index {type_name(value)} with object")
    first, last = bounds(len(value), start, end)
    return value[first:last]


def bounds(length: int, start: Value, end: Value) -> tuple[int, int]:
    """Positions of a slice within `length`."""
    for bound in (start, end):
        if bound is not None and not _is_index(bound):
            raise JqError("Start and end indices of an array slice must be numbers")
    first = 0 if start is None else int(start // 1)
    last = length if end is None else -int(-end // 1)
    first = max(first + length, 0) if first < 0 else min(first, length)
    last = last + length if last < 0 else min(last, length)
    return first, max(last, first)


def iterate(value: Value) -> Iterator[tuple[Value, Value]]:
    """Keys and values of an array or object."""
    if isinstance(value, list):
        return iter(list(enumerate(value)))
    if isinstance(value, dict):
        return iter(list(value.items()))
    raise JqError(
        f"Cannot iterate over {type_name(value)}" + ("" if value is None else f" ({shown(value)})")
    )


def indices(value: Value, wanted: Value) -> Value:
    """Where a text or list begins inside another."""
    if value is None:
        return None
    if isinstance(value, str) and isinstance(wanted, str):
        return _text_indices(value, wanted)
    if isinstance(value, list) and not isinstance(wanted, list):
        return [index for index, item in enumerate(value) if equal(item, wanted)]
    if isinstance(value, list) and wanted:
        size = len(wanted)
        places = range(len(value) - size + 1)
        return [index for index in places if equal(value[index : index + size], wanted)]
    return None


def _text_indices(text: str, wanted: str) -> Value:
    found, start = [], text.find(wanted) if wanted else -1
    while start >= 0:
        found.append(start)
        start = text.find(wanted, start + 1)
    return found


def get_path(value: Value, path: Path) -> Value:
    for key in path:
        if value is None:
            return None
        value = get(value, key)
    return value


def set_path(value: Value, path: Path, new: Value) -> Value:
    """A copy with another value at a path; what is missing on the way is made."""
    if not path:
        return new
    key, rest = path[0], path[1:]
    if isinstance(key, dict):
        return _set_slice(value, key, set_path(get(value, key), rest, new))
    inner = set_path(get(value, key), rest, new)
    if isinstance(key, str):
        return {**(value or {}), key: inner}
    if not _is_index(key):
        raise JqError(f"Invalid path component of type {type_name(key)}")
    items = list(value or ())
    index = int(key // 1)
    if index < 0:
        index += len(items)
        if index < 0:
            raise JqError("Out of bounds negative array index")
    if index > _MAX_ITEMS:
        raise JqLimitError("the array is too long")
    items.extend([None] * (index + 1 - len(items)))
    items[index] = inner
    return items


def _set_slice(value: Value, key: dict[str, Value], new: Value) -> Value:
    if not isinstance(new, list):
        raise JqError("A slice of an array can only be assigned another array")
    items = list(value or ())
    first, last = bounds(len(items), key.get("start"), key.get("end"))
    return _sized(items[:first] + new + items[last:])


def delete_paths(value: Value, paths: list[Path]) -> Value:
    """Without what is at the paths; later positions first, so that earlier ones stay valid."""
    for path in sorted(paths, key=lambda each: order(list(each)), reverse=True):
        value = _delete(value, path)
    return value


def _delete(value: Value, path: Path) -> Value:
    if value is None:
        return None
    if not path:
        return None
    key, rest = path[0], path[1:]
    if rest:
        inner = get(value, key)
        return value if inner is None else set_path(value, (key,), _delete(inner, rest))
    if isinstance(value, dict) and isinstance(key, str):
        return {name: item for name, item in value.items() if name != key}
    if isinstance(value, list) and isinstance(key, dict):
        first, last = bounds(len(value), key.get("start"), key.get("end"))
        return value[:first] + value[last:]
    if isinstance(value, list) and _is_index(key):
        index = int(key // 1)
        index += len(value) if index < 0 else 0
        return [item for position, item in enumerate(value) if position != index]
    raise JqError(f"Cannot delete field at {type_name(value)} index of {type_name(key)}")
