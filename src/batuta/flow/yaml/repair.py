"""Rewrites what the original reads and libyaml refuses, so that the rest of the document keeps its places.

Called only after libyaml failed; each step repairs one place, and the text is read again.
"""

import re
from itertools import product
from string import ascii_letters, digits
from typing import Any

import yaml

MAX_REPAIRS = 32

_NAME = re.compile(r"[^\s:,\]}]+")
_REFUSED_IN_NAME = frozenset("./*&[{")
_LOW = r"[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATES = re.compile(rf"\\u([dD][89abAB][0-9a-fA-F]{{2}})\\u({_LOW})")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_PREFIX = re.compile(r" *(?:- +)*")
_ALPHABET = ascii_letters + digits


def repaired(text: str, error: yaml.MarkedYAMLError) -> str | None:
    """The text without the construct that `error` stumbled over, or None when it is wrong for the original too."""
    problem = error.problem or ""
    context = error.context or ""
    start: Any = error.context_mark or error.problem_mark
    if "incompatible YAML document" in problem:
        return re.sub(r"(?m)^%YAML 1\.\d", "%YAML 1.1", text, count=1)
    if "unknown directive name" in problem:
        line = _line_start(text, start.index)
        return f"{text[:line]}#{text[line + 1 :]}" if text[line : line + 1] == "%" else None
    if "anchor" in context or "alias" in context:
        return _without_odd_name(text, start.index)
    if "invalid Unicode character escape" in problem:
        return _without_surrogates(text, start.index)
    if "tab character where an indentation space" in problem:
        return _with_indicator(text, start, error.problem_mark)
    return None


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1


def _without_odd_name(text: str, offset: int) -> str | None:
    if text[offset : offset + 1] not in {"&", "*"}:
        return None
    match = _NAME.match(text, offset + 1)
    if match is None or _REFUSED_IN_NAME & set(match.group()):
        return None
    name = match.group()
    for letters in product(_ALPHABET, repeat=min(len(name), 3)):
        fresh = "".join(letters).ljust(len(name), "0")
        if f"&{fresh}" not in text and f"*{fresh}" not in text:
            return re.sub(rf"([&*]){re.escape(name)}(?=[\s:,\]}}]|$)", rf"\g<1>{fresh}", text)
    return None


def _without_surrogates(text: str, offset: int) -> str | None:
    def joined(match: re.Match[str]) -> str:
        high, low = int(match[1], 16), int(match[2], 16)
        return f"\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08X}"

    quoted = _QUOTED.match(text, offset)
    if quoted is None:
        return None
    inside, count = _SURROGATES.subn(joined, quoted.group())
    return text[:offset] + inside + text[quoted.end() :] if count else None


def _with_indicator(text: str, header: Any, tab: Any) -> str | None:
    """Tell a block scalar its indentation, which libyaml does not find before a tab."""
    line = text[_line_start(text, header.index) : header.index]
    match = _PREFIX.match(line)
    prefix = match.group() if match is not None else ""
    parent = len(prefix) if line[len(prefix) :].strip() else prefix.rfind("-")
    width = tab.column - max(parent, 0)
    if not 1 <= width <= 9 or text[header.index + 1 : header.index + 2].isdigit():  # noqa: PLR2004 - one digit
        return None
    return f"{text[: header.index + 1]}{width}{text[header.index + 1 :]}"
