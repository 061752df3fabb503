"""Pauses, kills, breakpoints, limits, SLAs: what people, timers and limits do to an execution (01 §4.9, §6.12, §7, §8)."""

from typing import Any

import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.plan import Concurrency, Each, Parallel, Pause, Plan, Sequence, Sla
from batuta.model.instant import Instant
from batuta.model.label import Label
from batuta.model.state import State
from tests.unit.engine.driving import SECOND, Build, Drive, leaf, retry

S = State
PAUSED = "CREATED RUNNING PAUSED"


def pausing(tasks: tuple[str, ...] = (), **fields: Any) -> Drive:
    b = Build()
    fields = {**fields, "tasks": [leaf(name) for name in tasks]}
    node = b.control(Pause, "p", **fields)
    return Drive(b.plan(node, leaf("next"), after=[leaf("aft")]), reload=True)


EXPIRES = [
    # fields, tasks inside, run, attempt, resumed.to, execution, order
    ({"duration": "PT1S"}, (), "PAUSED SUCCESS", "RUNNING", "SUCCESS", "SUCCESS", ["p", "next", "aft"]),
    ({"duration": "PT1S", "behavior": "WARN"}, (), "PAUSED WARNING", "WARNING", "WARNING", "WARNING", ["p", "next", "aft"]),
    ({"duration": "PT1S", "behavior": "FAIL"}, (), "PAUSED FAILED", "FAILED", "FAILED", "FAILED", ["p", "aft"]),
    ({"duration": "1", "timeout": "PT9S"}, ("t",), "PAUSED RUNNING SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS", ["p", "p/t", "next", "aft"]),
    ({"duration": "PT1S", "behavior": "WARN"}, ("t",), "PAUSED RUNNING WARNING", "WARNING", "WARNING", "WARNING", ["p", "p/t", "next", "aft"]),
    ({"timeout": "PT1S"}, (), "PAUSED FAILED", "FAILED", "FAILED", "FAILED", ["p", "aft"]),
    ({"timeout": "PT1S"}, ("t",), "PAUSED RUNNING FAILED", "FAILED", "FAILED", "FAILED", ["p", "aft"]),
    ({"timeout": "PT1S", "allow_failure": True}, ("t",), "PAUSED RUNNING WARNING", "WARNING", "WARNING", "WARNING", ["p", "p/t", "next", "aft"]),
    ({"timeout": "PT1S", "allow_failure": True, "allow_warning": True}, (), "PAUSED SUCCESS", "RUNNING", "SUCCESS", "SUCCESS", ["p", "next", "aft"]),
    ({"duration": "PT1S", "errors": [leaf("e")]}, (), "PAUSED RUNNING SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS", ["p", "next", "aft"]),
    ({"timeout": "PT1S", "errors": [leaf("e")], "finally_": [leaf("f")]}, (), "PAUSED RUNNING FAILED", "FAILED", "FAILED", "FAILED", ["p", "p/e", "p/f", "aft"]),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "tasks", "run", "attempt", "to", "state", "order"), EXPIRES)
def test_a_pause_ends_by_itself(
    fields: Any,
    tasks: tuple[str, ...],
    run: str,
    attempt: str,
    to: str,
    state: str,
    order: list[str],
) -> None:
    drive = pausing(tasks, **fields).start()
    assert drive.history == PAUSED
    drive.fire()
    assert drive.runs["p"] == f"CREATED RUNNING {run}"
    assert drive.attempts["p"] == attempt
    assert drive.output("p") == {"resumed": {"on": "1970-01-01T00:00:01Z", "to": to}}
    assert drive.history == f"{PAUSED} RESTARTED RUNNING {state}"
    assert drive.execution.attempt_number == 2
    assert drive.order == order


def test_cancel_ends_the_execution_at_once() -> None:
    b = Build()
    inner = b.control(Pause, "p", duration="PT1S", behavior="CANCEL")
    sequence = b.control(Sequence, "s", tasks=[inner, leaf("never")])
    plan = b.plan(
        b.control(Parallel, "par", tasks=[sequence, leaf("slow", inline=False)]),
        after=[leaf("aft")],
    )
    drive = (
        Drive(plan, work=lambda r, _n: None if r.task_id == "slow" else S.SUCCESS).start().fire(1)
    )
    drive.finish("par/slow", S.KILLED)
    assert drive.history == f"{PAUSED} CANCELLED"
    assert drive.runs["par/s/p"] == f"{PAUSED} CANCELLED"
    assert drive.runs["par/s"] == drive.runs["par"] == "CREATED RUNNING CANCELLED"
    assert "aft" in drive.order
    assert drive.execution.attempt_number == 1


