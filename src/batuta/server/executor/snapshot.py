"""Variables as plain data, for templates that are rendered on a thread or by a worker."""

from collections.abc import Iterable
from typing import Any

from batuta.engine.execution import TaskRun
from batuta.model.ids import TaskId
from batuta.server.context.outputs import NotInMemoryError, OutputTree
from batuta.server.executor.live import Live
from batuta.server.executor.rendering import FIRST_REACH, Rendering

MANY_VALUES = 1_000
"""Of a loop with more values than this, a task run inside it is sent only the outputs on its own path."""


async def snapshot(
    rendering: Rendering,
    live: Live,
    run: TaskRun | None,
    *,
    reads: Iterable[str] | None = None,
    items: str | None = None,
) -> dict[str, Any]:
    """All variables, with the outputs of the tasks in `reads` (None: of all tasks)."""
    if reads is None:
        await rendering.load_outputs(live, None)
        names = [name for one in live.around for name in one.trees]
    else:
        names = sorted(reads)
        for name in names:
            await rendering.load_outputs(live, TaskId(name))
    reach = FIRST_REACH
    while True:
        try:
            return _variables(rendering, live, run, names=names, items=items)
        except NotInMemoryError as missing:
            await rendering.bring_back(live, missing.stored, reach=reach)
            reach *= 2


def _variables(
    rendering: Rendering,
    live: Live,
    run: TaskRun | None,
    *,
    names: Iterable[str],
    items: str | None,
) -> dict[str, Any]:
    variables = rendering.variables(live, run, items=items)
    path = run.path if run is not None else ()
    variables["outputs"] = {
        name: _plain(keeper.trees[name], path if keeper is live else ())
        for name in names
        if name in (keeper := live.keeper(name)).trees and keeper.trees[name].has_value()
    }
    return variables


def _plain(tree: OutputTree, path: tuple[str, ...]) -> dict[str, Any]:
    inside = bool(path) and path[0] in tree.children
    return tree.along(path) if inside and tree.size() > MANY_VALUES else tree.plain()
