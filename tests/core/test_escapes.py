"""What went wrong in Kestra once: executions that hang, slots that leak, work that is done twice or lost."""

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.plan import Concurrency, Each, Plan, Sla
from batuta.engine.step import step
from batuta.engine.surgery import SurgeryError
from batuta.model import codec
from batuta.operations.executions import delete
from batuta.testing.system import SOMEBODY, System, is_over
from tests.core.operating import AT, S, again, from_task, go
from tests.unit.engine.driving import Build, Drive, leaf, reloaded, retry

LIMIT = Concurrency(limit=1)


def slow(name: str) -> Any:
    return leaf(name, inline=False)


def never(_run: Any, _attempt: int) -> None:
    return None


def loop(concurrency: int) -> Plan:
    b = Build()
    values = [str(number) for number in range(6)]
    tasks = [slow("t"), slow("u")]
    return b.plan(b.control(Each, "l", values=values, concurrency=concurrency, tasks=tasks))


def test_killing_ends_although_no_worker_answers() -> None:
    drive = Drive(loop(3), work=never, reload=True).start().send(e.KillRequested(at=AT))
    assert drive.history.endswith("KILLING")
    drive.fire()
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    assert drive.ended
    assert {run.state for run in drive.rows.values()} == {S.KILLED}


@pytest.mark.parametrize("waits", [1, 2])
def test_a_kill_while_retrying_ends_at_once_and_nothing_is_repeated(waits: int) -> None:
    names = ["a", "b"][:waits]
    b = Build()
    tasks = [leaf("t", retry=retry())]
    plan = b.plan(b.control(Each, "l", values=names, concurrency=0, tasks=tasks))
    drive = Drive(plan, work=lambda _r, _n: S.FAILED, reload=True).start()
    late = dict(drive.timers)
    drive.send(e.KillRequested(at=AT))
    assert drive.history == "CREATED RUNNING RETRYING KILLING KILLED"
    given_out = len(drive.told(c.RunTask))
    for timer_id in late:
        drive.send(e.TimerFired(at=AT, timer_id=timer_id))
    assert len(drive.told(c.RunTask)) == given_out


def kill(drive: Drive) -> None:
    drive.send(e.KillRequested(at=drive.now)).fire()


def over(drive: Drive) -> None:
    drive.finish("a")


def exit_(drive: Drive) -> None:
    drive.finish("a", S.CANCELLED, exit_state=S.CANCELLED)


def pause_and_kill(drive: Drive) -> None:
    drive.send(e.PauseRequested(at=drive.now))
    kill(drive)


ENDS: list[Callable[[Drive], object]] = [
    over, exit_, kill, pause_and_kill, lambda drive: drive.finish("a", S.FAILED), lambda drive: drive.fire(),
]  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_a_slot_is_given_back_exactly_once_however_an_execution_ends(
    end: Callable[[Drive], object],
) -> None:
    sla = (Sla(id="s", behavior="CANCEL", duration=5),)
    plan = Build().plan(slow("a"), after=[leaf("x")], concurrency=LIMIT, sla=sla)
    drive = Drive(plan, work=lambda r, _n: None if r.task_id == "a" else S.SUCCESS, reload=True)
    drive.start()
    end(drive)
    drive.fire()
    assert drive.ended
    assert drive.told(c.ReleaseSlot) == [c.ReleaseSlot(held=True)]
    assert not drive.execution.holds_slot


def test_a_slot_that_is_granted_to_a_killed_execution_is_given_back() -> None:
    drive = Drive(Build().plan(slow("a"), concurrency=LIMIT), slot=lambda _d: None).start()
    drive.send(e.KillRequested(at=AT), e.SlotGranted(at=AT), e.SlotGranted(at=AT))
    assert drive.told(c.ReleaseSlot) == [c.ReleaseSlot(held=False), c.ReleaseSlot(held=True)]
    assert drive.history == "CREATED KILLING KILLED"


def test_a_task_that_fails_while_its_worker_drains_counts_once() -> None:
    drive = Drive(Build().plan(slow("a"), leaf("next")), work=never, reload=True)
    drive.work = lambda r, _n: None if r.task_id == "a" else S.SUCCESS
    drive.start()
    run_id = drive.run("a").id
    drive.send(e.AttemptLost(at=AT, task_run_id=run_id, attempt=1))
    failed = e.TaskFinished(at=AT, task_run_id=run_id, attempt=1, state=S.FAILED)
    before = drive.execution
    drive.send(failed)
    assert drive.execution == before
    drive.finish("a")
    assert drive.attempts["a"] == "RESUBMITTED SUCCESS"
    assert drive.history == "CREATED RUNNING SUCCESS"


def test_a_task_that_fails_before_its_worker_is_given_up_has_failed() -> None:
    drive = Drive(Build().plan(slow("a")), work=never, reload=True).start()
    run_id = drive.run("a").id
    drive.finish("a", S.FAILED)
    drive.send(e.AttemptLost(at=AT, task_run_id=run_id, attempt=1))
    assert drive.attempts["a"] == "FAILED"
    assert len(drive.told(c.RunTask)) == 1


