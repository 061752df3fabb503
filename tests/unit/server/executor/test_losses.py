"""Which lost attempts run again."""

from types import SimpleNamespace
from typing import Any

import pytest

from batuta.engine.execution import Attempt, TaskRun
from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.state import History, State
from batuta.operations.settings import Settings
from batuta.server.executor.work import MAX_LOSSES, Work


def work(losses: int, strategy: str) -> Work:
    lost = Attempt((History(State.RUNNING, Instant(0)), History(State.RESUBMITTED, Instant(1))))
    run = TaskRun(
        id=TaskRunId("r"),
        task_id=TaskId("t"),
        ordinal=0,
        histories=(History(State.RUNNING, Instant(0)),),
        attempts=(lost,) * losses,
    )
    nothing: Any = None
    services: Any = SimpleNamespace(
        clock=SimpleNamespace(now=lambda: Instant(7)), settings=Settings(restart_strategy=strategy)
    )
    residents: Any = SimpleNamespace(
        peek=lambda _: SimpleNamespace(execution=SimpleNamespace(runs={"r": run}))
    )
    return Work(services, rendering=nothing, mover=nothing, residents=residents, patient=nothing)


@pytest.mark.parametrize(
    ("losses", "strategy", "again"),
    [
        (0, "IMMEDIATELY", True),
        (MAX_LOSSES - 1, "AFTER_TERMINATION_GRACE_PERIOD", True),
        (MAX_LOSSES, "IMMEDIATELY", False),
        (0, "NEVER", False),
    ],
)
def test_a_lost_attempt_runs_again(losses: int, strategy: str, *, again: bool) -> None:
    event = work(losses, strategy).lost(ExecutionId("e"), TaskRunId("r"), losses + 1)
    assert event.resubmit is again
    assert event.attempt == losses + 1
