"""Subflow, ForEachItem and WorkingDirectory: work that is done elsewhere (01 §6.8, §6.10, §6.13, §11.8, §11.9)."""

from typing import Any

import msgspec
import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.plan import Parallel, Sequence, Subflow, WorkDir
from batuta.engine.turn import WINDOW
from batuta.model.ids import ExecutionId
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import State
from tests.unit.engine.driving import Build, Drive, leaf, retry

S = State
LINK = '[[link execution="kid" flowId="child" namespace="ns"]]'


def subflow(name: str = "call", **fields: Any) -> Subflow:
    return Subflow(id=name, type="test.Subflow", namespace="ns", flow_id="child", **fields)  # type: ignore[arg-type]


def calling(**fields: Any) -> Drive:
    drive = Drive(
        Build().plan(subflow(**fields), leaf("next")), child=lambda _command: "kid", reload=True
    )
    return drive.start()


def child_ends(drive: Drive, state: State, path: str = "call", **fields: Any) -> Drive:
    fields.setdefault("execution_id", ExecutionId("kid"))
    return drive.send(
        e.ChildEnded(at=drive.now, task_run_id=drive.run(path).id, state=state, **fields)
    )


ENDS = [
    # fields, state of the child, run after RUNNING, execution, logs
    ({}, S.SUCCESS, "SUCCESS", "SUCCESS", []),
    ({}, S.CANCELLED, "CANCELLED SUCCESS", "SUCCESS", []),
    ({}, S.WARNING, "WARNING", "WARNING", [("WARN", f"Subflow execution {LINK} ends in WARNING state")]),
    ({"allow_warning": True}, S.WARNING, "WARNING SUCCESS", "SUCCESS", []),
    ({}, S.FAILED, "FAILED", "FAILED", [("ERROR", f"Subflow execution {LINK} ends in FAILED state")]),
    ({}, S.KILLED, "KILLED", "KILLED", [("ERROR", f"Subflow execution {LINK} ends in KILLED state")]),
    ({"allow_failure": True}, S.FAILED, "FAILED WARNING", "WARNING", [("WARN", f"Subflow execution {LINK} ends in WARNING state")]),
    ({"allow_failure": True, "allow_warning": True}, S.FAILED, "FAILED SUCCESS", "SUCCESS", []),
    ({"transmit_failed": False}, S.FAILED, "FAILED SUCCESS", "SUCCESS", []),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "state", "run", "history", "logs"), ENDS)
def test_what_the_end_of_a_child_means(
    fields: Any, state: State, run: str, history: str, logs: Any
) -> None:
    drive = calling(**fields)
    assert drive.runs == {"call": "CREATED RUNNING"}
    assert drive.output("call") == {"executionId": "kid"}
    child_ends(drive, state, outputs={"r": 1})
    assert drive.runs["call"] == f"CREATED RUNNING {run}"
    assert drive.attempts["call"] == run.rsplit(maxsplit=1)[-1]
    assert drive.output("call") == {"executionId": "kid", "state": state.value, "outputs": {"r": 1}}
    assert drive.history == f"CREATED RUNNING {history}"
    assert drive.logs == [("INFO", f"Created new execution {LINK}"), *logs]


def test_without_wait_the_task_succeeds_when_the_child_exists() -> None:
    drive = calling(wait=False)
    assert drive.runs["call"] == "CREATED RUNNING SUCCESS"
    assert drive.output("call") == {"executionId": "kid", "state": "CREATED"}
    assert drive.history == "CREATED RUNNING SUCCESS"


def test_outputs_of_the_child_that_cannot_be_rendered_fail_the_task() -> None:
    drive = child_ends(calling(), S.SUCCESS, problem="no y")
    assert drive.runs["call"] == "CREATED RUNNING FAILED"
    assert drive.output("call") == {"executionId": "kid", "state": "SUCCESS"}
    assert drive.logs[-1] == ("ERROR", "Failed to extract outputs with the error: 'no y'")


BAD_CALLS = [
    {"inputs": {"a": "{{ x }}"}},
    {"labels": "nonsense"},
    {"schedule_date": "someday"},
]


@pytest.mark.parametrize("fields", BAD_CALLS)
def test_a_call_that_cannot_be_made_fails_with_an_attempt(fields: Any) -> None:
    drive = Drive(Build().plan(subflow(**fields)), render=lambda _r: "no x").start()
    assert drive.runs["call"] == "CREATED FAILED"
    assert drive.attempts["call"] == "FAILED"


