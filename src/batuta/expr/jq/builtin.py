"""Built-in functions of jq: those written in Python, and those written in jq."""

import math
import sys
from collections.abc import Callable
from typing import Any

from batuta.expr.format.json_text import read_json
from batuta.expr.jq import date, match
from batuta.expr.jq.errors import JqError, JqLimitError
from batuta.expr.jq.form import to_text
from batuta.expr.jq.native import NATIVE, Native, Spend, need, plain, wrong
from batuta.expr.jq.syntax import MAX_DIGITS
from batuta.expr.jq.value import (
    Walk,
    delete_paths,
    equal,
    get_path,
    indices,
    order,
    set_path,
    shown,
    split,
    to_json,
    type_name,
)
from batuta.expr.values import Value

_MAX_DEPTH = 1_000


# Kinds and sizes


@plain("type")
def _type(value: Value) -> Value:
    return type_name(value)


@plain("length")
def _length(value: Value) -> Value:
    match type_name(value):
        case "null":
            return 0
        case "boolean":
            raise wrong(value, "has no length")
        case "number":
            return abs(value)
        case _:
            return len(value)


@plain("utf8bytelength")
def _bytes(value: Value) -> Value:
    return len(
        need(value, "string", "only strings have UTF-8 byte length").encode("utf-8", "replace")
    )


@plain("not")
def _not(value: Value) -> Value:
    return value is None or value is False


@plain("keys")
def _keys(value: Value) -> Value:
    return sorted(_keys_unsorted(value))


@plain("keys_unsorted")
def _keys_unsorted(value: Value) -> Value:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(need(value, "array", "has no keys"))))


@plain("has", 1)
def _has(value: Value, key: Value) -> Value:
    if isinstance(value, dict) and isinstance(key, str):
        return key in value
    if isinstance(value, list) and type_name(key) == "number":
        return 0 <= key < len(value)
    raise JqError(f"Cannot check whether {type_name(value)} has a {type_name(key)} key")


@plain("contains", 1)
def _contains_all(value: Value, other: Value) -> Value:
    return _contains(value, other, Walk())


def _contains(value: Value, other: Value, walk: Walk) -> bool:
    walk.step()
    kind = type_name(value)
    if kind != type_name(other):
        raise JqError(
            f"{kind} ({shown(value)}) and {type_name(other)} ({shown(other)}) "
            "cannot have their containment checked"
        )
    if kind == "object":
        return all(
            key in value and _contained(value[key], item, walk) for key, item in other.items()
        )
    if kind == "array":
        return all(any(_contained(item, wanted, walk) for item in value) for wanted in other)
    return other in value if kind == "string" else equal(value, other)


def _contained(value: Value, other: Value, walk: Walk) -> bool:
    return type_name(value) == type_name(other) and _contains(value, other, walk)


# Conversion


plain("tojson")(to_json)
plain("tostring")(to_text)


@plain("fromjson")
def _from_json(value: Value) -> Value:
    text = need(value, "string", "only strings can be parsed")
    if text.strip() in {"nan", "NaN"}:
        return math.nan
    try:
        return read_json(text)
    except ValueError as problem:
        raise JqError(f"{problem} (while parsing '{text}')") from None


@plain("tonumber")
def _to_number(value: Value) -> Value:
    if type_name(value) == "number":
        return value
    text = need(value, "string", "cannot be parsed as a number").strip()
    try:
        return int(text) if text.lstrip("-").isdigit() and len(text) <= MAX_DIGITS else float(text)
    except ValueError:
        raise JqError(f"Cannot parse '{text}' as a number") from None


@plain("toarray")
def _to_array(value: Value) -> Value:
    return value if isinstance(value, list) else [value]


# Texts


@plain("ascii_downcase")
def _downcase(value: Value) -> Value:
    text = need(value, "string", "ascii_downcase input must be a string")
    return "".join(char.lower() if char.isascii() else char for char in text)


@plain("ascii_upcase")
def _upcase(value: Value) -> Value:
    text = need(value, "string", "ascii_upcase input must be a string")
    return "".join(char.upper() if char.isascii() else char for char in text)


@plain("explode")
def _explode(value: Value) -> Value:
    return [ord(char) for char in need(value, "string", "cannot be exploded")]


@plain("implode")
def _implode(value: Value) -> Value:
    items = need(value, "array", "cannot be imploded")
    if not all(isinstance(item, int) and 0 <= item <= sys.maxunicode for item in items):
        raise JqError("Unicode codepoint must be numeric")
    return "".join(map(chr, items))


