"""Retries: given a policy and failing attempts, then these attempts at these times (01 §5.3, §11.6, §12.1)."""

from typing import Any

import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.execution import Attempt, Execution
from batuta.engine.plan import Each, Parallel, Retry, Sequence
from batuta.engine.retry import next_attempt, next_execution
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.state import History, State
from tests.unit.engine.driving import KEY, SECOND, Build, Drive, leaf, retry

S = State
ONCE = "CREATED SUBMITTED RUNNING FAILED"
AGAIN = f"{ONCE} RETRYING {ONCE}"


def until(attempt: int) -> Any:
    """Fails before this attempt."""
    return lambda _run, number: S.SUCCESS if number >= attempt else S.FAILED


def attempts(*ends: tuple[State, int]) -> tuple[Attempt, ...]:
    return tuple(
        Attempt((History(S.CREATED, Instant(at)), History(state, Instant(at))))
        for state, at in ends
    )


DECISIONS = [
    # policy, ends of attempts in seconds, seconds until the next
    (retry(), [(S.FAILED, 0)], 1),
    (retry(max_attempts=3), [(S.FAILED, 0), (S.FAILED, 4)], 5),
    (retry(max_attempts=3), [(S.FAILED, 0), (S.FAILED, 4), (S.FAILED, 8)], None),
    (retry(max_attempts=2), [(S.RESUBMITTED, 0), (S.FAILED, 4)], 5),
    (retry(max_duration=4 * SECOND), [(S.FAILED, 0), (S.FAILED, 3)], 4),
    (retry(max_duration=4 * SECOND), [(S.FAILED, 0), (S.FAILED, 4)], None),
    (retry(kind="exponential", interval=2 * SECOND, max_interval=7 * SECOND), [(S.FAILED, 0)], 0),
    (
        retry(kind="exponential", interval=SECOND, max_interval=9 * SECOND, delay_factor=3.9),
        [(S.FAILED, 0), (S.FAILED, 1)],
        4,
    ),
    (
        retry(kind="exponential", interval=SECOND, max_interval=9 * SECOND, delay_factor=5),
        [(S.FAILED, 0)] * 3,
        9,
    ),
    (retry(kind="exponential", interval=SECOND), [(S.FAILED, 0)] * 3, 4),
    (retry(), [], None),
]


@pytest.mark.parametrize(("policy", "ends", "seconds"), DECISIONS)
def test_when_the_next_attempt_is_due(policy: Retry, ends: list[Any], seconds: int | None) -> None:
    made = attempts(*((state, at * SECOND) for state, at in ends))
    due = next_attempt(policy, TaskRunId("r"), made)
    assert due == (None if seconds is None else seconds * SECOND)


def test_a_random_delay_lies_between_its_bounds_and_follows_from_the_task_run() -> None:
    policy = retry(kind="random", interval=SECOND, max_interval=3 * SECOND)
    dues = {next_attempt(policy, TaskRunId(f"r{n}"), attempts((S.FAILED, 0))) for n in range(50)}
    assert all(due is not None and SECOND <= due < 3 * SECOND and due % 1000 == 0 for due in dues)
    assert len(dues) > 40
    again = next_attempt(policy, TaskRunId("r0"), attempts((S.FAILED, 0)))
    assert again in dues


NEW = [
    (retry(max_attempts=3), 1, 1),
    (retry(max_attempts=3), 3, None),
    (retry(max_duration=2 * SECOND), 1, 1),
    (retry(max_duration=0), 1, None),
]


@pytest.mark.parametrize(("policy", "number", "seconds"), NEW)
def test_when_a_new_execution_is_due(policy: Retry, number: int, seconds: int | None) -> None:
    created = (History(S.CREATED, Instant(0)),)
    execution = Execution(
        id=ExecutionId("x"), flow=KEY, revision=1, histories=created, attempt_number=number
    )
    due = next_execution(policy, execution, Instant(0))
    assert due == (None if seconds is None else seconds * SECOND)


TOP_LEVEL = [
    # fields of the task, first good attempt, run, attempts, execution
    ({}, 3, f"{AGAIN} RETRYING CREATED SUBMITTED RUNNING SUCCESS", "FAILED FAILED SUCCESS", "SUCCESS"),
    ({}, 9, f"{AGAIN} RETRYING {ONCE}", "FAILED FAILED FAILED", "FAILED"),
    ({"allow_failure": True}, 9, f"{AGAIN} RETRYING CREATED SUBMITTED RUNNING WARNING", "FAILED FAILED FAILED", "WARNING"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "good", "run", "ended", "state"), TOP_LEVEL)