@pytest.mark.parametrize("problem", ["Unable to find flow", None])
def test_a_child_that_cannot_be_made_fails_the_task(problem: str | None) -> None:
    drive = Drive(Build().plan(subflow()), child=lambda _c: None).start()
    assert drive.runs["call"] == "CREATED FAILED"
    assert drive.logs == [("ERROR", "The execution could not be created")]


def test_properties_are_rendered_and_given_to_the_child() -> None:
    node = subflow(
        inputs={"a": "{{ x }}", "n": 3},
        labels=[{"key": "k", "value": 1}],
        inherit_labels="{{ y }}",
        schedule_date="2025-01-01T00:00:00Z",
        revision=4,
    )
    drive = Drive(
        Build().plan(node),
        render=lambda r: {**r.values, "inputs": {"a": "q", "n": 3}, "inheritLabels": "true"},
    ).start()
    (start,) = drive.told(c.StartChild)
    assert start.inputs == {"a": "q", "n": 3}
    assert start.labels == (Label("k", "1"),)
    assert start.inherit_labels
    assert start.schedule_date == 1_735_689_600_000_000
    assert start.revision == 4


def test_a_retry_calls_again() -> None:
    drive = calling(retry=retry(max_attempts=2, warning_on_retry=True))
    child_ends(drive, S.FAILED).fire()
    assert drive.runs["call"] == "CREATED RUNNING FAILED RETRYING CREATED RUNNING"
    assert [start.attempt for start in drive.told(c.StartChild)] == [1, 2]
    child_ends(drive, S.SUCCESS)
    assert drive.runs["call"].endswith("SUCCESS WARNING")
    assert drive.attempts["call"] == "FAILED WARNING"


def test_a_kill_goes_down_to_the_child_and_waits_for_it() -> None:
    drive = calling().send(e.KillRequested(at=Instant(0)))
    assert drive.told(c.KillChild) == [c.KillChild(execution_id=ExecutionId("kid"))]
    assert drive.history == "CREATED RUNNING KILLING"
    child_ends(drive, S.KILLED)
    assert drive.history == "CREATED RUNNING KILLING KILLED"


def test_a_kill_without_cascade_leaves_the_child_alone() -> None:
    drive = calling().send(e.KillRequested(at=Instant(0), cascade=False))
    assert not drive.told(c.KillChild)
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    assert drive.attempts["call"] == "KILLED"


def test_a_child_that_starts_while_its_parent_is_killed_is_killed() -> None:
    drive = Drive(Build().plan(subflow()))
    drive.starting = False
    drive.start().send(e.KillRequested(at=drive.now))
    assert drive.history == "CREATED RUNNING KILLING"
    run_id = drive.run("call").id
    drive.send(
        e.ChildStarted(at=drive.now, task_run_id=run_id, attempt=1, execution_id=ExecutionId("kid"))
    )
    assert drive.told(c.KillChild)
    child_ends(drive, S.KILLED)
    assert drive.history.endswith("KILLED")


def items(count: int, **fields: Any) -> Drive:
    b = Build()
    node = b.each_item(
        "each",
        subflow("each_items", inputs={"i": "{{ taskrun.items }}"}, **fields),
        errors=[leaf("err")],
    )

    def render(command: c.Render) -> Any:
        if "splits" in command.values:
            return {"splits": "".join(f"kestra:///{n}.txt\n" for n in range(count))}
        return {**command.values, "inputs": {"i": command.items}}

    return Drive(
        b.plan(node, leaf("next")),
        render=render,
        child=lambda start: f"kid{start.index}",
        reload=True,
    ).start()


def batch_ends(drive: Drive, number: int, state: State, **fields: Any) -> None:
    child_ends(
        drive,
        state,
        "each/each_items",
        execution_id=ExecutionId(f"kid{number}"),
        index=number,
        **fields,
    )


