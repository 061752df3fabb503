"""What comes to the engine in a simulated world: its events, and the operations that edit rows."""

import msgspec

from batuta.engine.events import AnyEvent
from batuta.engine.surgery import Edited, SurgeryError, mark, replay, restart
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.state import State
from batuta.testing.simulate.check import Rows


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A restart, replay or mark. What it does not use of the fields is ignored."""

    kind: str
    at: Instant
    task_run_id: TaskRunId | None
    state: State
    new_id: ExecutionId

    def apply(self, rows: Rows) -> Rows | None:
        """The rows afterwards, others for a new execution; None when the operation was refused."""
        try:
            edited = self._edit(rows)
        except SurgeryError:
            return None
        after = rows
        if edited.execution.id != rows.execution.id:
            after = Rows(rows.plan, edited.execution)
        after.edit(edited)
        return after

    def _edit(self, rows: Rows) -> Edited:
        plan, execution, runs = rows.plan, rows.execution, tuple(rows.runs.values())
        if self.kind == "restart":
            return restart(plan, execution, runs, at=self.at)
        if self.kind == "mark" and self.task_run_id is not None:
            run_id = self.task_run_id
            return mark(plan, execution, runs, task_run_id=run_id, state=self.state, at=self.at)
        return replay(
            plan, execution, runs, at=self.at, new_id=self.new_id, task_run_id=self.task_run_id
        )


Happening = AnyEvent | Operation
