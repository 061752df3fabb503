"""SQL text: cut into statements, and `:name` or `?` turned into the driver's placeholders. Pure (06 §7.3, §7.4).

Texts, quoted names, dollar quotes and comments are passed over as they are.
"""

import re
from collections.abc import Callable, Collection, Iterator

_TOKEN = re.compile(
    r"""
      (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<escape>(?<![A-Za-z0-9_])[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    | (?P<text>'(?:[^']|'')*(?:'|\Z))
    | (?P<name>"(?:[^"]|"")*(?:"|\Z))
    | (?P<tick>`[^`]*`)
    | (?P<dollar>(?<![A-Za-z0-9_$])\$(?P<tag>[A-Za-z_][A-Za-z0-9_]*|)\$.*?\$(?P=tag)\$)
    | (?P<cast>::)
    | (?P<parameter>:[A-Za-z_][A-Za-z0-9_]*)
    | (?P<double>\?\?)
    | (?P<mark>\?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_$]*)
    | (?P<end>;)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")

Token = tuple[str, str]


def tokens(sql: str) -> Iterator[Token]:
    """Kind and text of every piece; together they are the whole text."""
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None:
            yield "other", sql[position:]
            return
        kind = next(
            name for name, value in match.groupdict().items() if value is not None and name != "tag"
        )
        end = _comment_end(sql, match.end()) if kind == "block" else match.end()
        yield kind, sql[position:end]
        position = end


def _comment_end(sql: str, position: int) -> int:
    """Comments nest, as in PostgreSQL."""
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(sql, position)
        if edge is None:
            return len(sql)
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return position


def split(sql: str, *, is_complete: Callable[[str], bool] = lambda _: True) -> list[str]:
    """The statements, without those that are empty. `is_complete` tells whether a text that ends with `;` is a whole one."""
    found: list[str] = []
    current: list[str] = []
    has_code = False
    depth = 0
    before = ""
    for kind, text in tokens(sql):
        current.append(text)
        if kind == "word":
            depth = _depth(depth, before, text.upper())
            before = text.upper()
        if kind == "end" and depth == 0 and (not has_code or is_complete("".join(current))):
            if has_code:
                found.append("".join(current[:-1]).strip())
            current, has_code, before = [], False, ""
        elif kind not in {"line", "block", "end"} and not text.isspace():
            has_code = True
    if has_code:
        found.append("".join(current).strip())
    return found


def _depth(depth: int, before: str, word: str) -> int:
    """Bodies of SQL-standard functions: `BEGIN ATOMIC … END`, with `CASE … END` inside."""
    if before == "BEGIN" and word == "ATOMIC":
        return depth + 1
    if depth and word == "CASE":
        return depth + 1
    return depth - 1 if depth and word == "END" else depth


def bind_names(
    sql: str, names: Collection[str], marker: Callable[[int], str]
) -> tuple[str, list[str]]:
    """The text with the driver's placeholders for `:name`, and the names in their order. Other names stay as they are."""
    order: list[str] = []
    parts: list[str] = []
    for kind, text in tokens(sql):
        if kind == "parameter" and text[1:] in names:
            order.append(text[1:])
            parts.append(marker(len(order)))
        else:
            parts.append(text)
    return "".join(parts), order


def bind_marks(sql: str, marker: Callable[[int], str]) -> tuple[str, int]:
    """The text with the driver's placeholders for `?`, and how many there are; `??` is a question mark."""
    count = 0
    parts: list[str] = []
    for kind, text in tokens(sql):
        if kind == "mark":
            count += 1
            parts.append(marker(count))
        else:
            parts.append("?" if kind == "double" else text)
    return "".join(parts), count