RESUMES = [
    ((), None, {"onResume": {"a": 1}, "resumed": {"on": "1970-01-01T00:00:00Z", "to": "SUCCESS"}}, "SUCCESS"),
    (("t",), "ann", {"onResume": {"a": 1}, "resumed": {"by": "ann", "on": "1970-01-01T00:00:00Z", "to": "SUCCESS"}}, "RUNNING SUCCESS"),
]  # fmt: skip


@pytest.mark.parametrize(("tasks", "by", "outputs", "run"), RESUMES)
def test_a_person_resumes_with_inputs_and_the_behavior_does_not_count(
    tasks: Any, by: str | None, outputs: Any, run: str
) -> None:
    drive = pausing(tasks, duration="PT9S", behavior="FAIL").start()
    drive.send(e.Resumed(at=drive.now, inputs={"a": 1}, by=by))
    assert drive.output("p") == outputs
    assert drive.runs["p"] == f"{PAUSED} {run}"
    assert not drive.timers
    assert drive.history == f"{PAUSED} RESTARTED RUNNING SUCCESS"


BAD_PAUSES = [
    {"duration": "soon"},
    {"behavior": "SLEEP"},
    {"duration": "{{ x }}"},
]


@pytest.mark.parametrize("fields", BAD_PAUSES)
def test_a_pause_that_cannot_be_read_fails(fields: Any) -> None:
    drive = pausing(**fields)
    drive.render = lambda _r: "no x"
    drive.start()
    assert drive.runs == {"p": "CREATED RUNNING FAILED", "aft": "CREATED SUBMITTED RUNNING SUCCESS"}
    assert drive.logs[0][1].startswith("Unable to resolve state from the Flowable task: ")


def test_a_pause_renders_its_times() -> None:
    drive = pausing(duration="{{ x }}")
    drive.render = lambda r: {**r.values, "duration": "PT3S"}
    drive.start()
    assert list(drive.timers.values()) == [3 * SECOND]


def test_an_on_pause_task_has_no_parent_and_does_not_count() -> None:
    drive = pausing(duration="PT1S", on_pause=leaf("told"))
    drive.work = lambda run, _n: S.FAILED if run.task_id == "told" else S.SUCCESS
    drive.start()
    assert drive.order == ["p", "told"]
    assert drive.run("told").parent_id is None
    drive.fire()
    assert drive.history == f"{PAUSED} RESTARTED RUNNING SUCCESS"


def test_the_flow_goes_on_only_after_a_slow_on_pause_task() -> None:
    drive = pausing(duration="PT1S", on_pause=leaf("told", inline=False))
    drive.work = lambda run, _n: None if run.task_id == "told" else S.SUCCESS
    drive.start().fire()
    assert drive.order == ["p", "told"]
    drive.finish("told")
    assert drive.order == ["p", "told", "next", "aft"]


def two_pauses() -> Drive:
    b = Build()
    pauses = [b.control(Pause, name, duration=f"PT{n}S") for n, name in enumerate("ab", start=1)]
    return Drive(b.plan(b.control(Parallel, "p", tasks=pauses)), reload=True).start()


def test_the_execution_stays_paused_until_no_pause_is_left() -> None:
    drive = two_pauses()
    drive.fire(1)
    assert drive.history == PAUSED
    assert drive.runs["p/a"] == f"{PAUSED} SUCCESS"
    drive.fire()
    assert drive.history == f"{PAUSED} RESTARTED RUNNING SUCCESS"
    assert drive.execution.attempt_number == 3


def test_a_resume_may_name_the_task_run() -> None:
    drive = two_pauses()
    drive.send(e.Resumed(at=drive.now, task_run_id=drive.run("p/b").id))
    assert drive.runs["p/a"] == PAUSED
    assert drive.runs["p/b"] == f"{PAUSED} SUCCESS"
    drive.send(e.Resumed(at=drive.now))
    assert drive.history.endswith("SUCCESS")
    before = drive.execution
    assert drive.send(e.Resumed(at=drive.now)).execution == before