@plain("ltrimstr", 1)
def _ltrimstr(value: Value, prefix: Value) -> Value:
    both = isinstance(value, str) and isinstance(prefix, str)
    return value.removeprefix(prefix) if both else value


@plain("rtrimstr", 1)
def _rtrimstr(value: Value, suffix: Value) -> Value:
    both = isinstance(value, str) and isinstance(suffix, str) and suffix
    return value.removesuffix(suffix) if both else value


@plain("startswith", 1)
def _startswith(value: Value, prefix: Value) -> Value:
    if not isinstance(value, str) or not isinstance(prefix, str):
        raise JqError("startswith() requires string inputs")
    return value.startswith(prefix)


@plain("endswith", 1)
def _endswith(value: Value, suffix: Value) -> Value:
    if not isinstance(value, str) or not isinstance(suffix, str):
        raise JqError("endswith() requires string inputs")
    return value.endswith(suffix)


@plain("split", 1)
def _split(value: Value, separator: Value) -> Value:
    if not isinstance(value, str) or not isinstance(separator, str):
        raise JqError("split input and separator must be strings")
    return split(value, separator)


@plain("join", 1)
def _join(value: Value, separator: Value) -> Value:
    items = need(value, "array", "cannot be joined")
    texts = []
    for item in items:
        if isinstance(item, (list, dict)):
            raise JqError(f"{type_name(item)} ({shown(item)}) cannot be added to a string")
        texts.append("" if item is None else to_text(item))
    if not items:
        return ""
    return need(separator, "string", "is no separator").join(texts)


@plain("trim")
def _trim(value: Value) -> Value:
    return need(value, "string", "trim input must be a string").strip()


@plain("ltrim")
def _ltrim(value: Value) -> Value:
    return need(value, "string", "trim input must be a string").lstrip()


@plain("rtrim")
def _rtrim(value: Value) -> Value:
    return need(value, "string", "trim input must be a string").rstrip()


plain("indices", 1)(indices)
plain("_indices", 1)(indices)


@plain("index", 1)
def _index(value: Value, wanted: Value) -> Value:
    found = indices(value, wanted)
    return found[0] if found else None


@plain("rindex", 1)
def _rindex(value: Value, wanted: Value) -> Value:
    found = indices(value, wanted)
    return found[-1] if found else None


# Regular expressions


def _flags(flags: Value) -> str:
    return "" if flags is None else str(need(flags, "string", "is not a valid modifier string"))


def _pattern(pattern: Value) -> tuple[Value, str]:
    """A pattern may be given as `[pattern, flags]`."""
    if isinstance(pattern, list):
        return (pattern[0] if pattern else None), _flags(pattern[1] if len(pattern) > 1 else None)
    return pattern, ""


def _expression(name: str, code: Callable[[Value, Value, str], Value]) -> None:
    @plain(name, 1)
    def _one(value: Value, pattern: Value) -> Value:
        expression, flags = _pattern(pattern)
        return code(value, expression, flags)

    @plain(name, 2)
    def _two(value: Value, pattern: Value, flags: Value) -> Value:
        return code(value, pattern, _flags(flags))


_expression("test", match.tests)
_expression("_match", match.matches)
_expression("_capture", match.captured)
_expression("_scan", match.scanned)
_expression("_splits", match.parts)


@plain("split", 2)
def _split_by_regex(value: Value, pattern: Value, flags: Value) -> Value:
    return match.parts(value, pattern, _flags(flags))


# Arrays


def _array(value: Value, what: str) -> list[Value]:
    items: list[Value] = need(value, "array", what)
    return items


@plain("sort")
def _sort(value: Value) -> Value:
    return sorted(_array(value, "cannot be sorted, as it is not an array"), key=order)


@plain("_sort_by", 1)
def _sort_by(value: Value, keys: Value) -> Value:
    return [item for _, item in _keyed(value, keys)]


def _keyed(value: Value, keys: Value) -> list[tuple[Any, Value]]:
    items = _array(value, "cannot be sorted, as it is not an array")
    pairs = zip(map(order, keys), items, strict=True)
    return sorted(pairs, key=lambda pair: pair[0])


