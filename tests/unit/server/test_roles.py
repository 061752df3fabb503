"""The roles together, over the store in memory: what happens, what is lost (nothing), what is said."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from batuta.engine.events import Created
from batuta.model.instant import DAY, HOUR, Instant
from batuta.model.state import State
from batuta.operations import control
from batuta.operations.caller import SYSTEM
from batuta.operations.system import SystemClock
from batuta.store.query import Query
from batuta.store.rows import LogRow, Mail, TriggerKey, TriggerRow, Turn
from tests.unit.server.installation import Installation, states

RETURN = "io.kestra.plugin.core.debug.Return"
LOG = "io.kestra.plugin.core.log.Log"
SLEEP = "io.kestra.plugin.core.flow.Sleep"
FLOW = "io.kestra.plugin.core.flow"


@asynccontextmanager
async def running(folder: Path, **settings: object) -> AsyncIterator[Installation]:
    installation = Installation(folder, **settings)
    installation.run()
    try:
        yield installation
    finally:
        await installation.crash()
        await installation.store.close()


async def test_a_flow_runs_from_its_start_to_its_outputs(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            inputs: [{{id: name, type: STRING}}]
            outputs: [{{id: said, type: STRING, value: "{{{{ outputs.a.value }}}}!"}}]
            tasks:
              - {{id: a, type: {RETURN}, format: "hello {{{{ inputs.name }}}}"}}
            """)
        view = await one.ended(await one.start(key, name="Ann"))
        assert view.row.execution.outputs == {"said": "hello Ann!"}


async def test_look_ups_leave_the_turn_and_secrets_stay_hidden(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            tasks:
              - id: cond
                type: {FLOW}.If
                condition: "{{{{ secret('TOKEN') == 'tell-nobody' }}}}"
                then:
                  - {{id: say, type: {LOG}, message: "it is {{{{ secret('TOKEN') }}}}"}}
            """)
        execution_id = await one.start(key)
        view = await one.ended(execution_id)
        assert states(view) == {"cond": State.SUCCESS, "say": State.SUCCESS}
        said = [row.message for row in await one.logs(execution_id)]
        assert "it is ******" in said
        assert not any("tell-nobody" in message for message in said)


async def test_a_secret_that_one_task_alone_reads_stays_hidden(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            tasks: [{{id: say, type: {LOG}, message: "it is {{{{ secret('TOKEN') }}}}"}}]
            """)
        execution_id = await one.start(key)
        await one.ended(execution_id)
        assert "it is ******" in [row.message for row in await one.logs(execution_id)]


async def test_a_problem_of_the_engine_shows_no_secret(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            tasks:
              - id: loop
                type: {FLOW}.ForEach
                values: "{{{{ secret('TOKEN') }}}}"
                tasks: [{{id: say, type: {LOG}, message: x}}]
            """)
        execution_id = await one.start(key)
        assert (await one.ended(execution_id)).row.execution.state is State.FAILED
        assert not any("tell-nobody" in row.message for row in await one.logs(execution_id))


async def test_an_unknown_secret_fails_the_task_and_names_it(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            tasks: [{{id: say, type: {LOG}, message: "{{{{ secret('OTHER') }}}}"}}]
            """)
        execution_id = await one.start(key)
        assert states(await one.ended(execution_id)) == {"say": State.FAILED}
        assert any(
            "Cannot find secret for key 'OTHER'" in row.message
            for row in await one.logs(execution_id)
        )


