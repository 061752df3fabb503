"""Loops, branches and parallel tasks: what is started when, and the state that comes of it (01 §6.1–6.9, §11.2, §11.3)."""

from typing import Any

import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.plan import Choice, Dag, Each, Loop, Parallel, Sequence
from batuta.engine.turn import WINDOW
from batuta.model.state import State
from tests.unit.engine.driving import SECOND, Build, Drive, leaf

S = State


def each(values: Any, *names: str, **fields: Any) -> Drive:
    b = Build()
    loop = b.control(Each, "l", values=values, tasks=[leaf(name) for name in names], **fields)
    return Drive(b.plan(loop, leaf("end")), reload=True)


VALUES = [
    (["a", "b", "a", 1, "1"], ["a", "b", "1"]),
    ('["x", 1, true, 2.5, {"k": "v"}, [1, 2]]', ["x", "1", "true", "2.5", '{"k":"v"}', "[1,2]"]),
    ([True, 1.5, {"a": {"b": 1}}, [1, 2]], ["true", "1.5", '{"a":{"b":1}}', "[1,2]"]),
    ([], []),
    ("[]", []),
]


@pytest.mark.parametrize(("values", "items"), VALUES)
def test_values_are_a_list_or_its_json_text(values: Any, items: list[str]) -> None:
    drive = each(values, "t").start()
    assert drive.order == ["l", *(f"l/t[{item}]" for item in items), "end"]
    assert [run.iteration for run in drive.rows.values() if run.value is not None] == list(
        range(len(items))
    )
    assert drive.history == "CREATED RUNNING SUCCESS"


BAD_VALUES = [
    ('["a", null]', "Found '1' null values on Each, with values=[a, null]"),
    (
        [1, None, {"k": [None, "v"]}],
        "Found '1' null values on Each, with values=[1, null, {k=[null, v]}]",
    ),
    ("hello", "`hello` is no JSON list"),
    ('{"a": 1}', "the values of a loop are a list"),
]


@pytest.mark.parametrize(("values", "problem"), BAD_VALUES)
def test_bad_values_fail_the_loop(values: Any, problem: str) -> None:
    drive = each(values, "t").start()
    assert drive.runs == {"l": "CREATED RUNNING FAILED"}
    assert drive.attempts == {"l": "FAILED"}
    level, message = drive.logs[0]
    assert level == "ERROR"
    assert message.startswith(f"Unable to resolve state from the Flowable task: {problem}")


def test_values_that_cannot_be_rendered_fail_the_loop() -> None:
    drive = each("{{ x }}", "t")
    drive.render = lambda _command: "no x"
    drive.start()
    assert drive.runs == {"l": "CREATED RUNNING FAILED"}


ORDERS = [
    # concurrency, ordered, order of the children
    (1, True, ["t[a]", "u[a]", "t[b]", "u[b]", "t[c]", "u[c]"]),
    (2, True, ["t[a]", "t[b]", "u[a]", "u[b]", "t[c]", "u[c]"]),
    (0, True, ["t[a]", "t[b]", "t[c]", "u[a]", "u[b]", "u[c]"]),
    (0, False, ["t[a]", "u[a]", "t[b]", "u[b]", "t[c]", "u[c]"]),
    (1, False, ["t[a]", "u[a]", "t[b]", "u[b]", "t[c]", "u[c]"]),
]


@pytest.mark.parametrize(("concurrency", "ordered", "order"), ORDERS)
def test_values_run_within_the_limit_and_their_tasks_in_order(
    concurrency: int, ordered: bool, order: list[str]
) -> None:
    drive = each(["a", "b", "c"], "t", "u", concurrency=concurrency, ordered=ordered).start()
    assert drive.order == ["l", *(f"l/{name}" for name in order), "end"]


FAILURES = [
    (1, ["l", "l/t[1]", "l/t[2]"]),
    (0, ["l", "l/t[1]", "l/t[2]", "l/t[3]"]),
]