@plain("_group_by", 1)
def _group_by(value: Value, keys: Value) -> Value:
    groups: list[Value] = []
    last: Any = None
    for key, item in _keyed(value, keys):
        if not groups or key != last:
            groups.append([])
        groups[-1].append(item)
        last = key
    return groups


@plain("_unique_by", 1)
def _unique_by(value: Value, keys: Value) -> Value:
    return [group[0] for group in _group_by(value, keys)]


@plain("_min_by", 1)
def _min_by(value: Value, keys: Value) -> Value:
    pairs = list(zip(map(order, keys), _array(value, "has no minimum"), strict=True))
    return min(pairs, key=lambda pair: pair[0])[1] if pairs else None


@plain("_max_by", 1)
def _max_by(value: Value, keys: Value) -> Value:
    pairs = list(zip(map(order, keys), _array(value, "has no maximum"), strict=True))
    best: tuple[Any, Value] | None = None
    for pair in pairs:
        if best is None or pair[0] >= best[0]:
            best = pair
    return None if best is None else best[1]


@plain("reverse")
def _reverse(value: Value) -> Value:
    if value is None:
        return []
    if isinstance(value, str):
        return value[::-1]
    return _array(value, "cannot be reversed, as it is not an array")[::-1]


@plain("flatten")
def _flatten(value: Value) -> Value:
    return _flattened(value, _MAX_DEPTH, Walk())


@plain("flatten", 1)
def _flatten_to(value: Value, depth: Value) -> Value:
    if need(depth, "number", "is no depth") < 0:
        raise JqError("flatten depth must not be negative")
    return _flattened(value, min(int(depth), _MAX_DEPTH), Walk())


def _flattened(value: Value, depth: int, walk: Walk) -> list[Value]:
    source = (
        list(value.values()) if isinstance(value, dict) else _array(value, "cannot be flattened")
    )
    result: list[Value] = []
    for item in source:
        walk.step()
        if isinstance(item, list) and depth > 0:
            result += _flattened(item, depth - 1, walk)
        else:
            result.append(item)
    return result


@plain("transpose")
def _transpose(value: Value) -> Value:
    rows = _array(value, "cannot be transposed")
    width = max((len(_array(row, "cannot be transposed")) for row in rows), default=0)
    return [[row[column] if column < len(row) else None for row in rows] for column in range(width)]


@plain("bsearch", 1)
def _bsearch(value: Value, wanted: Value) -> Value:
    keys = [order(item) for item in _array(value, "cannot be searched")]
    target = order(wanted)
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low if low < len(keys) and keys[low] == target else -1 - low


# Paths


def _path(path: Value) -> tuple[Value, ...]:
    return tuple(_array(path, "is no path: Path must be specified as an array"))


@plain("getpath", 1)
def _getpath(value: Value, path: Value) -> Value:
    return get_path(value, _path(path))


@plain("setpath", 2)
def _setpath(value: Value, path: Value, new: Value) -> Value:
    return set_path(value, _path(path), new)


@plain("delpaths", 1)
def _delpaths(value: Value, paths: Value) -> Value:
    return delete_paths(value, [_path(path) for path in _array(paths, "is no list of paths")])


# Dates


@plain("mktime")
def _mktime(value: Value) -> Value:
    return date.mktime(value)


@plain("gmtime")
def _gmtime(value: Value) -> Value:
    return date.gmtime(need(value, "number", "gmtime() requires a number"))


plain("localtime")(_gmtime)


@plain("strftime", 1)
def _strftime(value: Value, form: Value) -> Value:
    return date.strftime(value, form)


plain("strflocaltime", 1)(_strftime)


@plain("strptime", 1)
def _strptime(value: Value, form: Value) -> Value:
    return date.strptime(value, form)


def _now(spend: Spend, _: Value) -> Value:
    return spend.now


NATIVE["now", 0] = _now


# What would reach outside


def _refused(name: str) -> Native:
    def refuse(_spend: Spend, _value: Value, *_: Value) -> Value:
        raise JqLimitError(f"{name} is not available here")

    return refuse


for _name, _arity in (
    ("env", 0),
    ("input", 0),
    ("inputs", 0),
    ("input_filename", 0),
    ("input_line_number", 0),
    ("debug", 0),
    ("debug", 1),
    ("stderr", 0),
    ("halt", 0),
    ("halt_error", 0),
    ("halt_error", 1),
    ("get_search_list", 0),
    ("modulemeta", 0),
):
    NATIVE[_name, _arity] = _refused(_name)
