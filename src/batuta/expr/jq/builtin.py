"""Built-in functions of jq: those written in Python, and those written in jq."""

import math
from collections.abc import Callable
from typing import Any

from batuta.expr.format.json_text import read_json
from batuta.expr.jq import date, match
from batuta.expr.jq.errors import JqError, JqLimitError
from batuta.expr.jq.form import to_text
from batuta.expr.jq.native import Spend
from batuta.expr.jq.value import (
    Walk,
    delete_paths,
    equal,
    get_path,
    indices,
    number,
    order,
    set_path,
    shown,
    split,
    to_json,
    type_name,
)
from batuta.expr.values import Value

Native = Callable[..., Value]
_MAX_DEPTH = 1_000
NATIVE: dict[tuple[str, int], Native] = {}


def _plain(name: str, arity: int = 0) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
    """Registers a function of its input and arguments."""

    def register(code: Callable[..., Value]) -> Callable[..., Value]:
        def native(_: Spend, value: Value, *arguments: Value) -> Value:
            return code(value, *arguments)

        NATIVE[name, arity] = native
        return code

    return register


def _wrong(value: Value, what: str) -> JqError:
    return JqError(f"{type_name(value)} ({shown(value)}) {what}")


def _need(value: Value, kind: str, what: str) -> Any:
    if type_name(value) != kind:
        raise _wrong(value, what)
    return value


# Kinds and sizes


@_plain("type")
def _type(value: Value) -> Value:
    return type_name(value)


@_plain("length")
def _length(value: Value) -> Value:
    match type_name(value):
        case "null":
            return 0
        case "boolean":
            raise _wrong(value, "has no length")
        case "number":
            return abs(value)
        case _:
            return len(value)


@_plain("utf8bytelength")
def _bytes(value: Value) -> Value:
    return len(
        _need(value, "string", "only strings have UTF-8 byte length").encode("utf-8", "replace")
    )


@_plain("not")
def _not(value: Value) -> Value:
    return value is None or value is False


@_plain("keys")
def _keys(value: Value) -> Value:
    return sorted(_keys_unsorted(value))


@_plain("keys_unsorted")
def _keys_unsorted(value: Value) -> Value:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(_need(value, "array", "has no keys"))))


@_plain("has", 1)
def _has(value: Value, key: Value) -> Value:
    if isinstance(value, dict) and isinstance(key, str):
        return key in value
    if isinstance(value, list) and type_name(key) == "number":
        return 0 <= key < len(value)
    raise JqError(f"Cannot check whether {type_name(value)} has a {type_name(key)} key")


@_plain("contains", 1)
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


_plain("tojson")(to_json)
_plain("tostring")(to_text)


@_plain("fromjson")
def _from_json(value: Value) -> Value:
    text = _need(value, "string", "only strings can be parsed")
    if text.strip() in {"nan", "NaN"}:
        return math.nan
    try:
        return read_json(text)
    except ValueError as problem:
        raise JqError(f"{problem} (while parsing '{text}')") from None


@_plain("tonumber")
def _to_number(value: Value) -> Value:
    if type_name(value) == "number":
        return value
    text = _need(value, "string", "cannot be parsed as a number").strip()
    try:
        return int(text) if text.lstrip("-").isdigit() and len(text) < 18 else float(text)
    except ValueError:
        raise JqError(f"Cannot parse '{text}' as a number") from None


@_plain("toarray")
def _to_array(value: Value) -> Value:
    return value if isinstance(value, list) else [value]


# Texts


@_plain("ascii_downcase")
def _downcase(value: Value) -> Value:
    text = _need(value, "string", "ascii_downcase input must be a string")
    return "".join(char.lower() if char.isascii() else char for char in text)


@_plain("ascii_upcase")
def _upcase(value: Value) -> Value:
    text = _need(value, "string", "ascii_upcase input must be a string")
    return "".join(char.upper() if char.isascii() else char for char in text)


@_plain("explode")
def _explode(value: Value) -> Value:
    return [ord(char) for char in _need(value, "string", "cannot be exploded")]


@_plain("implode")
def _implode(value: Value) -> Value:
    items = _need(value, "array", "cannot be imploded")
    if not all(isinstance(item, int) and 0 <= item < 0x110000 for item in items):
        raise JqError("Unicode codepoint must be numeric")
    return "".join(map(chr, items))


