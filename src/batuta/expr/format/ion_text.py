"""Ion text of values, written and read (02 §4 `toIon`, §5 `fromIon`)."""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from decimal import Decimal

from batuta.expr.errors import LimitError
from batuta.expr.format.json_text import quote
from batuta.expr.format.text import java_text
from batuta.expr.values import MAX_NODES, Value, is_number

_MAX_DEPTH = 100
_SYMBOL = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*", re.ASCII)
_KEYWORDS = frozenset(("null", "true", "false", "nan"))
_BLANKS = re.compile(r"(?:[ \t\r\n\f\v]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(
    r"-?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*(?:\.[0-9_]*)?(?:([eEdD])[+-]?[0-9]{1,6})?)",
    re.ASCII,
)
_TIMESTAMP = re.compile(
    r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?"
    r"(?:T(?:[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2}))?)?",
    re.ASCII,
)
_ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0",
    '"': '"', "'": "'", "\\": "\\", "/": "/", "?": "?", "\n": "",
}  # fmt: skip
_HEX_ESCAPES = {"x": 2, "u": 4, "U": 8}


def ion_text(value: Value) -> str:
    """Compact Ion text."""
    pieces: list[str] = []
    _Writer(pieces).write(value, 0)
    return "".join(pieces)


class _Writer:
    __slots__ = ("add", "left")

    def __init__(self, pieces: list[str]) -> None:
        self.add = pieces.append
        self.left = MAX_NODES

    def write(self, value: Value, depth: int) -> None:
        self.left -= 1
        if self.left < 0 or depth > _MAX_DEPTH:
            raise LimitError("The value is too big to be written as Ion")
        if isinstance(value, Mapping):
            for index, (key, item) in enumerate(value.items()):
                self.add("," if index else "{")
                self.add(_symbol(java_text(key)) + ":")
                self.write(item, depth + 1)
            self.add("}" if value else "{}")
        elif isinstance(value, (list, tuple, set, frozenset)):
            for index, item in enumerate(value):
                self.add("," if index else "[")
                self.write(item, depth + 1)
            self.add("]" if value else "[]")
        else:
            self.add(_scalar(value))


