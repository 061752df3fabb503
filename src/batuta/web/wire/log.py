"""Log entries as the API shows them (03 §6.7)."""

from collections.abc import Iterable
from typing import Any

from batuta.model.instant import to_iso
from batuta.store.rows import LogRow

EMPTY = {"attemptNumber": None, "deleted": False}
"""The first event of a live view (03 §5)."""


def log_wire(row: LogRow) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "tenantId": row.flow.tenant,
        "namespace": row.flow.namespace,
        "flowId": row.flow.id,
    }
    optional = (
        ("taskId", row.task_id),
        ("executionId", row.execution_id),
        ("taskRunId", row.task_run_id),
    )
    wire.update((name, value) for name, value in optional if value is not None)
    wire["attemptNumber"] = row.attempt
    if row.trigger_id is not None:
        wire["triggerId"] = row.trigger_id
    wire["timestamp"] = to_iso(row.at)
    wire["level"] = row.level
    if row.thread is not None:
        wire["thread"] = row.thread
    wire["message"] = row.message
    wire["deleted"] = False
    if row.kind is not None:
        wire["executionKind"] = row.kind
    return wire


def log_text(rows: Iterable[LogRow]) -> str:
    """The text of a download (03 §9)."""
    return "\n".join(f"{to_iso(row.at)} {row.level} {row.message}" for row in rows)
