"""States of triggers as the API shows them (03 §6.9)."""

from typing import Any

from batuta.model.instant import to_iso
from batuta.store.rows import TriggerRow


def trigger_wire(row: TriggerRow) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "tenantId": row.key.flow.tenant,
        "namespace": row.key.flow.namespace,
        "flowId": row.key.flow.id,
        "triggerId": row.key.id,
    }
    dates = (
        ("date", row.date),
        ("nextExecutionDate", row.next_date),
        ("updatedDate", row.updated),
        ("evaluateRunningDate", row.evaluate_running),
    )
    wire.update((name, to_iso(at)) for name, at in dates if at is not None)
    if row.backfill is not None:
        wire["backfill"] = row.backfill
    if row.stop_after:
        wire["stopAfter"] = [state.value for state in row.stop_after]
    wire["disabled"] = row.disabled
    if row.execution_id is not None:
        wire["executionId"] = row.execution_id
    if row.worker_id is not None:
        wire["workerId"] = row.worker_id
    return wire
