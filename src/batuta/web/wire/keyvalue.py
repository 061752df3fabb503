"""Entries of the key-value store as the API shows them (03 §6.13)."""

from typing import Any

from batuta.model.instant import to_iso
from batuta.sdk.context import KeyValue
from batuta.store.rows import KvRow


def entry_wire(row: KvRow) -> dict[str, Any]:
    """Never the value."""
    wire: dict[str, Any] = {"namespace": row.namespace, "key": row.key, "version": row.version}
    if row.description is not None:
        wire["description"] = row.description
    wire["creationDate"] = to_iso(row.created)
    wire["updateDate"] = to_iso(row.updated)
    if row.expires is not None:
        wire["expirationDate"] = to_iso(row.expires)
    return wire


def value_wire(entry: KeyValue) -> dict[str, Any]:
    wire: dict[str, Any] = {"type": entry.kind}
    if entry.value is not None:
        wire["value"] = entry.value
    return wire