@_plain("ltrimstr", 1)
def _ltrimstr(value: Value, prefix: Value) -> Value:
    both = isinstance(value, str) and isinstance(prefix, str)
    return value.removeprefix(prefix) if both else value


@_plain("rtrimstr", 1)
def _rtrimstr(value: Value, suffix: Value) -> Value:
    both = isinstance(value, str) and isinstance(suffix, str) and suffix
    return value.removesuffix(suffix) if both else value


@_plain("startswith", 1)
def _startswith(value: Value, prefix: Value) -> Value:
    if not isinstance(value, str) or not isinstance(prefix, str):
        raise JqError("startswith() requires string inputs")
    return value.startswith(prefix)


@_plain("endswith", 1)
def _endswith(value: Value, suffix: Value) -> Value:
    if not isinstance(value, str) or not isinstance(suffix, str):
        raise JqError("endswith() requires string inputs")
    return value.endswith(suffix)


@_plain("split", 1)
def _split(value: Value, separator: Value) -> Value:
    if not isinstance(value, str) or not isinstance(separator, str):
        raise JqError("split input and separator must be strings")
    return split(value, separator)


@_plain("join", 1)
def _join(value: Value, separator: Value) -> Value:
    items = _need(value, "array", "cannot be joined")
    texts = []
    for item in items:
        if isinstance(item, (list, dict)):
            raise JqError(f"{type_name(item)} ({shown(item)}) cannot be added to a string")
        texts.append("" if item is None else to_text(item))
    if not items:
        return ""
    return _need(separator, "string", "is no separator").join(texts)


@_plain("trim")
def _trim(value: Value) -> Value:
    return _need(value, "string", "trim input must be a string").strip()


@_plain("ltrim")
def _ltrim(value: Value) -> Value:
    return _need(value, "string", "trim input must be a string").lstrip()


@_plain("rtrim")
def _rtrim(value: Value) -> Value:
    return _need(value, "string", "trim input must be a string").rstrip()


_plain("indices", 1)(indices)
_plain("_indices", 1)(indices)


@_plain("index", 1)
def _index(value: Value, wanted: Value) -> Value:
    found = indices(value, wanted)
    return found[0] if found else None


@_plain("rindex", 1)
def _rindex(value: Value, wanted: Value) -> Value:
    found = indices(value, wanted)
    return found[-1] if found else None


# Regular expressions


def _flags(flags: Value) -> str:
    return "" if flags is None else str(_need(flags, "string", "is not a valid modifier string"))


def _pattern(pattern: Value) -> tuple[Value, str]:
    """A pattern may be given as `[pattern, flags]`."""
    if isinstance(pattern, list):
        return (pattern[0] if pattern else None), _flags(pattern[1] if len(pattern) > 1 else None)
    return pattern, ""


def _expression(name: str, code: Callable[[Value, Value, str], Value]) -> None:
    @_plain(name, 1)
    def _one(value: Value, pattern: Value) -> Value:
        expression, flags = _pattern(pattern)
        return code(value, expression, flags)

    @_plain(name, 2)
    def _two(value: Value, pattern: Value, flags: Value) -> Value:
        return code(value, pattern, _flags(flags))


_expression("test", match.tests)
_expression("_match", match.matches)
_expression("_capture", match.captured)
_expression("_scan", match.scanned)
_expression("_splits", match.parts)


@_plain("split", 2)
def _split_by_regex(value: Value, pattern: Value, flags: Value) -> Value:
    return match.parts(value, pattern, _flags(flags))


# Arrays


def _array(value: Value, what: str) -> list[Value]:
    items: list[Value] = _need(value, "array", what)
    return items


@_plain("sort")
def _sort(value: Value) -> Value:
    return sorted(_array(value, "cannot be sorted, as it is not an array"), key=order)


@_plain("_sort_by", 1)
def _sort_by(value: Value, keys: Value) -> Value:
    return [item for _, item in _keyed(value, keys)]


def _keyed(value: Value, keys: Value) -> list[tuple[Any, Value]]:
    items = _array(value, "cannot be sorted, as it is not an array")
    pairs = zip(map(order, keys), items, strict=True)
    return sorted(pairs, key=lambda pair: pair[0])