@pytest.mark.parametrize(("concurrency", "order"), FAILURES)
def test_a_failure_stops_what_was_not_started(concurrency: int, order: list[str]) -> None:
    drive = each([1, 2, 3], "t", concurrency=concurrency)
    drive.work = lambda run, _n: S.FAILED if run.value == "2" else S.SUCCESS
    drive.start()
    assert drive.order == order
    assert drive.history == "CREATED RUNNING FAILED"


def test_a_concurrent_loop_ends_after_its_running_children_and_errors_need_not_wait() -> None:
    b = Build()
    loop = b.control(
        Each,
        "l",
        values=["a", "b"],
        concurrency=0,
        tasks=[leaf("t", inline=False)],
        errors=[leaf("e")],
        finally_=[leaf("f")],
    )
    drive = Drive(
        b.plan(loop), work=lambda run, _n: None if run.task_id == "t" else S.SUCCESS
    ).start()
    drive.finish("l/t[a]", S.FAILED)
    assert drive.order == ["l", "l/t[a]", "l/t[b]", "l/e"]
    drive.finish("l/t[b]")
    assert drive.order == ["l", "l/t[a]", "l/t[b]", "l/e", "l/f"]
    assert drive.history == "CREATED RUNNING FAILED"


def test_a_loop_without_limit_keeps_a_window_of_task_runs() -> None:
    values = [str(number) for number in range(WINDOW + 50)]
    drive = each(values, "t", concurrency=0)
    drive.reload = False
    drive.work = lambda _run, _n: None
    drive.start()
    assert len(drive.execution.runs) == WINDOW
    drive.finish("l/t[0]")
    assert f"l/t[{WINDOW - 1}]" in drive.runs
    assert len(drive.execution.runs) == WINDOW


def test_disabled_children_leave_an_empty_loop() -> None:
    drive = each(["a"]).start()
    assert drive.order == ["l", "end"]


def test_nested_loops_keep_the_path_of_values() -> None:
    b = Build()
    inner = b.control(Each, "i", values=[1, 2], tasks=[leaf("t")])
    drive = Drive(b.plan(b.control(Each, "o", values=["x"], tasks=[inner]))).start()
    assert drive.run("o/i[x]/t[2]").path == ("x", "2")
    assert drive.order == ["o", "o/i[x]", "o/i[x]/t[1]", "o/i[x]/t[2]"]


CHOICES = [
    # is condition, rendered, outputs, child or None
    (True, "true", {"evaluationResult": True}, "yes"),
    (True, "anything", {"evaluationResult": True}, "yes"),
    (True, "-0", {"evaluationResult": False}, "no"),
    (True, None, {"evaluationResult": False}, "no"),
    (False, "a", {"value": "a", "defaults": False}, "yes"),
    (False, True, {"value": "true", "defaults": False}, "no"),
    (False, "zzz", {"value": "zzz", "defaults": True}, "other"),
    (False, None, {"value": "", "defaults": True}, "other"),
    (False, 7, {"value": "7", "defaults": True}, "other"),
]


@pytest.mark.parametrize(("condition", "rendered", "outputs", "child"), CHOICES)
def test_a_rendered_text_chooses_the_branch(
    condition: bool, rendered: Any, outputs: Any, child: str
) -> None:
    b = Build()
    cases = (
        {"true": [leaf("yes")], "false": [leaf("no")]}
        if condition
        else {"a": [leaf("yes")], "true": [leaf("no")]}
    )
    defaults = None if condition else [leaf("other")]
    node = b.control(
        Choice, "c", value="{{ x }}", is_condition=condition, cases=cases, defaults=defaults
    )
    drive = Drive(b.plan(node), render=lambda _r: {"value": rendered}, reload=True).start()
    assert drive.order == ["c", f"c/{child}"]
    assert drive.output("c") == outputs


