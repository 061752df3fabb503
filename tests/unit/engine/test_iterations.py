"""Loop of Kestra 2: executions are counted, begun, restarted and stopped; their rows are nobody's affair here."""

from collections.abc import Mapping
from typing import Any

import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.iteration import iteration_plans
from batuta.engine.plan import FlowOutput, Iterations, Parallel, Sequence
from batuta.engine.surgery import afresh, replay, restart
from batuta.engine.turn import WINDOW
from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.state import State
from tests.unit.engine.driving import Build, Drive, leaf, retry

S = State
AT = Instant(7)
LINK = '[[link execution="kid0" flowId="flow" namespace="company.team"]]'
OUTPUTS = (FlowOutput(id="o", type="STRING", value="{{ x }}"),)


def looping(values: Any = ("a", "b", "c"), **fields: Any) -> Drive:
    """A flow with the loop and a task after it; iterations end when the test says so."""
    values = list(values) if isinstance(values, tuple) else values
    answers = fields.pop("answers", {})
    build = Build()
    node = build.control(
        Iterations, "loop", values=values, tasks=[leaf("inside")], **{"concurrency": 1, **fields}
    )
    drive = Drive(
        build.plan(node, leaf("next")),
        render=lambda render: answers.get("break", {}) if "breakWhen" in render.values else answers,
        reload=True,
    )
    return drive.start()


def begun(drive: Drive) -> list[tuple[int, int]]:
    return [(one.first, one.count) for one in drive.told(c.StartIterations)]


def ends(drive: Drive, number: int | None, state: State = S.SUCCESS) -> Drive:
    name = ExecutionId(f"kid{number}")
    run = drive.run("loop")
    return drive.send(
        e.ChildEnded(at=drive.now, task_run_id=run.id, execution_id=name, state=state, index=number)
    )


def pauses(drive: Drive, number: int, *, paused: bool = True) -> Drive:
    run_id = drive.run("loop").id
    return drive.send(e.ChildPaused(at=drive.now, task_run_id=run_id, index=number, paused=paused))


def counters(drive: Drive) -> tuple[int, int, Mapping[str, int]]:
    told = drive.output("loop")
    return (told["iterationCount"], told["runningIterations"], told["terminatedIterations"])


def again(drive: Drive) -> Drive:
    edited = restart(drive.plan, drive.execution, tuple(drive.rows.values()), at=AT)
    drive.rows.update({run.id: run for run in edited.saved})
    drive.execution = edited.execution
    drive.commands.clear()
    return drive.send(e.Restarted(at=AT))


VALUES = [
    # values, items, is a map
    (["a", 1, {"k": [1]}, "a"], ("a", "1", '{"k":[1]}', "a"), False),
    ('["x", 2]', ("x", "2"), False),
    ({"a": 1, "b": {"c": None}}, ("a", "1", "b", '{"c":null}'), True),
    ('{"a": "x"}', ("a", "x"), True),
]


