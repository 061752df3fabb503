"""Flow level: given a plan and what its tasks answer, when it runs, then these are the histories (01 §4, §11.1, §11.5)."""

from typing import Any

import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.plan import FlowOutput, Parallel, Plan, Sequence
from batuta.model.label import Label
from batuta.model.state import State
from tests.unit.engine.driving import Build, Drive, leaf

S = State


def failing(*names: str) -> Any:
    return lambda run, _attempt: S.FAILED if run.task_id in names else S.SUCCESS


def test_tasks_run_one_after_another_and_the_end_is_told() -> None:
    drive = Drive(Build().plan(leaf("a"), leaf("b")), reload=True).start()
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert drive.order == ["a", "b"]
    assert set(drive.runs.values()) == {"CREATED SUBMITTED RUNNING SUCCESS"}
    assert drive.told(c.Announce) == [c.Announce(state=S.RUNNING), c.Announce(state=S.SUCCESS)]
    assert drive.told(c.End) == [c.End()]


def test_a_worker_reports_start_and_end_apart() -> None:
    drive = Drive(Build().plan(leaf("a", inline=False)), work=lambda _r, _a: None).start()
    assert drive.runs == {"a": "CREATED SUBMITTED RUNNING"}
    drive.finish("a", S.SUCCESS, outputs={"x": 1})
    assert drive.runs == {"a": "CREATED SUBMITTED RUNNING SUCCESS"}
    assert drive.output("a") == {"x": 1}
    assert drive.attempts == {"a": "SUCCESS"}


def test_a_flow_without_enabled_tasks_succeeds_from_created() -> None:
    drive = Drive(Build().plan()).start()
    assert drive.history == "CREATED SUCCESS"
    assert drive.order == []


LISTS = [
    # failing tasks, history, order
    ((), "CREATED RUNNING SUCCESS", ["a", "b", "fin", "aft"]),
    (("a",), "CREATED RUNNING FAILED", ["a", "err1", "err2", "fin", "aft"]),
    (("b",), "CREATED RUNNING FAILED", ["a", "b", "err1", "err2", "fin", "aft"]),
    (("a", "err1"), "CREATED RUNNING FAILED", ["a", "err1", "err2", "fin", "aft"]),
    (("fin",), "CREATED RUNNING SUCCESS", ["a", "b", "fin", "aft"]),
    (("aft",), "CREATED RUNNING SUCCESS", ["a", "b", "fin", "aft"]),
]


@pytest.mark.parametrize(("bad", "history", "order"), LISTS)
def test_errors_then_finally_then_after_execution(
    bad: tuple[str, ...], history: str, order: list[str]
) -> None:
    plan = Build().plan(
        leaf("a"),
        leaf("b"),
        errors=[leaf("err1"), leaf("err2")],
        finally_=[leaf("fin")],
        after=[leaf("aft")],
    )
    drive = Drive(plan, work=failing(*bad), reload=True).start()
    assert drive.history == history
    assert drive.order == order


NESTED = [
    # node of the inner Sequential, its state, state of the execution, order
    ({}, "FAILED", "FAILED", ["s", "s/ok", "s/bad", "s/e", "s/f", "global"]),
    ({"allow_failure": True}, "WARNING", "WARNING", ["s", "s/ok", "s/bad", "s/e", "s/f", "next"]),
    (
        {"allow_failure": True, "allow_warning": True},
        "SUCCESS",
        "SUCCESS",
        ["s", "s/ok", "s/bad", "s/e", "s/f", "next"],
    ),
    (
        {"failure_is_warning": True},
        "WARNING",
        "WARNING",
        ["s", "s/ok", "s/bad", "s/e", "s/f", "next"],
    ),
]


@pytest.mark.parametrize(("fields", "inner", "outer", "order"), NESTED)
def test_local_errors_run_and_the_failure_goes_up_unless_it_is_allowed(
    fields: dict[str, Any], inner: str, outer: str, order: list[str]
) -> None:
    b = Build()
    sequence = b.control(
        Sequence,
        "s",
        tasks=[leaf("ok"), leaf("bad"), leaf("never")],
        errors=[leaf("e")],
        finally_=[leaf("f")],
        **fields,
    )
    drive = Drive(
        b.plan(sequence, leaf("next"), errors=[leaf("global")]), work=failing("bad")
    ).start()
    assert drive.runs["s"] == f"CREATED RUNNING {inner}"
    assert drive.attempts["s"] == inner
    assert drive.history == f"CREATED RUNNING {outer}"
    assert drive.order == order