@_plain("_group_by", 1)
def _group_by(value: Value, keys: Value) -> Value:
    groups: list[Value] = []
    last: Any = None
    for key, item in _keyed(value, keys):
        if not groups or key != last:
            groups.append([])
        groups[-1].append(item)
        last = key
    return groups


@_plain("_unique_by", 1)
def _unique_by(value: Value, keys: Value) -> Value:
    return [group[0] for group in _group_by(value, keys)]


@_plain("_min_by", 1)
def _min_by(value: Value, keys: Value) -> Value:
    pairs = list(zip(map(order, keys), _array(value, "has no minimum"), strict=True))
    return min(pairs, key=lambda pair: pair[0])[1] if pairs else None


@_plain("_max_by", 1)
def _max_by(value: Value, keys: Value) -> Value:
    pairs = list(zip(map(order, keys), _array(value, "has no maximum"), strict=True))
    best: tuple[Any, Value] | None = None
    for pair in pairs:
        if best is None or pair[0] >= best[0]:
            best = pair
    return None if best is None else best[1]


@_plain("reverse")
def _reverse(value: Value) -> Value:
    if value is None:
        return []
    if isinstance(value, str):
        return value[::-1]
    return _array(value, "cannot be reversed, as it is not an array")[::-1]


@_plain("flatten")
def _flatten(value: Value) -> Value:
    return _flattened(value, _MAX_DEPTH, Walk())


@_plain("flatten", 1)
def _flatten_to(value: Value, depth: Value) -> Value:
    if _need(depth, "number", "is no depth") < 0:
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


@_plain("transpose")
def _transpose(value: Value) -> Value:
    rows = _array(value, "cannot be transposed")
    width = max((len(_array(row, "cannot be transposed")) for row in rows), default=0)
    return [[row[column] if column < len(row) else None for row in rows] for column in range(width)]


@_plain("bsearch", 1)
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


@_plain("getpath", 1)
def _getpath(value: Value, path: Value) -> Value:
    return get_path(value, _path(path))


@_plain("setpath", 2)
def _setpath(value: Value, path: Value, new: Value) -> Value:
    return set_path(value, _path(path), new)


@_plain("delpaths", 1)
def _delpaths(value: Value, paths: Value) -> Value:
    return delete_paths(value, [_path(path) for path in _array(paths, "is no list of paths")])


# Numbers


def _math(name: str, code: Callable[[float], float]) -> None:
    @_plain(name)
    def _apply(value: Value) -> Value:
        try:
            return number(code(_need(value, "number", "number required")))
        except (ValueError, OverflowError):
            return math.nan