@pytest.mark.parametrize("concurrency", [0, 1, 2])
def test_a_killed_loop_is_not_restarted_but_replayed(concurrency: int) -> None:
    drive = Drive(loop(concurrency), work=never, reload=True).start()
    drive.send(e.KillRequested(at=AT)).fire()
    with pytest.raises(SurgeryError, match="No task found to restart"):
        again(drive)
    edited = from_task(drive, "l")
    drive.work = lambda _r, _n: S.SUCCESS
    after = go(drive, edited)
    assert after.history == "CREATED RUNNING KILLING KILLED RESTARTED RUNNING SUCCESS"
    assert sum(path.startswith("l/") for path in after.runs) == 12


def test_a_killed_execution_with_a_failed_task_is_not_restarted_either() -> None:
    plan = Build().plan(leaf("a"), errors=[slow("e")])
    drive = Drive(plan, work=lambda r, _n: S.FAILED if r.task_id == "a" else None, reload=True)
    drive.start().send(e.KillRequested(at=AT)).fire()
    assert drive.runs["a"].endswith("FAILED")
    assert drive.history == "CREATED RUNNING KILLING KILLED"
    with pytest.raises(SurgeryError, match="No task found to restart"):
        again(drive)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_results_of_a_limited_loop_in_any_order_keep_the_limit(order: tuple[int, ...]) -> None:
    drive = Drive(loop(3), work=never, reload=True).start()
    for _ in range(12):
        live = sorted(
            (run for run in drive.execution.runs.values() if run.task_id != "l"),
            key=lambda run: run.ordinal,
        )
        assert len(live) <= 3
        if not live:
            break
        chosen = live[order[0] % len(live)]
        order = (*order[1:], order[0])
        drive.finish(drive.path(chosen))
    assert drive.history == "CREATED RUNNING SUCCESS"
    assert sum(path.startswith("l/") for path in drive.runs) == 12


def test_results_of_a_limited_loop_that_come_at_once_keep_the_limit() -> None:
    drive = Drive(loop(3), work=never, reload=True).start()
    given: set[str] = set()
    while not drive.ended:
        live = [run for run in drive.execution.runs.values() if run.task_id != "l"]
        assert len(live) <= 3
        assert not given & {run.id for run in live}
        given |= {run.id for run in live}
        done = [
            e.TaskFinished(at=AT, task_run_id=run.id, attempt=1, state=S.SUCCESS) for run in live
        ]
        drive.send(*done)
    assert len(given) == 12


def test_an_execution_that_has_ended_is_left_alone_by_all_that_comes_again() -> None:
    drive = Drive(Build().plan(leaf("a"), leaf("b"), after=[leaf("x")]), reload=True).start()
    assert drive.ended
    kept = reloaded(drive.execution, drive.rows)
    known = [run.id for run in drive.rows.values()]
    told: list[e.AnyEvent] = [
        e.Created(at=AT), e.Restarted(at=AT), e.SlotGranted(at=AT), e.Resumed(at=AT), e.KillRequested(at=AT), e.PauseRequested(at=AT),
        *(e.TaskStarted(at=AT, task_run_id=run_id, attempt=1) for run_id in known),
        *(e.TaskFinished(at=AT, task_run_id=run_id, attempt=1, state=S.FAILED) for run_id in known),
        *(e.AttemptLost(at=AT, task_run_id=run_id, attempt=1) for run_id in known),
    ]  # fmt: skip
    for event in told:
        result = step(drive.plan, kept, event)
        assert (result.execution, result.changes, result.commands) == (kept, (), ())


def test_memory_written_by_another_version_is_read() -> None:
    """What is new has a default, what is unknown is ignored, so that an upgrade goes on where the old one stopped."""
    drive = Drive(Build().plan(slow("a"), leaf("b")), work=never).start()
    drive.work = lambda _r, _n: S.SUCCESS
    whole = msgspec.structs.replace(drive.execution, runs=dict(drive.execution.runs))
    data = codec.decode(codec.encode(whole))
    for run in data["runs"].values():
        run["progress"]["ofTomorrow"] = {"x": 1}
    data["progress"]["ofTomorrow"] = 1
    drive.execution = msgspec.convert(data, type(drive.execution))
    drive.finish("a")
    assert drive.history == "CREATED RUNNING SUCCESS"


LIMITED = """
id: limited
namespace: company.team
concurrency: {limit: 1, behavior: QUEUE}
inputs: [{id: seconds, type: STRING, defaults: PT0.01S}]
tasks: [{id: t, type: io.kestra.plugin.core.flow.Sleep, duration: "{{ inputs.seconds }}"}]
"""


async def test_queued_executions_are_not_lost_when_what_they_wait_for_is_deleted() -> None:
    async with System.open() as system:
        key = await system.save_flow(LIMITED)
        first = await system.start(key, inputs={"seconds": "PT20S"})
        await system.until(first, lambda view: view.row.execution.state is S.RUNNING)
        waiting = [await system.start(key) for _ in range(3)]
        await system.until(waiting[-1], lambda view: view.row.execution.state is S.QUEUED)
        await delete(SOMEBODY, system.services, waiting[1])
        await delete(SOMEBODY, system.services, first)
        for execution_id in (waiting[0], waiting[2]):
            view = await system.until(execution_id, is_over, seconds=10)
            assert view.row.execution.state is S.SUCCESS
