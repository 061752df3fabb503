"""Cuts a file of lines into parts (05 §18.9)."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import BinaryIO

import msgspec

from batuta.expr.errors import ExpressionError
from batuta.expr.regex import compile_java
from batuta.plugins.core.storage.source import lines_of

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)i?b?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_MAX_OPEN = 128
_SECONDS_PER_LINE = 2.0


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """How to cut: the first of `pattern`, `size`, `partitions` and `rows` that is given counts."""

    pattern: str | None = None
    size: int | None = None
    partitions: int | None = None
    rows: int | None = None
    separator: bytes = b"\n"


def parse_size(text: str) -> int:
    """Bytes of `10MB`, `200 kB`, `1024`; units count by 1024. Raises `ValueError`."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"`{text}` is no size such as 1024, 200KB or 10MB")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def cut_file(source: Path, folder: Path, how: Cut) -> list[Path]:
    """Write the parts into a folder, in order. Raises `ValueError` when nothing says how to cut."""
    if how.pattern is not None:
        return _deal(source, folder, key_of=_by_pattern(how.pattern), separator=how.separator)
    if how.size is not None:
        return _fill(source, folder, how=how, is_full=lambda _, size: size >= (how.size or 0))
    if how.partitions is not None:
        if how.partitions < 1:
            raise ValueError("partitions must be at least 1")
        return _deal(source, folder, key_of=_round_robin(how.partitions), separator=how.separator)
    if how.rows is not None:
        return _fill(source, folder, how=how, is_full=lambda rows, _: rows >= (how.rows or 0))
    raise ValueError("Invalid configuration with no size, count, rows, nor regexPattern")


def _fill(
    source: Path, folder: Path, *, how: Cut, is_full: Callable[[int, int], bool]
) -> list[Path]:
    """A new part begins when the present one is full before a line is written."""
    parts: list[Path] = []
    rows = size = 0
    with ExitStack() as stack:
        out: BinaryIO | None = None
        for line in lines_of(source):
            if out is None or is_full(rows, size):
                stack.close()
                parts.append(folder / f"part-{len(parts)}")
                out = stack.enter_context(parts[-1].open("wb"))
                rows = size = 0
            size += out.write(line + how.separator)
            rows += 1
    return parts


def _deal(
    source: Path, folder: Path, *, key_of: Callable[[bytes], object], separator: bytes
) -> list[Path]:
    """Each line to the part of its key; keys in the order of their first line."""
    parts: dict[object, Path] = {}
    opened: dict[object, BinaryIO] = {}
    with ExitStack() as stack:
        for line in lines_of(source):
            key = key_of(line)
            if key is None:
                continue
            out = opened.get(key)
            if out is None:
                if len(opened) >= _MAX_OPEN:
                    stack.close()
                    opened.clear()
                path = parts.setdefault(key, folder / f"part-{len(parts)}")
                out = opened[key] = stack.enter_context(path.open("ab"))
            out.write(line + separator)
    return list(parts.values())


def _by_pattern(pattern: str) -> Callable[[bytes], object]:
    """The first group of the expression; lines that do not match are dropped."""
    try:
        compiled = compile_java(pattern)
    except ExpressionError as error:
        raise ValueError(str(error)) from error

    def key_of(line: bytes) -> object:
        try:
            match = compiled.search(line.decode("utf-8", "replace"), timeout=_SECONDS_PER_LINE)
        except TimeoutError as error:
            raise ValueError(f"`{pattern}` takes too long") from error
        return None if match is None else match[min(1, compiled.groups)]

    return key_of


def _round_robin(partitions: int) -> Callable[[bytes], object]:
    numbers: Iterator[int] = count()
    return lambda _: next(numbers) % partitions
