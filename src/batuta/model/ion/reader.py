"""Reads Ion text, and with it JSON and JSON lines, value by value."""

import base64
import binascii
import codecs
import re
import sys
from collections.abc import Generator, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from batuta.model.ion.temporal import ANNOTATED, timestamp

MAX_DEPTH = 200

_SPACE = re.compile(r"(?:[ \t\r\n\f\v\ufeff]+|//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/)*")
_FAST_ENTRY = re.compile(
    r"""\s*(?:([A-Za-z_$][A-Za-z0-9_$]*)|"([^"\\\n]*)"|'([^'\\\n]+)')\s*:\s*"""
    r"""(?:"([^"\\\n]*)"|(-?(?:0|[1-9][0-9]*))|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE][+-]?[0-9]+)"""
    r"""|(-?(?:0|[1-9][0-9]*)\.[0-9]*)|(true|false|null))\s*([,}])""",
    re.ASCII,
)
"""A field with a simple value and what follows it: nearly all that our own files hold."""
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*", re.ASCII)
_STRING = re.compile(r'"((?:[^"\\\n]|\\(?:.|\n))*)"', re.DOTALL)
_SYMBOL = re.compile(r"'((?:[^'\\\n]|\\(?:.|\n))*)'", re.DOTALL)
_LONG = re.compile(r"'''((?:[^'\\]|\\.|'(?!''))*)'''", re.DOTALL)
_LOB = re.compile(r"\{\{([^}]*)\}\}")
_TIMESTAMP = re.compile(
    r"\d{4}(?:T|-\d\d(?:T|-\d\d(?:T(?:\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?)?))",
    re.ASCII,
)
_NUMBER = re.compile(
    r"-?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|(?:0|[1-9][0-9_]*)(?:\.[0-9_]*)?(?:[dDeE][+-]?[0-9]+)?)",
    re.ASCII,
)
_INFINITY = re.compile(r"[+-]inf")
_END = re.compile(r"[\s,\]})(\[{\"'/:]|\Z")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r\n|.|\n)", re.DOTALL)
_SIMPLE = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "v": "\v", '"': '"', "'": "'", "?": "?",
    "\\": "\\", "/": "/", "\n": "", "\r\n": "",
}  # fmt: skip
_CONSTANTS: dict[str, Any] = {"null": None, "true": True, "false": False}


class IonError(ValueError):
    """Text that is no Ion. `line` and `column` count from 1."""

    def __init__(self, reason: str, *, line: int, column: int) -> None:
        super().__init__(f"{line}:{column}: {reason}")
        self.reason = reason
        self.line = line
        self.column = column


class _IncompleteError(Exception):
    """The text ends inside a value."""


class _WrongError(Exception):
    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


def read_values(text: str | bytes) -> Iterator[Any]:
    """All top-level values. Raises `IonError`."""
    reader = RowReader()
    yield from reader.feed(text.encode() if isinstance(text, str) else text)
    yield from reader.finish()


def read_one(text: str | bytes) -> Any:
    """The single value of a text. Raises `IonError` for none or several."""
    try:
        content = text if isinstance(text, str) else text.decode()
        parser = _Parser(content)
        value, end = parser.top(parser.skip(0))
        if value is not parser and parser.skip(end) == len(content):
            return value
    except (_IncompleteError, _WrongError, UnicodeDecodeError):  # told with its place below
        pass
    values = list(read_values(text))
    if len(values) != 1:
        raise IonError(f"expected one value, found {len(values)}", line=1, column=1)
    return values[0]