def test_an_if_without_else_succeeds_and_a_switch_without_match_fails() -> None:
    b = Build()
    drive = Drive(b.plan(b.condition("c", "false", [leaf("x")]), leaf("next"))).start()
    assert drive.order == ["c", "next"]
    b = Build()
    switch = b.control(Choice, "c", value="q", cases={"a": [leaf("x")]})
    drive = Drive(b.plan(switch, leaf("next"))).start()
    assert drive.runs == {"c": "CREATED RUNNING FAILED"}
    assert drive.attempts == {"c": "FAILED"}
    assert drive.logs == [
        ("WARN", "No task found on flow 'company.team.flow', task 'c', execution 'exec'")
    ]


def test_a_condition_that_cannot_be_rendered_fails_without_closing_the_attempt() -> None:
    b = Build()
    node = b.condition("c", "{{ x }}", [leaf("t")], allow_failure=True, errors=[leaf("e")])
    drive = Drive(b.plan(node, leaf("next")), render=lambda _r: "no x").start()
    assert drive.runs == {"c": "CREATED RUNNING FAILED"}
    assert drive.attempts["c"] == "RUNNING"
    assert [message for _, message in drive.logs] == [
        "Unable to resolve state from the Flowable task: no x",
        "Unable to resolve outputs from the Flowable task: no x",
    ]


TOLD: list[tuple[str, dict[str, Any], Any, list[Any]]] = [
    ("choice", {"value": "1"}, None, [{"evaluationResult": True}]),
    ("choice", {"value": "{{ x }}"}, "0", [{"evaluationResult": False}]),
    ("choice", {"value": "{{ x }}"}, None, []),
    ("switch", {"value": "a"}, None, [{"value": "a", "defaults": False}]),
    ("switch", {"value": "{{ x }}"}, "z", [{"value": "z", "defaults": True}]),
    ("loop", {"condition": "{{ x }}"}, None, [{"iterationCount": 1}]),
]


@pytest.mark.parametrize(("kind", "fields", "answer", "told"), TOLD)
def test_a_skipped_control_task_tells_what_it_knows_at_once(
    kind: str, fields: dict[str, Any], answer: Any, told: list[Any]
) -> None:
    b = Build()
    if kind == "choice":
        node = b.condition("c", fields["value"], [leaf("t")], run_if="false")
    elif kind == "switch":
        node = b.control(Choice, "c", cases={"a": [leaf("t")]}, run_if="false", **fields)
    else:
        node = b.control(Loop, "c", tasks=[leaf("t")], run_if="false", **fields)
    drive = Drive(
        b.plan(node), render=lambda r: dict.fromkeys(r.values, answer) if answer else "no x"
    ).start()
    assert drive.runs == {"c": "CREATED SKIPPED"}
    assert list(drive.outputs.values()) == told
    assert drive.logs == []


def test_each_item_of_a_concurrent_loop_has_its_own_switch() -> None:
    b = Build()
    switch = b.control(Choice, "s", value="{{ v }}", cases={"a": [leaf("ta")], "b": [leaf("tb")]})
    loop = b.control(Each, "l", values=["a", "b"], concurrency=0, tasks=[switch])
    drive = Drive(
        b.plan(loop), render=lambda r: {"value": r.frame.value if r.frame else None}
    ).start()
    assert drive.order == ["l", "l/s[a]", "l/s[b]", "l/s[a]/ta", "l/s[b]/tb"]
    assert drive.output("l/s[b]") == {"value": "b", "defaults": False}


def test_parallel_never_exceeds_its_limit() -> None:
    b = Build()
    tasks = [leaf(f"t{n}", inline=False) for n in range(4)]
    drive = Drive(
        b.plan(b.control(Parallel, "p", concurrent=2, tasks=tasks)), work=lambda _r, _n: None
    ).start()
    for number in range(4):
        assert len([run for run in drive.execution.runs.values() if run.parent_id]) <= 2
        drive.finish(f"p/t{number}")
    assert drive.history == "CREATED RUNNING SUCCESS"


