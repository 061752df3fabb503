"""Names of tables and columns as an author writes them. Pure."""

import re

from batuta.sdk import PropertyError

_PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\s".]+))\s*')


def identifier(text: str, *, path: str) -> str:
    """The name that is meant: without quotes, and in lower case unless quoted. Raises `PropertyError`."""
    parts = _parts(text, path)
    if len(parts) != 1:
        raise PropertyError(path, f"`{text}` is no name of a column")
    return parts[0]


def table_name(text: str, *, path: str) -> tuple[str | None, str]:
    """Schema and table of `schema.table`. Raises `PropertyError`."""
    parts = _parts(text, path)
    if len(parts) == 1:
        return None, parts[0]
    if len(parts) == 2:  # noqa: PLR2004 - schema and table
        return parts[0], parts[1]
    raise PropertyError(path, f"`{text}` is no name of a table")


def quote(name: str) -> str:
    """For use inside SQL."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _parts(text: str, path: str) -> list[str]:
    found: list[str] = []
    position = 0
    while True:
        match = _PART.match(text, position)
        if match is None:
            raise PropertyError(path, f"`{text}` is no name")
        found.append(match[1].replace('""', '"') if match[1] else _folded(match[2]))
        position = match.end()
        if position == len(text):
            return found
        if text[position] != ".":
            raise PropertyError(path, f"`{text}` is no name")
        position += 1


def _folded(name: str) -> str:
    """As the server folds names without quotes."""
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in name)
