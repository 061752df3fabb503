"""Printed form and Java text of values (02 §2.2).

`printed` is what `{{ … }}` writes, `java_text` what a value becomes when anything else turns it into text
(`~`, `+` with a text, `join`, macros). They differ for collections, big decimals and null.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from batuta.expr.errors import LimitError, RuntimeFaultError
from batuta.expr.format.json_text import MAX_DEPTH, json_text
from batuta.expr.format.number_text import decimal_text, double_text, float_text, plain_decimal
from batuta.expr.temporal.python import from_python
from batuta.expr.values import (
    CHARS_PER_NODE,
    MAX_NODES,
    Array,
    BigInteger,
    Char,
    Entry,
    EnumName,
    Float,
    Long,
    Value,
)

Writer = Callable[[Any], str]


class _Writers(dict[type, Writer]):
    """Writers by type; a type that is not listed gets one on first use, by what it is."""

    def __init__(self, writers: dict[type, Writer], collection: Writer) -> None:
        super().__init__(writers)
        self._collection = collection

    def __missing__(self, kind: type) -> Writer:
        writer = _writer_for(kind, self._collection)
        self[kind] = writer
        return writer


def _writer_for(kind: type, collection: Writer) -> Writer:
    if issubclass(kind, (Mapping, list, tuple, set, frozenset)):
        return collection
    if issubclass(kind, (datetime, date, timedelta)):
        return _python_moment_text
    if issubclass(kind, (str, int)):
        return kind.__str__
    if kind.__module__.startswith("batuta.expr."):
        return str
    return _unknown


def _unknown(value: object) -> str:
    raise RuntimeFaultError(f"A value of type {type(value).__name__} has no text")


def _python_moment_text(value: Any) -> str:
    return str(from_python(value))


def _null_text(_: object) -> str:
    return "null"


def _nothing(_: object) -> str:
    return ""


def _boolean_text(value: object) -> str:
    return "true" if value else "false"


def _bytes_text(value: bytes) -> str:
    return f"[B@{len(value):x}"


def collection_text(value: Value) -> str:
    """`[a, b]`, `{k=v}`."""
    pieces: list[str] = []
    _CollectionWriter(pieces).write(value, 0)
    return "".join(pieces)


class _CollectionWriter:
    """Counts what it writes, since a few shared lists can stand for an endless text."""

    __slots__ = ("add", "left")

    def __init__(self, pieces: list[str]) -> None:
        self.add = pieces.append
        self.left = MAX_NODES

    def write(self, value: Value, depth: int) -> None:
        self.left -= 1
        if self.left < 0 or depth > MAX_DEPTH:
            raise LimitError("The value is too big to be written as text")
        if isinstance(value, Entry):
            self._pair(value["key"], value["value"], depth)
        elif isinstance(value, Mapping):
            self.add("{")
            for index, (key, item) in enumerate(value.items()):
                self.add(", " if index else "")
                self._pair(key, item, depth)
            self.add("}")
        elif isinstance(value, Array):
            self.add(f"[Ljava.lang.String;@{len(value):x}")
        elif isinstance(value, (list, tuple, set, frozenset)):
            self.add("[")
            for index, item in enumerate(value):
                self.add(", " if index else "")
                self.write(item, depth + 1)
            self.add("]")
        else:
            text = java_text(value)
            self.left -= len(text) // CHARS_PER_NODE
            self.add(text)

    def _pair(self, key: Value, item: Value, depth: int) -> None:
        self.write(key, depth + 1)
        self.add("=")
        self.write(item, depth + 1)


_SCALARS: dict[type, Writer] = {
    str: str,
    bool: _boolean_text,
    int: str,
    Long: str,
    BigInteger: str,
    float: double_text,
    Float: float_text,
    Char: str.__str__,
    EnumName: str.__str__,
}
JAVA = _Writers(
    {
        **_SCALARS,
        type(None): _null_text,
        Decimal: decimal_text,
        bytes: _bytes_text,
        dict: collection_text,
        list: collection_text,
    },
    collection_text,
)
JAVA_PRINTED = _Writers(
    {**JAVA, type(None): _nothing, Decimal: plain_decimal},
    collection_text,
)
"""For `{{ … }}` inside macros, blocks printed again and filter bodies (02 §2.2)."""
PRINTED = _Writers(
    {
        **_SCALARS,
        type(None): _nothing,
        Decimal: plain_decimal,
        bytes: json_text,
        dict: json_text,
        list: json_text,
        Entry: collection_text,
    },
    json_text,
)


def java_text(value: Value) -> str:
    """Java's `String.valueOf`."""
    return JAVA[type(value)](value)


def printed(value: Value) -> str:
    """What `{{ value }}` writes."""
    return PRINTED[type(value)](value)