def test_parallel_creates_level_by_level() -> None:
    b = Build()
    s1 = b.control(Sequence, "s1", tasks=[leaf("a")])
    s2 = b.control(Sequence, "s2", tasks=[leaf("b")])
    drive = Drive(b.plan(b.control(Parallel, "p", tasks=[s1, s2, leaf("c")]))).start()
    assert drive.order == ["p", "p/s1", "p/s2", "p/c", "p/s1/a", "p/s2/b"]


DAGS = [
    (0, ["d", "d/a", "d/b", "d/c", "d/e"]),
    (1, ["d", "d/a", "d/b", "d/c", "d/e"]),
]


@pytest.mark.parametrize(("limit", "order"), DAGS)
def test_a_dag_task_starts_after_what_it_depends_on(limit: int, order: list[str]) -> None:
    b = Build()
    needs = {"e": ("b", "c"), "b": ("a",), "c": ("a", "disabled")}
    tasks = [leaf(name) for name in ("e", "a", "b", "c")]
    node = b.control(Dag, "d", tasks=tasks, depends_on=needs, concurrent=limit)
    drive = Drive(b.plan(node), reload=True).start()
    assert drive.order == order
    assert drive.history == "CREATED RUNNING SUCCESS"


def test_a_failed_dag_task_keeps_its_dependants_from_starting() -> None:
    b = Build()
    node = b.control(
        Dag, "d", tasks=[leaf("a"), leaf("b")], depends_on={"b": ("a",)}, errors=[leaf("e")]
    )
    drive = Drive(
        b.plan(node), work=lambda r, _n: S.FAILED if r.task_id == "a" else S.SUCCESS
    ).start()
    assert drive.order == ["d", "d/a", "d/e"]
    assert drive.history == "CREATED RUNNING FAILED"


def loop(answers: list[Any], **fields: Any) -> Drive:
    """A LoopUntil whose condition renders to these answers, one after another."""
    b = Build()
    fields.setdefault("interval", "PT1S")
    node = b.control(Loop, "l", condition="{{ x }}", tasks=[leaf("t"), leaf("u")], **fields)
    left = list(answers)

    def render(command: c.Render) -> Any:
        answer = left.pop(0)
        return (
            answer
            if isinstance(answer, str) and answer.startswith("no ")
            else {**command.values, "condition": answer}
        )

    return Drive(b.plan(node, leaf("end")), render=render, reload=True)


PASSES = [
    # answers, fields, history, iterationCount, state of the loop
    (["true"], {}, "CREATED RUNNING SUCCESS", 1, "SUCCESS"),
    (["0", "1"], {}, "CREATED RUNNING PAUSED RUNNING SUCCESS", 2, "SUCCESS"),
    (["0", "0"], {"max_iterations": 2}, "CREATED RUNNING PAUSED RUNNING SUCCESS", 3, "SUCCESS"),
    (["0", "0"], {"max_iterations": "2", "fail_on_max_reached": True}, "CREATED RUNNING PAUSED RUNNING FAILED", 3, "FAILED"),
    (["0", "0"], {"max_duration": "PT1S"}, "CREATED RUNNING PAUSED RUNNING SUCCESS", 3, "SUCCESS"),
    (["no x"], {}, "CREATED RUNNING FAILED", 1, "FAILED"),
    (["0"], {"interval": "soon"}, "CREATED RUNNING FAILED", 2, "FAILED"),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "fields", "history", "count", "state"), PASSES)
def test_loop_until_repeats_until_the_condition_holds(
    answers: Any, fields: Any, history: str, count: int, state: str
) -> None:
    drive = loop(answers, **fields).start().fire()
    assert drive.history == history
    run = next(run for run in drive.rows.values() if run.task_id == "l")
    assert drive.outputs[run.id] == {"iterationCount": count}
    assert drive.runs[drive.path(run)] == f"CREATED RUNNING {state}"
    passes = history.count("PAUSED")
    assert run.iteration == (passes or None)
    children = [child for child in drive.rows.values() if child.parent_id == run.id]
    assert [child.iteration for child in children] == [passes, passes]


