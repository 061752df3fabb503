"""Behaviours of 01 §11 that no recorded case shows in full, each under its number, on a running installation."""

import asyncio

import pytest

from batuta.model.state import State
from batuta.operations.errors import OperationError
from batuta.operations.executions import Parts, delete
from batuta.sdk.registry import Registry
from batuta.store.query import Query
from batuta.testing.system import SOMEBODY, System, is_over
from tests.core.whole.living import (
    CORE,
    FAIL,
    LOG,
    RETURN,
    SLEEP,
    attempts,
    ended,
    flow,
    history,
    logs,
    output,
    run,
    runs,
    states,
    told,
)

pytestmark = pytest.mark.slow

S = State
LIMIT = "concurrency: {limit: 1}\n"


async def test_011_aliases_of_triggers_are_taken() -> None:
    async with System.open() as system:
        old = "io.kestra.core.models.triggers.types.Schedule"
        trigger = f'triggers: [{{id: s, type: {old}, cron: "0 0 1 1 *"}}]\n'
        view = await run(system, flow(f"{trigger}tasks: [{{id: a, {LOG}: hi}}]"))
        assert history(view) == "CREATED RUNNING SUCCESS"
    kind = Registry.installed().get(old)
    assert kind is Registry.installed().get(f"{CORE}.trigger.Schedule")


BIG = 1_500_000


async def test_016_017_018_what_is_large_is_stored_and_not_refused() -> None:
    """The original refuses messages above 1 MiB; here inputs, outputs and what a task reads may be larger."""
    async with System.open() as system:
        body = f"""
inputs: [{{id: text, type: STRING}}]
tasks:
  - {{id: twice, {RETURN}: "{{{{ inputs.text }}}}{{{{ inputs.text }}}}"}}
  - {{id: length, {RETURN}: "{{{{ outputs.twice.value | length }}}}"}}
"""
        view = await run(system, flow(body), inputs={"text": "x" * BIG})
        assert history(view) == "CREATED RUNNING SUCCESS"
        assert output(view, "length") == {"value": str(2 * BIG)}
        assert len(output(view, "twice")["value"]) == 2 * BIG
        assert not [message for level, message in await logs(system, view) if level == "ERROR"]


async def test_025_disabled_tasks_of_a_dag_pass_the_order_on() -> None:
    tasks = [
        ("first", [], False),
        ("off1", ["first"], True),
        ("off2", ["off1", "side"], True),
        ("side", [], False),
        ("last", ["off2", "side"], False),
        ("root", [], True),
        ("free", ["root"], False),
    ]
    lines = "\n".join(
        f"      - {{task: {{id: {name}, {SLEEP}: PT0.1S, disabled: {str(off).lower()}}}, dependsOn: {needs}}}"
        for name, needs, off in tasks
    )
    body = f"tasks:\n  - id: dag\n    type: {CORE}.flow.Dag\n    tasks:\n{lines}"
    async with System.open() as system:
        view = await run(system, flow(body))
    assert history(view) == "CREATED RUNNING SUCCESS"
    assert list(runs(view)) == ["dag", "dag/first", "dag/side", "dag/free", "dag/last"]
    begun = runs(view)["dag/last"].histories[0].at
    assert all(runs(view)[f"dag/{name}"].histories[-1].at <= begun for name in ("first", "side"))


async def test_053_for_each_item_may_fail_and_warn() -> None:
    body = f"""
tasks:
  - {{id: write, type: {CORE}.storage.Write, extension: .txt, content: "1\\n2\\n"}}
  - id: each
    type: {CORE}.flow.ForEachItem
    items: "{{{{ outputs.write.uri }}}}"
    namespace: company.team
    flowId: child
    allowFailure: true
    allowWarning: true
  - {{id: log, {LOG}: hi}}
"""
    async with System.open() as system:
        view = await run(system, flow(body), flow(f"tasks: [{{id: a, {FAIL}}}]", "child"))
    assert history(view) == "CREATED RUNNING SUCCESS"
    assert list(runs(view)) == ["write", "each", "each/each_split", "each/each_items", "log"]
    assert states(view)["each"] == "SUCCESS"


