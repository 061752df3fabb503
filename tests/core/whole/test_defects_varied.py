"""The defects of 01 §12.1 in other surroundings: nested, concurrent, forgiven, with `finally`, after a restart."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

import pytest

from batuta.engine import events as e
from batuta.engine.plan import Parallel, Sequence
from batuta.model.state import State
from batuta.testing.system import System
from tests.core.whole.living import (
    CORE,
    FAIL,
    LOG,
    RETURN,
    SLEEP,
    ended,
    flow,
    history,
    output,
    run,
    runs,
    states,
)
from tests.unit.engine.driving import Build, Drive, leaf, retry

S = State
OFF = f"{{id: off, {LOG}: hi, disabled: true}}"
OK, BAD = "SUCCESS", "FAILED"
SEQUENTIAL = f"type: {CORE}.flow.Sequential"
EACH = f"type: {CORE}.flow.ForEach, values: [a, b], concurrencyLimit: 0"
LOOP = f'type: {CORE}.flow.LoopUntil, condition: "{{{{ false }}}}", checkFrequency: {{interval: PT0.01S}}'
RETRY = "retry: {type: constant, interval: PT0.02S, maxAttempts: 3}"
LATER = 'condition: "{{ taskrun.attemptsCount < 1 }}"'
ERR, FIN = f"errors: [{{id: err, {LOG}: hi}}]", f"finally: [{{id: fin, {LOG}: hi}}]"

BAD_TASK = f"{{id: bad, {FAIL}}}"
LOOPED = f"{{id: loop, {LOOP}, tasks: [{BAD_TASK}], {ERR}"
CANCEL = f"type: {CORE}.flow.Pause, pauseDuration: PT0.05S, behavior: CANCEL"

Expected = tuple[str, Mapping[str, str]]


def _variants() -> dict[str, tuple[str, Expected]]:
    """By defect and surroundings: the flow, the state of the execution, the states of its task runs."""
    bad, looped, cancel = BAD_TASK, LOOPED, CANCEL
    return {
        # A Sequential whose tasks are all disabled
        "disabled_in_parallel": (
            f"tasks: [{{id: p, type: {CORE}.flow.Parallel, tasks: [{{id: s, {SEQUENTIAL}, tasks: [{OFF}]}}, {{id: t, {LOG}: hi}}]}}]",
            (OK, {"p": OK, "p/s": OK, "p/t": OK}),
        ),
        "disabled_in_loop": (
            f"tasks: [{{id: e, {EACH}, tasks: [{{id: s, {SEQUENTIAL}, tasks: [{OFF}]}}]}}]",
            (OK, {"e": OK, "e/s[a]": OK, "e/s[b]": OK}),
        ),
        "disabled_in_allow_failure": (
            f"tasks: [{{id: s, type: {CORE}.flow.AllowFailure, tasks: [{OFF}]}}, {{id: t, {LOG}: hi}}]",
            (OK, {"s": OK, "t": OK}),
        ),
        "disabled_with_lists": (
            f"tasks: [{{id: s, {SEQUENTIAL}, tasks: [{OFF}], {ERR}, {FIN}}}]",
            (OK, {"s": OK, "s/fin": OK}),
        ),
        "disabled_in_errors": (
            f"tasks: [{bad}]\nerrors: [{{id: s, {SEQUENTIAL}, tasks: [{OFF}]}}, {{id: t, {LOG}: hi}}]",
            (BAD, {"bad": BAD, "s": OK, "t": OK}),
        ),
        # A LoopUntil with errors and a failing child
        "loop_allowed": (
            f"tasks: [{looped}, allowFailure: true}}, {{id: t, {LOG}: hi}}]",
            ("WARNING", {"loop": "WARNING", "loop/bad[#0]": BAD, "loop/err": OK, "t": OK}),
        ),
        "loop_forgiven": (
            f"tasks: [{looped}, allowFailure: true, allowWarning: true}}]",
            (OK, {"loop": OK, "loop/bad[#0]": BAD, "loop/err": OK}),
        ),
        "loop_with_finally": (
            f"tasks: [{looped}, {FIN}}}]",
            (BAD, {"loop": BAD, "loop/bad[#0]": BAD, "loop/err": OK, "loop/fin": OK}),
        ),
        "loop_in_loop": (
            f"tasks: [{{id: e, {EACH}, tasks: [{looped}}}]}}]",
            (BAD, {"e": BAD, **{f"e/loop[{v}]{rest}": state for n, v in enumerate("ab") for rest, state in (("", BAD), (f"/bad[#{n}]", BAD), ("/err", OK))}}),
        ),
        # A retry of the flow together with errors
        "retry_nested": (
            f"{RETRY}\ntasks: [{{id: s, {SEQUENTIAL}, tasks: [{bad}]}}, {{id: n, {LOG}: hi}}]\n{ERR}",
            (BAD, {"s": BAD, "s/bad": BAD, "err": OK}),
        ),
        "retry_local_errors": (
            f"{RETRY}\ntasks: [{{id: s, {SEQUENTIAL}, tasks: [{bad}], {ERR}, {FIN}}}]",
            (BAD, {"s": BAD, "s/bad": BAD, "s/err": OK, "s/fin": OK}),
        ),
        "retry_with_finally": (
            f"{RETRY}\ntasks: [{bad}]\n{ERR}\n{FIN}",
            (BAD, {"bad": BAD, "err": OK, "fin": OK}),
        ),
        "retry_that_helps": (
            f"{RETRY}\ntasks: [{{id: bad, {FAIL}, {LATER}}}, {{id: n, {LOG}: hi}}]\n{ERR}",
            (OK, {"bad": OK, "n": OK}),
        ),
        "retry_concurrent": (
            f"{RETRY}\ntasks: [{{id: p, {EACH}, tasks: [{bad}]}}]\n{ERR}",
            (BAD, {"p": BAD, "p/bad[a]": BAD, "p/bad[b]": BAD, "err": OK}),
        ),
        "retry_allowed": (
            f"{RETRY}\ntasks: [{{id: bad, {FAIL}, allowFailure: true}}, {{id: n, {LOG}: hi}}]\n{ERR}",
            ("WARNING", {"bad": "WARNING", "n": OK}),
        ),
        # A cancelled execution with afterExecution
        "cancel_nested": (
            f"tasks: [{{id: s, {SEQUENTIAL}, tasks: [{{id: p, {cancel}}}, {{id: n, {LOG}: hi}}]}}, {{id: m, {LOG}: hi}}]\n{ERR}\n{FIN}\nafterExecution: [{{id: x, {LOG}: hi}}]",
            ("CANCELLED", {"s": "CANCELLED", "s/p": "CANCELLED", "x": OK}),
        ),
        "cancel_by_exit": (
            f"tasks: [{{id: x, type: {CORE}.execution.Exit, state: CANCELLED}}, {{id: m, {LOG}: hi}}]\nafterExecution: [{{id: y, {LOG}: hi}}, {{id: z, {LOG}: hi}}]",
            ("CANCELLED", {"x": "CANCELLED", "y": OK, "z": OK}),
        ),
        "cancel_by_sla": (
            f"sla: [{{id: m, type: MAX_DURATION, duration: PT0.1S, behavior: CANCEL}}]\ntasks: [{{id: s, {SLEEP}: PT20S}}, {{id: m, {LOG}: hi}}]\nafterExecution: [{{id: x, {LOG}: hi}}]",
            ("CANCELLED", {"s": "KILLED", "x": OK}),
        ),
    }  # fmt: skip


@lru_cache
def outcomes() -> Mapping[str, Expected | str]:
    """All of them side by side; each test looks its own up."""

    async def one(body: str) -> Expected | str:
        try:
            async with System.open() as system:
                view = await run(system, flow(body))
                return view.row.execution.state.value, states(view)
        except Exception as error:
            return repr(error)

    async def every() -> Mapping[str, Expected | str]:
        found = await asyncio.gather(*(one(body) for body, _ in _variants().values()))
        return dict(zip(_variants(), found, strict=True))

    return asyncio.run(every())


@pytest.mark.slow
@pytest.mark.parametrize("name", _variants())
def test_a_defect_in_other_surroundings(name: str) -> None:
    assert outcomes()[name] == _variants()[name][1]


@pytest.mark.slow
async def test_a_switch_in_nested_concurrent_loops_has_the_value_of_its_item() -> None:
    values = [f"v{number}" for number in range(8)]
    cases = ", ".join(
        f'{v}: [{{id: t{v}, {RETURN}: "{{{{ parents | length }}}}"}}]' for v in values
    )
    body = f"""
