"""Plain data as YAML text that our reader, and any other, reads back the same."""

import json
import re
from collections.abc import Mapping
from typing import Any

from batuta.flow.yaml.scalar import ScalarError, plain_value

STEP = 2
_PLAIN = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_/.+@ -]*[A-Za-z0-9_/.]|[A-Za-z0-9_/.]", re.ASCII)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")
_AMBIGUOUS = frozenset({"y", "Y", "n", "N"})
"""Booleans for other readers of YAML 1.1."""


def emit(value: Any, indent: int = 0) -> str:
    """The text behind a colon or dash whose owner stands at column `indent`; blocks begin on the next line."""
    if isinstance(value, Mapping) and value:
        return "\n" + block(value, indent + STEP)
    if isinstance(value, list) and value:
        return "\n" + block(value, indent + STEP)
    return scalar(value, indent)


def block(value: Any, indent: int) -> str:
    """A map or list as lines at column `indent`, without a line end behind the last one."""
    pad = " " * indent
    if isinstance(value, Mapping):
        return "\n".join(_entry(str(key), item, indent) for key, item in value.items())
    return "\n".join(f"{pad}- {_item(item, indent + STEP)}" for item in value)


def _entry(key: str, value: Any, indent: int) -> str:
    text = emit(value, indent)
    return f"{' ' * indent}{flow(key)}:{'' if text.startswith(chr(10)) else ' '}{text}"


def _item(value: Any, indent: int) -> str:
    if isinstance(value, Mapping | list) and value:
        return block(value, indent).lstrip(" ")
    return scalar(value, indent - STEP)


def scalar(value: Any, indent: int) -> str:
    """A text of several lines becomes a block scalar where that keeps it as it is."""
    if isinstance(value, str) and "\n" in value and _fits_block(value):
        pad = " " * (indent + STEP)
        chomp = "" if value.endswith("\n") else "-"
        lines = value.removesuffix("\n").split("\n")
        return "\n".join([f"|{chomp}", *(f"{pad}{line}" if line else "" for line in lines)])
    return flow(value)


def _fits_block(text: str) -> bool:
    return (
        not text.endswith("\n\n")
        and bool(text.strip())
        and not text.startswith((" ", "\n", "\t"))
        and _CONTROL.search(text) is None
    )


def flow(value: Any) -> str:
    """In one line."""
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{flow(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    if isinstance(value, str) and _is_plain(value):
        return value
    if isinstance(value, str):
        return _CONTROL.sub(
            lambda match: f"\\u{ord(match.group()):04x}", json.dumps(value, ensure_ascii=False)
        )
    return json.dumps(value)


def _is_plain(text: str) -> bool:
    if not _PLAIN.fullmatch(text) or text in _AMBIGUOUS or " -" in text:
        return False
    try:
        return plain_value(text) == text and isinstance(plain_value(text), str)
    except ScalarError:
        return False
