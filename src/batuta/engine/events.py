"""What happened: the closed union of inputs to `step`. Each carries the instant at which it is taken in."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Labels
from batuta.model.state import State


class Event(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    at: Instant


class Created(Event, frozen=True, kw_only=True):
    """The execution's row exists in state CREATED."""


class TaskStarted(Event, frozen=True, kw_only=True):
    """A worker took the job: the attempt is running."""

    task_run_id: TaskRunId
    attempt: int
    worker_id: str | None = None


class ChildRun(msgspec.Struct, frozen=True, kw_only=True):
    """A task run made by a worker: a child of a WorkingDirectory, or a dynamic run (01 §5.5, §6.10)."""

    task_id: str
    state: State
    started: Instant
    ended: Instant
    outputs: Mapping[str, Any] | None = None
    dynamic: bool = False
    value: str | None = None
    task_run_id: TaskRunId | None = None
    """The id under which the worker has logged; the engine makes the task run with it."""
    attempt_state: State | None = None
    """The attempt's own state, before allowFailure and allowWarning; None when there was no attempt (SKIPPED)."""
    log_file: str | None = None


class TaskFinished(Event, frozen=True, kw_only=True):
    """An attempt ended. `state` is SUCCESS, WARNING, FAILED, KILLED or SKIPPED (a task cache hit is SUCCESS)."""

    task_run_id: TaskRunId
    attempt: int
    """Number of the attempt, from 1; another than the running one makes the event stale."""
    state: State
    started: Instant | None = None
    """When the attempt began, for an inline task that reports start and end at once."""
    outputs: Mapping[str, Any] | None = None
    labels: Labels | None = None
    """Labels to merge into the execution's (Labels task)."""
    variables: Mapping[str, Any] | None = None
    """The execution's variables from now on (SetVariables, UnsetVariables)."""
    exit_state: State | None = None
    """The execution ends now in this state (Exit task)."""
    children: tuple[ChildRun, ...] = ()
    log_file: str | None = None
    worker_id: str | None = None


class AttemptLost(Event, frozen=True, kw_only=True):
    """The worker that ran the attempt died."""

    task_run_id: TaskRunId
    attempt: int
    resubmit: bool = True
    """False when the server's policy is not to run a lost attempt again: the attempt counts as failed."""


class AttemptRefused(Event, frozen=True, kw_only=True):
    """No worker serves the group that must run the attempt, and the task does not wait for one."""

    task_run_id: TaskRunId
    attempt: int
    group: str


class TimerFired(Event, frozen=True, kw_only=True):
    timer_id: str


class Rendered(Event, frozen=True, kw_only=True):
    """The answer to `Render`: the values under the same names, or the problem that rendering met."""

    request_id: str
    values: Mapping[str, Any] = {}
    problem: str | None = None


class Answers(Event, frozen=True, kw_only=True):
    """Answers to what one turn asked: all of them are taken in before anything that follows from one of them.

    So a branch that turns out to be empty does not let its parent go on before its sisters have begun (01 §4.5).
    """

    rendered: tuple[Rendered, ...]


class ChildStarted(Event, frozen=True, kw_only=True):
    """A child execution exists, or could not be made (`problem`)."""

    task_run_id: TaskRunId
    attempt: int
    execution_id: ExecutionId | None = None
    index: int | None = None
    problem: str | None = None


class ChildEnded(Event, frozen=True, kw_only=True):
    """A child execution is finished, its afterExecution included."""

    task_run_id: TaskRunId
    execution_id: ExecutionId
    state: State
    outputs: Mapping[str, Any] | None = None
    index: int | None = None
    problem: str | None = None
    """The child's outputs could not be rendered."""


class ChildPaused(Event, frozen=True, kw_only=True):
    """An iteration of a Loop waits in a Pause, or (`paused` false) goes on."""

    task_run_id: TaskRunId
    index: int
    paused: bool


class Counted(Event, frozen=True, kw_only=True):
    """The answer to `CountRows`."""

    task_run_id: TaskRunId
    attempt: int
    uri: str
    total: int = 0
    problem: str | None = None


class Gathered(Event, frozen=True, kw_only=True):
    """The answer to `Gather`: outputs of the Loop's task run, beside those that count."""

    task_run_id: TaskRunId
    attempt: int
    outputs: Mapping[str, Any] = {}
    problem: str | None = None


class Resumed(Event, frozen=True, kw_only=True):
    """A person or task resumed a paused execution (01 §8.4)."""

    task_run_id: TaskRunId | None = None
    """The paused task run meant; the first one when None."""
    inputs: Mapping[str, Any] = {}
    by: str | None = None
    to: State = State.RUNNING


class PauseRequested(Event, frozen=True, kw_only=True):
    """Running tasks finish, nothing new is scheduled (01 §8)."""


class KillRequested(Event, frozen=True, kw_only=True):
    cascade: bool = True
    to: State = State.KILLED
    after: bool = False
    """Stop `afterExecution`, too: the execution is to be deleted."""


class SlotGranted(Event, frozen=True, kw_only=True):
    """The execution may run, and is counted."""


class SlotDenied(Event, frozen=True, kw_only=True):
    """The flow's limit is reached."""

    running: int
    limit: int
    behavior: str


class Restarted(Event, frozen=True, kw_only=True):
    """The rows were edited by `surgery` (restart, replay, mark): take up work again."""


class RestartRequested(Event, frozen=True, kw_only=True):
    """Restart an execution that has not come to rest. The executor edits its rows, then `step` is given `Restarted`."""


class MarkRequested(Event, frozen=True, kw_only=True):
    """Give a task run another state (01 §8.3). The executor edits the rows, then `step` is given `Restarted`."""

    task_run_id: TaskRunId
    state: State
    labels: Labels = ()
    """Merged into the execution's."""


class Labelled(Event, frozen=True, kw_only=True):
    """Merge labels into the execution's, in whatever state it is."""

    labels: Labels


class StatusForced(Event, frozen=True, kw_only=True):
    """A person set the state of the execution (01 §8, change-status, force-run, unqueue)."""

    state: State


class BreakpointResumed(Event, frozen=True, kw_only=True):
    breakpoints: tuple[tuple[str, str | None], ...] = ()


AnyEvent = (
    Created
    | TaskStarted
    | TaskFinished
    | AttemptLost
    | AttemptRefused
    | TimerFired
    | Rendered
    | Answers
    | ChildStarted
    | ChildEnded
    | ChildPaused
    | Counted
    | Gathered
    | Resumed
    | PauseRequested
    | KillRequested
    | SlotGranted
    | SlotDenied
    | Restarted
    | RestartRequested
    | MarkRequested
    | Labelled
    | StatusForced
    | BreakpointResumed
)


def together(events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """What answers the commands of one turn, the renderings among it as one event."""
    rendered = tuple(event for event in events if isinstance(event, Rendered))
    if len(rendered) <= 1:
        return list(events)
    others = [event for event in events if not isinstance(event, Rendered)]
    return [*others, Answers(at=rendered[-1].at, rendered=rendered)]
