"""Regular expressions of jq, on the engine of `batuta.expr.regex`."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import regex

from batuta.expr.errors import ExpressionError
from batuta.expr.jq.errors import JqError, JqLimitError
from batuta.expr.jq.value import MAX_TEXT, type_name
from batuta.expr.regex import Deadline, translated
from batuta.expr.values import Value

_FLAGS = {
    "i": regex.IGNORECASE,
    "x": regex.VERBOSE,
    "s": regex.DOTALL,
    "p": regex.DOTALL | regex.MULTILINE,
    "n": 0,
    "l": 0,
    "g": 0,
}


@lru_cache(maxsize=256)
def _compile(pattern: str, flags: str) -> Any:
    options = regex.VERSION1
    for flag in flags:
        if flag not in _FLAGS:
            raise JqError(f"{flags} is not a valid modifier string")
        options |= _FLAGS[flag]
    try:
        return regex.compile(translated(pattern), options)
    except (regex.error, ValueError, OverflowError, RecursionError) as problem:
        raise JqError(f"{pattern} (at offset 0) is not a valid regex: {problem}") from None


def _found(value: Value, pattern: Value, flags: str) -> Iterator[Any]:
    if not isinstance(value, str) or not isinstance(pattern, str):
        wrong = pattern if isinstance(value, str) else value
        raise JqError(f"{type_name(wrong)} cannot be matched, as it is not a string")
    compiled = _compile(pattern, flags)
    try:
        with Deadline() as timeout:
            for match in compiled.finditer(value, timeout=timeout):
                if "n" in flags and match.start() == match.end():
                    continue
                yield match
                if "g" not in flags:
                    return
    except ExpressionError as problem:
        raise JqLimitError(problem.detail) from None


def tests(value: Value, pattern: Value, flags: str) -> bool:
    return next(_found(value, pattern, flags), None) is not None


def matches(value: Value, pattern: Value, flags: str) -> list[Value]:
    """Objects with `offset`, `length`, `string` and `captures`."""
    return [_described(match) for match in _found(value, pattern, flags)]


def _described(match: Any) -> Value:
    names = {index: name for name, index in match.re.groupindex.items()}
    captures = [
        {
            "offset": match.start(index),
            "length": match.end(index) - match.start(index),
            "string": match[index],
            "name": names.get(index),
        }
        for index in range(1, match.re.groups + 1)
    ]
    return {
        "offset": match.start(),
        "length": match.end() - match.start(),
        "string": match[0],
        "captures": captures,
    }


def captured(value: Value, pattern: Value, flags: str) -> list[Value]:
    """Named groups of every match."""
    return [match.groupdict() for match in _found(value, pattern, flags)]


def scanned(value: Value, pattern: Value, flags: str) -> list[Value]:
    """Texts of every match, or lists of its groups."""
    return [
        list(match.groups()) if match.re.groups else match[0]
        for match in _found(value, pattern, flags + "g")
    ]


def parts(value: Value, pattern: Value, flags: str) -> list[Value]:
    """What is between matches."""
    result: list[Value] = []
    position = 0
    for match in _found(value, pattern, flags + "g"):
        result.append(value[position : match.start()])
        position = match.end()
    return [*result, value[position:]]


def replaced(
    value: Value, pattern: Value, flags: str, *, insert: Callable[[Value], Value]
) -> Value:
    """Matches replaced by what a program gives for their named groups."""
    pieces: list[str] = []
    position = size = 0
    for match in _found(value, pattern, flags):
        new = insert(match.groupdict())
        if not isinstance(new, str):
            raise JqError(f"{type_name(new)} cannot be added to a string")
        pieces += (value[position : match.start()], new)
        position = match.end()
        size += len(new)
        if size > MAX_TEXT:
            raise JqLimitError("the text is too long")
    return "".join([*pieces, value[position:]])