class RowReader:
    """Reads values from chunks as they come; keeps only the unfinished last value."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._rest: list[str] = []
        self._length = 0
        self._enough = 0
        self._line = 1

    def feed(self, chunk: bytes) -> Iterator[Any]:
        """The values that are complete by now. Raises `IonError`."""
        text = self._decode_or_fail(chunk, final=False)
        self._rest.append(text)
        self._length += len(text)
        if "\n" not in text or self._length < self._enough:
            return
        whole = "".join(self._rest)
        ready = whole.rfind("\n") + 1
        used = yield from self._values(whole[:ready], final=False)
        self._keep(whole[used:], waiting=ready - used)

    def finish(self) -> Iterator[Any]:
        """The values that are left at the end. Raises `IonError` when the last one is cut off."""
        text = "".join(self._rest) + self._decode_or_fail(b"", final=True)
        yield from self._values(text, final=True)
        self._keep("", waiting=0)

    def _decode_or_fail(self, chunk: bytes, *, final: bool) -> str:
        try:
            return self._decode(chunk, final)
        except UnicodeDecodeError as error:
            raise IonError(f"no UTF-8 text: {error.reason}", line=self._line, column=1) from error

    def _keep(self, rest: str, *, waiting: int) -> None:
        # A value over many lines is tried again only when the text has doubled: linear, not quadratic.
        self._rest = [rest] if rest else []
        self._length = len(rest)
        self._enough = 2 * waiting

    def _values(self, text: str, *, final: bool) -> Generator[Any, None, int]:
        parser = _Parser(text)
        position = 0
        counted = 0
        try:
            while (start := parser.skip(position)) < len(text):
                self._line += text.count("\n", counted, start)
                counted = start
                value, position = parser.top(start)
                if value is not parser:
                    yield value
        except _IncompleteError:
            if final:
                raise self._error(
                    "the text ends inside a value", text, position=len(text), counted=counted
                ) from None
            return counted
        except _WrongError as wrong:
            raise self._error(
                wrong.reason, text, position=wrong.position, counted=counted
            ) from None
        self._line += text.count("\n", counted)
        return len(text)

    def _error(self, reason: str, text: str, *, position: int, counted: int) -> IonError:
        line = self._line + text.count("\n", counted, position)
        column = position - (text.rfind("\n", 0, position) + 1) + 1
        return IonError(reason, line=line, column=column)


class _Parser:
    """Values at positions of one text; every method returns a value and the position behind it."""

    __slots__ = ("_decode_json", "text")

    def __init__(self, text: str) -> None:
        self.text = text

    def skip(self, position: int) -> int:
        """Behind white space and comments."""
        match = _SPACE.match(self.text, position)
        end = match.end() if match else position
        if self.text.startswith("/*", end):
            raise _IncompleteError
        return end

    def top(self, position: int) -> tuple[Any, int]:
        """A top-level value; the parser itself stands for a version marker."""
        if self.text.startswith("$ion_1_0", position):
            return self, position + len("$ion_1_0")
        if self.text.startswith('{"', position):
            line_end = self.text.find("\n", position)
            if line_end > 0:
                try:
                    return _JSON.decode(self.text[position:line_end]), line_end
                except (ValueError, UnicodeError):  # Ion proper, or several values on the line
                    return self.value(position, 0)
        return self.value(position, 0)

    def value(self, position: int, depth: int) -> tuple[Any, int]:
        if depth > MAX_DEPTH:
            raise _WrongError(f"nested deeper than {MAX_DEPTH}", position)
        position = self.skip(position)
        first = self.text[position : position + 1]
        if not first:
            raise _IncompleteError
        if first == '"':
            return self._quoted(_STRING, position)
        if first == "{":
            return (
                self._lob(position)
                if self.text.startswith("{{", position)
                else self._struct(position, depth)
            )
        if first in "[(":
            return self._list(position, depth)
        if first.isdigit() or first in "-+":
            return self._number(position)
        return self._symbol_or_annotated(position, depth)

    def _struct(self, position: int, depth: int) -> tuple[dict[str, Any], int]:
        result: dict[str, Any] = {}
        text = self.text
        position += 1
        while True:
            while (entry := _FAST_ENTRY.match(text, position)) is not None:
                position = entry.end()
                if _enter(result, entry):
                    return result, position
            position = self.skip(position)
            if text.startswith("}", position):
                return result, position + 1
            name, position = self._field_name(position)
            result[name], position = self.value(position, depth + 1)
            position, closed = self._separator(position, "}")
            if closed:
                return result, position

    def _field_name(self, position: int) -> tuple[str, int]:
        text = self.text
        if not text[position : position + 1]:
            raise _IncompleteError
        if text.startswith("'''", position):
            name, end = self._long(position)
        elif text[position] in "\"'":
            name, end = self._quoted(_STRING if text[position] == '"' else _SYMBOL, position)
        elif (word := _WORD.match(text, position)) is not None:
            name, end = word[0], word.end()
        else:
            raise _WrongError(f"expected a field name, found `{text[position]}`", position)
        end = self.skip(end)
        if not text.startswith(":", end):
            if end >= len(text):
                raise _IncompleteError
            raise _WrongError(f"expected `:` after the field name `{name}`", end)
        return name, end + 1

    def _separator(self, position: int, closing: str) -> tuple[int, bool]:
        position = self.skip(position)
        character = self.text[position : position + 1]
        if character == ",":
            return position + 1, False
        if character == closing:
            return position + 1, True
        if not character:
            raise _IncompleteError
        raise _WrongError(f"expected `,` or `{closing}`, found `{character}`", position)

    def _list(self, position: int, depth: int) -> tuple[list[Any], int]:
        closing = "]" if self.text[position] == "[" else ")"
        result: list[Any] = []
        position += 1
        while True:
            position = self.skip(position)
            if self.text.startswith(closing, position):
                return result, position + 1
            item, position = self.value(position, depth + 1)
            result.append(item)
            if closing == "]":
                position, closed = self._separator(position, closing)
                if closed:
                    return result, position

    def _quoted(self, pattern: re.Pattern[str], position: int) -> tuple[str, int]:
        match = pattern.match(self.text, position)
        if match is None:
            end = self.text.find("\n", position)
            if 0 <= end < len(self.text):
                raise _WrongError("a text is not closed on its line", position)
            raise _IncompleteError
        content = match[1]
        return (self._unescape(content, position) if "\\" in content else content), match.end()

    def _long(self, position: int) -> tuple[str, int]:
        """`'''a''' '''b'''` is one text."""
        parts = []
        end = position
        while self.text.startswith("'''", position):
            match = _LONG.match(self.text, position)
            if match is None:
                raise _IncompleteError
            parts.append(self._unescape(match[1], position))
            end = match.end()
            position = self.skip(end)
        return "".join(parts), end

    def _unescape(self, content: str, position: int) -> str:
        def replace(match: re.Match[str]) -> str:
            code = match[1]
            if len(code) > 1 and code[0] in "xuU":
                number = int(code[1:], 16)
                if number > sys.maxunicode:
                    raise _WrongError(f"`\\{code}` is no character", position)
                return chr(number)
            if code not in _SIMPLE:
                raise _WrongError(f"`\\{code}` is no escape", position)
            return _SIMPLE[code]

        text = _ESCAPE.sub(replace, content)
        if any("\ud800" <= character <= "\udfff" for character in text):
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return text

    def _lob(self, position: int) -> tuple[bytes, int]:
        inner = self.skip(position + 2)
        if self.text[inner : inner + 1] in {'"', "'"}:
            text, end = (
                self._long(inner) if self.text[inner] == "'" else self._quoted(_STRING, inner)
            )
            end = self.skip(end)
            if not self.text.startswith("}}", end):
                raise _WrongError("expected `}}` after the clob", end)
            return text.encode("latin-1", "replace"), end + 2
        match = _LOB.match(self.text, position)
        if match is None:
            raise _IncompleteError
        try:
            return base64.b64decode("".join(match[1].split()), validate=True), match.end()
        except binascii.Error as error:
            raise _WrongError(f"no base64: {error}", position) from error

    def _number(self, position: int) -> tuple[Any, int]:
        text = self.text
        for pattern, convert in (
            (_TIMESTAMP, timestamp),
            (_INFINITY, float),
            (_NUMBER, _to_number),
        ):
            match = pattern.match(text, position)
            if match is not None and _END.match(text, match.end()):
                try:
                    return convert(match[0]), match.end()
                except (ValueError, ArithmeticError) as error:
                    raise _WrongError(str(error), position) from error
        raise _WrongError("no number or timestamp", position)

    def _symbol_or_annotated(self, position: int, depth: int) -> tuple[Any, int]:
        text = self.text
        word = _WORD.match(text, position)
        if text.startswith("'''", position):
            return self._long(position)
        if word is not None:
            name, end = word[0], word.end()
        elif text.startswith("'", position):
            name, end = self._quoted(_SYMBOL, position)
        else:
            raise _WrongError(f"`{text[position]}` starts no value", position)
        behind = self.skip(end)
        if text.startswith("::", behind):
            value, after = self.value(behind + 2, depth + 1)
            return self._annotated(name, value, position), after
        if word is None:
            return name, end
        return self._constant(name, end)

    def _annotated(self, name: str, value: Any, position: int) -> Any:
        read = ANNOTATED.get(name)
        if read is None or not isinstance(value, str):
            return value
        try:
            return read(value)
        except ValueError as error:
            raise _WrongError(f"no {name}: {error}", position) from error

    def _constant(self, name: str, end: int) -> tuple[Any, int]:
        if name in _CONSTANTS:
            typed = _WORD.match(self.text, end + 1) if self.text.startswith(".", end) else None
            return _CONSTANTS[name], (typed.end() if typed and name == "null" else end)
        return (float("nan") if name == "nan" else name), end


def _enter(result: dict[str, Any], entry: re.Match[str]) -> bool:
    """Take a simple field into the struct; whether the struct ends behind it."""
    word, quoted, symbol, text, integer, floating, decimal, constant, end = entry.groups()
    name = word or symbol or quoted or ""
    if text is not None:
        result[name] = text
    elif integer is not None:
        result[name] = int(integer)
    elif floating is not None:
        result[name] = float(floating)
    elif decimal is not None:
        result[name] = Decimal(decimal)
    else:
        result[name] = _CONSTANTS[constant]
    return end == "}"


def _to_number(text: str) -> int | float | Decimal:
    text = text.replace("_", "").lower()
    if "x" in text or "b" in text[:3]:
        return int(text, 0)
    if "e" in text:
        return float(text)
    if "." in text or "d" in text:
        return Decimal(text.replace("d", "e"))
    return int(text)


def _json_number(text: str) -> float | Decimal:
    return float(text) if "e" in text or "E" in text else Decimal(text)


_JSON = msgspec.json.Decoder(float_hook=_json_number)
