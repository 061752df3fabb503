"""Tasks that only the workers of a group may run (01 §1.1, §4.1, §5.1)."""

from typing import Any

import pytest
from typing_extensions import override

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.plan import WorkDir, WorkerGroup
from tests.core.operating import AT, S
from tests.unit.engine.driving import Build, Drive, leaf, retry


def never(_run: Any, _attempt: int) -> None:
    return None


def started(*tasks: Any, **how: Any) -> Drive:
    plan = Build().plan(*tasks)
    return Drive(plan, work=how.pop("work", never), reload=True, **how).start()


def grouped(name: str = "a", *, key: str = "gpu", fallback: str = "WAIT", **fields: Any) -> Any:
    return leaf(name, worker_group=WorkerGroup(key, fallback), **fields)


def refuse(drive: Drive, path: str = "a", attempt: int = 1) -> Drive:
    run = drive.run(path)
    return drive.send(e.AttemptRefused(at=AT, task_run_id=run.id, attempt=attempt, group="gpu"))


def test_the_group_goes_with_the_order() -> None:
    (order,) = started(grouped()).told(c.RunTask)
    assert order.group == "gpu"


def test_a_template_is_rendered_together_with_the_timeout() -> None:
    drive = started(
        grouped(key="{{ inputs.where }}", timeout="{{ inputs.limit }}"),
        render=lambda _: {"group": " gpu ", "timeout": "PT5S"},
    )
    (asked,) = drive.told(c.Render)
    assert set(asked.values) == {"group", "timeout"}
    (order,) = drive.told(c.RunTask)
    assert (order.group, order.timeout) == ("gpu", 5_000_000)


def test_a_literal_timeout_stays_when_the_group_is_a_template() -> None:
    drive = started(grouped(key="{{ x }}", timeout="PT5S"), render=lambda _: {"group": "gpu"})
    (order,) = drive.told(c.RunTask)
    assert (order.group, order.timeout) == ("gpu", 5_000_000)


def test_a_template_that_gives_nothing_means_no_group() -> None:
    drive = started(grouped(key="{{ x }}"), render=lambda _: {"group": ""})
    assert drive.told(c.RunTask)[0].group is None


def test_a_template_that_fails_fails_the_task() -> None:
    drive = started(grouped(key="{{ x }}"), render=lambda _: "no x")
    assert drive.runs == {"a": "CREATED RUNNING FAILED"}
    assert ("ERROR", "no x") in drive.logs


def test_fail_ends_the_task_with_an_attempt_and_says_why() -> None:
    drive = refuse(started(grouped(fallback="FAIL")))
    assert drive.runs == {"a": "CREATED SUBMITTED RUNNING FAILED"}
    assert drive.attempts == {"a": "FAILED"}
    assert drive.history == "CREATED RUNNING FAILED"
    assert ("ERROR", "No worker serves the worker group `gpu`") in drive.logs


def test_fail_is_repeated_as_any_other_failure() -> None:
    drive = refuse(started(grouped(fallback="FAIL", retry=retry(max_attempts=2))))
    drive.fire(1)
    refuse(drive, attempt=2)
    assert drive.attempts == {"a": "FAILED FAILED"}
    assert drive.state_is(S.FAILED)


def test_cancel_counts_as_success_for_what_follows() -> None:
    drive = refuse(started(grouped(fallback="CANCEL"), leaf("b")))
    assert drive.runs["a"] == "CREATED SUBMITTED CANCELLED"
    assert drive.attempts["a"] == ""
    drive.finish("b")
    assert drive.history == "CREATED RUNNING SUCCESS"


def test_a_task_that_waits_can_be_killed() -> None:
    drive = started(grouped()).send(e.KillRequested(at=AT))
    assert drive.runs == {"a": "CREATED SUBMITTED KILLED"}
    assert drive.told(c.KillTask)
    assert drive.history == "CREATED RUNNING KILLING KILLED"


@pytest.mark.parametrize("attempt", [0, 2])
def test_a_refusal_of_another_attempt_means_nothing(attempt: int) -> None:
    drive = started(grouped(fallback="FAIL"))
    before = drive.execution
    refuse(drive, attempt=attempt)
    assert drive.execution == before


def test_a_refusal_of_what_runs_already_means_nothing() -> None:
    drive = started(grouped(fallback="FAIL", inline=False))
    refuse(drive)
    assert drive.runs == {"a": "CREATED SUBMITTED RUNNING"}


class Unstarted(Drive):
    """No worker takes anything."""

    @override
    def _run(self, run: Any, attempt: int) -> Any:
        return ()


@pytest.mark.parametrize(
    ("fallback", "branches", "expected"),
    [
        ("FAIL", {}, {"d": "CREATED FAILED"}),
        ("CANCEL", {}, {"d": "CREATED RUNNING CANCELLED"}),
        ("FAIL", {"errors": [leaf("e")]}, {"d": "CREATED RUNNING", "d/e": "CREATED SUBMITTED"}),
    ],
)
def test_a_working_directory_without_worker(
    fallback: str, branches: Any, expected: dict[str, str]
) -> None:
    b = Build()
    group = WorkerGroup("gpu", fallback)
    node = b.control(WorkDir, "d", tasks=[leaf("a")], worker_group=group, **branches)
    drive = Unstarted(b.plan(node), reload=True).start()
    refuse(refuse(drive, "d"), "d")
    assert drive.runs == expected