def test_a_file_is_given_to_children_batch_by_batch() -> None:
    drive = items(3)
    starts = drive.told(c.StartChild)
    assert [(start.index, start.inputs["i"], start.task_run.iteration) for start in starts] == [
        (number, f"kestra:///{number}.txt", number) for number in range(3)
    ]
    assert starts[0].told["uri"].endswith("/0/outputs.ion")
    for number in (2, 0, 1):
        batch_ends(drive, number, S.SUCCESS)
    run = drive.run("each/each_items")
    assert drive.output("each/each_items") == {
        "iterations": {"CREATED": 0, "RUNNING": 0, "SUCCESS": 3},
        "numberOfBatches": 3,
        "subflowOutputsBaseUri": f"/company/team/flow/executions/exec/tasks/each-items/{run.id}",
    }
    assert drive.order == ["each", "each/each_split", "each/each_items", "each/each_merge", "next"]
    assert drive.runs["each/each_items"] == "CREATED RUNNING SUCCESS"
    assert drive.history == "CREATED RUNNING SUCCESS"


ITEM_ENDS = [
    ({}, [S.FAILED, S.KILLED], "FAILED", ["each", "each/each_split", "each/each_items", "each/err"]),
    ({}, [S.KILLED, S.SUCCESS], "KILLED", ["each", "each/each_split", "each/each_items"]),
    ({}, [S.WARNING, S.SUCCESS], "WARNING", ["each", "each/each_split", "each/each_items", "each/each_merge", "next"]),
    ({"transmit_failed": False}, [S.FAILED, S.SUCCESS], "SUCCESS", ["each", "each/each_split", "each/each_items", "each/each_merge", "next"]),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "states", "history", "order"), ITEM_ENDS)
def test_the_children_give_the_state(
    fields: Any, states: list[State], history: str, order: list[str]
) -> None:
    drive = items(2, **fields)
    for number, state in enumerate(states):
        batch_ends(drive, number, state)
    assert drive.history == f"CREATED RUNNING {history}"
    assert drive.order == order


def test_an_empty_file_needs_no_children() -> None:
    drive = items(0)
    assert drive.runs["each/each_items"] == "CREATED SUCCESS"
    assert drive.attempts["each/each_items"] == ""
    assert drive.history == "CREATED RUNNING SUCCESS"


def test_without_wait_the_batches_count_as_done_when_they_exist() -> None:
    drive = items(2, wait=False)
    assert drive.output("each/each_items")["iterations"] == {"RUNNING": 0, "SUCCESS": 2}
    assert drive.history == "CREATED RUNNING SUCCESS"


def test_a_batch_whose_outputs_cannot_be_rendered_failed() -> None:
    drive = items(1)
    batch_ends(drive, 0, S.SUCCESS, problem="no y")
    assert drive.output("each/each_items")["iterations"]["FAILED"] == 1


def test_only_a_window_of_children_is_on_its_way() -> None:
    b = Build()
    node = b.each_item("each", subflow("each_items"))
    lines = "\n".join(map(str, range(WINDOW + 5)))
    drive = Drive(b.plan(node), render=lambda _r: {"splits": lines})
    drive.starting = False
    drive.start()
    run_id = drive.run("each/each_items").id
    for index, told in ((None, 1), (0, 1 + WINDOW), (3, 2 + WINDOW)):
        if index is not None:
            id_ = ExecutionId(f"k{index}")
            drive.send(
                e.ChildStarted(
                    at=drive.now, task_run_id=run_id, attempt=1, index=index, execution_id=id_
                )
            )
        assert len(drive.told(c.StartChild)) == told


@pytest.mark.parametrize("answer", ["no x", {"splits": "f", "labels": "nonsense"}])
def test_a_list_or_a_batch_that_cannot_be_read_fails(answer: Any) -> None:
    b = Build()
    call = subflow("each_items", labels="{{ x }}")
    drive = Drive(
        b.plan(b.each_item("each", call)),
        render=lambda r: (
            answer if isinstance(answer, str) or "splits" in r.values else {**r.values, **answer}
        ),
    ).start()
    assert drive.history == "CREATED RUNNING FAILED"


def test_a_batch_that_cannot_be_rendered_or_made_fails_alone() -> None:
    b = Build()
    call = subflow("each_items", inputs={"a": "{{ x }}"})

    def render(command: c.Render) -> Any:
        if "splits" in command.values:
            return {"splits": "f\ng\nh"}
        return "no x" if command.items == "g" else dict(command.values)

    drive = Drive(
        b.plan(b.each_item("each", call)),
        render=render,
        child=lambda command: f"child-{command.task_run.id}-0" if command.index == 0 else None,
    ).start()
    batch_ends(drive, 0, S.SUCCESS)
    assert drive.output("each/each_items")["iterations"] == {
        "CREATED": 0,
        "RUNNING": 0,
        "SUCCESS": 1,
        "FAILED": 2,
    }
    assert drive.history == "CREATED RUNNING FAILED"


