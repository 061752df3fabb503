"""How maps merge where a task adds to what is there (05 §13.7, §17)."""

from collections.abc import Mapping
from typing import Any


def merge_deep(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """`upper` over `lower`: maps merge, a list gets what it does not hold yet, null changes nothing."""
    merged = dict(lower)
    for name, value in upper.items():
        merged[name] = _merged(merged.get(name), value)
    return merged


def _merged(lower: Any, upper: Any) -> Any:
    if upper is None:
        return lower
    if isinstance(lower, Mapping) and isinstance(upper, Mapping):
        return merge_deep(lower, upper)
    if isinstance(lower, list) and isinstance(upper, list):
        return [*lower, *(item for item in upper if item not in lower)]
    return upper
