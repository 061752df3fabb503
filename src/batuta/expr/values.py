"""Values of the language that plain Python data cannot say.

Plain data is enough for nearly everything: `None`, `bool`, `int`, `float`, `Decimal`, `str`, `bytes`, `list`
and maps. A plain `int` is 32-bit, 64-bit or big by its size, as a value read from JSON is in the original;
the types here mark what differs from that, so that `className`, equality and overflow agree (02 §1.5).
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

from typing_extensions import override

from batuta.expr.errors import LimitError

Value = Any
"""Plain data, one of the types below, or a date-time value of `batuta.expr.temporal`."""

MAX_NODES = 1_000_000
"""Values that one walk over a collection may meet."""
CHARS_PER_NODE = 64
"""So many characters of a text count as one more value."""
INT_MIN, INT_MAX = -(2**31), 2**31 - 1
LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1


class Long(int):
    """A 64-bit integer whatever its size: literals and results of arithmetic."""

    __slots__ = ()


class BigInteger(int):
    """An integer of any size, asked for by name."""

    __slots__ = ()


class Float(float):
    """A 32-bit float; its value has been rounded to one."""

    __slots__ = ()


class Char(str):
    """One UTF-16 unit of a text; prints like text, is never equal to one."""

    __slots__ = ()


class EnumName(str):
    """A constant of an enumeration: prints as its name and equals it."""

    __slots__ = ()


class Array(list[Value]):
    """An array of text, as `split` gives: indexable and printable, but no list for most filters."""

    __slots__ = ()


class KeySet(list[Value]):
    """A set that keeps its order, such as the keys of a map."""

    __slots__ = ()


class HashMap(dict[Any, Value]):
    """The map of a literal."""

    __slots__ = ()


class Entry(dict[str, Value]):
    """An entry of a map: `key` and `value`."""

    __slots__ = ()

    def __init__(self, key: Value, value: Value) -> None:
        super().__init__(key=key, value=value)


def wrap64(number: int) -> Long:
    """The low 64 bits as a signed number."""
    if LONG_MIN <= number <= LONG_MAX:
        return Long(number)
    return Long((number - LONG_MIN) % 2**64 + LONG_MIN)


def wrap32(number: int) -> int:
    """The low 32 bits as a signed number."""
    return (number - INT_MIN) % 2**32 + INT_MIN


def is_number(value: Value) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def is_text(value: Value) -> bool:
    """A text proper: neither a character nor a constant of an enumeration."""
    return type(value) is str


def is_map(value: Value) -> bool:
    return isinstance(value, Mapping) and not isinstance(value, Entry)


def is_list(value: Value) -> bool:
    return isinstance(value, (list, tuple)) and not isinstance(value, (Array, KeySet))


def is_collection(value: Value) -> bool:
    """A list or a set; an array is neither."""
    return isinstance(value, (list, tuple, set, frozenset)) and not isinstance(value, Array)


def is_enum(value: Value) -> bool:
    return isinstance(value, EnumName) or (isinstance(value, Enum) and isinstance(value, str))


class Integral:
    """Names of the kinds of numbers, widest last."""

    INTEGER = "java.lang.Integer"
    LONG = "java.lang.Long"
    BIG = "java.math.BigInteger"


def integer_class(value: int) -> str:
    """The class of the original that an integer has."""
    kind = type(value)
    if kind is Long:
        return Integral.LONG
    if kind is BigInteger:
        return Integral.BIG
    if INT_MIN <= value <= INT_MAX:
        return Integral.INTEGER
    return Integral.LONG if LONG_MIN <= value <= LONG_MAX else Integral.BIG


_CLASS_NAMES: dict[type, str] = {
    str: "java.lang.String",
    bool: "java.lang.Boolean",
    float: "java.lang.Double",
    Float: "java.lang.Float",
    Decimal: "java.math.BigDecimal",
    Char: "java.lang.Character",
    bytes: "[B",
    list: "java.util.ArrayList",
    Array: "[Ljava.lang.String;",
    KeySet: "java.util.LinkedHashMap$LinkedKeySet",
    HashMap: "java.util.HashMap",
    Entry: "java.util.LinkedHashMap$Entry",
}


def class_name(value: Value) -> str:
    """The name of the class that the original would hold this value in (filter `className`)."""
    name = _CLASS_NAMES.get(type(value))
    if name is not None:
        return name
    if isinstance(value, int):
        return integer_class(value)
    if isinstance(value, Mapping):
        return "java.util.LinkedHashMap"
    if isinstance(value, (list, tuple)):
        return "java.util.ArrayList"
    if is_enum(value):
        return "java.lang.Enum"
    return f"java.time.{type(value).__name__}"


def java_equals(left: Value, right: Value) -> bool:
    """`equals` of the original: numbers of different classes differ, collections compare deeply."""
    if left is right:
        return True
    if isinstance(left, (Mapping, list, tuple)) and isinstance(right, (Mapping, list, tuple)):
        return _Comparison().equal(left, right)
    return _scalars_equal(left, right)


def _scalars_equal(left: Value, right: Value) -> bool:
    if is_number(left) or isinstance(left, bool):
        return class_name(left) == class_name(right) and _numbers_equal(left, right)
    return type(left) is type(right) and bool(left == right)


def _numbers_equal(left: Value, right: Value) -> bool:
    if isinstance(left, Decimal):
        return bool(left.as_tuple() == right.as_tuple())
    return bool(left == right) or (left != left and right != right)  # noqa: PLR0124 - NaN equals itself


class _Comparison:
    """Deep equality that counts its steps, since a few shared lists can stand for endless data."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_NODES

    def equal(self, left: Value, right: Value) -> bool:
        self.left -= 1
        if self.left < 0:
            raise LimitError("The values are too big to be compared")
        if left is right:
            return True
        if isinstance(left, Mapping) or isinstance(right, Mapping):
            return self._maps(left, right)
        if isinstance(left, (list, tuple)) or isinstance(right, (list, tuple)):
            return self._lists(left, right)
        return _scalars_equal(left, right)

    def _maps(self, left: Value, right: Value) -> bool:
        if not (isinstance(left, Mapping) and isinstance(right, Mapping)):
            return False
        if len(left) != len(right):
            return False
        return all(key in right and self.equal(item, right[key]) for key, item in left.items())

    def _lists(self, left: Value, right: Value) -> bool:
        if isinstance(left, Array) or isinstance(right, Array):
            return False  # arrays are equal only to themselves
        if isinstance(left, KeySet) != isinstance(right, KeySet):
            return False
        if not (isinstance(left, (list, tuple)) and isinstance(right, (list, tuple))):
            return False
        return len(left) == len(right) and all(map(self.equal, left, right))


