"""jq text to tokens: `(kind, text)`; the parts of a text with `\\(…)` are lists of tokens."""

import re
from typing import Any

from batuta.expr.jq.errors import JqError

_TOKEN = re.compile(
    r"(?>(?:[ \t\r\n]|\#[^\n]*)*)(?:"
    r"(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r'|(?P<field>\.[A-Za-z_][A-Za-z0-9_]*)|(?P<textfield>\.(?="))'
    r"|(?P<variable>\$[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)?)"
    r"|(?P<format>@[A-Za-z0-9_]+)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)*)"
    r"|(?P<symbol>\?//|//=|\|=|\+=|-=|\*=|/=|%=|==|!=|<=|>=|//|\.\.|[.\[\](){}|,:;=<>+\-*/%?])"
    r'|(?P<quote>")'
    r")"
)
_BLANK = re.compile(r"(?:[ \t\r\n]|\#[^\n]*)*")
_PART = re.compile(r'[^"\\]*')
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "/": "/", "\\": "\\", '"': '"'}


def tokens(text: str) -> list[Any]:
    tokens, position = _read(text, 0, closing="")
    if position != len(text):
        raise JqError(f"unexpected character at {position}")
    return tokens


def _read(text: str, position: int, *, closing: str) -> tuple[list[Any], int]:
    """Tokens up to the end, or up to the bracket that closes an interpolation."""
    tokens: list[Any] = []
    depth = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            end = _BLANK.match(text, position)
            tokens.append(("end", ""))
            return tokens, end.end() if end is not None else position
        kind = str(match.lastgroup)
        value = match[kind]
        position = match.end()
        if kind == "quote":
            parts, position = _text(text, position)
            tokens.append(("text", parts))
            continue
        if kind == "symbol" and closing:
            depth += (value == "(") - (value == ")")
            if depth < 0:
                tokens.append(("end", ""))
                return tokens, position
        tokens.append((kind, value))


def _text(text: str, position: int) -> tuple[list[Any], int]:
    """Literal parts and the token lists of `\\(…)` parts."""
    parts: list[Any] = [""]
    while True:
        match = _PART.match(text, position)
        literal = "" if match is None else match[0]
        parts[-1] += literal
        position += len(literal)
        if text.startswith('"', position):
            return parts, position + 1
        escape = text[position + 1 : position + 2]
        position += 2
        if escape == "(":
            inner, position = _read(text, position, closing=")")
            parts += [inner, ""]
        elif escape == "u":
            parts[-1] += _unicode(text[position : position + 4])
            position += 4
        elif escape in _ESCAPES and escape:
            parts[-1] += _ESCAPES[escape]
        else:
            raise JqError("bad text")


def _unicode(digits: str) -> str:
    try:
        return chr(int(digits, 16))
    except ValueError:
        raise JqError("bad escape in a text") from None
