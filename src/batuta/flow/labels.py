"""Labels of a source: a map, or a list of `{key, value}` (01 §1.3)."""

from collections.abc import Mapping
from typing import Any

from batuta.flow.literal import LONG_MAX, java_text, shape_of
from batuta.flow.problems import Problems
from batuta.flow.yaml import Path
from batuta.model.label import SYSTEM_PREFIX

READ_ONLY = "system.readOnly"


def read_labels(value: Any, path: Path, problems: Problems) -> list[dict[str, str]] | None:
    """The labels as a list of maps; None when there are none."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return _from_map(value, path, problems)
    if isinstance(value, list):
        return _from_list(value, path, problems)
    problems.error("value", f"must be a map or a list of labels, but is {shape_of(value)}", path)
    return None


def _from_map(value: Mapping[str, Any], path: Path, problems: Problems) -> list[dict[str, str]]:
    labels: list[dict[str, str]] = []
    for key, item in value.items():
        place = (*path, key)
        if item is None:
            continue
        if isinstance(item, Mapping | list) or (isinstance(item, int) and abs(item) > LONG_MAX):
            problems.error(
                "value",
                f"Unsupported type for key: {key}: must be a text, number or boolean, but is {shape_of(item)}",
                place,
            )
            continue
        text = java_text(item)
        raw = problems.raw(place)
        if not isinstance(item, str) and raw is not None and raw != text:
            problems.warning(
                "quotes", f"`{raw}` is read as `{text}`; quote it to keep the text", place
            )
        _add(labels, (key, text), place, problems=problems)
    return labels


def _from_list(value: list[Any], path: Path, problems: Problems) -> list[dict[str, str]]:
    labels: list[dict[str, str]] = []
    for index, item in enumerate(value):
        place = (*path, index)
        if not isinstance(item, Mapping):
            problems.error(
                "value", f"must be a map with `key` and `value`, but is {shape_of(item)}", place
            )
            continue
        parts: dict[str, str] = {}
        for name in ("key", "value"):
            part = item.get(name)
            if part is None:
                problems.error("constraint", f"{name}: must not be empty", (*place, name))
            elif not isinstance(part, str):
                problems.error("value", f"must be a text, but is {shape_of(part)}", (*place, name))
            else:
                parts[name] = part
        if len(parts) == len(("key", "value")):
            _add(labels, (parts["key"], parts["value"]), place, problems=problems)
    return labels


def _add(
    labels: list[dict[str, str]], label: tuple[str, str], path: Path, *, problems: Problems
) -> None:
    for name, text in zip(("key", "value"), label, strict=True):
        if not text:
            problems.error("constraint", f"{name}: must not be empty", path)
    labels.append({"key": label[0], "value": label[1]})


def label_pairs(value: Any) -> list[tuple[str, str]]:
    """Keys and values of labels in either form; entries that are no labels are left out."""
    if isinstance(value, Mapping):
        return [(str(key), java_text(item)) for key, item in value.items() if item is not None]
    return [
        (str(item["key"]), java_text(item.get("value")))
        for item in (value if isinstance(value, list) else ())
        if isinstance(item, Mapping) and item.get("key") is not None
    ]


def check_system_labels(
    value: Any, path: Path, problems: Problems, *, allow_read_only: bool = False
) -> None:
    """Labels that start with `system.` belong to the system."""
    pairs: list[tuple[Any, Any, Path]] = []
    if isinstance(value, Mapping):
        pairs = [(key, item, (*path, key)) for key, item in value.items()]
    elif isinstance(value, list):
        pairs = [
            (item.get("key"), item.get("value"), (*path, index))
            for index, item in enumerate(value)
            if isinstance(item, Mapping)
        ]
    for key, item, place in pairs:
        if not isinstance(key, str) or not key.startswith(SYSTEM_PREFIX):
            continue
        if allow_read_only and key == READ_ONLY:
            continue
        problems.error(
            "system-label",
            f"System labels can only be set by Kestra itself, offending label: {key}={java_text(item)}",
            place,
        )
