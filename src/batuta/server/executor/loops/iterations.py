"""The executions that a Loop's iterations are: making them, running them again, and gathering what they put out."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from batuta.engine.commands import CountRows, Gather, RestartIterations, StartIterations
from batuta.engine.events import ChildEnded, ChildPaused, ChildStarted, Counted, Created, Gathered
from batuta.engine.execution import Execution, TaskRun
from batuta.engine.rollup import STOPPING
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.ion import write_row
from batuta.model.state import History, State
from batuta.operations.family import children_of, item_variable, newest_children_of
from batuta.operations.query import LOOP
from batuta.operations.repeat import run_again_turn
from batuta.operations.services import Services
from batuta.server.executor.draft import Draft
from batuta.server.executor.live import Live
from batuta.server.executor.loops.values import Rows
from batuta.storage.layout import execution_path, slug, to_uri
from batuta.store.rows import ExecutionRow, LoopItem, Mail, ParentLink

_AT_ONCE = 500
"""Rows of outputs that are written at once."""


class IterationsOf:
    """A Loop's task run, and what its iterations have in common."""

    __slots__ = ("attempt", "live", "parent", "run")

    def __init__(self, live: Live, run: TaskRun, attempt: int) -> None:
        self.live = live
        self.run = live.execution.runs.get(run.id, run)
        self.attempt = attempt
        self.parent = _around(live, self.run)


