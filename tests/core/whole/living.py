"""Flows run on a small installation, and what is seen of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from batuta.engine.execution import TaskRun
from batuta.model import codec
from batuta.model.ids import ExecutionId
from batuta.operations.executions import ExecutionView
from batuta.store.query import Filter, Op, Query
from batuta.testing.conformance.record import paths_of
from batuta.testing.system import System, is_over

CORE = "io.kestra.plugin.core"
LOG = f"type: {CORE}.log.Log, message"
RETURN = f"type: {CORE}.debug.Return, format"
FAIL = f"type: {CORE}.execution.Fail"
SLEEP = f"type: {CORE}.flow.Sleep, duration"


def flow(body: str, name: str = "flow") -> str:
    return f"id: {name}\nnamespace: company.team\n{body}"


async def ended(system: System, execution_id: ExecutionId) -> ExecutionView:
    view = await system.until(execution_id, is_over, seconds=20)
    assert is_over(view), view.row.execution.state
    return view


async def run(
    system: System, source: str, *others: str, inputs: Mapping[str, Any] | None = None
) -> ExecutionView:
    """Save the flows, run the first, wait for its end."""
    key = await system.save_flow(source)
    for other in others:
        await system.save_flow(other)
    return await ended(system, await system.start(key, inputs=inputs))


def history(view: ExecutionView) -> str:
    return " ".join(str(entry.state) for entry in view.row.execution.histories)


def runs(view: ExecutionView) -> dict[str, TaskRun]:
    """The task runs under the names of the recorded cases, in the order of creation."""
    found = [row.run for row in view.runs]
    paths = paths_of(found)
    return {paths[run.id]: run for run in found}


def states(view: ExecutionView) -> dict[str, str]:
    return {path: str(run.state) for path, run in runs(view).items()}


def told(run: TaskRun) -> str:
    return " ".join(str(entry.state) for entry in run.histories)


def attempts(run: TaskRun) -> list[str]:
    return [str(attempt.state) for attempt in run.attempts or ()]


def output(view: ExecutionView, path: str) -> Any:
    return codec.decode(bytes(view.outputs[runs(view)[path].id]))


async def logs(system: System, view: ExecutionView) -> Sequence[tuple[str, str]]:
    query = Query(
        filters=(Filter("execution_id", Op.EQUALS, view.row.execution.id),), size=1000, total=False
    )
    return [
        (log.level, log.message) for log in (await system.services.store.journal.logs(query)).rows
    ]
