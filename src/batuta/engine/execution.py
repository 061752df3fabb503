"""The live state of one execution: its header, and the task runs that have not ended.

Task runs that ended leave this value; they are rows, and parents keep only counters of them (09 §5). `progress` is
the engine's own memory of a branch or loop, stored beside the row and read by nobody else.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.engine.progress import Progress
from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Labels
from batuta.model.state import Histories, State


class Attempt(msgspec.Struct, frozen=True, gc=False):
    histories: Histories
    log_file: str | None = None
    worker_id: str | None = None

    @property
    def state(self) -> State:
        return self.histories[-1].state


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a task; retries append attempts and keep the id (01 §4.2)."""

    id: TaskRunId
    task_id: TaskId
    ordinal: int
    """Position in the order of creation."""
    histories: Histories
    parent_id: TaskRunId | None = None
    value: str | None = None
    iteration: int | None = None
    path: tuple[str, ...] = ()
    """Values of the enclosing loops, outermost first, then its own: where its outputs stand (01 §6.0)."""
    attempts: tuple[Attempt, ...] | None = None
    dynamic: bool = False
    progress: Progress | None = None

    @property
    def state(self) -> State:
        return self.histories[-1].state


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    id: ExecutionId
    flow: FlowKey
    revision: int
    histories: Histories
    inputs: Mapping[str, Any] = {}
    outputs: Mapping[str, Any] | None = None
    variables: Mapping[str, Any] = {}
    labels: Labels = ()
    trigger: Mapping[str, Any] | None = None
    parent_id: ExecutionId | None = None
    original_id: ExecutionId | None = None
    attempt_number: int = 1
    original_created: Instant | None = None
    schedule_date: Instant | None = None
    kind: str | None = None
    breakpoints: tuple[tuple[str, str | None], ...] = ()
    created_runs: int = 0
    """Task runs made so far: the next ordinal."""
    holds_slot: bool = False
    """Counted against the flow's concurrency limit (01 §7.1)."""
    progress: Progress | None = None
    runs: Mapping[TaskRunId, TaskRun] = {}
    """Task runs that have not ended."""

    @property
    def state(self) -> State:
        return self.histories[-1].state