tasks:
  - id: outer
    type: {CORE}.flow.ForEach
    values: [x, y]
    concurrencyLimit: 0
    tasks:
      - id: inner
        type: {CORE}.flow.ForEach
        values: {values}
        concurrencyLimit: 3
        tasks:
          - {{id: before, {SLEEP}: PT0.01S}}
          - {{id: switch, type: {CORE}.flow.Switch, value: "{{{{ taskrun.value }}}}", cases: {{{cases}}}}}
"""
    async with System.open() as system:
        view = await run(system, flow(body))
    assert view.row.execution.state is S.SUCCESS
    for outer in "xy":
        for v in values:
            switch = f"outer/inner[{outer}]/switch[{v}]"
            assert output(view, switch) == {"value": v, "defaults": False}
            assert [path for path in runs(view) if path.startswith(f"{switch}/")] == [
                f"{switch}/t{v}"
            ]


REPLAYS = [
    # the flow, the task from which it is replayed, what has run in the end
    (f"tasks: [{{id: s, {SEQUENTIAL}, tasks: [{{id: bad, {FAIL}, %s}}, {{id: n, {LOG}: hi}}], {ERR}}}, {{id: m, {LOG}: hi}}]", ["s", "s/bad", "s/n", "m"]),
    (f"tasks: [{{id: bad, {FAIL}, %s}}, {{id: m, {LOG}: hi}}]\n{ERR}\n{FIN}\nafterExecution: [{{id: x, {LOG}: hi}}]", ["bad", "m", "fin", "x"]),
    (f"tasks: [{{id: e, {EACH}, tasks: [{{id: bad, {FAIL}, %s}}, {{id: n, {LOG}: hi}}]}}, {{id: m, {LOG}: hi}}]\n{ERR}", ["e", "e/bad[a]", "e/bad[b]", "e/n[a]", "e/n[b]", "m"]),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("body", "done"), REPLAYS)
async def test_a_replay_from_a_failed_task_goes_on_wherever_it_stands(
    body: str, done: list[str]
) -> None:
    replayed = "labels.system is defined and labels.system.replay is defined"
    fails = f"condition: \"{{{{ (taskrun.value ?? 'a') == 'a' and not ({replayed}) }}}}\""
    async with System.open() as system:
        first = await run(system, flow(body % fails))
        assert first.row.execution.state is S.FAILED
        made = await system.replay(first.row.execution.id, task_id="bad")
        view = await ended(system, made.row.execution.id)
    assert history(view) == "CREATED RUNNING FAILED RESTARTED RUNNING SUCCESS"
    assert sorted(runs(view)) == sorted(done)
    assert set(states(view).values()) == {"SUCCESS"}


@pytest.mark.slow
async def test_an_execution_cancelled_by_the_limit_runs_what_comes_after_it_alone() -> None:
    body = f"""