@pytest.mark.parametrize("problem", ["render", "make"])
def test_no_batch_begins_when_the_first_cannot(problem: str) -> None:
    b = Build()
    call = subflow("each_items", inputs={"a": "{{ x }}"})

    def render(command: c.Render) -> Any:
        if "splits" in command.values:
            return {"splits": "f\ng"}
        return "no x" if problem == "render" else dict(command.values)

    drive = Drive(b.plan(b.each_item("each", call)), render=render, child=lambda _s: None).start()
    assert drive.runs["each/each_items"] == "CREATED FAILED"
    assert drive.attempts["each/each_items"] == "FAILED"
    assert drive.output("each/each_items") == {}
    assert len(drive.logs) == 1
    assert drive.history == "CREATED RUNNING FAILED"


def test_a_kill_goes_down_to_all_batches() -> None:
    drive = items(2).send(e.KillRequested(at=Instant(0)))
    assert drive.told(c.KillChildren)
    batch_ends(drive, 0, S.KILLED)
    assert drive.history == "CREATED RUNNING KILLING"
    batch_ends(drive, 1, S.SUCCESS)
    assert drive.history == "CREATED RUNNING KILLING KILLED"


def test_a_kill_without_cascade_leaves_the_batches_alone() -> None:
    drive = items(2).send(e.KillRequested(at=Instant(0), cascade=False))
    assert not drive.told(c.KillChildren)
    assert drive.history == "CREATED RUNNING KILLING KILLED"


@pytest.mark.parametrize("templated", [True, False])
def test_batches_that_were_never_begun_need_no_kill(templated: bool) -> None:
    b = Build()
    call = subflow("each_items", inputs={"a": "{{ x }}"} if templated else None)
    drive = Drive(b.plan(b.each_item("each", call)))
    drive.render = lambda _r: {"splits": "f\ng"}
    drive.answering_only = "splits"
    drive.starting = False
    drive.start().send(e.KillRequested(at=drive.now))
    assert drive.history.endswith("KILLED" if templated else "KILLING")


def workdir(answer: Any, *children: Any, **fields: Any) -> Drive:
    b = Build()
    tasks = list(children) or [leaf("one", inline=False), leaf("two", inline=False)]
    node = b.control(WorkDir, "wd", tasks=tasks, errors=[leaf("err")], **fields)

    def work(run: Any, _attempt: int) -> Any:
        return answer if run.task_id == "wd" else S.SUCCESS

    return Drive(b.plan(node, leaf("next")), work=work, reload=True).start()


def job(state: State, *children: tuple[str, State]) -> e.TaskFinished:
    at = Instant(0)
    runs = tuple(
        e.ChildRun(task_id=name, state=child, started=at, ended=at, outputs={"n": name})
        for name, child in children
    )
    return e.TaskFinished(
        at=at, task_run_id="", attempt=0, state=state, outputs={"files": 1}, children=runs
    )  # type: ignore[arg-type]


JOBS = [
    (job(S.SUCCESS, ("one", S.SUCCESS), ("two", S.SKIPPED)), "RUNNING SUCCESS", ["wd", "wd/one", "wd/two", "next"]),
    (job(S.WARNING, ("one", S.WARNING), ("two", S.SUCCESS)), "RUNNING WARNING", ["wd", "wd/one", "wd/two", "next"]),
    (job(S.FAILED, ("one", S.FAILED)), "RUNNING FAILED", ["wd", "wd/one", "wd/err"]),
    (job(S.KILLED, ("one", S.SUCCESS)), "RUNNING KILLED", ["wd", "wd/one"]),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "run", "order"), JOBS)
def test_children_come_with_the_result_of_the_job(answer: Any, run: str, order: list[str]) -> None:
    drive = workdir(answer)
    assert drive.runs["wd"] == f"CREATED {run}"
    assert drive.order == order
    assert drive.output("wd") == {"files": 1}
    assert drive.runs["wd/one"].startswith("CREATED RUNNING")
    assert drive.output("wd/one") == {"n": "one"}
    if "wd/two" in drive.runs and "SKIPPED" in drive.runs["wd/two"]:
        assert drive.attempts["wd/two"] == ""