RENEWED = [
    # where the retry stands, its bound
    ("task", "maxAttempts: 3"),
    ("flow", "maxAttempts: 3"),
    ("task", "maxDuration: PT0.7S"),
    ("flow", "maxDuration: PT0.7S"),
]


@pytest.mark.parametrize(("place", "bound"), RENEWED)
async def test_072_new_executions_replace_failed_ones(place: str, bound: str) -> None:
    interval = "PT0.1S" if "Attempts" in bound else "PT0.3S"
    retry = f"{{type: constant, behavior: CREATE_NEW_EXECUTION, interval: {interval}, {bound}}}"
    task = f"{{id: bad, {FAIL}, retry: {retry}}}" if place == "task" else f"{{id: bad, {FAIL}}}"
    head = "" if place == "task" else f"retry: {retry}\n"
    async with System.open() as system:
        first = await run(system, flow(f"{head}tasks: [{task}]"))

        async def last_failed() -> bool:
            found = await system.executions()
            return any(view.row.execution.state is S.FAILED for view in found)

        await system.quiet(0.4, last_failed, seconds=10)
        views = await system.executions()
    made = [view.row.execution for view in views]
    # On a slow machine fewer fit into a duration.
    assert len(made) == 3 or ("Duration" in bound and len(made) == 2)
    assert [str(each.state) for each in made] == ["RETRIED"] * (len(made) - 1) + ["FAILED"]
    assert [each.attempt_number for each in made] == list(range(1, len(made) + 1))
    assert [each.parent_id for each in made] == [None, *(each.id for each in made[:-1])]
    assert {each.original_id for each in made[1:]} == {made[0].id}
    assert history(first) == "CREATED RUNNING FAILED RETRIED"
    assert {path: attempts(each) for path, each in runs(views[-1]).items()} == {"bad": ["FAILED"]}


async def test_073_a_retry_of_a_loop_holds_for_all_values() -> None:
    body = f"""
tasks:
  - id: loop
    type: {CORE}.flow.ForEach
    values: [a, b]
    concurrencyLimit: 0
    retry: {{type: constant, interval: PT0.05S, maxAttempts: 3}}
    tasks: [{{id: bad, {FAIL}}}]
"""
    async with System.open() as system:
        view = await run(system, flow(body))
    assert view.row.execution.state is S.FAILED
    assert {path: len(attempts(each)) for path, each in runs(view).items()} == {
        "loop": 1,
        "loop/bad[a]": 3,
        "loop/bad[b]": 3,
    }


async def test_076_a_pause_with_tasks_runs_them_after_the_resume() -> None:
    body = f"tasks: [{{id: p, type: {CORE}.flow.Pause, tasks: [{{id: t, {LOG}: hi}}]}}]"
    async with System.open() as system:
        execution_id = await system.start(await system.save_flow(flow(body)))
        view = await system.until(execution_id, lambda v: v.row.execution.state is S.PAUSED)
        assert states(view) == {"p": "PAUSED"}
        await system.resume(execution_id)
        view = await ended(system, execution_id)
    assert states(view) == {"p": "SUCCESS", "p/t": "SUCCESS"}
    assert told(runs(view)["p"]) == "CREATED RUNNING PAUSED RUNNING SUCCESS"


async def test_082_a_second_resume_is_refused() -> None:
    body = f"tasks: [{{id: p, type: {CORE}.flow.Pause}}, {{id: s, {SLEEP}: PT0.3S}}]"
    async with System.open() as system:
        execution_id = await system.start(await system.save_flow(flow(body)))
        await system.until(execution_id, lambda v: v.row.execution.state is S.PAUSED)
        await system.resume(execution_id)
        await system.until(execution_id, lambda v: v.row.execution.state is S.RUNNING)
        with pytest.raises(OperationError):
            await system.resume(execution_id)
        view = await ended(system, execution_id)
    assert history(view) == "CREATED RUNNING PAUSED RESTARTED RUNNING SUCCESS"


