"""Templates at work: their tasks run in place, with arguments, as they were when the execution began."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from batuta.model import codec
from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.state import State
from batuta.operations import control, repeat
from batuta.operations.caller import SYSTEM
from batuta.operations.flows import templates
from tests.unit.server.installation import Installation, states

CORE = "io.kestra.plugin.core"
LOG = f"type: {CORE}.log.Log, message: "
CALL = f"type: {CORE}.flow.Template, namespace: acme, templateId: "


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Installation]:
    one = Installation(folder, templates=True)
    one.run()
    try:
        yield one
    finally:
        await one.crash()
        await one.store.close()


def source(name: str, *tasks: str, more: str = "") -> str:
    lines = "\n".join(f"  - {{{task}}}" for task in tasks)
    return f"id: {name}\nnamespace: acme\n{more}tasks:\n{lines}\n"


async def save(one: Installation, name: str, *tasks: str, more: str = "") -> None:
    text = source(name, *tasks, more=more)
    key = FlowKey(SYSTEM.tenant, "acme", name)
    if await one.store.templates.get(key) is None:
        await templates.create(SYSTEM, one.services, text)
    else:
        await templates.update(SYSTEM, one.services, key, source=text)


async def told(one: Installation, execution_id: ExecutionId, level: str = "INFO") -> list[str]:
    return [row.message for row in await one.logs(execution_id) if row.level == level]


async def test_the_tasks_run_in_place_and_read_the_arguments(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        await save(
            one,
            "greet",
            f"id: hi, {LOG}'{{{{ parent.outputs.args.word }}}} {{{{ parent.outputs.args.more.n }}}}'",
            f"id: bye, {LOG}'{{{{ parent.outputs.args.list }}}}'",
        )
        args = "{word: '{{ flow.id }}', more: {n: 7}, list: ['{{ 1 + 1 }}', 3]}"
        key = await one.save(
            source(
                "f", f"id: t, {CALL}greet, args: {args}", f"id: after, {LOG}'{{{{ outputs.t }}}}'"
            )
        )
        execution_id = await one.start(key)
        view = await one.ended(execution_id)
        assert states(view) == dict.fromkeys(("t", "hi", "bye", "after"), State.SUCCESS)
        parents = {str(row.run.task_id): row.run.parent_id for row in view.runs}
        assert parents["hi"] == next(row.run.id for row in view.runs if row.run.task_id == "t")
        expected = {"word": "f", "more": {"n": 7}, "list": ["2", 3]}
        first, second, last = await told(one, execution_id)
        assert (first, second) == ("f 7", '["2",3]')
        assert codec.decode(last.encode()) == {"args": expected}


async def test_errors_of_the_template_run_and_the_failure_counts(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        await save(
            one,
            "bad",
            f"id: boom, type: {CORE}.execution.Fail",
            more=f"errors: [{{id: sorry, {LOG}sorry}}]\n",
        )
        execution_id = await one.start(await one.save(source("f", f"id: t, {CALL}bad")))
        view = await one.ended(execution_id)
        assert view.row.execution.state is State.FAILED
        assert states(view) == {"t": State.FAILED, "boom": State.FAILED, "sorry": State.SUCCESS}


async def test_what_cannot_be_put_in_place_fails_with_its_reason(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        await save(one, "clash", f"id: other, {LOG}x")
        await save(one, "self", f"id: inner, {CALL}self")
        cases = {
            "none": (f"id: t, {CALL}none", "Unable to find the template acme.none"),
            "clash": (
                f"id: t, {CALL}clash",
                "The template acme.clash has tasks whose ids are in use: other",
            ),
            "self": (f"id: t, {CALL}self", "The template acme.self holds itself"),
            "args": (f"id: t, {CALL}clash, args: {{a: '{{{{ nope }}}}'}}", None),
        }
        for name, (task, said) in cases.items():
            second = "other" if name == "clash" else "tail"
            key = await one.save(source(f"f-{name}", task, f"id: {second}, {LOG}x"))
            execution_id = await one.start(key)
            view = await one.ended(execution_id)
            assert view.row.execution.state is State.FAILED, name
            errors = await told(one, execution_id, "ERROR")
            assert errors, name
            assert said is None or said in errors, name


async def test_a_template_may_hold_another_one(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        await save(one, "inner", f"id: deep, {LOG}'{{{{ parent.outputs.args.x }}}}'")
        await save(
            one, "outer", f"id: call, {CALL}inner, args: {{x: '{{{{ parent.outputs.args.y }}}}!'}}"
        )
        execution_id = await one.start(
            await one.save(source("f", f"id: t, {CALL}outer, args: {{y: hello}}"))
        )
        view = await one.ended(execution_id)
        assert view.row.execution.state is State.SUCCESS
        assert await told(one, execution_id) == ["hello!"]


async def test_new_executions_take_the_new_template_and_others_keep_theirs(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        wait = f"id: wait, type: {CORE}.flow.Pause"
        await save(one, "x", wait, f"id: old, {LOG}old", f"id: bad, type: {CORE}.execution.Fail")
        key = await one.save(source("f", f"id: t, {CALL}x"))
        first = await one.start(key)
        await one.until(first, lambda execution: execution.state is State.PAUSED)
        await save(one, "x", f"id: new, {LOG}new")
        second = await one.start(key)
        assert states(await one.ended(second)) == {"t": State.SUCCESS, "new": State.SUCCESS}
        await one.crash()
        one.run()
        await control.resume(SYSTEM, one.services, first, inputs={})
        view = await one.ended(first)
        assert states(view)["bad"] is State.FAILED
        assert await told(one, first) == ["old"]
        await templates.delete(SYSTEM, one.services, FlowKey(SYSTEM.tenant, "acme", "x"))
        await repeat.restart(SYSTEM, one.services, first)
        await one.until(first, lambda execution: not execution.state.is_terminal)
        view = await one.ended(first)
        bad = next(row.run for row in view.runs if row.run.task_id == "bad")
        assert len(bad.attempts or ()) == 2
        third = await one.start(key)
        assert (await one.ended(third)).row.execution.state is State.FAILED


async def test_defaults_of_the_flow_count_inside(tmp_path: Path) -> None:
    async with running(tmp_path) as one:
        await save(one, "x", f"id: said, {LOG}by default")
        defaults = f"pluginDefaults: [{{type: {CORE}.log.Log, values: {{level: WARN}}}}]\n"
        execution_id = await one.start(
            await one.save(source("f", f"id: t, {CALL}x", more=defaults))
        )
        await one.ended(execution_id)
        assert await told(one, execution_id, "WARN") == ["by default"]
