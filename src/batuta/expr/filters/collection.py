"""Filters on lists, maps and arrays."""

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from batuta.expr.compiler.state import State
from batuta.expr.errors import EvaluationError, RuntimeFaultError
from batuta.expr.filters.text import fits
from batuta.expr.format.text import java_text
from batuta.expr.registry import FILTERS
from batuta.expr.utf16 import cut, sort_key, units
from batuta.expr.values import (
    Array,
    Char,
    HashMap,
    KeySet,
    Long,
    Value,
    class_name,
    is_collection,
    is_list,
    is_map,
    is_number,
    java_equals,
)


@FILTERS("chunk", "size", template="{{ [1, 2, 3] | chunk(2) }}", result="[[1,2],[3]]")
def chunk(value: Value, size: Value) -> Value:
    """Cuts a list into lists of a size."""
    if value is None:
        return None
    if not is_number(size):
        raise EvaluationError("The 'chunk' filter expects a number as argument 'size'.")
    if not is_list(value):
        raise EvaluationError("The 'chunk' filter can only be applied to lists.")
    length = int(size)
    if length < 1:
        raise RuntimeFaultError(f"the size of a chunk must be positive, not {length}")
    return [list(value[start : start + length]) for start in range(0, len(value), length)]


@FILTERS(
    "default", "default", catches_missing=True, template="{{ nothing | default('x') }}", result="x"
)
def default(value: Value, replacement: Value) -> Value:
    """The value, or a replacement if it is undefined, null, blank or empty."""
    if value is None:
        return replacement
    if isinstance(value, str):
        return value if value.strip() else replacement
    if (is_map(value) or is_collection(value)) and not value:
        return replacement
    return value


@FILTERS("distinct", plain=True, template="{{ ['a', 'b', 'a'] | distinct }}", result='["a","b"]')
def distinct(value: Value) -> Value:
    """A list without repetitions; the first of equal items stays."""
    if value is None:
        return "null"
    if not is_list(value):
        raise EvaluationError(f"Input must be a list, but received : {class_name(value)}")
    seen: set[object] = set()
    odd: list[Value] = []
    result = []
    for item in value:
        if isinstance(item, (str, int)):
            mark = (class_name(item), item)
            if mark in seen:
                continue
            seen.add(mark)
        elif any(java_equals(item, other) for other in odd):
            continue
        else:
            odd.append(item)
        result.append(item)
    return result


@FILTERS("first", plain=True, template="{{ ['a', 'b'] | first }}", result="a")
def first(value: Value) -> Value:
    """The first item of a list, or character of a text."""
    return _edge(value, 0)


@FILTERS("last", plain=True, template="{{ ['a', 'b'] | last }}", result="b")
def last(value: Value) -> Value:
    """The last item of a list, or character of a text."""
    return _edge(value, -1)


def _edge(value: Value, index: int) -> Value:
    if value is None:
        return None
    if isinstance(value, str):
        size = units(value)
        if size == 0:
            raise RuntimeFaultError("the text is empty")
        start = 0 if index == 0 else size - 1
        return Char(cut(value, start, start + 1))
    if not isinstance(value, (list, tuple)):
        raise RuntimeFaultError(f"a list or text is needed, not {class_name(value)}")
    return value[index] if value else None


@FILTERS("flatten", template="{{ [1, [2, [3]]] | flatten }}", result="[1,2,[3]]")
def flatten(value: Value) -> Value:
    """Puts the items of inner lists in their place, one level deep."""
    if value is None:
        return None
    if not is_list(value):
        raise EvaluationError("The 'flatten' filter can only be applied to lists.")
    result: list[Value] = []
    for item in value:
        if is_collection(item):
            result.extend(item)
        else:
            result.append(item)
    return result


@FILTERS(
    "join",
    "separator",
    with_state=True,
    template="{{ [1, 2, 3] | join(', ') }}",
    result="1, 2, 3",
)
def join(s: State, value: Value, separator: Value) -> Value:
    """The items of a list as one text."""
    if value is None:
        return None
    if separator is not None and not isinstance(separator, str):
        raise RuntimeFaultError(f"the separator must be a text, not {class_name(separator)}")
    if not isinstance(value, (list, tuple)):
        raise EvaluationError(
            "The 'join' filter expects that the input is either a collection or an array."
        )
    texts = list(map(java_text, value))
    mark = "" if separator is None else str(separator)
    fits(s, sum(map(len, texts)) + len(texts) * len(mark))
    return mark.join(texts)


@FILTERS("keys", plain=True, template="{{ {'a': 1} | keys }}", result='["a"]')
def keys(value: Value) -> Value:
    """The keys of a map, or the indices of a list."""
    if value is None:
        return None
    if is_map(value):
        return KeySet(value)
    if isinstance(value, (list, tuple)) and not isinstance(value, KeySet):
        return KeySet(range(len(value)))
    raise EvaluationError("The 'keys' filter can only be applied to maps, lists and arrays.")


@FILTERS("values", plain=True, template="{{ {'a': 1} | values }}", result="[1]")
def values(value: Value) -> Value:
    """The values of a map."""
    if value is None:
        return None
    if not is_map(value):
        raise EvaluationError("The 'values' filter can only be applied to maps.")
    return list(value.values())