LOOPS = [
    ("{interval: PT0.02S, maxDuration: PT0.1S}", True, "FAILED", "Max duration reached"),
    ("{interval: PT0.02S, maxDuration: PT0.1S}", False, "SUCCESS", "Max duration reached"),
    ("{interval: PT0.01S, maxIterations: 5}", False, "SUCCESS", "Max iterations reached"),
    ("{interval: PT0.01S, maxIterations: 3}", True, "FAILED", "Max iterations reached"),
]


@pytest.mark.parametrize(("frequency", "fails", "state", "message"), LOOPS)
async def test_084_a_loop_that_is_never_content(
    frequency: str, fails: bool, state: str, message: str
) -> None:
    body = f"""
tasks:
  - id: loop
    type: {CORE}.flow.LoopUntil
    condition: "{{{{ false }}}}"
    checkFrequency: {frequency}
    failOnMaxReached: {str(fails).lower()}
    tasks: [{{id: t, {LOG}: hi}}]
"""
    async with System.open() as system:
        view = await run(system, flow(body))
        assert ("WARN", message) in await logs(system, view)
    assert view.row.execution.state == state
    assert [path.partition("[")[0] for path in runs(view)] == ["loop", "loop"]
    assert set(states(view).values()) == {state, "SUCCESS"}
    limit = {"5": 6, "3": 4}.get(frequency[-2])
    assert limit is None or output(view, next(iter(runs(view)))) == {"iterationCount": limit}


async def test_085_a_timeout_is_told_twice() -> None:
    async with System.open() as system:
        view = await run(system, flow(f"tasks: [{{id: s, {SLEEP}: PT20S, timeout: PT0.1S}}]"))
        told_of = [
            (str(level), message)
            for level, message in await logs(system, view)
            if "Timeout after 00:00:00.100" in message
        ]
    assert history(view) == "CREATED RUNNING FAILED"
    assert [level for level, _ in told_of] == ["ERROR", "TRACE"]
    assert told_of[0][1] == "Timeout after 00:00:00.100"


async def test_092_a_child_that_waits_keeps_its_parent_running() -> None:
    call = f"type: {CORE}.flow.Subflow, namespace: company.team, flowId: child"
    child = flow(f"tasks: [{{id: p, type: {CORE}.flow.Pause}}]", "child")
    async with System.open() as system:
        key = await system.save_flow(flow(f"tasks: [{{id: call, {call}}}]"))
        await system.save_flow(child)
        execution_id = await system.start(key)

        async def paused() -> bool:
            found = await system.executions()
            return any(view.row.execution.state is S.PAUSED for view in found)

        await system.quiet(0.05, paused, seconds=5)
        view = await system.view(execution_id)
        assert history(view) == "CREATED RUNNING"
        assert told(runs(view)["call"]) == "CREATED RUNNING"
        (kid,) = [v for v in await system.executions() if v.row.execution.id != execution_id]
        assert output(view, "call") == {"executionId": kid.row.execution.id}
        await system.resume(kid.row.execution.id)
        assert (await ended(system, execution_id)).row.execution.state is S.SUCCESS


async def test_094_the_size_of_a_batch_is_an_expression() -> None:
    body = f"""
inputs: [{{id: rows, type: INT}}]
tasks:
  - {{id: write, type: {CORE}.storage.Write, extension: .txt, content: "1\\n2\\n3\\n4\\n5\\n"}}
  - id: each
    type: {CORE}.flow.ForEachItem
    items: "{{{{ outputs.write.uri }}}}"
    batch: {{rows: "{{{{ inputs.rows }}}}"}}
    namespace: company.team
    flowId: child
"""
    async with System.open() as system:
        view = await run(
            system, flow(body), flow(f"tasks: [{{id: a, {LOG}: hi}}]", "child"), inputs={"rows": 2}
        )
    assert view.row.execution.state is S.SUCCESS
    assert output(view, "each/each_items")["numberOfBatches"] == 3