def test_a_job_that_fails_outside_its_children_never_ran() -> None:
    b = Build()
    node = b.control(WorkDir, "wd", tasks=[leaf("one"), leaf("two")])
    drive = Drive(
        b.plan(node), work=lambda _r, _n: job(S.FAILED, ("one", S.SUCCESS)), reload=True
    ).start()
    assert drive.runs == {"wd": "CREATED FAILED", "wd/one": "CREATED RUNNING SUCCESS"}
    assert drive.attempts["wd"] == ""
    assert workdir(job(S.FAILED)).order == ["wd", "wd/err"]


def test_a_failed_child_is_repeated_by_itself() -> None:
    children = [leaf("one", retry=retry(max_attempts=3)), leaf("two")]
    drive = workdir(job(S.FAILED, ("one", S.FAILED)), *children).fire()
    assert (
        drive.runs["wd/one"] == "CREATED RUNNING FAILED RETRYING CREATED SUBMITTED RUNNING SUCCESS"
    )
    assert drive.order == ["wd", "wd/one", "wd/two", "next"]
    assert drive.history == "CREATED RUNNING RETRYING RUNNING SUCCESS"


def test_an_allowed_failure_of_a_child_is_a_warning() -> None:
    drive = workdir(
        job(S.WARNING, ("one", S.FAILED), ("two", S.SUCCESS)),
        leaf("one", allow_failure=True),
        leaf("two"),
    )
    assert drive.runs["wd/one"] == "CREATED RUNNING WARNING"
    assert drive.attempts["wd/one"] == "FAILED"
    assert drive.history == "CREATED RUNNING WARNING"


def test_a_lost_or_killed_job() -> None:
    b = Build()
    plan = b.plan(b.control(Sequence, "s", tasks=[b.control(WorkDir, "wd", tasks=[leaf("one")])]))
    drive = Drive(plan, work=lambda _r, _n: None).start()
    run_id = drive.run("s/wd").id
    drive.send(e.AttemptLost(at=drive.now, task_run_id=run_id, attempt=1))
    assert drive.runs["s/wd"] == "CREATED RUNNING"
    drive.send(e.KillRequested(at=drive.now))
    assert drive.told(c.KillTask) == [c.KillTask(task_run_id=run_id, attempt=2)]
    drive.finish("s/wd", S.KILLED)
    assert drive.history == "CREATED RUNNING KILLING KILLED"


def test_a_kill_while_a_child_is_repeated() -> None:
    drive = workdir(job(S.FAILED, ("one", S.FAILED)), leaf("one", retry=retry()))
    drive.send(e.KillRequested(at=drive.now))
    assert drive.runs["wd"] == "CREATED RUNNING KILLED"
    assert drive.history == "CREATED RUNNING RETRYING KILLING KILLED"


def test_an_exit_beside_lets_begun_batches_end_and_begins_no_others() -> None:
    b = Build()
    call = subflow("each_items", inputs={"a": "{{ x }}"})
    stop = e.TaskFinished(
        at=Instant(0), task_run_id="", attempt=0, state=S.WARNING, exit_state=S.WARNING
    )  # type: ignore[arg-type]
    tasks = [b.each_item("each", call), leaf("slow", inline=False)]
    drive = Drive(
        b.plan(b.control(Parallel, "p", tasks=tasks)), child=lambda start: f"kid{start.index}"
    )
    drive.work = lambda run, _n: None if run.task_id == "slow" else S.SUCCESS
    drive.render = lambda r: {"splits": "f\ng"} if "splits" in r.values else r.values
    drive.answering_only = "splits"
    drive.start()
    items_run = drive.run("p/each/each_items")
    values = {"namespace": "ns", "flowId": "f"}
    drive.send(e.Rendered(at=drive.now, request_id=f"{items_run.id}/batch0", values=values))
    slow = drive.run("p/slow")
    drive.send(msgspec.structs.replace(stop, task_run_id=slow.id, attempt=1))
    assert drive.history == "CREATED RUNNING"
    child_ends(drive, S.SUCCESS, "p/each/each_items", execution_id=ExecutionId("kid0"), index=0)
    assert drive.history == "CREATED RUNNING WARNING"
    assert len(drive.told(c.StartChild)) == 1
    assert not drive.told(c.KillChildren)