ALLOWED = [
    ({"allow_failure": True}, S.FAILED, "WARNING", "FAILED"),
    ({"allow_failure": True, "allow_warning": True}, S.FAILED, "SUCCESS", "FAILED"),
    ({"allow_warning": True}, S.WARNING, "SUCCESS", "WARNING"),
    ({}, S.WARNING, "WARNING", "WARNING"),
    ({}, S.CANCELLED, "CANCELLED", "CANCELLED"),
]


@pytest.mark.parametrize(("fields", "result", "run", "attempt"), ALLOWED)
def test_allow_failure_changes_the_task_run_and_leaves_the_attempt(
    fields: dict[str, Any], result: State, run: str, attempt: str
) -> None:
    drive = Drive(
        Build().plan(leaf("a", **fields), leaf("b")),
        work=lambda r, _a: result if r.task_id == "a" else S.SUCCESS,
    ).start()
    assert drive.runs["a"] == f"CREATED SUBMITTED RUNNING {run}"
    assert drive.attempts["a"] == attempt
    assert "b" in drive.runs


RUN_IF = [
    # runIf, rendered, history, whether the task runs
    ("true", None, "CREATED SUBMITTED RUNNING SUCCESS"),
    ("false", None, "CREATED SKIPPED"),
    ("{{ x }}", "0", "CREATED SKIPPED"),
    ("{{ x }}", " ", "CREATED SKIPPED"),
    ("{{ x }}", "no", "CREATED SUBMITTED RUNNING SUCCESS"),
    ("{{ x }}", None, "CREATED SKIPPED"),
]


@pytest.mark.parametrize(("condition", "rendered", "history"), RUN_IF)
def test_run_if_decides_at_dispatch(condition: str, rendered: str | None, history: str) -> None:
    drive = Drive(
        Build().plan(leaf("a", run_if=condition), leaf("b")),
        render=lambda command: dict.fromkeys(command.values, rendered),
    ).start()
    assert drive.runs["a"] == history
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert "b" in drive.runs


def test_a_run_if_that_cannot_be_rendered_fails_the_task_without_attempt() -> None:
    drive = Drive(Build().plan(leaf("a", run_if="{{ x }}")), render=lambda _command: "no x").start()
    assert drive.runs["a"] == "CREATED FAILED"
    assert drive.attempts["a"] == ""
    assert drive.logs == [
        ("ERROR", "Failed to evaluate the runIf condition for task a. Cause: no x")
    ]


UPDATES = [
    (S.SUCCESS, "CREATED RUNNING SUCCESS"),
    (S.FAILED, "CREATED FAILED"),
    (S.SKIPPED, "CREATED RUNNING SKIPPED"),
]


@pytest.mark.parametrize(("result", "history"), UPDATES)
def test_execution_updating_tasks_are_never_submitted(result: State, history: str) -> None:
    plan = Build().plan(leaf("a", updates_execution=True))
    drive = Drive(plan, work=lambda _r, _a: result).start()
    assert drive.runs["a"] == history


def test_results_change_labels_and_variables_of_the_execution() -> None:
    answer = e.TaskFinished(
        at=Drive.now,
        task_run_id="",
        attempt=0,
        state=S.SUCCESS,  # type: ignore[arg-type]
        labels=(Label("a", "2"), Label("b", "3")),
        variables={"v": 1},
    )
    header = {"labels": (Label("a", "1"),)}
    plan = Build().plan(leaf("a", updates_execution=True))
    drive = Drive(plan, work=lambda _r, _a: answer, header=header).start()
    assert drive.execution.labels == (Label("a", "2"), Label("b", "3"))
    assert drive.execution.variables == {"v": 1}