async def test_101_the_second_execution_finds_what_the_first_left_in_the_cache() -> None:
    body = f"""
tasks:
  - id: dir
    type: {CORE}.flow.WorkingDirectory
    cache: {{ttl: PT5M, patterns: ["*.txt"]}}
    tasks:
      - {{id: exists, type: {CORE}.storage.LocalFiles, outputs: [hello.txt]}}
      - {{id: make, type: {CORE}.storage.LocalFiles, inputs: {{hello.txt: HELLO}}}}
"""
    async with System.open() as system:
        first = await run(system, flow(body))
        second = await ended(system, await system.start(system.flow_keys[0]))
    assert len(runs(first)) == len(runs(second)) == 3
    assert output(first, "dir/exists") == {"uris": {}}
    assert list(output(second, "dir/exists")["uris"]) == ["hello.txt"]


async def test_104_the_last_of_four_readers_does_not_find_what_was_excluded() -> None:
    shell = f"type: io.kestra.plugin.scripts.shell.Commands, taskRunner: {{type: {CORE}.runner.Process}}"
    files = ["test.txt", "a/b/c/1.sql", "a/3.sql", "ignore/4.sql"]
    readers = "\n".join(
        f"          - {{id: read{number}, {shell}, commands: [cat {name}]}}"
        for number, name in enumerate(files, 1)
    )
    body = f"""
tasks:
  - id: allow
    type: {CORE}.flow.AllowFailure
    tasks:
      - id: dir
        type: {CORE}.flow.WorkingDirectory
        namespaceFiles: {{enabled: true, exclude: [/ignore/**]}}
        tasks:
{readers}
"""
    async with System.open() as system:
        for name in files:
            await system.put_namespace_file("company.team", name, f"this is {name}".encode())
        view = await run(system, flow(body))
        messages = [message for level, message in await logs(system, view) if level == "INFO"]
    assert view.row.execution.state is S.WARNING
    assert states(view) == {
        "allow": "WARNING",
        "allow/dir": "FAILED",
        **{f"allow/dir/read{number}": "SUCCESS" for number in (1, 2, 3)},
        "allow/dir/read4": "FAILED",
    }
    assert [each for each in messages if each.startswith("this is")] == [
        f"this is {name}" for name in files[:3]
    ]


FAILING = f"""
tasks:
  - {{id: a, {LOG}: hi}}
  - {{id: b, {FAIL}, condition: "{{{{ taskrun.attemptsCount == 0 }}}}"}}
"""


async def test_109_a_restart_with_another_revision_is_a_new_execution() -> None:
    async with System.open() as system:
        first = await run(system, flow(FAILING))
        await system.save_flow(flow(FAILING + f"  - {{id: c, {LOG}: hi}}\n"))
        before = await system.restart(first.row.execution.id, revision=2)
        assert history(before) == "CREATED RUNNING FAILED RESTARTED"
        assert before.row.execution.id != first.row.execution.id
        assert before.row.execution.parent_id == first.row.execution.id
        assert not {row.run.id for row in before.runs} & {row.run.id for row in first.runs}
        view = await ended(system, before.row.execution.id)
    assert states(view) == {"a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS"}
    assert view.row.execution.revision == 2


@pytest.mark.parametrize("everything", [True, False])
async def test_118_parts_of_a_deleted_execution_may_stay(everything: bool) -> None:
    body = "tasks:\n" + "".join(f"  - {{id: t{n}, {LOG}: hi}}\n" for n in range(4))
    async with System.open() as system:
        view = await run(system, flow(body))
        parts = Parts(logs=everything, metrics=everything, files=everything)
        await delete(SOMEBODY, system.services, view.row.execution.id, parts=parts)
        assert await system.services.store.executions.get(view.row.execution.id) is None
        rows = (await system.services.store.journal.logs(Query(size=100))).rows
        assert len([row for row in rows if row.task_run_id]) == (0 if everything else 4)