@pytest.mark.parametrize(("values", "items", "keyed"), VALUES)
def test_what_values_are(values: Any, items: tuple[str, ...], keyed: bool) -> None:
    drive = looping(values)
    progress = drive.run("loop").progress
    assert progress is not None
    assert progress.iterated is not None
    assert progress.items == items
    assert progress.iterated.keyed is keyed
    assert progress.iterated.total == (len(items) // 2 if keyed else len(items))


REFUSED = [
    ([1, None], "Found '1' null values on Loop, with values=[1, null]"),
    ({"a": None}, "Found '1' null values on Loop, with values=[null]"),
    (5, "the values of a Loop are a list, a map or a file, not `5`"),
    ("5", "the values of a Loop are a list, a map or a file, not `5`"),
    ("nonsense", "`nonsense` is no JSON list or map, and no URI of a file (kestra:///…)"),
]


@pytest.mark.parametrize(("values", "problem"), REFUSED)
def test_values_that_are_none_fail_the_loop(values: Any, problem: str) -> None:
    drive = looping(values)
    assert drive.runs == {"loop": "CREATED RUNNING FAILED"}
    assert drive.attempts["loop"] == "FAILED"
    assert drive.history == "CREATED RUNNING FAILED"
    ((level, message),) = drive.logs
    assert level == "ERROR"
    assert message.startswith(f"Unable to resolve the values of the loop: {problem}")


def test_values_that_cannot_be_rendered_fail_the_loop() -> None:
    drive = looping("{{ x }}", answers="no x", allow_failure=True)
    assert drive.runs["loop"] == "CREATED RUNNING WARNING"
    assert drive.logs == [("ERROR", "Unable to resolve the values of the loop: no x")]


def test_nothing_to_iterate_over_is_success() -> None:
    drive = looping("{{ x }}", answers={"values": "[]"}, outputs=OUTPUTS)
    assert drive.runs["loop"] == "CREATED RUNNING SUCCESS"
    assert counters(drive) == (0, 0, {})
    assert not drive.told(c.StartIterations)
    assert not drive.told(c.Gather)


def test_one_iteration_follows_another() -> None:
    drive = looping()
    assert begun(drive) == [(0, 1)]
    assert counters(drive) == (3, 1, {})
    for number in range(3):
        assert drive.runs["loop"] == "CREATED RUNNING"
        ends(drive, number)
    assert begun(drive) == [(0, 1), (1, 1), (2, 1)]
    assert counters(drive) == (3, 0, {"SUCCESS": 3})
    assert drive.runs == {
        "loop": "CREATED RUNNING SUCCESS",
        "next": "CREATED SUBMITTED RUNNING SUCCESS",
    }
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert drive.logs == []


@pytest.mark.parametrize(("concurrency", "first"), [(2, 2), (5, 3), (0, 3)])
def test_no_more_than_the_limit_run_at_once(concurrency: int, first: int) -> None:
    drive = looping(concurrency=concurrency)
    assert begun(drive) == [(0, first)]
    ends(drive, 1)
    assert sum(count for _, count in begun(drive)) == 3


def test_a_loop_without_limit_keeps_a_window() -> None:
    drive = looping(list(range(WINDOW + 5)), concurrency=0)
    assert begun(drive) == [(0, WINDOW)]
    ends(drive, 3)
    assert begun(drive)[1:] == [(WINDOW, 1)]


ENDS = [
    # fields, ends of the iterations, run after RUNNING, begun
    ({}, [S.SUCCESS, S.WARNING, S.CANCELLED], "WARNING", 3),
    ({"allow_warning": True}, [S.SUCCESS, S.WARNING, S.SUCCESS], "SUCCESS", 3),
    ({}, [S.FAILED], "FAILED", 1),
    ({}, [S.SUCCESS, S.KILLED], "FAILED", 2),
    ({"allow_failure": True}, [S.FAILED], "WARNING", 1),
    ({"transmit_failed": False}, [S.FAILED, S.KILLED, S.WARNING], "SUCCESS", 3),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "states", "run", "count"), ENDS)
def test_what_the_ends_of_iterations_mean(
    fields: Any, states: list[State], run: str, count: int
) -> None:
    drive = looping(**fields)
    for number, state in enumerate(states):
        ends(drive, number, state)
    assert drive.runs["loop"] == f"CREATED RUNNING {run}"
    assert len(begun(drive)) == count


def test_a_failure_waits_for_iterations_that_run() -> None:
    drive = looping(concurrency=2)
    ends(drive, 0, S.FAILED)
    assert drive.runs["loop"] == "CREATED RUNNING"
    assert begun(drive) == [(0, 2)]
    ends(drive, 1)
    assert drive.runs["loop"] == "CREATED RUNNING FAILED"
    assert drive.logs == [("ERROR", f"Iteration 0 {LINK} ended in FAILED state")]
    assert counters(drive) == (3, 0, {"FAILED": 1, "SUCCESS": 1})


def test_failure_that_is_allowed_is_a_warning_in_the_log() -> None:
    drive = ends(looping(allow_failure=True), 0, S.FAILED)
    assert drive.logs == [("WARN", f"Iteration 0 {LINK} ended in FAILED state")]


@pytest.mark.parametrize("number", [None, 1, 99])
def test_ends_that_are_not_awaited_change_nothing(number: int | None) -> None:
    drive = looping()
    before = drive.execution
    ends(drive, number)
    assert drive.execution == before
    ends(drive, 0)
    before = drive.execution
    ends(drive, 0)
    assert drive.execution == before