@FILTERS("length", plain=True, template="{{ 'abc' | length }}", result="3")
def length(value: Value) -> int:
    """The number of characters or items."""
    if isinstance(value, str):
        return units(value)
    return len(value) if is_map(value) or isinstance(value, (list, tuple)) else 0


@FILTERS("merge", "items", template="{{ {'a': 1} | merge({'a': 2}) }}", result='{"a":2}')
def merge(value: Value, items: Value) -> Value:
    """Two maps, lists or arrays as one; the right one wins."""
    if value is None and items is None:
        raise EvaluationError(
            "The two arguments to be merged are null. At least one of them should be not null."
        )
    if value is None or items is None:
        return items if value is None else value
    if isinstance(value, Array):
        if not isinstance(items, Array):
            raise EvaluationError(_not_mergeable("an array", items))
        return Array([*value, *items])
    if is_map(value):
        return _merge_into_map(value, items)
    if is_list(value):
        return _merge_into_list(value, items)
    raise EvaluationError(
        "The 'merge' filter only works with Maps, Lists and Arrays. "
        f"Arg1: {class_name(value)}, Arg2: {class_name(items)}"
    )


def _not_mergeable(what: str, items: Value) -> str:
    return f"Currently, only Maps and Lists can be merged with {what}. Arg2: {class_name(items)}"


def _merge_into_map(value: Value, items: Value) -> Value:
    if is_map(items):
        return HashMap({**value, **items})
    if is_list(items):
        return HashMap({**value, **{item: item for item in items}})
    raise RuntimeFaultError(_not_mergeable("a Map", items))


def _merge_into_list(value: Value, items: Value) -> Value:
    if is_map(items):
        return [*value, *({key: item} for key, item in items.items())]
    if is_collection(items):
        return [*value, *items]
    raise EvaluationError(_not_mergeable("a List", items))


@FILTERS(
    "reverse", plain=True, changes_list=True, template="{{ [1, 2, 3] | reverse }}", result="[3,2,1]"
)
def reverse(value: Value) -> Value:
    """A list from its end, in place."""
    if value is None:
        return None
    if not is_list(value):
        raise RuntimeFaultError(f"a list is needed, not {class_name(value)}")
    return list(reversed(value))


@FILTERS("sort", plain=True, changes_list=True, template="{{ [3, 1, 2] | sort }}", result="[1,2,3]")
def sort(value: Value) -> Value:
    """A list in order, in place."""
    return _sorted(value, name="sort")


@FILTERS(
    "rsort", plain=True, changes_list=True, template="{{ [3, 1, 2] | rsort }}", result="[3,2,1]"
)
def rsort(value: Value) -> Value:
    """A list in reverse order, in place."""
    return _sorted(value, name="rsort")


def _sorted(value: Value, *, name: str) -> Value:
    if value is None:
        return None
    if isinstance(value, Array) and name == "sort":
        return Array(sorted(value, key=sort_key))
    if not is_list(value):
        if name == "sort":
            raise EvaluationError("Unsupported input type for sort filter")
        raise RuntimeFaultError(f"a list is needed, not {class_name(value)}")
    if len(value) <= 1:
        return list(value)
    return sorted(value, key=_order_of(value), reverse=name == "rsort")


def _order_of(items: list[Value]) -> Callable[[Value], Any]:
    """What items of one kind are ordered by; kinds cannot be mixed."""
    kinds = {class_name(item) for item in items if item is not None}
    if len(kinds) != 1 or any(item is None for item in items):
        raise RuntimeFaultError("items of different kinds, or null, cannot be ordered")
    sample = items[0]
    if isinstance(sample, str):
        return lambda item: sort_key(str(item))
    if isinstance(sample, float):
        return cmp_to_key(_compare_doubles)
    if isinstance(sample, (list, dict)) or is_map(sample):
        raise RuntimeFaultError(f"class {class_name(sample)} cannot be ordered")
    return lambda item: item


def _compare_doubles(left: float, right: float) -> int:
    """Not-a-number is above everything."""
    if left != left or right != right:  # noqa: PLR0124 - not-a-number
        return (left != left) - (right != right)  # noqa: PLR0124 - not-a-number
    return (left > right) - (left < right)


@FILTERS("slice", "fromIndex", "toIndex", template="{{ 'Mitch' | slice(1, 3) }}", result="it")
def slice_(value: Value, from_index: Value, to_index: Value) -> Value:
    """A part of a text, list or array."""
    if value is None:
        return None
    if not isinstance(value, (str, list, tuple)) or isinstance(value, KeySet):
        raise EvaluationError(
            f"Slice filter can only be applied to String, List and arrays. Actual type was: {class_name(value)}"
        )
    size = units(value) if isinstance(value, str) else len(value)
    start = 0 if from_index is None else _index(from_index, "fromIndex")
    end = size if to_index is None else _index(to_index, "toIndex")
    if start < 0 or start > size:
        raise RuntimeFaultError(f"fromIndex {start} is outside of 0 to {size}")
    if end > size:
        raise EvaluationError(f"toIndex must be between 0 and {size}")
    if to_index is not None and end <= start:
        raise EvaluationError("toIndex must be greater than fromIndex")
    if isinstance(value, str):
        return cut(value, start, end)
    part = value[start:end]
    return Array(part) if isinstance(value, Array) else list(part)


def _index(value: Value, name: str) -> int:
    if not isinstance(value, Long):
        raise RuntimeFaultError(f"{name} must be a 64-bit integer, not {class_name(value)}")
    return int(value)
