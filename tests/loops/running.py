"""Flows with a Loop, and what came of them, in a few words."""

import asyncio
from textwrap import indent
from typing import Any

from batuta.model import codec
from batuta.model.ids import ExecutionId
from batuta.model.state import State
from batuta.operations.executions import ExecutionView
from batuta.operations.family import children_of
from batuta.storage.layout import to_uri
from batuta.store.query import Filter, Op, Query
from batuta.store.rows import ExecutionRow
from batuta.testing.system import SOMEBODY, System, is_over

CORE = "io.kestra.plugin.core"
S = State


def returning(name: str, text: str) -> str:
    return f'- {{id: {name}, type: {CORE}.debug.Return, format: "{text}"}}'


def putting_out(value: str, *more: str) -> str:
    lines = ["outputs:", "  - id: text", "    type: STRING", f'    value: "{value}"', *more]
    return "\n".join(lines)


SAY = returning("say", "{{ item.index }} {{ item.value }}")
TEXT = putting_out("{{ outputs.say.value }}")
FAILS_AT_B = f"""
- id: maybe
  type: {CORE}.execution.Fail
  runIf: "{{{{ item.value == 'b' }}}}"
"""


def loop(values: str, *more: str, tasks: str = SAY, name: str = "loop") -> str:
    lines = [f"- id: {name}", f"  type: {CORE}.flow.Loop", f"  values: {values}", "  tasks:"]
    parts = [indent(tasks.strip(), "    "), *(indent(part.strip(), "  ") for part in more)]
    return "\n".join([*lines, *parts])


def flow(*tasks: str, head: str = "") -> str:
    body = "\n".join(indent(task.strip(), "  ") for task in tasks)
    return f"id: loops\nnamespace: test\n{head.strip()}\ntasks:\n{body}\n"


async def started(system: System, source: str, **inputs: Any) -> ExecutionId:
    return await system.start(await system.save_flow(source), inputs=inputs)


async def ran(system: System, source: str, **inputs: Any) -> ExecutionView:
    return await system.until(await started(system, source, **inputs), is_over)


async def iterations(system: System, view: ExecutionView | ExecutionId) -> list[ExecutionRow]:
    parent = view.row.execution.id if isinstance(view, ExecutionView) else view
    return [row async for row in children_of(system.services, parent)]


async def resume_next(system: System, parent: ExecutionId) -> None:
    """The iteration that waits goes on to its end."""
    (waiting,) = await children_in(system, parent, S.PAUSED, 1)
    await system.resume(waiting.execution.id)
    await system.until(waiting.execution.id, is_over)


async def children_in(system: System, parent: ExecutionId, state: State, count: int) -> list[Any]:
    """The children that are in a state, as soon as there are so many."""

    async def found() -> list[ExecutionRow]:
        return [row for row in await iterations(system, parent) if row.execution.state is state]

    while len(rows := await found()) < count:
        await asyncio.sleep(0)
    return rows


def states(view: ExecutionView) -> dict[str, State]:
    return {row.run.task_id: row.run.state for row in view.runs}


def history(view: ExecutionView, task_id: str | None = None) -> list[State]:
    histories = view.row.execution.histories
    if task_id is not None:
        histories = next(row.run.histories for row in view.runs if row.run.task_id == task_id)
    return [entry.state for entry in histories]


def outputs(view: ExecutionView, task_id: str = "loop") -> Any:
    run = next(row.run for row in view.runs if row.run.task_id == task_id)
    return codec.decode(bytes(view.outputs[run.id]))


def texts(view: ExecutionView, task_id: str = "loop") -> list[str]:
    return [entry["outputs"]["text"] for entry in outputs(view, task_id)["outputs"]]


async def logs_of(system: System, execution_id: ExecutionId) -> list[str]:
    query = Query(filters=[Filter("execution_id", Op.EQUALS, execution_id)], size=1000)
    return [row.message for row in (await system.services.store.journal.logs(query)).rows]


async def put_file(system: System, content: str) -> str:
    uri = to_uri(("test", "rows.ion"))
    return await system.services.storage.put(SOMEBODY.tenant, uri, content.encode())


PAUSE = f"- {{id: pause, type: {CORE}.flow.Pause}}"