def test_a_failed_task_is_repeated(
    fields: dict[str, Any], good: int, run: str, ended: str, state: str
) -> None:
    plan = Build().plan(leaf("a", retry=retry(max_attempts=3), **fields))
    drive = Drive(plan, work=until(good), reload=True).start().fire()
    assert drive.runs["a"] == run
    assert drive.attempts["a"] == ended
    assert (
        drive.history == f"CREATED RUNNING FAILED RETRYING RUNNING FAILED RETRYING RUNNING {state}"
    )


def test_success_after_a_failure_can_be_a_warning() -> None:
    policy = retry(max_attempts=4, warning_on_retry=True)
    drive = Drive(Build().plan(leaf("a", retry=policy)), work=until(2)).start().fire()
    assert drive.runs["a"].endswith("RUNNING WARNING")
    assert drive.attempts["a"] == "FAILED SUCCESS"
    first = Drive(Build().plan(leaf("a", retry=policy)), work=until(1)).start()
    assert first.history == "CREATED RUNNING SUCCESS"


def nested(policy: Retry) -> Drive:
    b = Build()
    sequence = b.control(
        Sequence, "s", tasks=[leaf("a", retry=policy)], errors=[leaf("e")], finally_=[leaf("f")]
    )
    return Drive(b.plan(sequence), work=lambda r, _n: S.FAILED if r.task_id == "a" else S.SUCCESS)


def test_a_nested_retry_shows_no_failure_in_between_and_errors_wait_for_it() -> None:
    drive = nested(retry(max_attempts=2)).start()
    assert drive.history == "CREATED RUNNING RETRYING"
    assert drive.order == ["s", "s/a"]
    drive.fire()
    assert drive.history == "CREATED RUNNING RETRYING RUNNING FAILED"
    assert drive.order == ["s", "s/a", "s/e", "s/f"]


def test_075_an_error_branch_waits_for_the_retry_of_a_child() -> None:
    b = Build()
    tasks = [leaf("a", retry=retry(max_attempts=3)), leaf("b")]
    sequence = b.control(Sequence, "s", tasks=tasks, errors=[leaf("e")])
    bad = until(2)
    drive = Drive(b.plan(sequence), work=lambda r, n: bad(r, n) if r.task_id == "a" else S.SUCCESS)
    drive.start().fire()
    assert drive.history.endswith("RUNNING SUCCESS")
    assert drive.order == ["s", "s/a", "s/b"]
    assert drive.attempts["s/a"] == "FAILED SUCCESS"


INHERITED = [
    # lists of the flow, whether the retry is the task's own, whether FAILED is shown
    ({}, False, True),
    ({"errors": [leaf("err")]}, False, False),
    ({"finally_": [leaf("fin")]}, False, False),
    ({"errors": [leaf("err")]}, True, True),
]


@pytest.mark.parametrize(("lists", "own", "shown"), INHERITED)
def test_an_inherited_retry_is_used_up_before_errors_run(
    lists: Any, own: bool, shown: bool
) -> None:
    plan = Build().plan(leaf("a", retry=retry(max_attempts=2, own=own)), **lists)
    drive = (
        Drive(plan, work=lambda r, _n: S.FAILED if r.task_id == "a" else S.SUCCESS).start().fire()
    )
    between = "FAILED RETRYING" if shown else "RETRYING"
    assert drive.history == f"CREATED RUNNING {between} RUNNING FAILED"
    assert drive.order == ["a", *(node.id for nodes in lists.values() for node in nodes)]


def test_concurrent_failures_are_repeated_one_after_another() -> None:
    b = Build()
    loop = b.control(
        Each,
        "l",
        values=["a", "b", "c"],
        concurrency=0,
        tasks=[leaf("t", retry=retry(max_attempts=3))],
    )
    drive = Drive(b.plan(loop), work=until(2), reload=True).start().fire()
    assert (
        drive.history
        == "CREATED RUNNING RETRYING RUNNING RETRYING RUNNING RETRYING RUNNING SUCCESS"
    )
    assert set(drive.attempts.values()) == {"FAILED SUCCESS", "SUCCESS"}
    assert drive.runs["l/t[c]"] == f"{ONCE} RETRYING CREATED SUBMITTED RUNNING SUCCESS"


def test_a_retry_can_be_a_new_execution() -> None:
    b = Build()
    policy = retry(max_attempts=3, new_execution=True)
    inner = b.control(Sequence, "s", tasks=[leaf("a", retry=policy), leaf("b")])
    plan = b.plan(
        b.control(Parallel, "p", tasks=[leaf("slow", inline=False), inner]), after=[leaf("aft")]
    )
    drive = Drive(plan, work=lambda r, _n: {"a": S.FAILED, "aft": S.SUCCESS}.get(r.task_id)).start()
    assert drive.told(c.KillTask)
    drive.finish("p/slow", S.KILLED)
    assert drive.runs["p/s/a"] == f"{ONCE} RETRIED"
    assert drive.runs["p/s"] == drive.runs["p"] == "CREATED RUNNING RETRIED"
    assert drive.history == "CREATED RUNNING RETRIED"
    assert drive.told(c.NewExecution) == [c.NewExecution(due=Instant(SECOND))]