class Iterations:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._rows = Rows(services.storage)

    async def begin(
        self, live: Live, command: StartIterations
    ) -> AsyncIterator[ExecutionRow | ChildStarted]:
        """The rows of new iterations, in order; what is wrong with one is told instead."""
        loop = IterationsOf(live, command.task_run, command.attempt)
        for index in range(command.first, command.first + command.count):
            yield await self._new(loop, index)

    async def restart(
        self, live: Live, command: RestartIterations, draft: Draft
    ) -> Sequence[ChildStarted | ChildEnded]:
        """Iterations go on where they failed, or begin anew where there is nothing to go on from."""
        loop = IterationsOf(live, command.task_run, command.attempt)
        left = set(command.indexes)
        told: list[ChildStarted | ChildEnded] = []
        async for row in newest_children_of(self._services, live.execution.id):
            link = row.link
            if not left:
                break
            if link is None or link.task_run_id != loop.run.id or link.index not in left:
                continue
            left.discard(link.index)
            if row.execution.state in STOPPING:
                draft.take_over(await run_again_turn(self._services, row))
            elif row.execution.state.is_terminal:
                told.append(self._ended(row.execution, link))
        for index in sorted(left):  # somebody has deleted them
            made = await self._new(loop, index)
            if isinstance(made, ExecutionRow):
                draft.create(made, Created(at=self._services.clock.now()))
            else:
                told.append(made)
        return told

    def _ended(self, execution: Execution, link: ParentLink) -> ChildEnded:
        return ChildEnded(
            at=self._services.clock.now(),
            task_run_id=link.task_run_id,
            execution_id=execution.id,
            state=execution.state,
            index=link.index,
        )

    async def count(self, execution: Execution, command: CountRows) -> Counted:
        total, problem = 0, None
        try:
            total = await self._rows.count(execution.flow.tenant, command.uri)
        except (OSError, ValueError) as error:
            problem = _unreadable(command.uri, error)
        return Counted(
            at=self._services.clock.now(),
            task_run_id=command.task_run_id,
            attempt=command.attempt,
            uri=command.uri,
            total=total,
            problem=problem,
        )

    async def gather(self, execution: Execution, command: Gather) -> Gathered | None:
        """None where the Loop is over meanwhile."""
        run = execution.runs.get(command.task_run_id)
        if run is None:
            return None
        outputs: dict[str, Any] = {}
        problem = None
        try:
            if command.store:
                outputs = {"uri": await self._store(execution, run)}
            else:
                outputs = {"outputs": [entry async for entry in self._entries(execution, run.id)]}
        except (OSError, ValueError, TypeError) as error:
            problem = str(error) or type(error).__name__
        return Gathered(
            at=self._services.clock.now(),
            task_run_id=command.task_run_id,
            attempt=command.attempt,
            outputs=outputs,
            problem=problem,
        )

    async def variables(
        self, execution_id: ExecutionId | None, draft: Draft | None
    ) -> dict[str, Any]:
        """`item` and `iteration`, for `breakWhen`. The execution may have ended in this very turn."""
        if execution_id is None:
            return {}
        live = draft.touched.get(execution_id) if draft is not None else None
        row: Live | ExecutionRow | None = live
        if row is None:
            row = await self._services.store.executions.get(execution_id)
        if row is None or row.link is None or row.link.item is None:
            return {}
        execution = row.execution
        return {
            "item": item_variable(row.link.item),
            "iteration": {
                "executionId": execution.id,
                "state": execution.state.value,
                "outputs": execution.outputs or {},
            },
        }

    async def _store(self, execution: Execution, run: TaskRun) -> str:
        flow = execution.flow
        folder = execution_path(flow.namespace, flow.id, execution.id)
        place = to_uri((*folder, "tasks", slug(run.task_id), run.id, "outputs.ion"))
        return await self._services.storage.put(flow.tenant, place, self._file(execution, run.id))

    async def _file(self, execution: Execution, run_id: TaskRunId) -> AsyncIterator[bytes]:
        rows: list[bytes] = []
        async for entry in self._entries(execution, run_id):
            rows.append(write_row(entry))
            if len(rows) >= _AT_ONCE:
                yield b"".join(rows)
                rows.clear()
        yield b"".join(rows)

    async def _entries(
        self, execution: Execution, run_id: TaskRunId
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Of the iterations that have put something out, in the order of their values.

        Rows come in the order of creation, which is nearly that; what comes early waits.
        """
        early: dict[int, Mapping[str, Any] | None] = {}
        expected = 0
        async for row in children_of(self._services, execution.id):
            link = row.link
            if link is None or link.item is None or link.task_run_id != run_id:
                continue
            early[link.item.index] = _entry(link.item, row.execution.outputs)
            while expected in early:
                entry = early.pop(expected)
                expected += 1
                if entry is not None:
                    yield entry
        for _, entry in sorted(early.items()):  # one before them was deleted
            if entry is not None:
                yield entry

    async def _new(self, loop: IterationsOf, index: int) -> ExecutionRow | ChildStarted:
        try:
            item = await self._item(loop, index)
        except (OSError, ValueError, IndexError) as error:
            return ChildStarted(
                at=self._services.clock.now(),
                task_run_id=loop.run.id,
                attempt=loop.attempt,
                index=index,
                problem=f"The value of iteration {index} cannot be read: {error}",
            )
        parent = loop.live.execution
        now = self._services.clock.now()
        execution_id = self._services.ids.execution_id()
        execution = Execution(
            id=execution_id,
            flow=parent.flow,
            revision=parent.revision,
            histories=(History(State.CREATED, now),),
            variables=parent.variables,
            labels=parent.labels,
            trigger=_trigger(loop.live, loop.run),
            original_id=execution_id,
            original_created=now,
            kind=LOOP,
        )
        link = ParentLink(
            execution_id=parent.id,
            task_run_id=loop.run.id,
            attempt=loop.attempt,
            index=index,
            item=item,
        )
        return ExecutionRow(execution=execution, link=link)

    async def _item(self, loop: IterationsOf, index: int) -> LoopItem:
        progress = loop.run.progress
        known = progress.iterated if progress is not None else None
        key = None
        if known is not None and known.rows is not None:
            tenant = loop.live.execution.flow.tenant
            value = await self._rows.text(tenant, known.rows, index)
        else:
            items = (progress.items if progress is not None else None) or ()
            if known is not None and known.keyed:
                key, value = items[2 * index], items[2 * index + 1]
            else:
                value = items[index]
        return LoopItem(
            loop=loop.run.task_id, index=index, value=value, key=key, parent=loop.parent
        )


def _around(live: Live, run: TaskRun) -> LoopItem | None:
    """The values of the loops around a Loop: ForEach in the same execution, then those that the execution is in."""
    found = live.link.item if live.link is not None else None
    above = [run]
    parent_id = run.parent_id
    while parent_id is not None and (parent := live.execution.runs.get(parent_id)) is not None:
        above.append(parent)
        parent_id = parent.parent_id
    for parent in reversed(above):
        if parent.value is not None:
            index = parent.iteration or 0
            found = LoopItem(loop=parent.task_id, index=index, value=parent.value, parent=found)
    return found


def _trigger(live: Live, run: TaskRun) -> Mapping[str, Any]:
    """Who started an iteration, for searches; its templates see the trigger of the whole execution."""
    execution = live.execution
    variables = {
        "executionId": execution.id,
        "namespace": execution.flow.namespace,
        "flowId": execution.flow.id,
        "flowRevision": execution.revision,
        "taskRunId": run.id,
        "taskId": run.task_id,
    }
    return {"id": run.task_id, "type": live.plan.nodes[run.task_id].type, "variables": variables}


def _entry(item: LoopItem, outputs: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if outputs is None:
        return None
    shown: dict[str, Any] = {"value": item.value, "iteration": item.index}
    if item.key is not None:
        shown["key"] = item.key
    return {"item": shown, "outputs": outputs}


def _unreadable(uri: str, error: Exception) -> str:
    missing = isinstance(error, FileNotFoundError)
    return f"File `{uri}` does not exist" if missing else str(error)


def tell_pause(live: Live, before: State, draft: Draft, *, at: Instant) -> None:
    """The Loop that an iteration belongs to waits as the iteration does."""
    link, paused = live.link, live.execution.state is State.PAUSED
    if link is None or link.item is None or (before is State.PAUSED) is paused:
        return
    event = ChildPaused(at=at, task_run_id=link.task_run_id, index=link.item.index, paused=paused)
    draft.inbox.append(Mail(link.execution_id, event))