def _log(code: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: -math.inf if value == 0 else code(value)


def _whole(code: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: value if math.isinf(value) or math.isnan(value) else float(code(value))


for _name, _code in {
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
}.items():
    _math(_name, _code)


@_plain("pow", 2)
def _pow(_: Value, base: Value, exponent: Value) -> Value:
    try:
        result = float(_need(base, "number", "number required")) ** float(
            _need(exponent, "number", "number required")
        )
    except OverflowError:
        return math.inf
    except ZeroDivisionError:
        return math.inf
    return math.nan if isinstance(result, complex) else number(result)


@_plain("atan2", 2)
def _atan2(_: Value, y: Value, x: Value) -> Value:
    return number(
        math.atan2(_need(y, "number", "number required"), _need(x, "number", "number required"))
    )


@_plain("infinite")
def _infinite(_: Value) -> Value:
    return math.inf


@_plain("nan")
def _nan(_: Value) -> Value:
    return math.nan


@_plain("isinfinite")
def _isinfinite(value: Value) -> Value:
    return math.isinf(_need(value, "number", "number required"))


@_plain("isnan")
def _isnan(value: Value) -> Value:
    return math.isnan(_need(value, "number", "number required"))


@_plain("isnormal")
def _isnormal(value: Value) -> Value:
    return (
        math.isfinite(_need(value, "number", "number required"))
        and abs(value) >= 2.2250738585072014e-308
    )


# Dates


@_plain("mktime")
def _mktime(value: Value) -> Value:
    return date.mktime(value)


@_plain("gmtime")
def _gmtime(value: Value) -> Value:
    return date.gmtime(_need(value, "number", "gmtime() requires a number"))


_plain("localtime")(_gmtime)


@_plain("strftime", 1)
def _strftime(value: Value, form: Value) -> Value:
    return date.strftime(value, form)


_plain("strflocaltime", 1)(_strftime)


@_plain("strptime", 1)
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


PRELUDE = r"""
def map(f): [.[] | f];
def select(f): if f then . else empty end;
def recurse(f; cond): recurse(f | select(cond));
def recurse_down: recurse;
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(type | . == "array" or . == "object");
def scalars: select(type | . != "array" and . != "object");
def finites: select(isinfinite or isnan | not);
def normals: select(isnormal);
def add: reduce .[] as $x (null; . + $x);
def add(f): reduce f as $x (null; . + $x);
def any: any(.[]; .);
def any(f): any(.[]; f);
def all: all(.[]; .);
def all(f): all(.[]; f);
def isvalid(f): try (f | true) catch false;
def in(xs): . as $x | xs | has($x);
def inside(xs): . as $x | xs | contains($x);
def to_entries: [keys_unsorted[] as $k | {key: $k, value: .[$k]}];
def from_entries: reduce .[] as $x ({};
  . + { ($x | if .key == null then .k // .name // .Name // .K // .Key else .key end
         | if type == "string" then . else tojson end):
        ($x | if has("value") then .value elif has("v") then .v else .Value end) });
def with_entries(f): to_entries | map(f) | from_entries;
def map_values(f): .[] |= f;
def paths: path(..) | select(length > 0);
def paths(f): path(.. | select(f)) | select(length > 0);
def leaf_paths: paths(scalars);
def first: .[0];
def last: .[-1];
def nth($n): .[$n];
def nth($n; f): if $n < 0 then error("Out of bounds negative array index") else last(limit($n + 1; f)) end;
def sort_by(f): _sort_by(map([f]));
def group_by(f): _group_by(map([f]));
def unique_by(f): _unique_by(map([f]));
def unique: unique_by(.);
def min_by(f): _min_by(map([f]));
def max_by(f): _max_by(map([f]));
def min: min_by(.);
def max: max_by(.);
def match(re): _match(re)[];
def match(re; flags): _match(re; flags)[];
def capture(re): _capture(re)[];
def capture(re; flags): _capture(re; flags)[];
def scan(re): _scan(re)[];
def scan(re; flags): _scan(re; flags)[];
def splits(re): _splits(re)[];
def splits(re; flags): _splits(re; flags)[];
def ascii: [.] | implode;
def todate: strftime("%Y-%m-%dT%H:%M:%SZ");
def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def todateiso8601: todate;
def fromdate: fromdateiso8601;
def date: todate;
def dateadd(u; n): . + n;
def datesub(u; n): . - n;
def combinations: if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $w | [$x] + $w end;
def combinations(n): . as $dot | [range(n)] | map($dot) | combinations;
def walk(f): . as $in
  | if type == "object" then reduce keys_unsorted[] as $key ({}; . + {($key): ($in[$key] | walk(f))}) | f
    elif type == "array" then map(walk(f)) | f
    else f end;
def IN(s): any(s == .; .);
def IN(src; s): any(src == s; .);
def INDEX(stream; idx): reduce stream as $row ({}; .[$row | idx | tostring] |= $row);
def INDEX(idx): INDEX(.[]; idx);
def tostream: path(def r: (.[]? | r), .; r) as $p | getpath($p)
  | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
def fromstream(f): {x: null, e: false} as $init
  | foreach f as $i ($init;
      if .e then $init else . end
      | if $i | length == 2
        then setpath(["e"]; $i[0] | length == 0) | setpath(["x"] + $i[0]; $i[1])
        else setpath(["e"]; $i[0] | length == 1) end;
      if .e then .x else empty end);
def truncate_stream(stream): . as $n | null | stream | . as $input
  | if (.[0] | length) > $n then setpath([0]; .[0][$n:]) else empty end;
def have_decnum: false;
def have_literal_numbers: true;
def abs: if type == "number" and . < 0 then - . else . end;
"""