concurrency: {{limit: 1, behavior: CANCEL}}
tasks: [{{id: s, {SLEEP}: PT1S}}]
{ERR}
{FIN}
afterExecution: [{{id: x, {LOG}: hi}}]
"""
    async with System.open() as system:
        key = await system.save_flow(flow(body))
        first = await system.start(key)
        await system.until(first, lambda v: v.row.execution.state is S.RUNNING)
        second = await ended(system, await system.start(key))
        assert history(second) == "CREATED CANCELLED"
        assert states(second) == {"x": "SUCCESS"}
        assert (await ended(system, first)).row.execution.state is S.SUCCESS


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_limit_holds_for_flowables_failures_and_retries(limit: int) -> None:
    b = Build()
    inner = [
        b.control(Sequence, f"s{n}", tasks=[leaf(f"x{n}", inline=False), leaf(f"y{n}")])
        for n in range(3)
    ]
    tasks = [
        *inner,
        *(leaf(f"t{n}", inline=False, allow_failure=True) for n in range(3)),
        leaf("again", inline=False, retry=retry(max_attempts=2)),
    ]
    drive = Drive(
        b.plan(b.control(Parallel, "p", tasks=tasks, concurrent=limit)),
        work=lambda r, _n: S.SUCCESS if r.task_id.startswith("y") else None,
        reload=True,
    ).start()
    most: Counter[str] = Counter()
    while not drive.ended:
        children = [
            run for run in drive.execution.runs.values() if run.parent_id == drive.run("p").id
        ]
        most["p"] = max(most["p"], len(children))
        assert len(children) <= limit
        live = [
            run
            for run in drive.execution.runs.values()
            if run.state is S.RUNNING and run.task_id[0] in "xta"
        ]
        if not live:
            drive.fire(1)
            continue
        bad = {"t1", "again"} if len(live[0].attempts or ()) == 1 else {"t1"}
        state = S.FAILED if live[0].task_id in bad else S.SUCCESS
        number = len(live[0].attempts or ())
        drive.send(
            e.TaskFinished(at=drive.now, task_run_id=live[0].id, attempt=number, state=state)
        )
    assert most["p"] == limit
    assert drive.history.endswith("WARNING")


@pytest.mark.slow
async def test_a_limit_of_one_runs_one_after_another() -> None:
    tasks = ", ".join(f"{{id: t{n}, {SLEEP}: PT0.02S}}" for n in range(5))
    body = f"tasks: [{{id: p, type: {CORE}.flow.Parallel, concurrent: 1, tasks: [{tasks}]}}]"
    async with System.open() as system:
        view = await run(system, flow(body))
    times = [
        (each.histories[0].at, each.histories[-1].at)
        for path, each in runs(view).items()
        if path != "p"
    ]
    assert len(times) == 5
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(times))