def test_an_iteration_that_cannot_be_made_fails() -> None:
    drive = looping()
    run_id = drive.run("loop").id
    for problem, index in ((None, 0), ("gone", None), ("gone", 4)):
        told = e.ChildStarted(
            at=drive.now, task_run_id=run_id, attempt=1, index=index, problem=problem
        )
        drive.send(told)
        assert drive.runs["loop"] == "CREATED RUNNING"
    told = e.ChildStarted(at=drive.now, task_run_id=run_id, attempt=1, index=0, problem="gone")
    drive.send(told)
    assert drive.runs["loop"] == "CREATED RUNNING FAILED"
    assert drive.logs == [("ERROR", "gone")]


# -- files ------------------------------------------------------------------------------------------------


def counting(**fields: Any) -> Drive:
    return looping("{{ x }}", answers={"values": " kestra:///rows.ion "}, **fields)


def counted(drive: Drive, **fields: Any) -> Drive:
    run_id = drive.run("loop").id
    fields = {"attempt": 1, "uri": "kestra:///rows.ion", **fields}
    return drive.send(e.Counted(at=drive.now, task_run_id=run_id, **fields))


def test_rows_of_a_file_are_counted_first() -> None:
    drive = counting()
    assert drive.told(c.CountRows) == [
        c.CountRows(task_run_id=drive.run("loop").id, attempt=1, uri="kestra:///rows.ion")
    ]
    counted(drive, total=2, attempt=9)
    assert not begun(drive)
    counted(drive, total=2)
    assert begun(drive) == [(0, 1)]
    before = drive.execution
    counted(drive, total=5)
    assert drive.execution == before


def test_a_file_that_cannot_be_read_fails_the_loop() -> None:
    drive = counted(counting(), problem="no such file")
    assert drive.runs["loop"] == "CREATED RUNNING FAILED"
    assert drive.logs == [("ERROR", "Unable to resolve the values of the loop: no such file")]


# -- outputs ----------------------------------------------------------------------------------------------


def gathered(drive: Drive, **fields: Any) -> Drive:
    fields = {"attempt": 1, **fields}
    return drive.send(e.Gathered(at=drive.now, task_run_id=drive.run("loop").id, **fields))


@pytest.mark.parametrize(
    ("fetch", "file", "store"),
    [
        ("AUTO", False, False),
        ("AUTO", True, True),
        ("STORE", False, True),
        ("FETCH", True, False),
    ],
)
def test_how_outputs_are_gathered(fetch: str, *, file: bool, store: bool) -> None:
    fields: Any = {"fetch": fetch, "outputs": OUTPUTS}
    drive = counted(counting(**fields), total=1) if file else looping(["a"], **fields)
    ends(drive, 0)
    (gather,) = drive.told(c.Gather)
    assert gather.store is store
    assert drive.runs["loop"] == "CREATED RUNNING"
    gathered(drive, attempt=3, outputs={"outputs": ["old"]})
    gathered(drive, outputs={"outputs": ["all"]})
    assert drive.runs["loop"] == "CREATED RUNNING SUCCESS"
    assert drive.output("loop")["outputs"] == ["all"]
    assert counters(drive) == (1, 0, {"SUCCESS": 1})


def test_outputs_that_cannot_be_gathered_fail_the_loop() -> None:
    drive = gathered(ends(looping(["a"], outputs=OUTPUTS), 0), problem="disk full")
    assert drive.runs["loop"] == "CREATED RUNNING FAILED"
    assert drive.logs == [("ERROR", "Failed to gather the outputs of the iterations: disk full")]
    again(drive)
    assert len(drive.told(c.Gather)) == 1


# -- breakWhen --------------------------------------------------------------------------------------------


def test_nothing_more_begins_when_the_loop_is_broken() -> None:
    answers: dict[str, Any] = {"break": {"breakWhen": "0"}}
    drive = looping(break_when="{{ x }}", answers=answers)
    ends(drive, 0)
    (asked,) = [one for one in drive.told(c.Render) if "breakWhen" in one.values]
    assert asked.iteration == "kid0"
    assert begun(drive) == [(0, 1), (1, 1)]
    answers["break"] = {"breakWhen": "true"}
    ends(drive, 1, S.WARNING)
    assert drive.runs["loop"] == "CREATED RUNNING WARNING"
    assert counters(drive) == (3, 0, {"SUCCESS": 1, "WARNING": 1})