def test_a_resume_to_killing_kills() -> None:
    drive = pausing().start()
    drive.send(e.Resumed(at=drive.now, to=S.KILLING))
    assert drive.history == f"{PAUSED} RESTARTED KILLING KILLED"
    other = Drive(Build().plan(leaf("a", inline=False)), work=lambda _r, _n: None).start()
    other.send(e.Resumed(at=other.now, to=S.KILLING))
    assert other.history == "CREATED RUNNING"


def test_a_paused_execution_is_killed() -> None:
    drive = pausing(duration="PT1S").start()
    drive.send(e.KillRequested(at=drive.now))
    assert drive.history == f"{PAUSED} RESTARTED KILLING KILLED"
    assert drive.runs["p"] == f"{PAUSED} KILLED"
    assert drive.attempts["p"] == "KILLING"
    assert drive.output("p")["resumed"]["to"] == "KILLING"
    assert drive.order == ["p", "aft"]
    assert not drive.timers


def test_a_pause_after_the_execution_does_not_wait_for_anybody() -> None:
    b = Build()
    drive = Drive(b.plan(leaf("a"), after=[b.control(Pause, "p", timeout=None), leaf("z")])).start()
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert drive.runs["p"] == "CREATED RUNNING SUCCESS"
    assert drive.ended


def test_a_pause_by_hand_lets_tasks_finish_and_starts_nothing() -> None:
    b = Build()
    loop = b.control(
        Each, "l", values=["a", "b", "c"], concurrency=2, tasks=[leaf("t", inline=False)]
    )
    drive = Drive(b.plan(loop), work=lambda _r, _n: None, reload=True).start()
    drive.send(e.PauseRequested(at=drive.now))
    drive.finish("l/t[a]")
    assert drive.history == PAUSED
    assert drive.order == ["l", "l/t[a]", "l/t[b]"]
    drive.send(e.Resumed(at=drive.now))
    assert drive.order == ["l", "l/t[a]", "l/t[b]", "l/t[c]"]
    drive.finish("l/t[b]").finish("l/t[c]")
    assert drive.history == f"{PAUSED} RUNNING SUCCESS"


def test_a_retry_that_is_due_waits_for_the_end_of_a_pause_by_hand() -> None:
    b = Build()
    tasks = [leaf("a", retry=retry(max_attempts=2)), leaf("b", inline=False)]
    drive = Drive(
        b.plan(b.control(Parallel, "p", tasks=tasks)),
        work=lambda r, n: (
            S.FAILED if r.task_id == "a" and n == 1 else (S.SUCCESS if r.task_id == "a" else None)
        ),
        reload=True,
    ).start()
    drive.fire()
    assert drive.history == "CREATED RUNNING RETRYING RUNNING"
    drive.send(e.PauseRequested(at=drive.now), e.PauseRequested(at=drive.now)).finish("p/b")
    assert drive.history == "CREATED RUNNING RETRYING RUNNING PAUSED"


def running() -> Drive:
    b = Build()
    tasks = [leaf("s1", inline=False), leaf("s2", inline=False), leaf("quick")]
    plan = b.plan(
        b.control(Parallel, "p", tasks=tasks),
        leaf("never"),
        errors=[leaf("e")],
        finally_=[leaf("f")],
        after=[leaf("aft")],
    )
    work = lambda run, _n: None if run.task_id.startswith("s") else S.SUCCESS  # noqa: E731
    return Drive(plan, work=work, reload=True).start()


def test_a_kill_stops_tasks_and_runs_only_after_execution() -> None:
    drive = running().send(e.KillRequested(at=Instant(3)))
    assert drive.history == "CREATED RUNNING KILLING"
    assert len(drive.told(c.KillTask)) == 2
    drive.finish("p/s1", S.KILLED).finish("p/s2", S.SUCCESS)
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    assert drive.runs["p/s2"].endswith("SUCCESS")
    assert drive.runs["p"] == "CREATED RUNNING KILLED"
    assert drive.attempts["p"] == "RUNNING"
    assert drive.order == ["p", "p/s1", "p/s2", "p/quick", "aft"]
    assert not drive.timers


def test_a_kill_ends_although_no_task_answers() -> None:
    drive = running().send(e.KillRequested(at=Instant(0)))
    assert drive.timers == {"kill": 60 * SECOND}
    drive.fire()
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    assert drive.runs["p/s1"] == "CREATED SUBMITTED RUNNING KILLED"
    assert drive.attempts["p/s1"] == "KILLED"
    stale = drive.execution
    assert drive.send(e.TimerFired(at=drive.now, timer_id="kill")).execution == stale


