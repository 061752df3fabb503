"""What is told of an execution: dates that never go back, and who ran each attempt (01 §4.2, §4.4)."""

from typing import Any

import pytest
from typing_extensions import override

from batuta.engine import events as e
from batuta.engine.events import ChildRun
from batuta.engine.plan import Sequence, WorkDir
from batuta.model.instant import Instant
from tests.core.operating import S
from tests.unit.engine.driving import Build, Drive, leaf, retry

LATE, EARLY = Instant(50), Instant(10)


def never(_run: Any, _attempt: int) -> None:
    return None


def dates(drive: Drive) -> list[list[Instant]]:
    """Of the execution, of each task run and of each attempt."""
    runs = list(drive.rows.values())
    lists = [drive.execution.histories, *(run.histories for run in runs)]
    lists += [attempt.histories for run in runs for attempt in run.attempts or ()]
    return [[entry.at for entry in histories] for histories in lists]


@pytest.mark.parametrize("state", [S.SUCCESS, S.FAILED])
def test_the_clock_of_a_worker_that_is_behind_turns_no_history_back(state: Any) -> None:
    b = Build()
    tasks = [leaf("a", inline=False, retry=retry(max_attempts=2)), leaf("b")]
    drive = Drive(b.plan(b.control(Sequence, "s", tasks=tasks)), work=never, now=LATE).start()
    run = drive.run("s/a")
    drive.send(
        e.TaskStarted(at=EARLY, task_run_id=run.id, attempt=1, worker_id="w"),
        e.TaskFinished(at=Instant(5), task_run_id=run.id, attempt=1, state=state),
    )
    drive.now = EARLY
    drive.send(e.KillRequested(at=EARLY))
    drive.fire()
    assert drive.state_is(S.KILLED)
    assert [found for found in dates(drive) if found != sorted(found)] == []


def test_the_end_that_comes_without_its_start_tells_who_ran_it() -> None:
    drive = Drive(Build().plan(leaf("a")), work=never, now=LATE).start()
    drive.finish("a", started=EARLY, worker_id="w")
    (attempt,) = drive.run("a").attempts or ()
    assert attempt.worker_id == "w"
    assert drive.runs == {"a": "CREATED SUBMITTED RUNNING SUCCESS"}
    assert [found for found in dates(drive) if found != sorted(found)] == []


@pytest.mark.parametrize("told", [True, False])
def test_children_of_a_working_directory_tell_their_worker_and_log_file(told: bool) -> None:
    b = Build()
    node = b.control(WorkDir, "d", tasks=[leaf("c")])

    class Quiet(Drive):
        @override
        def _run(self, run: Any, attempt: int) -> Any:
            if told:
                yield e.TaskStarted(at=self.now, task_run_id=run.id, attempt=attempt, worker_id="w")

    child = ChildRun(task_id="c", state=S.SUCCESS, started=LATE, ended=LATE, log_file="kestra:///l")
    drive = Quiet(b.plan(node), now=LATE).start()
    drive.finish("d", children=(child,), worker_id="w")
    assert drive.state_is(S.SUCCESS)
    (own,) = drive.run("d").attempts or ()
    (inner,) = drive.run("d/c").attempts or ()
    assert (own.worker_id, inner.worker_id, inner.log_file) == ("w", "w", "kestra:///l")