def test_the_last_iteration_is_not_judged() -> None:
    drive = ends(looping(["a"], break_when="{{ x }}"), 0)
    assert drive.runs["loop"] == "CREATED RUNNING SUCCESS"
    assert not drive.told(c.Render)


def test_a_condition_without_template_holds_at_once() -> None:
    drive = ends(looping(break_when="true"), 0)
    assert drive.runs["loop"] == "CREATED RUNNING SUCCESS"


def test_a_condition_that_cannot_be_evaluated_fails_the_loop() -> None:
    drive = ends(looping(break_when="{{ x }}", answers={"break": "no x"}), 0)
    assert drive.runs["loop"] == "CREATED RUNNING FAILED"
    assert drive.logs == [("ERROR", "Unable to evaluate breakWhen: no x")]


def test_an_iteration_that_failed_is_not_judged() -> None:
    drive = ends(looping(break_when="{{ x }}"), 0, S.FAILED)
    assert not drive.told(c.Render)
    assert drive.runs["loop"] == "CREATED RUNNING FAILED"


def test_iterations_are_judged_one_by_one() -> None:
    drive = looping(list("abcde"), concurrency=2, break_when="{{ x }}")
    drive.answering = False
    ends(ends(drive, 1), 0)
    assert begun(drive) == [(0, 2)]
    run_id = drive.run("loop").id
    for number, holds in ((1, "false"), (7, "true"), (0, "true")):
        request = f"{run_id}/break{number}"
        drive.send(e.Rendered(at=drive.now, request_id=request, values={"breakWhen": holds}))
    assert begun(drive) == [(0, 2), (2, 1)]
    ends(drive, 2)
    assert drive.runs["loop"] == "CREATED RUNNING SUCCESS"


def test_answers_to_what_was_not_asked_are_dropped() -> None:
    drive = looping(break_when="{{ x }}")
    before = drive.execution
    for request in (f"{drive.run('loop').id}/break0", f"{drive.run('loop').id}/other"):
        drive.send(e.Rendered(at=drive.now, request_id=request, values={"breakWhen": "true"}))
    assert drive.execution == before


# -- pauses -----------------------------------------------------------------------------------------------


def test_a_paused_iteration_pauses_the_loop_until_it_goes_on() -> None:
    drive = pauses(looping(), 0)
    assert drive.runs["loop"] == "CREATED RUNNING PAUSED"
    assert drive.history == "CREATED RUNNING PAUSED"
    pauses(drive, 0, paused=False)
    assert drive.runs["loop"] == "CREATED RUNNING PAUSED RUNNING"
    assert drive.history == "CREATED RUNNING PAUSED RUNNING"
    pauses(drive, 2)
    assert drive.runs["loop"].endswith("RUNNING")
    for number in range(3):
        ends(drive, number)
    assert drive.history == "CREATED RUNNING PAUSED RUNNING SUCCESS"


def test_others_go_on_beside_a_paused_iteration() -> None:
    drive = pauses(looping(list("abcd"), concurrency=2), 1)
    ends(drive, 0)
    assert begun(drive) == [(0, 2), (2, 1)]
    pauses(drive, 2)
    ends(drive, 1)
    assert drive.runs["loop"] == "CREATED RUNNING PAUSED"
    ends(drive, 2)
    assert drive.runs["loop"] == "CREATED RUNNING PAUSED RUNNING"


def test_two_loops_that_pause() -> None:
    build = Build()
    loops = [
        build.control(Iterations, name, values=["a"], tasks=[leaf(f"in{name}")]) for name in "xy"
    ]
    drive = Drive(build.plan(build.control(Parallel, "p", tasks=loops)), reload=True).start()
    ids = [drive.run(f"p/{name}").id for name in "xy"]
    for run_id, paused in zip([*ids, *ids], [True, True, False, False], strict=True):
        drive.send(e.ChildPaused(at=drive.now, task_run_id=run_id, index=0, paused=paused))
    assert drive.history == "CREATED RUNNING PAUSED RUNNING"


def test_no_iteration_begins_while_the_execution_is_paused_by_hand() -> None:
    drive = looping(concurrency=2, values=list("abcd")).send(e.PauseRequested(at=Instant(0)))
    ends(ends(drive, 0), 1)
    assert begun(drive) == [(0, 2)]
    assert counters(drive) == (4, 0, {"SUCCESS": 2})
    assert drive.history == "CREATED RUNNING PAUSED"
    drive.send(e.Resumed(at=Instant(0)))
    assert begun(drive) == [(0, 2), (2, 2)]
    ends(ends(drive, 2), 3)
    assert drive.history == "CREATED RUNNING PAUSED RUNNING SUCCESS"