def test_tasks_that_no_worker_took_are_killed_at_once() -> None:
    b = Build()
    drive = Drive(b.plan(leaf("a", inline=True)), work=lambda _r, _n: None).start()
    drive.send(e.KillRequested(at=drive.now))
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    assert drive.runs["a"] == "CREATED SUBMITTED KILLED"
    assert drive.attempts["a"] == ""


def test_a_failure_while_killing_is_not_repeated() -> None:
    drive = Drive(
        Build().plan(leaf("a", inline=False, retry=retry())), work=lambda _r, _n: None
    ).start()
    drive.send(e.KillRequested(at=drive.now)).finish("a", S.FAILED)
    assert drive.runs["a"] == "CREATED SUBMITTED RUNNING FAILED"
    assert drive.history == "CREATED RUNNING KILLING KILLED"


def test_a_scheduled_execution_is_killed() -> None:
    drive = Drive(Build().plan(leaf("a")), header={"schedule_date": 9}).start()
    drive.send(e.KillRequested(at=drive.now))
    assert drive.history == "CREATED KILLING KILLED"
    assert not drive.timers


def breaking(*breakpoints: tuple[str, str | None]) -> Drive:
    b = Build()
    loop = b.control(Each, "l", values=["a", "b"], tasks=[leaf("t")])
    return Drive(
        b.plan(loop, leaf("end")), header={"breakpoints": breakpoints}, reload=True
    ).start()


def test_a_breakpoint_suspends_before_the_task() -> None:
    drive = breaking(("t", "b"), ("end", None))
    assert drive.history == "CREATED RUNNING BREAKPOINT"
    assert drive.runs["l/t[b]"] == "CREATED BREAKPOINT"
    drive.send(e.BreakpointResumed(at=drive.now, breakpoints=(("end", None),)))
    assert drive.runs["l/t[b]"] == "CREATED BREAKPOINT CREATED SUBMITTED RUNNING SUCCESS"
    assert drive.runs["end"] == "CREATED BREAKPOINT"
    drive.send(e.BreakpointResumed(at=drive.now))
    assert drive.history == "CREATED RUNNING BREAKPOINT RUNNING BREAKPOINT RUNNING SUCCESS"
    assert drive.execution.breakpoints == ()


def test_results_at_a_breakpoint_are_taken_in_and_a_kill_ends_it() -> None:
    b = Build()
    sequence = b.control(Sequence, "s", tasks=[leaf("slow", inline=False), leaf("x")])
    plan = b.plan(b.control(Parallel, "p", tasks=[sequence, leaf("stop")]))
    drive = Drive(plan, work=lambda _r, _n: None, header={"breakpoints": (("stop", None),)}).start()
    assert drive.state_is(S.BREAKPOINT)
    drive.send(e.KillRequested(at=drive.now))
    assert drive.history == "CREATED RUNNING BREAKPOINT KILLING KILLED"


def limited(answer: Any, **fields: Any) -> Drive:
    plan = Build().plan(
        leaf("a"), concurrency=Concurrency(limit=1), after=[leaf("aft")], errors=[leaf("e")]
    )
    return Drive(plan, slot=answer, reload=True, **fields).start()


def denied(behavior: str) -> Any:
    return lambda drive: e.SlotDenied(at=drive.now, running=1, limit=1, behavior=behavior)


DENIED = [
    ("CANCEL", "CREATED CANCELLED", []),
    (
        "FAIL",
        "CREATED FAILED",
        [("ERROR", "Execution is FAILED due to concurrency limit exceeded")],
    ),
]


@pytest.mark.parametrize(("behavior", "history", "logs"), DENIED)
def test_above_the_limit_an_execution_ends(behavior: str, history: str, logs: Any) -> None:
    drive = limited(denied(behavior))
    assert drive.history == history
    assert drive.order == ["aft"]
    assert drive.logs == logs
    assert not drive.told(c.ReleaseSlot)


def test_a_queued_execution_gets_its_slot_later_and_gives_it_back_at_the_end() -> None:
    drive = limited(denied("QUEUE"))
    assert drive.history == "CREATED QUEUED"
    assert drive.logs == [
        ("INFO", "Flow is queued due to concurrency limit exceeded, 1 running(s)")
    ]
    drive.send(e.SlotGranted(at=drive.now))
    assert drive.history == "CREATED QUEUED RUNNING SUCCESS"
    assert drive.told(c.ReleaseSlot) == [c.ReleaseSlot(held=True)]
    assert isinstance(drive.commands[-1], c.End)


