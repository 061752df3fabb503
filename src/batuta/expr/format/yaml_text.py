"""YAML text of values, laid out as the `yaml` filter of the original does (02 §4)."""

import re
from collections.abc import Mapping

from batuta.expr.errors import LimitError
from batuta.expr.format.json_text import json_text, quote
from batuta.expr.format.text import java_text
from batuta.expr.values import MAX_NODES, Value, is_number

_MAX_DEPTH = 100
_RESERVED = frozenset(["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n"])
_INDICATORS = frozenset("-?:,[]{}#&*!|>'\"%@`")
_SPECIAL_INSIDE = re.compile(
    r": |:$| #|[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]|\t"
)


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
                self._scalar(item, indent)

    def _scalar(self, value: Value, indent: int) -> None:
        self._count(indent)
        if isinstance(value, Mapping):
            self.add("{}\n")
        elif _is_sequence(value):
            self.add("[]\n")
        elif not isinstance(value, str):
            self.add(_other(value) + "\n")
        elif "\n" in value and not _SPECIAL_INSIDE.search(
            value.replace("\n", "").replace(": ", "").replace(" #", "")
        ):
            self._block(str(value), indent)
        else:
            self.add(plain_or_quoted(str(value)) + "\n")

    def _block(self, text: str, indent: int) -> None:
        """A literal block; the mark after the bar says how many line breaks end it."""
        chomping = "-"
        if text.endswith("\n"):
            chomping = "+" if text.endswith("\n\n") or text == "\n" else ""
        hint = "2" if text[:1] in {" ", "\n"} else ""
        self.add(f"|{hint}{chomping}\n")
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


def plain_or_quoted(text: str) -> str:
    """A text without quotes where that reads back as text; numbers stay bare, as in the original."""
    if text == "" or text.lower() in _RESERVED or text != text.strip(" \t"):
        return quote(text)
    if "\n" in text or "\r" in text or _SPECIAL_INSIDE.search(text):
        return quote(text)
    first = text[0]
    if first in _INDICATORS and not (first in "-?:" and len(text) > 1 and text[1] not in " ,[]{}"):
        return quote(text)
    if any(mark in text for mark in (", ", "[", "]", "{", "}")) or "," in text:
        return quote(text)
    if text.startswith(("---", "...")):
        return quote(text)
    return text
