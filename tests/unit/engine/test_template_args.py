"""Arguments of a Template: put out before its first task (01 §6.14)."""

from typing import Any

import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.plan import Parallel, Sequence
from tests.core.operating import AT, S, fails, go, marked
from tests.unit.engine.driving import Build, Drive, leaf


def template(args: Any, **fields: Any) -> Any:
    b = Build()
    return b.plan(b.control(Sequence, "t", tasks=[leaf("a")], args=args, **fields))


def test_arguments_without_expressions_are_put_out_at_once() -> None:
    drive = Drive(template({"n": 1}), reload=True).start()
    assert drive.output("t") == {"args": {"n": 1}}
    assert not drive.told(c.Render)
    assert drive.runs["t/a"].endswith("SUCCESS")


def test_expressions_are_rendered_before_the_first_task() -> None:
    args = {"n": "{{ x }}"}
    drive = Drive(template(args), render=lambda _: {"args": {"n": "7"}}, reload=True).start()
    assert drive.output("t") == {"args": {"n": "7"}}
    assert drive.state_is(S.SUCCESS)


@pytest.mark.parametrize(
    ("fields", "state"), [({}, S.FAILED), ({"allow_failure": True}, S.WARNING)]
)
def test_what_cannot_be_rendered_fails_the_task(fields: Any, state: S) -> None:
    drive = Drive(template({"n": "{{ x }}"}, **fields), render=lambda _: "no x").start()
    assert drive.run("t").state is state
    assert list(drive.runs) == ["t"]
    assert ("ERROR", "no x") in drive.logs


def test_nothing_starts_before_the_arguments_are_there() -> None:
    b = Build()
    call = b.control(Sequence, "t", tasks=[leaf("a")], args={"n": "{{ x }}"})
    plan = b.plan(b.control(Parallel, "p", tasks=[leaf("x"), call]))
    drive = Drive(plan, work=fails("x"), answering=False).start()
    request = drive.told(c.Render)[-1].request_id
    after = go(drive, marked(drive, "p/x", S.SUCCESS))
    assert "p/t/a" not in after.runs
    after.send(e.Rendered(at=AT, request_id=request, values={"args": {}}))
    assert after.runs["p/t/a"].endswith("SUCCESS")