async def test_what_the_inbox_held_is_taken_up_after_a_crash(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    key = await one.save(f"""
        id: f
        namespace: acme
        tasks: [{{id: a, type: {RETURN}, format: x}}]
        """)
    execution_id = await one.start(key)
    one.run()
    assert (await one.ended(execution_id)).row.execution.state is State.SUCCESS
    await one.crash()


async def test_an_attempt_that_ran_when_the_server_died_is_resubmitted(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    one.run()
    key = await one.save(f"""
        id: f
        namespace: acme
        tasks:
          - {{id: before, type: {RETURN}, format: kept}}
          - {{id: nap, type: {SLEEP}, duration: PT0.3S}}
          - {{id: after, type: {RETURN}, format: "{{{{ outputs.before.value }}}}"}}
        """)
    execution_id = await one.start(key)
    await one.until(
        execution_id, lambda e: any(run.state is State.RUNNING for run in e.runs.values())
    )
    await one.crash()
    one.run()
    view = await one.ended(execution_id)
    nap = next(row.run for row in view.runs if row.run.task_id == "nap")
    assert [attempt.state for attempt in nap.attempts or ()] == [State.RESUBMITTED, State.SUCCESS]
    assert view.row.execution.state is State.SUCCESS
    after = next(row.run.id for row in view.runs if row.run.task_id == "after")
    assert b"kept" in bytes(view.outputs[after])
    await one.crash()


async def test_the_policy_never_makes_a_lost_attempt_a_failure(tmp_path: Path) -> None:
    one = Installation(tmp_path, restart_strategy="NEVER")
    one.run()
    key = await one.save(f"""
        id: f
        namespace: acme
        tasks: [{{id: nap, type: {SLEEP}, duration: PT0.3S}}]
        """)
    execution_id = await one.start(key)
    await one.until(
        execution_id, lambda e: any(run.state is State.RUNNING for run in e.runs.values())
    )
    await one.crash()
    one.run()
    assert (await one.ended(execution_id)).row.execution.state is State.FAILED
    await one.crash()


async def test_a_timer_goes_on_after_a_crash(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    one.run()
    key = await one.save(f"""
        id: f
        namespace: acme
        tasks: [{{id: wait, type: {FLOW}.Pause, pauseDuration: PT0.2S}}]
        """)
    execution_id = await one.start(key)
    await one.until(execution_id, lambda e: e.state is State.PAUSED)
    await one.crash()
    one.run()
    assert (await one.ended(execution_id)).row.execution.state is State.SUCCESS
    await one.crash()


async def test_a_child_is_made_once_and_told_to_its_parent(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        await one.save(f"""
            id: child
            namespace: acme
            outputs: [{{id: r, type: STRING, value: "{{{{ outputs.t.value }}}}"}}]
            tasks: [{{id: t, type: {RETURN}, format: done}}]
            """)
        key = await one.save(f"""
            id: parent
            namespace: acme
            tasks: [{{id: call, type: {FLOW}.Subflow, namespace: acme, flowId: child}}]
            """)
        execution_id = await one.start(key)
        view = await one.ended(execution_id)
        assert view.row.execution.state is State.SUCCESS
        children = [e for e in await one.all_executions() if e.flow.id == "child"]
        assert len(children) == 1
        assert (children[0].trigger or {})["variables"]["executionId"] == execution_id


async def test_deleting_a_running_execution_disturbs_no_other(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            tasks:
              - {{id: nap, type: {SLEEP}, duration: PT0.2S}}
              - {{id: a, type: {RETURN}, format: x}}
            """)
        gone, stays = await one.start(key), await one.start(key)
        await one.until(gone, lambda e: any(r.state is State.RUNNING for r in e.runs.values()))
        await one.store.executions.delete([gone])
        assert (await one.ended(stays)).row.execution.state is State.SUCCESS
        assert await one.store.executions.get(gone) is None


async def test_the_same_event_twice_counts_once(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            tasks: [{{id: a, type: {RETURN}, format: x}}]
            """)
        execution_id = await one.start(key)
        again = Mail(execution_id, Created(at=one.services.clock.now()))
        await one.store.commit(Turn(inbox=[again]))
        view = await one.ended(execution_id)
        assert len(view.runs) == 1


async def test_a_loop_larger_than_a_turn_runs_to_its_end(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            tasks:
              - id: loop
                type: {FLOW}.ForEach
                values: "{{{{ range(1, 400) }}}}"
                concurrencyLimit: 0
                tasks:
                  - {{id: a, type: {RETURN}, format: "v{{{{ taskrun.value }}}}"}}
                  - {{id: b, type: {RETURN}, format: "{{{{ outputs.a[taskrun.value].value }}}}"}}
            """)
        view = await one.ended(await one.start(key))
        assert view.row.execution.state is State.SUCCESS
        assert sum(row.run.task_id == "b" for row in view.runs) == 400


async def test_only_as_many_run_as_the_flow_allows(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            concurrency: {{limit: 1}}
            tasks: [{{id: nap, type: {SLEEP}, duration: PT0.1S}}]
            """)
        first, second = await one.start(key), await one.start(key)
        await one.ended(second)
        histories = {e.id: [h.state for h in e.histories] for e in await one.all_executions()}
        assert State.QUEUED not in histories[first]
        assert histories[second] == [State.CREATED, State.QUEUED, State.RUNNING, State.SUCCESS]


async def test_every_missed_fire_time_starts_one_execution(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    key = await one.save(f"""
        id: f
        namespace: acme
        tasks: [{{id: a, type: {RETURN}, format: "{{{{ trigger.date }}}}"}}]
        triggers: [{{id: hourly, type: io.kestra.plugin.core.trigger.Schedule, cron: "0 * * * *"}}]
        """)
    one.run()
    trigger = TriggerKey(key, "hourly")
    row = await one.trigger(trigger)
    await one.crash()
    now = SystemClock().now()
    missed = Instant(now - now % HOUR - 3 * HOUR)
    late = msgspec.structs.replace(row, date=Instant(missed - HOUR), next_date=missed)
    await one.store.commit(Turn(triggers=[late]))
    one.run()

    async def caught_up() -> TriggerRow | None:
        current = await one.store.triggers.get(trigger)
        free = current is not None and current.execution_id is None
        return current if free and (current.next_date or 0) > now else None

    current = await one.when(caught_up)
    dates = sorted((e.trigger or {})["variables"]["date"] for e in await one.all_executions())
    assert len(dates) == len(set(dates)) == 4
    assert current.next_date == Instant(missed + 4 * HOUR)
    await one.crash()


async def test_a_trigger_that_cannot_render_its_inputs_logs_a_warning(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    key = await one.save(f"""
        id: f
        namespace: acme
        inputs: [{{id: n, type: INT}}]
        tasks: [{{id: a, type: {RETURN}, format: x}}]
        triggers:
          - id: t
            type: io.kestra.plugin.core.trigger.Schedule
            cron: "@daily"
            inputs: {{n: "{{{{ nothing.here }}}}"}}
        """)
    now = one.services.clock.now()
    trigger = TriggerKey(key, "t")
    one.run()
    row = await one.trigger(trigger)
    await one.store.commit(
        Turn(triggers=[msgspec.structs.replace(row, next_date=Instant(now - now % DAY))])
    )

    async def warning() -> LogRow | None:
        rows = (await one.store.journal.logs(Query())).rows
        return rows[0] if rows else None

    said = await one.when(warning)
    assert (said.trigger_id, said.level) == ("t", "WARN")
    assert "nothing" in said.message
    assert await one.all_executions() == []
    await one.crash()


async def test_a_kill_ends_what_runs(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            tasks: [{{id: nap, type: {SLEEP}, duration: PT20S}}]
            """)
        execution_id = await one.start(key)
        await one.until(
            execution_id, lambda e: any(run.state is State.RUNNING for run in e.runs.values())
        )
        await control.kill(SYSTEM, one.services, execution_id)
        view = await one.ended(execution_id)
        assert view.row.execution.state is State.KILLED
        assert states(view) == {"nap": State.KILLED}


async def test_a_kill_reaches_children_that_nobody_waits_for(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        await one.save(f"""
            id: child
            namespace: acme
            tasks: [{{id: wait, type: {FLOW}.Pause}}]
            """)
        key = await one.save(f"""
            id: parent
            namespace: acme
            tasks:
              - {{id: call, type: {FLOW}.Subflow, namespace: acme, flowId: child, wait: false}}
              - {{id: hold, type: {FLOW}.Pause}}
            """)
        execution_id = await one.start(key)
        await one.until(execution_id, lambda e: e.state is State.PAUSED)
        child = next(e for e in await one.all_executions() if e.flow.id == "child")
        await one.until(child.id, lambda e: e.state is State.PAUSED)
        await control.kill(SYSTEM, one.services, execution_id)
        assert (await one.ended(child.id)).row.execution.state is State.KILLED
        assert (await one.ended(execution_id)).row.execution.state is State.KILLED


async def test_committed_lines_leave_the_backlog(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        key = await one.save(f"""
            id: f
            namespace: acme
            tasks:
              - id: chat
                type: io.kestra.plugin.scripts.shell.Script
                taskRunner: {{type: io.kestra.plugin.core.runner.Process}}
                script: seq 1 3000
              - {{id: after, type: {RETURN}, format: x}}
            """)
        execution_id = await one.start(key)
        await one.ended(execution_id)
        assert len(await one.logs(execution_id)) == 1000
        assert one.roles.executor._work.backlog.lines == 0