def test_a_slot_granted_at_once_is_held_until_after_execution() -> None:
    drive = limited(lambda drive: e.SlotGranted(at=drive.now))
    assert drive.history == "CREATED RUNNING SUCCESS"
    names = [type(command).__name__ for command in drive.commands]
    assert names.index("ReleaseSlot") > names.index("RunTask")


def test_a_killed_queued_execution_leaves_the_queue_and_returns_a_late_slot() -> None:
    drive = limited(denied("QUEUE")).send(e.KillRequested(at=Instant(0)))
    assert drive.history == "CREATED QUEUED KILLING KILLED"
    drive.send(e.SlotGranted(at=drive.now), e.SlotGranted(at=drive.now))
    assert drive.told(c.ReleaseSlot) == [c.ReleaseSlot(held=False), c.ReleaseSlot(held=True)]


FORCED = [
    (S.RUNNING, "CREATED QUEUED RUNNING SUCCESS", ["a", "aft"]),
    (S.CANCELLED, "CREATED QUEUED CANCELLED", ["aft"]),
    (S.FAILED, "CREATED QUEUED FAILED", ["aft"]),
    (S.PAUSED, "CREATED QUEUED", []),
]


@pytest.mark.parametrize(("state", "history", "order"), FORCED)
def test_unqueue_runs_above_the_limit_or_ends(state: State, history: str, order: list[str]) -> None:
    drive = limited(denied("QUEUE"))
    drive.send(e.StatusForced(at=drive.now, state=state))
    assert drive.history == history
    assert drive.order == order
    assert c.ReleaseSlot(held=True) not in drive.commands


def test_force_run_begins_a_scheduled_execution() -> None:
    drive = Drive(Build().plan(leaf("a")), header={"schedule_date": 9}).start()
    drive.send(e.StatusForced(at=drive.now, state=S.RUNNING))
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert not drive.timers


def test_change_status_replaces_a_last_state_and_nothing_else() -> None:
    drive = Drive(Build().plan(leaf("a"))).start()
    drive.send(e.StatusForced(at=drive.now, state=S.FAILED))
    assert drive.history == "CREATED RUNNING SUCCESS FAILED"
    before = drive.execution
    assert drive.send(e.StatusForced(at=drive.now, state=S.RUNNING)).execution == before


def test_force_run_resumes_a_paused_execution() -> None:
    drive = pausing().start()
    drive.send(e.StatusForced(at=drive.now, state=S.RUNNING))
    assert drive.history.endswith("RUNNING SUCCESS")


def guarded(behavior: str, **fields: Any) -> Plan:
    sla = Sla(id="s", behavior=behavior, labels=(Label("sla", "broken"),), **fields)
    b = Build()
    sequence = b.control(Sequence, "q", tasks=[leaf("slow", inline=False), leaf("never")])
    return b.plan(sequence, sla=(sla,), errors=[leaf("e")], after=[leaf("aft")])


@pytest.mark.parametrize(
    "fields", [{"tasks": ("t",)}, {"errors": [leaf("e")]}, {"finally_": [leaf("f")]}]
)
def test_a_paused_task_with_lists_of_its_own_is_resumed_to_be_killed(fields: Any) -> None:
    drive = pausing(**fields).start().send(e.KillRequested(at=Instant(0)))
    assert drive.history == f"{PAUSED} RESTARTED KILLING KILLED"
    assert drive.runs["p"] == f"{PAUSED} RUNNING KILLED"
    assert drive.attempts["p"] == "RUNNING"
    assert drive.output("p")["resumed"]["to"] == "KILLING"
    assert drive.order == ["p", "aft"]


@pytest.mark.parametrize(("behavior", "state"), [("FAIL", S.FAILED), ("CANCEL", S.CANCELLED)])
def test_a_maximal_duration_resumes_what_is_paused(behavior: str, state: State) -> None:
    b = Build()
    sla = Sla(id="s", behavior=behavior, duration=SECOND)
    drive = Drive(b.plan(b.control(Pause, "p"), leaf("next"), sla=(sla,)), reload=True)
    drive.start().fire()
    assert drive.history == f"{PAUSED} RESTARTED {state}"
    assert drive.execution.attempt_number == 2
    assert drive.runs == {"p": f"{PAUSED} KILLED"}


