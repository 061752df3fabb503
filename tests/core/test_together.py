"""What one turn asked is answered together: branches that are empty do not overtake those that are not (01 §4.5)."""

from batuta.engine import events as e
from batuta.engine.plan import Each, Parallel
from batuta.model.codec import decode_as, encode
from batuta.model.instant import Instant
from batuta.model.state import State
from tests.unit.engine.driving import Build, Drive, leaf


def test_a_parallel_starts_its_next_child_after_what_its_branches_begin() -> None:
    b = Build()
    branches = [
        b.condition(f"if{n}", "{{ x }}", [leaf(f"then{n}", inline=False)]) for n in (1, 2, 3)
    ]
    tasks = [*branches, leaf("next", inline=False)]
    plan = b.plan(b.control(Parallel, "p", tasks=tasks, concurrent=3))
    drive = Drive(plan, work=lambda _r, _n: None)
    drive.render = lambda render: {
        "value": render.frame is not None and render.frame.task_id != "if2"
    }
    drive.start()
    assert list(drive.runs) == [
        "p",
        "p/if1",
        "p/if2",
        "p/if3",
        "p/if1/then1",
        "p/if3/then3",
        "p/next",
    ]


def test_a_loop_goes_on_with_a_value_after_what_the_other_values_begin() -> None:
    b = Build()
    tasks = [b.condition("if", "{{ taskrun.value }}", [leaf("then")]), leaf("last")]
    plan = b.plan(b.control(Each, "l", values=["a", "b"], concurrency=0, tasks=tasks))
    drive = Drive(plan)
    drive.render = lambda render: {"value": render.frame is not None and render.frame.value == "b"}
    drive.start()
    assert list(drive.runs) == [
        "l", "l/if[a]", "l/if[b]", "l/if[b]/then", "l/last[a]", "l/last[b]",
    ]  # fmt: skip


def test_answers_are_one_event_and_can_be_kept() -> None:
    told: list[e.AnyEvent] = [
        e.Rendered(at=Instant(1), request_id="a/value"),
        e.TaskFinished(at=Instant(1), task_run_id="t", attempt=1, state=State.SUCCESS),
        e.Rendered(at=Instant(2), request_id="b/value", problem="no"),
    ]
    finished, answers = e.together(told)
    assert finished is told[1]
    assert answers == e.Answers(at=Instant(2), rendered=(told[0], told[2]))
    assert decode_as(e.AnyEvent, encode(answers)) == answers
    assert e.together(told[:2]) == told[:2]
