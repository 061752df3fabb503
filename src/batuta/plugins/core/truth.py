"""When a rendered text counts as true (05 §13.1)."""

from typing import Any

_FALSY = frozenset({"", "0", "-0", "false"})


def as_text(rendered: Any) -> str | None:
    """What a condition rendered to, as text: literal booleans and numbers as they print."""
    if rendered is None or isinstance(rendered, str):
        return rendered
    if isinstance(rendered, bool):
        return "true" if rendered else "false"
    return str(rendered)


def is_truthy(rendered: Any) -> bool:
    """Null is neither true nor false."""
    text = as_text(rendered)
    return text is not None and text.strip() not in _FALSY
