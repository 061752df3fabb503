"""Labels: ordered key-value pairs of flows and executions (01 §1.3)."""

from collections.abc import Iterable

import msgspec

SYSTEM_PREFIX = "system."
CORRELATION_ID = "system.correlationId"


class Label(msgspec.Struct, frozen=True, gc=False):
    key: str
    value: str


Labels = tuple[Label, ...]


def merge_labels(*groups: Iterable[Label]) -> Labels:
    """Later groups win by key; a key keeps the place where it stood first."""
    merged: dict[str, Label] = {}
    for group in groups:
        for label in group:
            merged[label.key] = label
    return tuple(merged.values())


def is_system(label: Label) -> bool:
    return label.key.startswith(SYSTEM_PREFIX)