def _symbol(name: str) -> str:
    if _SYMBOL.fullmatch(name) and name not in _KEYWORDS:
        return name
    return "'" + quote(name)[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def _scalar(value: Value) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(value):
        return _number(value)
    if isinstance(value, bytes):
        return "{{" + b64encode(value).decode() + "}}"
    return quote(java_text(value))


def _number(value: Value) -> str:
    if isinstance(value, float):
        return _float(value)
    return java_text(value).replace("E", "d")


def _float(value: float) -> str:
    text = java_text(value)
    special = {"NaN": "nan", "Infinity": "+inf", "-Infinity": "-inf"}.get(text)
    if special is not None:
        return special
    return text.replace("E", "e") if "E" in text else f"{text}e0"


def read_ion(text: str) -> Value:
    """The first value of an Ion text; symbols and timestamps become texts. Raises `ValueError`."""
    return _Reader(text).read()


class _Reader:
    __slots__ = ("depth", "pos", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0
        self.depth = 0

    def read(self) -> Value:
        self._skip()
        char = self._peek()
        if char == "":
            raise ValueError("unexpected end of Ion text")
        reader = _READERS.get(char)
        return reader(self) if reader is not None else self._word()

    def _peek(self) -> str:
        return self.text[self.pos : self.pos + 1]

    def _skip(self) -> None:
        match = _BLANKS.match(self.text, self.pos)
        self.pos = self.pos if match is None else match.end()

    def _open(self) -> None:
        self.pos += 1
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")

    def _closes(self, symbol: str) -> bool:
        self._skip()
        if self._peek() != symbol:
            return False
        self.pos += 1
        self.depth -= 1
        return True

    def struct(self) -> Value:
        if self.text.startswith("{{", self.pos):
            return self._lob()
        self._open()
        result: dict[str, Value] = {}
        while not self._closes("}"):
            name = self._field_name()
            result[name] = self.read()
            self._separator("}")
        return result

    def _field_name(self) -> str:
        char = self._peek()
        if char in {"'", '"'}:
            name = str(self._quoted())
        else:
            match = _SYMBOL.match(self.text, self.pos)
            if match is None:
                raise ValueError(f"a field name is missing at {self.pos}")
            name = match[0]
            self.pos = match.end()
        self._skip()
        if self._peek() != ":":
            raise ValueError(f"a colon is missing at {self.pos}")
        self.pos += 1
        return name

    def _separator(self, closing: str) -> None:
        self._skip()
        if self._peek() == ",":
            self.pos += 1
        elif self._peek() != closing:
            raise ValueError(f"`,` or `{closing}` is missing at {self.pos}")

    def items(self) -> Value:
        self._open()
        result: list[Value] = []
        while not self._closes("]"):
            result.append(self.read())
            self._separator("]")
        return result

    def expression(self) -> Value:
        self._open()
        result: list[Value] = []
        while not self._closes(")"):
            result.append(self.read())
        return result

    def _lob(self) -> Value:
        end = self.text.find("}}", self.pos)
        if end < 0:
            raise ValueError("unclosed blob")
        body = self.text[self.pos + 2 : end].strip()
        self.pos = end + 2
        if body.startswith('"'):
            return str(_Reader(body).read()).encode("latin-1", "replace")
        return b64decode("".join(body.split()), validate=True)

    def _quoted(self) -> Value:
        mark = self._peek()
        self.pos += 1
        result: list[str] = []
        while True:
            char = self._peek()
            self.pos += 1
            if char == mark:
                return "".join(result)
            if char in {"", "\n"}:
                raise ValueError("unclosed text")
            result.append(self._escape() if char == "\\" else char)

    def _escape(self) -> str:
        char = self._peek()
        self.pos += 1
        length = _HEX_ESCAPES.get(char)
        if length is not None:
            digits = self.text[self.pos : self.pos + length]
            self.pos += length
            return chr(int(digits, 16))
        if char not in _ESCAPES:
            raise ValueError(f"bad escape \\{char}")
        return _ESCAPES[char]

    def text_value(self) -> Value:
        value = self._quoted()
        return self._after_annotation(value)

    def symbol(self) -> Value:
        if self.text.startswith("'''", self.pos):
            return self._long_text()
        return self._after_annotation(self._quoted())

    def _after_annotation(self, value: Value) -> Value:
        start = self.pos
        self._skip()
        if self.text.startswith("::", self.pos):
            self.pos += 2
            return self.read()
        self.pos = start
        return value

    def _long_text(self) -> Value:
        result = ""
        while self.text.startswith("'''", self.pos):
            end = self.text.find("'''", self.pos + 3)
            if end < 0:
                raise ValueError("unclosed text")
            result += self.text[self.pos + 3 : end]
            self.pos = end + 3
            self._skip()
        return result

    def _word(self) -> Value:
        timestamp = _TIMESTAMP.match(self.text, self.pos)
        if timestamp is not None and ("-" in timestamp[0] or "T" in timestamp[0]):
            self.pos = timestamp.end()
            return timestamp[0].removesuffix("T") if timestamp[0].endswith("T") else timestamp[0]
        number = _NUMBER.match(self.text, self.pos)
        if number is not None:
            self.pos = number.end()
            return _read_number(number[0], number[1])
        match = re.compile(r"[+-]inf|[A-Za-z_$][A-Za-z0-9_$]*(?:\.[a-z]+)?", re.ASCII).match(
            self.text, self.pos
        )
        if match is None:
            raise ValueError(f"unexpected character {self._peek()!r} at {self.pos}")
        self.pos = match.end()
        return self._named(match[0])

    def _named(self, word: str) -> Value:
        if word == "null" or word.startswith("null."):
            return None
        known = {
            "true": True,
            "false": False,
            "nan": float("nan"),
            "+inf": float("inf"),
            "-inf": float("-inf"),
        }
        if word in known:
            return known[word]
        return self._after_annotation(word)


_READERS: dict[str, Callable[[_Reader], Value]] = {
    "{": _Reader.struct,
    "[": _Reader.items,
    "(": _Reader.expression,
    '"': _Reader.text_value,
    "'": _Reader.symbol,
}


def _read_number(text: str, exponent: str | None) -> Value:
    digits = text.replace("_", "")
    if exponent in {"e", "E"}:
        return float(digits)
    if exponent is not None:
        return Decimal(digits.lower().replace("d", "E"))
    if "x" in digits.lower():
        return int(digits, 16)
    if "b" in digits.lower():
        return int(digits, 2)
    if "." in digits:
        return Decimal(digits if digits[-1] != "." else digits[:-1])
    return int(digits)