async def test_122_a_restart_after_a_failure_waits_for_its_place() -> None:
    body = f"{LIMIT}tasks: [{{id: s, {SLEEP}: '{{{{ inputs.t }}}}'}}, {{id: bad, {FAIL}}}]"
    body = f"inputs: [{{id: t, type: STRING}}]\n{body}"
    async with System.open() as system:
        first = await run(system, flow(body), inputs={"t": "PT0.01S"})
        other = await system.start(system.flow_keys[0], inputs={"t": "PT2S"})
        await system.until(other, lambda v: v.row.execution.state is S.RUNNING)
        made = await system.restart(first.row.execution.id)
        assert history(made) == "CREATED RUNNING FAILED RESTARTED"
        waiting = await system.until(
            made.row.execution.id, lambda v: v.row.execution.state is S.QUEUED
        )
        assert history(waiting) == "CREATED RUNNING FAILED RESTARTED QUEUED"
        view = await ended(system, made.row.execution.id)
        await ended(system, other)
    assert history(view) == "CREATED RUNNING FAILED RESTARTED QUEUED RUNNING FAILED"


async def test_124_calls_of_a_limited_flow_give_their_place_back() -> None:
    call = f"type: {CORE}.flow.Subflow, namespace: company.team, flowId: child"
    parent = f"tasks: [{{id: p, type: {CORE}.flow.Parallel, tasks: [{{id: one, {call}}}, {{id: two, {call}}}]}}]"
    child = f"concurrency: {{limit: 1, behavior: CANCEL}}\ntasks: [{{id: s, {SLEEP}: PT0.5S}}]"
    async with System.open() as system:
        view = await run(system, flow(parent), flow(child, "child"))
        assert view.row.execution.state is S.SUCCESS
        found = [v for v in await system.executions() if v.row.execution.flow.id == "child"]
        assert sorted(v.row.execution.state.value for v in found) == ["CANCELLED", "SUCCESS"]
        later = await system.start(system.find_flow("child", None))
        assert (await ended(system, later)).row.execution.state is S.SUCCESS


async def test_125_the_end_of_one_of_three_lets_one_more_run() -> None:
    body = f"concurrency: {{limit: 1}}\ntasks: [{{id: s, {SLEEP}: PT20S}}]"
    async with System.open() as system:
        key = await system.save_flow(flow(body))
        first, second, third = [await system.start(key) for _ in range(3)]
        await system.until(first, lambda v: v.row.execution.state is S.RUNNING)
        for waiting in (second, third):
            await system.until(waiting, lambda v: v.row.execution.state is S.QUEUED)
        await system.kill(first)
        assert (await ended(system, first)).row.execution.state is S.KILLED
        view = await system.until(second, lambda v: v.row.execution.state is S.RUNNING)
        assert history(view) == "CREATED QUEUED RUNNING"
        await asyncio.sleep(0.2)
        assert history(await system.view(third)) == "CREATED QUEUED"
        await system.kill(third)
        gone = await ended(system, third)
        assert history(gone) == "CREATED QUEUED KILLING KILLED"
        assert not gone.runs
        assert (await system.view(second)).row.execution.state is S.RUNNING


async def test_148_a_kill_stops_one_execution_and_no_other() -> None:
    async with System.open() as system:
        body = f"inputs: [{{id: t, type: STRING}}]\ntasks: [{{id: s, {SLEEP}: '{{{{ inputs.t }}}}'}}, {{id: n, {LOG}: hi}}]"
        key = await system.save_flow(flow(body))
        killed = await system.start(key, inputs={"t": "PT20S"})
        others = [await system.start(key, inputs={"t": "PT0.4S"}) for _ in range(3)]
        await system.until(killed, lambda v: "RUNNING" in states(v).values())
        await system.kill(killed)
        view = await ended(system, killed)
        assert told(runs(view)["s"]) == "CREATED SUBMITTED RUNNING KILLED"
        assert list(runs(view)) == ["s"]
        written = len(await logs(system, view))
        for other in others:
            assert (await ended(system, other)).row.execution.state is S.SUCCESS
        assert len(await logs(system, view)) == written
        assert is_over(await system.view(killed))


