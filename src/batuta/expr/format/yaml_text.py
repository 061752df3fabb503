"""YAML text of values, laid out as the `yaml` filter of the original does (02 §4)."""

import re
from collections.abc import Mapping

from batuta.expr.errors import LimitError
from batuta.expr.format.json_text import json_text
from batuta.expr.format.text import java_text
from batuta.expr.values import MAX_NODES, Value, is_number

_MAX_DEPTH = 100
_RESERVED = frozenset(
    form
    for word in ("false", "n", "no", "null", "on", "off", "true", "y", "yes")
    for form in (word, word.capitalize(), word.upper())
)
_QUOTED = re.compile(r"[\[\]{},]|:(?:[ \t]|$)|(?:^|[ \t])#")
"""What the original quotes before it looks closer."""
_INDICATORS = frozenset("#,[]{}&*!|>'\"%@`")
_SPECIAL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]| \n")
_ESCAPES = {
    "\0": "0", "\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", "\x1b": "e",
    '"': '"', "\\": "\\", "\x85": "N", "\xa0": "_", "\u2028": "L", "\u2029": "P",
}  # fmt: skip


def yaml_text(value: Value) -> str:
    """One document without marker, ending with a line break."""
    if value == "" and isinstance(value, str):
        return '--- ""\n'
    lines: list[str] = []
    _Writer(lines).document(value)
    return "".join(lines)


class _Writer:
    __slots__ = ("add", "left")

    def __init__(self, pieces: list[str]) -> None:
        self.add = pieces.append
        self.left = MAX_NODES

    def document(self, value: Value) -> None:
        if isinstance(value, Mapping) and value:
            self._map(value, 0)
        elif _is_sequence(value) and value:
            self._list(value, 1)
        else:
            self._scalar(value, 0)

    def _count(self, indent: int) -> None:
        self.left -= 1
        if self.left < 0 or indent > _MAX_DEPTH * 2:
            raise LimitError("The value is too big to be written as YAML")

    def _map(self, value: Mapping[Value, Value], indent: int) -> None:
        self._count(indent)
        for key, item in value.items():
            self.add(" " * indent + plain_or_quoted(java_text(key)) + ":")
            if isinstance(item, Mapping) and item:
                self.add("\n")
                self._map(item, indent + 2)
            elif _is_sequence(item) and item:
                self.add("\n")
                self._list(item, indent + 1)
            else:
                self.add(" ")
                self._scalar(item, indent)

    def _list(self, value: Value, indent: int) -> None:
        self._count(indent)
        for item in value:
            self.add(" " * indent + "-")
            if isinstance(item, Mapping) and item:
                self.add("\n")
                self._map(item, indent + 1)
            elif _is_sequence(item) and item:
                self.add("\n")
                self._list(item, indent + 2)
            else:
                self.add(" ")
                self._scalar(item, indent - 1)

    def _scalar(self, value: Value, indent: int) -> None:
        self._count(indent)
        if isinstance(value, Mapping):
            self.add("{}\n")
        elif _is_sequence(value):
            self.add("[]\n")
        elif not isinstance(value, str):
            self.add(_other(value) + "\n")
        elif "\n" in value and _may_be_block(value):
            self._block(str(value), indent)
        else:
            self.add(plain_or_quoted(str(value)) + "\n")

    def _block(self, text: str, indent: int) -> None:
        """A literal block; the mark after the bar says how many line breaks end it."""
        chomping = "-"
        if text.endswith("\n"):
            chomping = "+" if text.endswith("\n\n") else ""
        self.add(f"|{chomping}\n")
        body = text.removesuffix("\n")
        for line in body.split("\n"):
            self.add((" " * (indent + 2) + line if line else "") + "\n")


def _is_sequence(value: Value) -> bool:
    return isinstance(value, (list, tuple, set, frozenset))


def _other(value: Value) -> str:
    if value is None or isinstance(value, bool) or is_number(value):
        return json_text(value).strip('"')
    text = json_text(value)
    return plain_or_quoted(text[1:-1]) if text.startswith('"') else text


def _may_be_block(text: str) -> bool:
    if text[0] in " \n":
        return False  # a block would need an indentation mark, which readers misjudge inside lists
    return not _needs_double(text) and not _SPECIAL.search(text) and not text.endswith(" ")


def _needs_double(text: str) -> bool:
    return text == "" or text[0] == "~" or text in _RESERVED or _QUOTED.search(text) is not None


def plain_or_quoted(text: str) -> str:
    """A text without quotes where that reads back as text; numbers stay bare, as in the original."""
    if _needs_double(text) or _SPECIAL.search(text) or "\n" in text:
        return _double(text)
    return text if _is_plain(text) else "'" + text.replace("'", "''") + "'"


def _double(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return f"\\{_ESCAPES[char]}"
    return f"\\x{ord(char):02x}" if char < " " or char == "\x7f" else char


def _is_plain(text: str) -> bool:
    if text != text.strip(" ") or text.startswith(("---", "...")):
        return False
    first, following = text[0], text[1:2]
    if first in "-?:" and following in {"", " "}:
        return False
    return first not in _INDICATORS