def to_plain(value: Value) -> Value:
    """Without the marks of this module: what leaves the language (typed rendering, arguments of look-ups)."""
    return LeafMap(_plain_scalar).apply(value)


def _plain_scalar(value: Value) -> Value:
    kind = type(value)
    if kind is str or kind is bool or kind is float or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return str(value) if isinstance(value, (Char, EnumName)) else value


class LeafMap:
    """Applies a function to every value that is no collection; maps and lists are copied, keys through `key`."""

    __slots__ = ("_key", "_leaf", "_left")

    def __init__(
        self, leaf: Callable[[Value], Value], key: Callable[[Value], Value] | None = None
    ) -> None:
        self._leaf = leaf
        self._key = key or _plain_scalar
        self._left = MAX_NODES

    def apply(self, value: Value) -> Value:
        self._left -= 1
        if self._left < 0:
            raise LimitError("The value is too big")
        if isinstance(value, Mapping):
            result: dict[Value, Value] = {}
            for key, item in value.items():
                # If two keys become the same the first wins (02 §2.1).
                result.setdefault(self._key(key), self.apply(item))
            return result
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.apply(item) for item in value]
        return self._leaf(value)


class Loop(Mapping[str, Value]):
    """`loop` inside `for`: `index` from 0, `length`, `first`, `last`, `revindex` down to 0."""

    __slots__ = ("index", "length")

    NAMES = ("index", "length", "first", "last", "revindex")

    def __init__(self, length: int) -> None:
        self.index = 0
        self.length = length

    @override
    def __getitem__(self, name: str) -> Value:
        match name:
            case "index":
                return self.index
            case "length":
                return self.length
            case "first":
                return self.index == 0
            case "last":
                return self.index == self.length - 1
            case "revindex":
                return self.length - 1 - self.index
            case _:
                raise KeyError(name)

    @override
    def __iter__(self) -> Any:
        return iter(self.NAMES)

    @override
    def __len__(self) -> int:
        return len(self.NAMES)


def entry_of(pair: tuple[Value, Value]) -> Entry:
    return Entry(*pair)
