"""Problems of a file as people read them: the place, the line of the source, and a caret below it."""

from collections.abc import Iterable, Iterator

from batuta.model.problem import Problem

_WIDEST = 160
"""Longer lines of a source are cut around the column."""


def explain(name: str, source: str, problems: Iterable[Problem]) -> Iterator[str]:
    """Lines of text; `name` is the file."""
    lines = source.splitlines()
    for problem in problems:
        place = f":{problem.line}:{problem.column}" if problem.line is not None else ""
        path = f"{problem.path}: " if problem.path else ""
        yield f"{name}{place}: {problem.severity.value}: {path}{problem.message}"
        if problem.line is not None and 0 < problem.line <= len(lines):
            yield from _excerpt(lines[problem.line - 1], problem.line, problem.column or 1)
        if problem.suggestion:
            yield f"       {problem.suggestion}"


def _excerpt(line: str, number: int, column: int) -> Iterator[str]:
    start = max(0, column - _WIDEST // 2)
    shown = line[start : start + _WIDEST]
    before = shown[: column - 1 - start]
    # Tabs stay tabs below, so that the caret stands under its character.
    indent = "".join(c if c == "\t" else " " for c in before)
    yield f"{number:>5} | {shown}"
    yield f"      | {indent}^"