async def test_135_defaults_have_the_types_of_their_inputs() -> None:
    body = f"""
inputs:
  - {{id: whole, type: INT, defaults: "7"}}
  - {{id: part, type: FLOAT, defaults: "1.5"}}
  - {{id: flag, type: BOOL, defaults: "true"}}
  - {{id: json, type: JSON, defaults: '{{"a": [1]}}'}}
  - {{id: rows, type: ARRAY, itemType: INT, defaults: "[1, 2]"}}
  - {{id: text, type: STRING, defaults: "8"}}
tasks:
  - {{id: a, {RETURN}: "{{{{ inputs.whole + 1 }}}} {{{{ inputs.part * 2 }}}} {{{{ inputs.json.a[0] }}}} {{{{ inputs.rows[1] + 1 }}}} {{{{ inputs.text ~ 1 }}}}"}}
"""
    async with System.open() as system:
        view = await run(system, flow(body))
    assert view.row.execution.inputs == {
        "whole": 7,
        "part": 1.5,
        "flag": True,
        "json": {"a": [1]},
        "rows": [1, 2],
        "text": "8",
    }
    assert output(view, "a") == {"value": "8 3.0 1 3 81"}


REFUSED_INPUTS = [
    # declaration, value, message
    ("type: ENUM, values: [ENUM_VALUE, OTHER_ONE]", "INVALID", "it must match the values `[ENUM_VALUE, OTHER_ONE]`"),
    ("type: SELECT, values: [V1, V2]", "V3", "it must match the values `[V1, V2]`"),
    ("type: INT, min: 10, max: 20", "9", "it must be more than `10`"),
    ("type: INT, min: 10, max: 20", "23", "it must be less than `20`"),
    ("type: FLOAT, min: 0.1, max: 0.5", "0.01", "it must be more than `0.1`"),
    ("type: STRING, validator: '[0-9]+'", "x", "it must match the pattern `[0-9]+`"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "value", "message"), REFUSED_INPUTS)
async def test_133_inputs_out_of_bounds_are_named(declared: str, value: str, message: str) -> None:
    body = f"inputs: [{{id: enum, {declared}}}]\ntasks: [{{id: a, {LOG}: hi}}]"
    async with System.open() as system:
        key = await system.save_flow(flow(body))
        with pytest.raises(OperationError) as raised:
            await system.start(key, inputs={"enum": value})
        assert await system.executions() == []
    expected = f"Invalid input for `enum`, {message}, but received `{value}`"
    assert expected in str(raised.value)


@pytest.mark.parametrize("limited", [True, False])
async def test_120_the_limit_is_that_of_the_latest_revision(*, limited: bool) -> None:
    """An execution of an older revision waits, or does not wait, as the latest one says (01 §7.1)."""
    body = f"tasks: [{{id: s, {SLEEP}: PT1S}}]"
    async with System.open() as system:
        key = await system.save_flow(flow(body if limited else LIMIT + body))
        await system.save_flow(flow(LIMIT + body if limited else body))
        first = await system.start(key)
        await system.until(first, lambda v: v.row.execution.state is S.RUNNING)
        second = await ended(system, await system.start(key, revision=1))
        await ended(system, first)
        assert await system.services.store.queues.slots(key) == 0
    waited = "CREATED QUEUED RUNNING SUCCESS" if limited else "CREATED RUNNING SUCCESS"
    assert history(second) == waited
    assert second.row.execution.revision == 1
