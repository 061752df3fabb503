"""What the templates inside a task read, so that a job carries only that (09 §4)."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from batuta.expr import ExpressionError, compile_template

_SIGNS = (
    "outputs",
    "vars",
    "render",
    "fetchContext",
    "printContext",
    "iterationOutput",
    "currentEach",
)


class Reads(msgspec.Struct, frozen=True):
    """`outputs`: ids of tasks, None when any may be read. `variables`: whether `vars` is read."""

    outputs: frozenset[str] | None = frozenset()
    variables: bool = False

    def merged(self, other: "Reads") -> "Reads":
        both = (
            None if self.outputs is None or other.outputs is None else self.outputs | other.outputs
        )
        return Reads(both, self.variables or other.variables)


def reads_of(value: Any) -> Reads:
    """What all texts inside plain data read."""
    result = Reads()
    for text in _templates(value):
        result = result.merged(_of_template(text))
        if result.outputs is None:
            return Reads(None, variables=True)
    return result


def _templates(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if "{{" in value or "{%" in value:
            yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _templates(key)
            yield from _templates(item)
    elif isinstance(value, list):
        for item in value:
            yield from _templates(item)


@lru_cache(maxsize=4096)
def _of_template(text: str) -> Reads:
    if not any(sign in text for sign in _SIGNS):
        return Reads()
    try:
        found = compile_template(text).references
    except ExpressionError:
        return Reads(None)
    if found.dynamic:
        return Reads(None)
    return Reads(found.outputs, "vars" in found.variables)
