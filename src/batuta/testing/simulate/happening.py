"""What comes to the engine in a simulated world: its events, and the operations that edit rows."""

import msgspec

from batuta.engine.events import AnyEvent
from batuta.engine.plan import Plan
from batuta.engine.surgery import Edited, SurgeryError, mark, replay, restart
from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.state import State
from batuta.testing.simulate.check import Rows
from batuta.testing.simulate.generate import without

OPERATIONS = ("restart", "copy", "mark", "replay")
"""`copy` is a restart as a new execution."""


class Operation(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What it does not use of the fields is ignored."""

    kind: str
    at: Instant
    task_run_id: TaskRunId | None
    state: State
    new_id: ExecutionId
    without: TaskId | None = None
    """A copy or replay runs a revision of the flow that lacks this task."""

    def apply(self, rows: Rows) -> Rows | None:
        """The rows afterwards, others for a new execution; None when the operation was refused."""
        try:
            edited = self._edit(rows)
        except SurgeryError:
            return None
        after = rows
        if edited.execution.id != rows.execution.id:
            after = Rows(self._plan(rows), edited.execution)
            after.led = rows.led or after.plan is not rows.plan
            after.is_part = rows.is_part or self.kind == "replay"
        after.edit(edited, marked=self.kind == "mark")
        return after

    def _edit(self, rows: Rows) -> Edited:
        plan, execution, runs = rows.plan, rows.execution, tuple(rows.runs.values())
        at, run_id = self.at, self.task_run_id
        if self.kind == "restart":
            return restart(plan, execution, runs, at=at)
        if self.kind == "copy":
            return restart(self._plan(rows), execution, runs, at=at, new_id=self.new_id)
        if self.kind == "mark" and run_id is not None:
            return mark(plan, execution, runs, task_run_id=run_id, state=self.state, at=at)
        return replay(
            self._plan(rows), execution, runs, at=at, new_id=self.new_id, task_run_id=run_id
        )

    def _plan(self, rows: Rows) -> Plan:
        is_there = self.without is not None and self.without in rows.plan.nodes
        return without(rows.plan, self.without) if is_there and self.without else rows.plan


class Silence(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The worker of a task run that was told to stop is never heard of again."""

    at: Instant
    task_run_id: TaskRunId


Happening = AnyEvent | Operation | Silence