EXITS = [
    (S.FAILED, "FAILED"),
    (S.WARNING, "WARNING"),
    (S.SUCCESS, "SUCCESS"),
    (S.CANCELLED, "CANCELLED"),
    (S.KILLED, "KILLED"),
]


@pytest.mark.parametrize(("state", "history"), EXITS)
def test_exit_ends_the_execution_and_all_that_is_above_the_task(state: State, history: str) -> None:
    b = Build()
    answer = e.TaskFinished(at=Drive.now, task_run_id="", attempt=0, state=state, exit_state=state)  # type: ignore[arg-type]
    inner = b.control(Sequence, "in", tasks=[leaf("stop", updates_execution=True), leaf("never")])
    plan = b.plan(
        b.control(Sequence, "out", tasks=[inner], errors=[leaf("e")], finally_=[leaf("f")]),
        errors=[leaf("err")],
        finally_=[leaf("fin")],
        after=[leaf("aft")],
        outputs=(FlowOutput(id="o", type="STRING", value="x"),),
    )
    work = lambda run, _a: answer if run.task_id == "stop" else S.SUCCESS  # noqa: E731
    drive = Drive(plan, work=work, reload=True).start()
    assert drive.history == f"CREATED RUNNING {history}"
    assert drive.order == ["out", "out/in", "out/in/stop", "aft"]
    assert drive.runs["out"] == drive.runs["out/in"] == f"CREATED RUNNING {history}"
    assert drive.attempts["out"] == "RUNNING"
    assert drive.runs["out/in/stop"] == f"CREATED RUNNING {history}"


def exit_beside(state: State) -> Drive:
    b = Build()
    answer = e.TaskFinished(at=Drive.now, task_run_id="", attempt=0, state=state, exit_state=state)  # type: ignore[arg-type]
    tasks = [
        leaf("slow", inline=False),
        b.control(Sequence, "s", tasks=[leaf("slow2", inline=False), leaf("x")]),
        leaf("stop"),
    ]
    plan = b.plan(b.control(Parallel, "p", tasks=tasks))
    work = lambda run, _a: {"stop": answer}.get(run.task_id)  # noqa: E731
    return Drive(plan, work=work).start()


def test_exit_lets_running_siblings_finish() -> None:
    drive = exit_beside(S.WARNING)
    assert drive.history == "CREATED RUNNING"
    drive.finish("p/slow")
    drive.finish("p/s/slow2", S.FAILED)
    assert drive.runs["p/s"] == "CREATED RUNNING FAILED"
    assert drive.history == "CREATED RUNNING WARNING"
    assert not drive.told(c.KillTask)


def test_exit_killed_stops_running_siblings() -> None:
    drive = exit_beside(S.KILLED)
    assert len(drive.told(c.KillTask)) == 2
    drive.finish("p/slow", S.KILLED)
    drive.finish("p/s/slow2", S.KILLED)
    assert drive.history == "CREATED RUNNING KILLED"
    assert drive.runs["p/s"] == "CREATED RUNNING KILLED"


def outputs_plan() -> Plan:
    return Build().plan(
        leaf("a"),
        outputs=(
            FlowOutput(id="x", type="INT", value="{{ 1 }}"),
            FlowOutput(id="y", type="STRING", value="{{ 2 }}", required=False),
        ),
        after=[leaf("aft")],
    )


def test_flow_outputs_are_rendered_at_the_end_and_stored() -> None:
    drive = Drive(outputs_plan(), render=lambda r: dict.fromkeys(r.values, 7), reload=True).start()
    assert drive.execution.outputs == {"x": 7, "y": 7}
    assert [render.types for render in drive.told(c.Render)] == [{"x": "INT"}, {"y": "STRING"}]
    assert drive.history == "CREATED RUNNING SUCCESS"


def test_a_required_output_that_cannot_be_rendered_fails_the_execution() -> None:
    drive = Drive(outputs_plan(), render=lambda r: "bad" if r.request_id == "outputs" else {"y": 1})
    drive.start()
    assert drive.history == "CREATED RUNNING SUCCESS FAILED"
    assert drive.execution.outputs is None
    assert ("ERROR", "Failed to render output values: bad") in drive.logs
    assert "aft" in drive.runs


