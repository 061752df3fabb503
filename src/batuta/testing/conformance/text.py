"""Whether a text or value is the recorded one, where the record may hold placeholders.

A placeholder (`<id>`, `<date>`, `<uri>`, `<duration>`, `<path>`, `<any>`) stands for any text of its kind, alone, inside
a longer text, or in the key of a map. The value `<any>` stands for everything, also for nothing.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

ANYTHING = "<any>"
TOLERANCE = 1e-9
SHOWN = 240
"""Characters of a value that a difference prints."""

_KINDS = {
    "id": r"[\w.-]+",
    "date": r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?(?:\[[\w/]+\])?",
    "uri": r"[a-z]+://[^\s\"'\],})]*",
    "duration": r"[\dPTHMSD.:-]+",
    "path": r"/[^\s\"'\]]*",
    "any": r".*?",
}
_PLACEHOLDER = re.compile(f"<({'|'.join(_KINDS)})>")


def is_same_text(expected: str, actual: str) -> bool:
    """Equal, matching the placeholders, the same JSON, or the same lines in another order."""
    if expected == actual:
        return True
    pattern = _pattern(expected)
    if pattern is not None and pattern.fullmatch(actual):
        return True
    if "\n" in expected.strip() and sorted(expected.split("\n")) == sorted(actual.split("\n")):
        return True
    left, right = _json(expected), _json(actual)
    return left is not None and right is not None and is_same(left, right)


@lru_cache(maxsize=4096)
def _pattern(text: str) -> re.Pattern[str] | None:
    if not _PLACEHOLDER.search(text):
        return None
    parts = _PLACEHOLDER.split(text)
    # `split` alternates between literal text and the kind of placeholder.
    return re.compile(
        "".join(_KINDS[part] if odd % 2 else re.escape(part) for odd, part in enumerate(parts)),
        re.DOTALL | re.ASCII,
    )


def _json(text: str) -> Any:
    """The map or list that a text holds, or None."""
    stripped = text.strip()
    if stripped[:1] + stripped[-1:] not in {"{}", "[]"}:
        return None
    try:
        return json.loads(stripped)
    except ValueError:
        return None


def is_same(expected: Any, actual: Any) -> bool:
    return next(differences(expected, actual), None) is None


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """Where two plain values differ. Empty maps and lists equal null; maps have the same keys."""
    match expected, actual:
        case str(), _ if expected == ANYTHING:
            return
        case str(), str():
            same = is_same_text(expected, actual)
        case Mapping(), Mapping():
            yield from _map_differences(expected, actual, path)
            return
        case list(), list() if len(expected) == len(actual):
            for index, (left, right) in enumerate(zip(expected, actual, strict=True)):
                yield from differences(left, right, f"{path}[{index}]")
            return
        case bool(), _:
            same = expected is actual
        case int() | float(), int() | float():
            same = not isinstance(actual, bool) and math.isclose(
                expected, actual, rel_tol=0, abs_tol=TOLERANCE
            )
        case _:
            same = bool(expected == actual) or (_is_empty(expected) and _is_empty(actual))
    if not same:
        yield f"{path}: expected {shown(expected)}, got {shown(actual)}"


def _map_differences(
    expected: Mapping[Any, Any], actual: Mapping[Any, Any], path: str
) -> Iterator[str]:
    left = {str(key): value for key, value in actual.items()}
    for key, value in expected.items():
        name = _key_like(str(key), left)
        if name is not None:
            yield from differences(value, left.pop(name), f"{path}.{key}")
        elif value is not None and value != ANYTHING:
            yield f"{path}.{key}: missing, expected {shown(value)}"
    for key, value in left.items():
        if value is not None:
            yield f"{path}.{key}: not expected, got {shown(value)}"


def _key_like(key: str, keys: Mapping[str, Any]) -> str | None:
    if key in keys:
        return key
    pattern = _pattern(key)
    if pattern is None:
        return None
    return next((name for name in keys if pattern.fullmatch(name)), None)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping | list) and not value)


def shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str, sort_keys=True)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