def test_a_new_execution_at_top_level_shows_the_failure_and_ends_with_the_last_number() -> None:
    policy = retry(max_attempts=3, new_execution=True)
    plan = Build().plan(leaf("a", retry=policy))
    drive = Drive(plan, work=until(9)).start()
    assert drive.history == "CREATED RUNNING FAILED RETRIED"
    last = Drive(plan, work=until(9), header={"attempt_number": 3}).start()
    assert last.history == "CREATED RUNNING FAILED"


def test_after_execution_is_repeated_without_touching_the_execution() -> None:
    after = [
        leaf("x", retry=retry(max_attempts=2)),
        leaf("y", retry=retry(new_execution=True, max_attempts=5)),
    ]
    drive = (
        Drive(
            Build().plan(leaf("a"), after=after),
            work=lambda r, _n: S.SUCCESS if r.task_id == "a" else S.FAILED,
        )
        .start()
        .fire()
    )
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert drive.runs["x"] == AGAIN
    assert drive.runs["y"] == ONCE


def test_a_kill_ends_a_retry_that_waits_and_one_that_waits_for_its_turn() -> None:
    b = Build()
    loop = b.control(Each, "l", values=["a", "b"], concurrency=0, tasks=[leaf("t", retry=retry())])
    drive = Drive(b.plan(loop), work=until(9)).start()
    assert drive.runs["l/t[b]"] == "CREATED SUBMITTED RUNNING"
    drive.send(e.KillRequested(at=drive.now))
    assert drive.history == "CREATED RUNNING RETRYING KILLING KILLED"
    assert drive.runs["l/t[a]"] == f"{ONCE} RETRYING KILLED"
    assert drive.runs["l/t[b]"] == "CREATED SUBMITTED RUNNING KILLED"
    drive.fire()
    assert drive.history.endswith("KILLED")


def test_a_lost_attempt_is_given_out_again_under_the_next_number() -> None:
    drive = Drive(
        Build().plan(leaf("a", inline=False)), work=lambda _r, n: S.SUCCESS if n == 2 else None
    ).start()
    lost = e.AttemptLost(at=drive.now, task_run_id=drive.run("a").id, attempt=1)
    drive.send(lost)
    assert drive.runs["a"] == "CREATED SUBMITTED RUNNING SUBMITTED RUNNING SUCCESS"
    assert drive.attempts["a"] == "RESUBMITTED SUCCESS"
    assert [run.attempt for run in drive.told(c.RunTask)] == [1, 2]


def test_a_lost_attempt_that_never_started_is_made_up() -> None:
    b = Build()
    drive = Drive(b.plan(leaf("a")), work=lambda _r, n: S.SUCCESS if n == 2 else None).start()
    drive.send(e.AttemptLost(at=drive.now, task_run_id=drive.run("a").id, attempt=1))
    assert drive.attempts["a"] == "RESUBMITTED SUCCESS"


def test_150_a_lost_attempt_behind_one_that_ended_is_added() -> None:
    plan = Build().plan(leaf("a", retry=retry(max_attempts=3)))
    answers = {1: S.FAILED, 2: None, 3: S.SUCCESS}
    drive = Drive(plan, work=lambda _r, n: answers[n], reload=True).start().fire()
    assert drive.attempts["a"] == "FAILED"
    drive.send(e.AttemptLost(at=drive.now, task_run_id=drive.run("a").id, attempt=2))
    assert drive.attempts["a"] == "FAILED RESUBMITTED SUCCESS"
    assert drive.history == "CREATED RUNNING FAILED RETRYING RUNNING SUCCESS"


@pytest.mark.parametrize("inline", [True, False])
def test_a_lost_attempt_counts_as_failed_by_policy(inline: bool) -> None:
    plan = Build().plan(leaf("a", inline=inline, retry=retry(max_attempts=2)))
    drive = Drive(plan, work=lambda _r, n: S.SUCCESS if n == 2 else None).start()
    drive.send(
        e.AttemptLost(at=drive.now, task_run_id=drive.run("a").id, attempt=1, resubmit=False)
    ).fire()
    assert drive.attempts["a"] == "FAILED SUCCESS"


def test_an_attempt_lost_while_killing_is_killed() -> None:
    drive = Drive(Build().plan(leaf("a", inline=False)), work=lambda _r, _n: None).start()
    drive.send(e.KillRequested(at=drive.now))
    drive.send(e.AttemptLost(at=drive.now, task_run_id=drive.run("a").id, attempt=1))
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    assert drive.attempts["a"] == "KILLED"
