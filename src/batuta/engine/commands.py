"""What to do: the closed union of orders that `step` gives, and the rows that it changed."""

from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.engine.execution import Execution, TaskRun
from batuta.engine.plan import Expression
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import Instant, Micros
from batuta.model.label import Labels
from batuta.model.state import State


class Command(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pass


class RunTask(Command, frozen=True, kw_only=True):
    """Run attempt `attempt` (from 1) of a leaf or WorkingDirectory: inline, or as a job of a worker."""

    task_run: TaskRun
    attempt: int
    timeout: Micros | None = None
    group: str | None = None
    """The worker group that must run it, if the installation has groups."""


class KillTask(Command, frozen=True, kw_only=True):
    """Stop the attempt wherever it is; its result arrives as `TaskFinished(KILLED)`."""

    task_run_id: TaskRunId
    attempt: int


class Render(Command, frozen=True, kw_only=True):
    """Answered at once with `Rendered`. `frame` is the task run whose context counts; None: the flow's own."""

    request_id: str
    values: Mapping[str, Expression]
    frame: TaskRun | None = None
    typed: bool = False
    """Keep the types of single expressions (02 §2.3)."""
    types: Mapping[str, str] | None = None
    """Names that are flow outputs, with the declared type: the answer is converted as an input is (01 §3)."""
    items: str | None = None
    """What `taskrun.items` is: the address of a ForEachItem batch."""
    iteration: ExecutionId | None = None
    """The iteration of a Loop that `item` and `iteration` tell of."""


class SetTimer(Command, frozen=True, kw_only=True):
    """`TimerFired(timer_id)` at `due`. A timer that is set again replaces the former."""

    timer_id: str
    due: Instant


class ClearTimer(Command, frozen=True, kw_only=True):
    timer_id: str


class StartChild(Command, frozen=True, kw_only=True):
    """Create an execution of another flow; answered with `ChildStarted`, and `ChildEnded` if `wait`."""

    task_run: TaskRun
    attempt: int
    namespace: str
    flow_id: str
    revision: int | None = None
    inputs: Mapping[str, Any] = {}
    labels: Labels = ()
    inherit_labels: bool = False
    wait: bool = True
    schedule_date: Instant | None = None
    restart: ExecutionId | None = None
    """Restart this failed child instead of making a new one."""
    index: int | None = None
    told: Mapping[str, Any] | None = None
    """What `trigger.variables.taskRunOutputs` says; None: the outputs that the task run has."""
    outputs: Expression = None


class KillChild(Command, frozen=True, kw_only=True):
    execution_id: ExecutionId


class KillChildren(Command, frozen=True, kw_only=True):
    """Kill every execution that this ForEachItem or Loop started and that has not ended."""

    task_run_id: TaskRunId


class RestartChildren(Command, frozen=True, kw_only=True):
    """Restart every FAILED execution of this ForEachItem; each is answered with `ChildEnded` when it ends again.

    When not all can be restarted: `ChildStarted` with the `attempt`, a `problem` and no `index`.
    """

    task_run_id: TaskRunId
    attempt: int


class CountRows(Command, frozen=True, kw_only=True):
    """How many rows has the file that gives a Loop its values? Answered with `Counted`."""

    task_run_id: TaskRunId
    attempt: int
    uri: str


class StartIterations(Command, frozen=True, kw_only=True):
    """Create the iterations `first` to `first + count - 1` of a Loop; each is answered with `ChildEnded`.

    One that cannot be made: `ChildStarted` with its `index` and a `problem`.
    """

    task_run: TaskRun
    attempt: int
    first: int
    count: int


class RestartIterations(Command, frozen=True, kw_only=True):
    """Run these iterations of a Loop again if they have failed; each is answered as by `StartIterations`.

    One that has ended otherwise is told of at once, one that runs goes on.
    """

    task_run: TaskRun
    attempt: int
    indexes: tuple[int, ...]


class Gather(Command, frozen=True, kw_only=True):
    """Collect what the iterations of a Loop have put out, in their order. Answered with `Gathered`."""

    task_run_id: TaskRunId
    attempt: int
    store: bool
    """Into a file, whose `uri` is the answer; else into the list `outputs`."""


class RequestSlot(Command, frozen=True, kw_only=True):
    """Answered with `SlotGranted` or `SlotDenied`; a queued execution is granted its slot later."""


class ReleaseSlot(Command, frozen=True, kw_only=True):
    """`held`: the execution was counted; otherwise it only leaves the queue."""

    held: bool = True


class NewExecution(Command, frozen=True, kw_only=True):
    """Create a replay from the start at `due` (retry with CREATE_NEW_EXECUTION, 01 §5.3)."""

    due: Instant


class Announce(Command, frozen=True, kw_only=True):
    """The execution's state changed: for flow triggers and live views."""

    state: State


class End(Command, frozen=True, kw_only=True):
    """The execution is finished, its afterExecution included: tell the parent, drop it from memory."""


AnyCommand = (
    RunTask
    | KillTask
    | Render
    | SetTimer
    | ClearTimer
    | StartChild
    | KillChild
    | KillChildren
    | RestartChildren
    | CountRows
    | StartIterations
    | RestartIterations
    | Gather
    | RequestSlot
    | ReleaseSlot
    | NewExecution
    | Announce
    | End
)


class RunSaved(msgspec.Struct, frozen=True):
    """The row of this task run is now this."""

    task_run: TaskRun


class RunsRemoved(msgspec.Struct, frozen=True):
    """These task runs, their outputs and their descendants are gone: a new pass of the loop `parent` begins."""

    task_run_ids: tuple[TaskRunId, ...]
    parent: TaskRun


class OutputsSaved(msgspec.Struct, frozen=True):
    task_run: TaskRun
    outputs: Mapping[str, Any]


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """A message of the engine itself, on the execution or on a task run."""

    at: Instant
    level: str
    message: str
    task_run: TaskRun | None = None


Change = RunSaved | RunsRemoved | OutputsSaved | Logged


class Step(msgspec.Struct, frozen=True):
    """The result of `step`. `execution` is the same object when the event changed nothing."""

    execution: Execution
    changes: tuple[Change, ...] = ()
    commands: tuple[AnyCommand, ...] = ()
