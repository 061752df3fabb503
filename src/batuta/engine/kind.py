"""What every kind of task can do, as functions; `nodes/` has one module for each kind.

All take the turn, the node and the task run as it is; what else happened is told by keywords.
"""

from collections.abc import Callable
from dataclasses import dataclass

from batuta.engine.branch import Flowing
from batuta.engine.execution import TaskRun
from batuta.engine.turn import Turn
from batuta.model.state import State

Act = Callable[..., None]


def ignore(*_place: object, **_happening: object) -> None:
    """What happened does not concern this kind of task."""


def skip(turn: Turn, _node: object, run: TaskRun) -> None:
    turn.end(run, State.SKIPPED)


@dataclass(frozen=True, slots=True)
class Kind:
    enter: Act
    """The task run may begin: `runIf` and breakpoints are behind it."""
    killed: Act
    """The execution is ending (`hard`, `cascade`): stop, now or when what runs has answered."""
    flowing: Flowing | None = None
    """How children are moved; None for a task without children."""
    rendered: Act = ignore
    """The answer (`event`) to the request with the run's `purpose`."""
    started: Act = ignore
    """A worker took the attempt (`event`)."""
    finished: Act = ignore
    """An attempt ended (`event`)."""
    lost: Act = ignore
    """The worker of the attempt died (`event`)."""
    refused: Act = ignore
    """No worker may take the attempt (`event`)."""
    fired: Act = ignore
    """The timer `name` with `number` of the run fired."""
    child_started: Act = ignore
    child_ended: Act = ignore
    """A child execution (`event`)."""
    advanced: Act = ignore
    """Without `flowing`: something may have to be started, and scheduling is allowed."""
    child_paused: Act = ignore
    counted: Act = ignore
    """The answer (`event`) to `CountRows`."""
    gathered: Act = ignore
    """The answer (`event`) to `Gather`."""
    skipped: Act = skip
    """`runIf` does not hold: end SKIPPED."""
