"""The lock that an execution holds on the trigger that started it (04 §5.2)."""

from msgspec.structs import replace

from batuta.engine.execution import Execution
from batuta.model.instant import Instant
from batuta.store.rows import TriggerRow

MISSED = "missed"
"""In a row's memory: occurrences passed while the execution ran, so the recovery policy applies."""


def released_row(row: TriggerRow, execution: Execution, *, now: Instant) -> TriggerRow:
    """The execution is finished: the trigger may fire again, unless its end switches the trigger off."""
    stops = execution.state in row.stop_after
    memory = dict(row.memory or {})
    if row.next_date is not None and row.next_date < now:
        memory[MISSED] = True
    return replace(
        row,
        execution_id=None,
        worker_id=None,
        disabled=row.disabled or stops,
        memory=memory,
        updated=now,
    )
