"""The author's text: splitting documents, and the few edits that the server makes to it."""

import re
from collections.abc import Mapping
from typing import Any

_BETWEEN = re.compile(r"\n+---[^\S\n]*(?:#[^\n]*)?\n+|\A---[^\S\n]*\n+|\n+---[^\S\n]*\Z")
_REVISION = re.compile(r"^revision:[^\n]*(?:\n|\Z)", re.MULTILINE)
_DISABLED = re.compile(r"^disabled:[^\n#]*?(?=[^\S\n]*(?:#[^\n]*)?$)", re.MULTILINE)
_UNSTORED = frozenset({"revision", "deleted", "tenantId", "source"})
"""What a source may say without effect on what is stored (03 §7.2)."""


def documents(text: str) -> list[str]:
    """The documents of a text; empty ones are left out."""
    return [part for part in _BETWEEN.split(text) if part.strip()]


def without_revision(source: str) -> str:
    """The text as it is stored: a top-level `revision:` line is removed (03 §6.2)."""
    return _REVISION.sub("", source)


def with_disabled(source: str, *, disabled: bool) -> str:
    """The text with its top-level `disabled` line replaced, or appended where there is none (01 §1.4)."""
    line = f"disabled: {'true' if disabled else 'false'}"
    if _DISABLED.search(source):
        return _DISABLED.sub(line, source, count=1)
    separator = "" if not source or source.endswith("\n") else "\n"
    return f"{source}{separator}{line}\n"


def definition_of(value: Mapping[str, Any], labels: list[dict[str, str]]) -> dict[str, Any]:
    """The definition as the API shows it: what the author wrote, without nulls, labels as a list (03 §6.1)."""
    definition = {
        name: _without_nulls(part) for name, part in value.items() if name not in _UNSTORED
    }
    definition = {name: part for name, part in definition.items() if part is not None}
    if labels:
        definition["labels"] = labels
    else:
        definition.pop("labels", None)
    for declared in definition.get("inputs") or ():
        if isinstance(declared, dict):
            declared.setdefault("required", True)
    return definition


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _without_nulls(part) for name, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value]
    return value
