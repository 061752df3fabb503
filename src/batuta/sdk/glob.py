"""Patterns for file names in the dialect of `java.nio.file` (05 §6.2). Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache

_GLOB, _REGEX = "glob:", "regex:"


def matches(pattern: str, path: str) -> bool:
    """Whether the relative `path` (with `/`) fits, the pattern being anchored at the base directory.

    `*.csv` fits files of the base directory only, `**/*.csv` those below it, `**.csv` both. Raises `ValueError` for a
    pattern that cannot be read.
    """
    return _compiled(pattern.removeprefix("./")).fullmatch(path) is not None


def matches_anywhere(pattern: str, path: str) -> bool:
    """Whether `path` fits where no base directory is given: a pattern that starts with a word fits at any depth."""
    if not pattern.startswith((_GLOB, _REGEX)) and re.match(r"\w", pattern):
        pattern = f"**/{pattern}"
    return _compiled(pattern).fullmatch(f"/{path.lstrip('/')}") is not None


def selected(
    path: str, *, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
) -> bool:
    """`matches_anywhere` any include, when there is one, and no exclude."""
    includes = list(include or ())
    if includes and not any(matches_anywhere(pattern, path) for pattern in includes):
        return False
    return not any(matches_anywhere(pattern, path) for pattern in exclude or ())


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    if pattern.startswith(_REGEX):
        text = pattern.removeprefix(_REGEX)
    else:
        text = _translate(pattern.removeprefix(_GLOB))
    try:
        return re.compile(text, re.DOTALL)
    except re.error as error:
        raise ValueError(f"`{pattern}` is no pattern for file names: {error}") from error


def _translate(glob: str) -> str:
    """The regular expression of a glob."""
    result: list[str] = []
    position = 0
    in_group = False
    while position < len(glob):
        char = glob[position]
        position += 1
        if char == "*":
            deep = glob.startswith("*", position)
            position += deep
            result.append(".*" if deep else "[^/]*")
        elif char == "[":
            text, position = _bracket(glob, position)
            result.append(text)
        elif char == "\\":
            if position == len(glob):
                raise ValueError(f"`{glob}` ends with a backslash that protects nothing")
            result.append(re.escape(glob[position]))
            position += 1
        else:
            text, in_group = _plain(char, glob, in_group=in_group)
            result.append(text)
    if in_group:
        raise ValueError(f"`{glob}` has a `{{` without `}}`")
    return "".join(result)


def _plain(char: str, glob: str, *, in_group: bool) -> tuple[str, bool]:
    """One character outside of brackets; whether a group is open after it."""
    match char:
        case "?":
            return "[^/]", in_group
        case "{":
            if in_group:
                raise ValueError(f"`{glob}` has a group within a group")
            return "(?:(?:", True
        case "}" if in_group:
            return "))", False
        case "," if in_group:
            return ")|(?:", True
        case _:
            return re.escape(char), in_group


def _bracket(glob: str, start: int) -> tuple[str, int]:
    """The characters of `[…]` from after the bracket, and where the rest begins. `/` is never one of them."""
    position = start
    negated = glob.startswith(("!", "^"), position)
    position += negated
    end = glob.find("]", position + 1)
    if end < 0:
        raise ValueError(f"`{glob}` has a `[` without `]`")
    body = re.sub(r"([\\\[\]^&~|])", r"\\\1", glob[position:end])
    if "/" in body:
        raise ValueError(f"`{glob}` has a `/` between brackets")
    return f"(?!/)[{'^' if negated else ''}{body}]", end + 1