# -- kill -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cascade", [True, False])
def test_a_kill_stops_the_iterations_always(*, cascade: bool) -> None:
    drive = looping(concurrency=2, outputs=OUTPUTS, break_when="{{ x }}")
    drive.send(e.KillRequested(at=drive.now, cascade=cascade))
    assert drive.told(c.KillChildren) == [c.KillChildren(task_run_id=drive.run("loop").id)]
    ends(drive, 0, S.KILLED)
    assert drive.history == "CREATED RUNNING KILLING"
    ends(drive, 1)
    assert drive.runs["loop"] == "CREATED RUNNING KILLED"
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    assert begun(drive) == [(0, 2)]


def test_a_kill_while_an_iteration_is_paused() -> None:
    drive = pauses(looping(), 0).send(e.KillRequested(at=Instant(0)))
    pauses(drive, 0, paused=False)
    ends(drive, 0, S.KILLED)
    assert drive.history == "CREATED RUNNING PAUSED RESTARTED KILLING KILLED"


def test_a_kill_while_rows_are_counted() -> None:
    drive = counting().send(e.KillRequested(at=Instant(0)))
    assert drive.runs["loop"] == "CREATED RUNNING KILLED"
    counted(drive, total=1)
    assert not begun(drive)


def test_a_kill_while_outputs_are_gathered() -> None:
    drive = ends(looping(["a"], outputs=OUTPUTS), 0).send(e.KillRequested(at=Instant(0)))
    assert drive.runs["loop"] == "CREATED RUNNING KILLED"


EXITS = [
    # what the loop waits for when a task beside it ends the execution
    ("running", "CREATED RUNNING"),
    ("gathering", "CREATED RUNNING"),
    ("judging", "CREATED RUNNING SUCCESS"),
    ("counting", "CREATED RUNNING KILLED"),
]


@pytest.mark.parametrize(("what", "run"), EXITS)
def test_an_exit_beside_the_loop_begins_no_more(what: str, run: str) -> None:
    build = Build()
    values = "kestra:///x" if what == "counting" else ["a", "b"]
    if what == "gathering":
        values = ["a"]
    loop = build.control(
        Iterations,
        "loop",
        values=values,
        tasks=[leaf("inside")],
        outputs=OUTPUTS,
        break_when="{{ x }}",
    )
    plan = build.plan(build.control(Parallel, "p", tasks=[loop, leaf("exit", inline=False)]))
    drive = Drive(plan, work=lambda _run, _attempt: None, reload=True).start()
    drive.answering = False
    run_id = drive.run("p/loop").id
    end = e.ChildEnded(
        at=drive.now, task_run_id=run_id, execution_id=ExecutionId("k"), state=S.SUCCESS, index=0
    )
    if what in {"gathering", "judging"}:
        drive.send(end)
    drive.finish("p/exit", S.SUCCESS, exit_state=S.WARNING)
    assert drive.runs["p/loop"] == run
    if what == "running":
        drive.send(end)
    elif what == "gathering":
        drive.send(e.Gathered(at=drive.now, task_run_id=run_id, attempt=1))
    assert drive.history == "CREATED RUNNING WARNING"


# -- restart ----------------------------------------------------------------------------------------------


def test_a_restart_runs_what_failed_and_goes_on() -> None:
    drive = looping(list("abcde"), concurrency=2)
    ends(ends(ends(drive, 0), 2, S.KILLED), 1, S.FAILED)
    assert drive.runs["loop"].endswith("FAILED")
    again(drive)
    (restarted,) = drive.told(c.RestartIterations)
    assert restarted.indexes == (2, 1)
    assert restarted.attempt == 2
    assert not begun(drive)
    assert counters(drive) == (5, 2, {"SUCCESS": 1})
    for number in (2, 1, 3, 4):
        ends(drive, number)
    assert begun(drive) == [(3, 1), (4, 1)]
    assert counters(drive) == (5, 0, {"SUCCESS": 5})
    assert drive.history.endswith("FAILED RESTARTED RUNNING SUCCESS")


