"""What is told of an execution: dates that never go back, and who ran each attempt (01 §4.2, §4.4)."""

from typing import Any

import pytest
from typing_extensions import override

from batuta.engine import events as e
from batuta.engine.events import ChildRun
from batuta.engine.plan import Dag, Sequence, WorkDir
from batuta.engine.surgery import restart
from batuta.model.ids import TaskId
from batuta.model.instant import Instant
from tests.core.operating import S
from tests.unit.engine.driving import Build, Drive, leaf, retry

LATE, EARLY = Instant(50), Instant(10)


def never(_run: Any, _attempt: int) -> None:
    return None


def answers_itself(run: Any, _attempt: int) -> Any:
    return S.SUCCESS if run.task_id in {"last", "next", "c"} else None


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


@pytest.mark.parametrize("reload", [False, True])
def test_what_follows_on_results_out_of_order_is_not_earlier_than_any_of_them(reload: bool) -> None:
    b = Build()
    tasks = [leaf(name, inline=False) for name in "ab"]
    last = leaf("last", run_if="{{ true }}")
    dag = b.control(Dag, "dag", tasks=[*tasks, last], depends_on={TaskId("last"): ("a", "b")})
    drive = Drive(b.plan(dag, leaf("next")), work=answers_itself, reload=reload).start()
    for name, at in (("dag/a", LATE), ("dag/b", EARLY)):
        drive.now = at
        drive.finish(name)
    assert drive.state_is(S.SUCCESS)
    ended = drive.run("dag/a").histories[-1].at
    assert ended == LATE
    assert drive.run("dag/b").histories[-1].at < LATE
    assert [drive.run(name).histories[0].at for name in ("dag/last", "next")] == [LATE, LATE]
    assert drive.run("dag").histories[-1].at == drive.execution.histories[-1].at == LATE


def test_what_follows_on_a_restart_is_not_earlier_than_what_was_kept() -> None:
    b = Build()
    bad = leaf("bad", inline=False)
    sequence = b.control(Sequence, "s", tasks=[leaf("a", inline=False), bad, leaf("c")])
    drive = Drive(b.plan(sequence), work=answers_itself).start()
    drive.now = LATE
    drive.finish("s/a")
    drive.finish("s/bad", S.FAILED)
    rows = tuple(drive.rows.values())
    edited = restart(drive.plan, drive.execution, rows, at=EARLY)
    drive.execution = edited.execution
    drive.rows |= {run.id: run for run in edited.saved}
    drive.now = EARLY
    drive.send(e.Restarted(at=EARLY))
    drive.finish("s/bad")
    assert drive.run("s/c").histories[0].at == LATE
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