def test_an_optional_output_that_cannot_be_rendered_is_dropped() -> None:
    drive = Drive(outputs_plan(), render=lambda r: {"x": 1} if r.request_id == "outputs" else "bad")
    drive.start()
    assert drive.execution.outputs == {"x": 1}
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert drive.logs == [("WARN", "Failed to render optional flow output 'y'. Output is ignored.")]


def test_outputs_of_a_killed_execution_are_not_rendered() -> None:
    drive = Drive(outputs_plan(), work=lambda _r, _a: None)
    drive.plan = Build().plan(leaf("a", inline=False), outputs=drive.plan.outputs)
    drive.start().send(e.KillRequested(at=drive.now)).finish("a", S.KILLED)
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    assert not drive.told(c.Render)


def test_a_scheduled_execution_waits_for_its_date() -> None:
    drive = Drive(Build().plan(leaf("a")), header={"schedule_date": 5_000_000}).start()
    assert drive.history == "CREATED"
    assert drive.timers == {"schedule": 5_000_000}
    drive.fire()
    assert drive.history == "CREATED RUNNING SUCCESS"


def test_a_date_in_the_past_does_not_keep_an_execution() -> None:
    drive = Drive(Build().plan(leaf("a")), header={"schedule_date": -5}).start()
    assert drive.history == "CREATED RUNNING SUCCESS"


def test_a_task_run_killed_by_itself_ends_the_flow_killed_without_errors_and_finally() -> None:
    b = Build()
    plan = b.plan(
        b.control(Sequence, "s", tasks=[leaf("a"), leaf("b")], errors=[leaf("e")]),
        leaf("c"),
        errors=[leaf("err")],
        finally_=[leaf("fin")],
    )
    drive = Drive(plan, work=lambda _r, _a: S.KILLED).start()
    assert drive.history == "CREATED RUNNING KILLED"
    assert drive.order == ["s", "s/a"]


def test_dynamic_task_runs_are_added_beside_the_task() -> None:
    child = e.ChildRun(
        task_id="model",
        state=S.SUCCESS,
        started=Drive.now,
        ended=Drive.now,
        dynamic=True,
        value="v",
        outputs={"n": 1},
        task_run_id="given",
    )  # type: ignore[arg-type]
    answer = e.TaskFinished(
        at=Drive.now, task_run_id="", attempt=0, state=S.SUCCESS, children=(child,)
    )  # type: ignore[arg-type]
    b = Build()
    drive = Drive(
        b.plan(b.control(Sequence, "s", tasks=[leaf("dbt"), leaf("next")])),
        work=lambda r, _a: answer if r.task_id == "dbt" else S.SUCCESS,
    ).start()
    assert drive.order == ["s", "s/dbt", "s/model[v]", "s/next"]
    assert drive.run("s/model[v]").id == "given"
    assert drive.output("s/model[v]") == {"n": 1}
    assert drive.history == "CREATED RUNNING SUCCESS"


TIMEOUTS = [
    ("PT5S", None, 5_000_000),
    ("{{ x }}", "PT0.5S", 500_000),
    ("{{ x }}", "90.5", 90_500_000),
    ("{{ x }}", "", None),
    (3, None, 3_000_000),
]


@pytest.mark.parametrize(("timeout", "rendered", "limit"), TIMEOUTS)
def test_a_timeout_is_rendered_and_given_with_the_attempt(
    timeout: Any, rendered: str | None, limit: int | None
) -> None:
    plan = Build().plan(leaf("a", timeout=timeout))
    drive = Drive(plan, render=lambda _r: {"timeout": rendered}).start()
    assert [run.timeout for run in drive.told(c.RunTask)] == [limit]


@pytest.mark.parametrize("answer", ["no x", {"timeout": "soon"}])
def test_a_timeout_that_cannot_be_read_fails_the_attempt(answer: Any) -> None:
    drive = Drive(Build().plan(leaf("a", timeout="{{ x }}")), render=lambda _r: answer).start()
    assert drive.runs["a"] == "CREATED RUNNING FAILED"
    assert drive.attempts["a"] == "FAILED"
    assert drive.logs[0][0] == "ERROR"