def test_a_restart_after_bad_values_begins_anew() -> None:
    answers = {"values": "nonsense"}
    drive = looping("{{ x }}", answers=answers)
    answers["values"] = '["a"]'
    assert begun(again(drive)) == [(0, 1)]


def test_a_restart_of_a_paused_execution_lets_its_iterations_be() -> None:
    drive = again(pauses(looping(), 0))
    assert [one.indexes for one in drive.told(c.RestartIterations)] == [(0,)]
    assert drive.runs["loop"].endswith("PAUSED RESTARTED RUNNING PAUSED")
    ends(drive, 0)
    assert begun(drive) == [(1, 1)]


def test_an_iteration_that_ends_before_the_restart_is_taken_up_counts() -> None:
    drive = pauses(looping(["a", "b"]), 0)
    edited = restart(drive.plan, drive.execution, tuple(drive.rows.values()), at=AT)
    drive.rows.update({run.id: run for run in edited.saved})
    drive.execution = edited.execution
    ends(drive, 0)
    assert begun(drive) == [(0, 1)]
    drive.send(e.Restarted(at=AT))
    assert begun(drive) == [(0, 1), (1, 1)]


def test_a_replay_begins_anew() -> None:
    drive = ends(looping(["a", "b"]), 0, S.FAILED)
    edited = replay(
        drive.plan,
        drive.execution,
        tuple(drive.rows.values()),
        at=AT,
        new_id=ExecutionId("new"),
        task_run_id=drive.run("loop").id,
    )
    after = Drive(drive.plan, reload=True)
    after.rows.update({run.id: run for run in edited.saved})
    after.execution = edited.execution
    after.send(e.Restarted(at=AT))
    assert begun(after) == [(0, 1)]
    assert counters(after) == (2, 1, {})


def test_an_execution_begins_again_from_the_start() -> None:
    """One that failed without a task that failed, or was killed."""
    build = Build()
    plan = build.plan(build.control(Sequence, "s", tasks=[leaf("a", inline=False)]))
    drive = Drive(plan, work=lambda _run, _attempt: None, reload=True).start()
    drive.send(e.KillRequested(at=drive.now)).finish("s/a", S.KILLED)
    assert drive.history.endswith("KILLED")
    edited = afresh(drive.execution, tuple(drive.rows.values()), at=AT)
    gone = set(edited.removed)
    assert gone == {drive.run("s").id}
    drive.rows.clear()
    drive.execution = edited.execution
    drive.send(e.Restarted(at=AT)).finish("s/a")
    assert drive.history.endswith("KILLED RESTARTED RUNNING SUCCESS")
    assert {run.id for run in drive.rows.values()}.isdisjoint(gone)


# -- the plan of an iteration -----------------------------------------------------------------------------


def test_the_plan_of_an_iteration_holds_what_is_inside_the_loop() -> None:
    build = Build()
    inner = build.control(Iterations, "inner", values=["x"], tasks=[leaf("deep")])
    again_later = leaf("t", retry=retry(new_execution=True, max_attempts=3))
    patient = leaf("u", retry=retry(max_attempts=2))
    loop = build.control(
        Iterations,
        "loop",
        values=["a"],
        tasks=[again_later, build.control(Sequence, "s", tasks=[inner, patient])],
        errors=[leaf("e")],
        finally_=[leaf("f")],
        outputs=OUTPUTS,
    )
    plan = build.plan(loop, leaf("next"), errors=[leaf("flow_e")])
    plans = iteration_plans(plan)
    assert set(plans) == {"loop", "inner"}
    outer = plans[TaskId("loop")]
    assert set(outer.nodes) == {"t", "s", "inner", "deep", "u", "e", "f"}
    assert (outer.tasks, outer.errors, outer.finally_) == (("t", "s"), ("e",), ("f",))
    assert outer.outputs == OUTPUTS
    assert outer.parents == {"inner": "s", "u": "s", "deep": "inner"}
    made_again = outer.nodes[TaskId("t")].retry
    assert made_again is not None
    assert not made_again.new_execution
    assert set(plans[TaskId("inner")].nodes) == {"deep"}


def test_loop_events_about_unknown_runs_are_dropped() -> None:
    drive = looping()
    before = drive.execution
    nobody = TaskRunId("nobody")
    drive.send(e.ChildPaused(at=drive.now, task_run_id=nobody, index=0, paused=True))
    assert drive.execution == before
