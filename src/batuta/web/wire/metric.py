"""Metrics as the API shows them (03 §6.8, §10)."""

from typing import Any

from batuta.model.instant import to_iso
from batuta.operations.metrics import Aggregation
from batuta.store.rows import MetricRow


def metric_wire(row: MetricRow) -> dict[str, Any]:
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
    wire |= {"type": row.type, "name": row.name, "value": row.value}
    if row.tags:
        wire["tags"] = row.tags
    wire |= {"timestamp": to_iso(row.at), "deleted": False}
    if row.kind is not None:
        wire["executionKind"] = row.kind
    return wire


def aggregation_wire(found: Aggregation, name: str) -> dict[str, Any]:
    """A stretch of time in which nothing was measured has no name (03 §10)."""
    return {
        "groupBy": found.group_by,
        "aggregations": [
            {"value": 0.0, "date": to_iso(bucket.date)}
            if bucket.value is None
            else {"name": name, "value": float(bucket.value), "date": to_iso(bucket.date)}
            for bucket in found.buckets
        ],
    }