def test_a_maximal_duration_counts_from_the_date_of_a_scheduled_execution() -> None:
    plan = guarded("CANCEL", duration=SECOND)
    header = {"schedule_date": Instant(5 * SECOND)}
    drive = Drive(plan, work=lambda _r, _n: None, header=header, reload=True).start().fire(2)
    assert drive.now == 6 * SECOND
    assert drive.logs == [
        (
            "WARN",
            "SLA 's' violated: execution duration of PT1S exceed the maximum duration of PT1S.",
        )
    ]


OVERDUE = [
    ("FAIL", "CREATED RUNNING FAILED", ["WARN", "ERROR"]),
    ("CANCEL", "CREATED RUNNING CANCELLED", ["WARN"]),
    ("NONE", "CREATED RUNNING", ["WARN"]),
]


@pytest.mark.parametrize(("behavior", "history", "levels"), OVERDUE)
def test_a_maximal_duration(behavior: str, history: str, levels: list[str]) -> None:
    drive = (
        Drive(
            guarded(behavior, duration=SECOND),
            work=lambda r, _n: None if r.task_id == "slow" else S.SUCCESS,
            reload=True,
        )
        .start()
        .fire(1)
    )
    assert drive.logs[0] == (
        "WARN",
        "SLA 's' violated: execution duration of PT1S exceed the maximum duration of PT1S.",
    )
    assert [level for level, _ in drive.logs] == levels
    assert drive.execution.labels == (Label("sla", "broken"),)
    drive.finish("q/slow", S.KILLED if behavior != "NONE" else S.SUCCESS)
    if behavior != "NONE":
        assert drive.history == history
        assert drive.order == ["q", "q/slow", "aft"]
        assert drive.runs["q"] == "CREATED RUNNING KILLED"


def test_a_duration_counts_from_the_schedule_date_and_its_timer_is_cleared() -> None:
    drive = (
        Drive(
            guarded("FAIL", duration=SECOND),
            header={"schedule_date": 5 * SECOND},
            work=lambda r, _n: None if r.task_id == "slow" else S.SUCCESS,
        )
        .start()
        .fire(1)
    )
    assert drive.timers == {"sla/s": 6 * SECOND}
    drive.finish("q/slow")
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert not drive.timers
    before = drive.execution
    assert drive.send(e.TimerFired(at=drive.now, timer_id="sla/s")).execution == before


ASSERTIONS = [
    ("FAIL", "CREATED RUNNING FAILED", "CREATED SUBMITTED RUNNING SUCCESS FAILED", ["o"]),
    ("CANCEL", "CREATED RUNNING CANCELLED", "CREATED SUBMITTED RUNNING SUCCESS CANCELLED", ["o"]),
    ("NONE", "CREATED RUNNING SUCCESS", "CREATED SUBMITTED RUNNING SUCCESS", ["o", "last"]),
]


@pytest.mark.parametrize(("behavior", "history", "run", "order"), ASSERTIONS)
def test_an_assertion_is_judged_before_anything_is_scheduled(
    behavior: str, history: str, run: str, order: list[str]
) -> None:
    sla = Sla(id="s", behavior=behavior, assertion="{{ n < 5 }}")
    drive = Drive(Build().plan(leaf("o"), leaf("last"), sla=(sla,)), reload=True)
    drive.render = lambda render: {"0": "true" if not drive.rows else "false"}
    drive.start()
    assert drive.history == history
    assert drive.runs["o"] == run
    assert drive.attempts["o"] == "SUCCESS"
    assert drive.order == order
    assert drive.logs[0] == ("WARN", "SLA 's' violated: assertion is false: {{ n < 5 }}.")


def test_an_assertion_that_cannot_be_rendered_fails_the_execution() -> None:
    sla = Sla(id="s", behavior="NONE", assertion="{{ x }}")
    drive = Drive(Build().plan(leaf("o"), sla=(sla,)), render=lambda _r: "no x").start()
    assert drive.history == "CREATED RUNNING FAILED"
    assert drive.order == []
    assert drive.logs == [("ERROR", "no x")]


def test_a_kill_goes_before_an_assertion_without_answer() -> None:
    sla = Sla(id="s", behavior="FAIL", assertion="{{ x }}")
    plan = Build().plan(leaf("o"), sla=(sla,))
    drive = Drive(plan)
    drive.answering = False
    drive.start().send(e.KillRequested(at=drive.now))
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    before = drive.execution
    late = e.Rendered(at=drive.now, request_id="sla/1", values={"0": "false"})
    assert drive.send(late).execution == before