def test_a_failed_pass_runs_errors_once_and_ends_the_loop() -> None:
    b = Build()
    node = b.control(
        Loop,
        "l",
        condition="0",
        interval=1,
        tasks=[leaf("t")],
        errors=[leaf("e")],
        finally_=[leaf("f")],
    )
    drive = Drive(
        b.plan(node), work=lambda r, _n: S.FAILED if r.task_id == "t" else S.SUCCESS
    ).start()
    assert drive.history == "CREATED RUNNING FAILED"
    assert drive.order == ["l", "l/t#0", "l/e", "l/f"]


@pytest.mark.parametrize(
    ("fail", "order"), [(True, ["l", "l/t#0", "l/e", "l/f"]), (False, ["l", "l/t#0", "l/f"])]
)
def test_the_last_pass_is_followed_by_errors_and_finally(fail: bool, order: list[str]) -> None:
    b = Build()
    node = b.control(
        Loop,
        "l",
        condition="0",
        max_iterations=1,
        fail_on_max_reached=fail,
        tasks=[leaf("t")],
        errors=[leaf("e")],
        finally_=[leaf("f")],
    )
    drive = Drive(b.plan(node)).start()
    assert drive.order == order
    assert drive.logs == [("WARN", "Max iterations reached")]


def test_a_waiting_loop_is_killed_and_its_timer_cleared() -> None:
    drive = loop(["0"]).start()
    assert drive.history == "CREATED RUNNING PAUSED"
    assert drive.timers
    drive.send(e.KillRequested(at=drive.now))
    assert drive.history == "CREATED RUNNING PAUSED RESTARTED KILLING KILLED"
    assert drive.execution.attempt_number == 2
    assert not drive.timers


def test_a_loop_until_in_a_loop_counts_its_passes_from_the_number_of_the_value() -> None:
    b = Build()
    inner = b.control(Loop, "u", condition="{{ x }}", interval="PT1S", tasks=[leaf("t")])
    outer = b.control(Each, "l", values=["a", "b"], tasks=[inner, leaf("after")])
    answers = iter(["0", "0", "1", "1"])
    drive = (
        Drive(b.plan(outer), render=lambda r: {**r.values, "condition": next(answers)})
        .start()
        .fire()
    )
    assert drive.history.endswith("SUCCESS")
    assert drive.order == [
        "l",
        "l/u[a]",
        "l/u[a]/t#2",
        "l/after[a]",
        "l/u[b]",
        "l/u[b]/t#1",
        "l/after[b]",
    ]
    assert drive.now == 2 * SECOND


WIDTHS = [
    ("{{ 1 }}", 1),
    ("{{ 2 }}", 2),
    ("{{ '0' }}", 3),
    ("{{ -1 }}", 3),
]


def width_of(kind: str, limit: Any) -> Drive:
    """Three tasks beside each other that never end, under a limit."""
    b = Build()
    tasks = [leaf("a"), leaf("b"), leaf("d")]
    if kind == "each":
        node = b.control(Each, "c", values=["a", "b", "d"], concurrency=limit, tasks=[leaf("t")])
    else:
        node = b.control(
            Parallel if kind == "parallel" else Dag, "c", concurrent=limit, tasks=tasks
        )
    return Drive(
        b.plan(node),
        work=lambda _run, _attempt: None,
        render=lambda r: {name: str(value).strip("{} '") for name, value in r.values.items()},
    ).start()


@pytest.mark.parametrize("kind", ["parallel", "dag", "each"])
@pytest.mark.parametrize(("limit", "begun"), WIDTHS)
def test_a_limit_may_be_an_expression(kind: str, limit: Any, begun: int) -> None:
    drive = width_of(kind, limit)
    assert len(drive.order) == 1 + begun


@pytest.mark.parametrize("kind", ["parallel", "dag", "each"])
def test_a_limit_that_is_no_number_fails_the_task(kind: str) -> None:
    drive = width_of(kind, "{{ many }}")
    assert drive.runs == {"c": "CREATED RUNNING FAILED"}
    assert drive.logs == [
        ("ERROR", "Unable to resolve state from the Flowable task: `many` is no whole number")
    ]
