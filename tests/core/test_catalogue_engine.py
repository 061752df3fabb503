"""Behaviours of 01 §11 that are shown by the engine alone, each under its number."""

from typing import Any

import pytest

from batuta.engine import events as e
from batuta.engine.plan import Each, Loop, Pause, Retry, Sequence, Subflow
from batuta.model.ids import ExecutionId
from batuta.model.instant import Instant
from batuta.model.state import State
from tests.core.operating import NEW, from_task, go
from tests.unit.engine.driving import SECOND, Build, Drive, leaf, retry

S = State


def test_012_a_task_that_publishes_a_task_run_and_a_log() -> None:
    at = Instant(0)
    dynamic = e.ChildRun(task_id="dynamic", state=S.SUCCESS, started=at, ended=at, dynamic=True)
    answer = e.TaskFinished(at=at, task_run_id="", attempt=0, state=S.SUCCESS, children=(dynamic,))  # type: ignore[arg-type]
    drive = Drive(
        Build().plan(leaf("a"), leaf("log")),
        work=lambda r, _n: answer if r.task_id == "a" else S.SUCCESS,
        reload=True,
    ).start()
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert drive.order == ["a", "dynamic", "log"]


def test_069_a_task_that_publishes_task_runs_and_fails_is_repeated() -> None:
    at = Instant(0)
    dynamic = e.ChildRun(task_id="dynamic", state=S.SUCCESS, started=at, ended=at, dynamic=True)
    answer = e.TaskFinished(at=at, task_run_id="", attempt=0, state=S.FAILED, children=(dynamic,))  # type: ignore[arg-type]
    plan = Build().plan(leaf("a", retry=retry(max_attempts=3)), leaf("never"))
    drive = Drive(plan, work=lambda _r, _n: answer, reload=True).start().fire()
    assert drive.history.endswith("RETRYING RUNNING FAILED")
    assert drive.attempts["a"] == "FAILED FAILED FAILED"
    assert {path.partition("[")[0] for path in drive.order} == {"a", "dynamic"}


def test_013_a_call_whose_result_cannot_be_computed() -> None:
    call = Subflow(id="call", type="test.Subflow", namespace="ns", flow_id="child")  # type: ignore[arg-type]
    drive = Drive(Build().plan(call, leaf("next")), child=lambda _c: "kid", reload=True).start()
    drive.send(
        e.ChildEnded(
            at=drive.now,
            task_run_id=drive.run("call").id,
            execution_id=ExecutionId("kid"),
            state=S.SUCCESS,
            problem="boom",
        )
    )
    assert drive.history == "CREATED RUNNING FAILED"
    assert drive.runs == {"call": "CREATED RUNNING FAILED"}
    assert drive.attempts == {"call": "FAILED"}


def _flowables() -> dict[str, Any]:
    b = Build()
    then = [leaf("t")]
    return {
        "each": (b, b.control(Each, "x", values="{{ x }}", tasks=then)),
        "if": (b, b.condition("x", "{{ x }}", then)),
        "pause": (b, b.control(Pause, "x", duration="{{ x }}")),
        "loop": (b, b.control(Loop, "x", condition="{{ x }}", tasks=then)),
    }


@pytest.mark.parametrize("kind", _flowables())
def test_014_a_flowable_whose_state_cannot_be_resolved(kind: str) -> None:
    b, node = _flowables()[kind]
    drive = Drive(b.plan(node, leaf("next")), render=lambda _r: "no x", reload=True).start()
    assert drive.history == "CREATED RUNNING FAILED"
    assert drive.runs["x"] == "CREATED RUNNING FAILED"
    assert "next" not in drive.runs
    assert drive.logs[0] == ("ERROR", "Unable to resolve state from the Flowable task: no x")


DURATIONS = [
    # policy, attempts: one more would begin after maxDuration, counted from the first attempt
    (Retry(kind="constant", interval=2 * SECOND, max_duration=6 * SECOND), 4),
    (Retry(kind="constant", interval=2 * SECOND, max_duration=7 * SECOND), 4),
    (Retry(kind="constant", interval=2 * SECOND, max_duration=6 * SECOND - 1), 3),
    (Retry(kind="constant", interval=2 * SECOND, max_duration=9 * SECOND, max_attempts=4), 4),
]


@pytest.mark.parametrize(("policy", "number"), DURATIONS)
def test_070_071_attempts_within_a_maximal_duration(policy: Retry, number: int) -> None:
    plan = Build().plan(leaf("a", retry=policy), leaf("never"))
    drive = Drive(plan, work=lambda _r, _n: S.FAILED, reload=True).start().fire()
    assert drive.attempts == {"a": " ".join(["FAILED"] * number)}
    assert drive.history.endswith("RUNNING FAILED")
    assert drive.now <= policy.max_duration  # type: ignore[operator]


def nested() -> Drive:
    """Twenty task runs: a loop of two values around a loop of three, with a task before and behind."""
    b = Build()
    inner = b.control(Each, "inner", values=["a", "b", "c"], tasks=[leaf("t"), leaf("u")])
    outer = b.control(Each, "outer", values=["x", "y"], tasks=[leaf("before"), inner])
    return Drive(b.plan(outer, leaf("middle"), leaf("other"), leaf("last")), reload=True).start()


def test_114_a_replay_of_nested_loops_from_the_last_task() -> None:
    drive = nested()
    assert len(drive.rows) == 20
    edited = from_task(drive, "last")
    assert edited.execution.id == NEW
    assert edited.execution.parent_id == drive.execution.id
    assert len(edited.saved) == 20
    assert not {run.id for run in edited.saved} & set(drive.rows)
    assert edited.saved[-1].state is S.RESTARTED
    assert {str(run.state) for run in edited.saved[:-1]} == {"SUCCESS"}
    after = go(drive, edited)
    assert after.history == "CREATED RUNNING SUCCESS RESTARTED RUNNING SUCCESS"
    assert len(after.rows) == 20


def test_073_a_retry_of_a_sequential_holds_for_what_is_in_it() -> None:
    b = Build()
    policy = retry(max_attempts=3)
    inner = b.control(Sequence, "inner", tasks=[leaf("bad", retry=policy)])
    drive = Drive(
        b.plan(b.control(Sequence, "outer", tasks=[inner])),
        work=lambda _r, _n: S.FAILED,
        reload=True,
    )
    drive.start().fire()
    assert drive.order == ["outer", "outer/inner", "outer/inner/bad"]
    assert drive.attempts["outer/inner/bad"] == "FAILED FAILED FAILED"
    assert drive.history.endswith("RUNNING FAILED")
