"""Executions, task runs, outputs, logs and metrics in memory."""

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from batuta.engine.execution import TaskRun
from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.state import State
from batuta.store.feed import Feed
from batuta.store.memory.gate import Gate
from batuta.store.memory.resources import EXECUTIONS, LOGS, METRICS
from batuta.store.memory.tables import Tables
from batuta.store.query import Page, Query
from batuta.store.rows import ExecutionRow, LogRow, MetricRow, OutputRow, TaskRunRow


class MemoryExecutions:
    def __init__(self, tables: Tables, gate: Gate) -> None:
        self._tables = tables
        self._gate = gate

    async def get(self, execution_id: ExecutionId, *, live: bool = False) -> ExecutionRow | None:
        self._gate.check_open()
        row = self._tables.executions.get(execution_id)
        if row is None or not live:
            return row
        runs = {run.id: run for run in self._runs(execution_id) if not run.state.is_terminal}
        return replace(row, execution=replace(row.execution, runs=runs))

    async def get_many(self, ids: Sequence[ExecutionId]) -> Sequence[ExecutionRow]:
        found = self._tables.executions
        return [found[id_] for id_ in dict.fromkeys(ids) if id_ in found]

    async def search(self, query: Query) -> Page[ExecutionRow]:
        return EXECUTIONS.page(self._tables.executions.values(), query)

    async def children(self, execution_id: ExecutionId) -> Sequence[ExecutionRow]:
        found = [
            row
            for row in self._tables.executions.values()
            if row.link is not None and row.link.execution_id == execution_id
        ]
        return sorted(found, key=lambda row: (row.execution.histories[0].at, row.execution.id))

    async def task_runs(
        self,
        execution_id: ExecutionId,
        *,
        states: Collection[State] | None = None,
        task_id: TaskId | None = None,
        ids: Collection[TaskRunId] | None = None,
        after: int = -1,
        limit: int | None = None,
    ) -> Sequence[TaskRunRow]:
        wanted = None if ids is None else set(ids)
        found = [
            _row(execution_id, run)
            for run in self._runs(execution_id)
            if run.ordinal > after
            and (states is None or run.state in states)
            and (task_id is None or run.task_id == task_id)
            and (wanted is None or run.id in wanted)
        ]
        return found[:limit]

    async def ancestors(
        self, execution_id: ExecutionId, task_run_id: TaskRunId
    ) -> Sequence[TaskRunRow]:
        by_id = {run.id: run for run in self._runs(execution_id)}
        found: list[TaskRunRow] = []
        wanted: TaskRunId | None = task_run_id
        while wanted is not None and (run := by_id.get(wanted)) is not None:
            found.append(_row(execution_id, _without_items(run)))
            wanted = run.parent_id
        return found

    async def outputs(
        self,
        execution_id: ExecutionId,
        *,
        task_id: TaskId | None = None,
        task_run_ids: Collection[TaskRunId] | None = None,
        ordinals: tuple[int, int] | None = None,
    ) -> Sequence[OutputRow]:
        rows = self._tables.outputs.get(execution_id, {})
        wanted = None if task_run_ids is None else set(task_run_ids)
        return [
            row
            for _, row in sorted(rows.items())
            if (task_id is None or row.task_id == task_id)
            and (wanted is None or row.task_run_id in wanted)
            and (ordinals is None or ordinals[0] <= row.ordinal <= ordinals[1])
        ]

    async def delete(
        self,
        ids: Sequence[ExecutionId],
        *,
        logs: bool = True,
        metrics: bool = True,
        idle: bool = False,
    ) -> int:
        def work(feed: Feed) -> int:
            tables = self._tables
            chosen = {id_ for id_ in ids if not idle or self._is_idle(id_)}
            if logs:
                tables.logs = {
                    id_: row for id_, row in tables.logs.items() if row.execution_id not in chosen
                }
            if metrics:
                tables.metrics = {
                    id_: row
                    for id_, row in tables.metrics.items()
                    if row.execution_id not in chosen
                }
            feed.deleted += [id_ for id_ in ids if id_ in chosen]
            return sum(tables.delete(id_) for id_ in chosen)

        return await self._gate.write(work)

    def _is_idle(self, id_: ExecutionId) -> bool:
        row = self._tables.executions.get(id_)
        waits = any(mail.execution_id == id_ for mail in self._tables.inbox.values())
        live = any(not run.state.is_terminal for run in self._runs(id_))
        if row is None or waits or live or row.execution.holds_slot:
            return False
        return row.execution.state.is_terminal

    def _runs(self, execution_id: ExecutionId) -> list[TaskRun]:
        return [run for _, run in sorted(self._tables.runs.get(execution_id, {}).items())]


class MemoryJournal:
    def __init__(self, tables: Tables, gate: Gate) -> None:
        self._tables = tables
        self._gate = gate

    async def append(self, logs: Sequence[LogRow], metrics: Sequence[MetricRow] = ()) -> None:
        await self._gate.write(lambda feed: self._tables.append(logs, metrics, feed=feed))

    async def logs(self, query: Query) -> Page[LogRow]:
        return LOGS.page(self._tables.logs.values(), query)

    async def metrics(self, query: Query) -> Page[MetricRow]:
        return METRICS.page(self._tables.metrics.values(), query)

    async def delete_logs(self, query: Query) -> int:
        def work(_: Feed) -> int:
            found = LOGS.matching(self._tables.logs.values(), query.filters)
            for row in found:
                del self._tables.logs[row.id]
            return len(found)

        return await self._gate.write(work)

    async def delete_metrics(self, query: Query) -> int:
        def work(_: Feed) -> int:
            found = METRICS.matching(self._tables.metrics.values(), query.filters)
            for row in found:
                del self._tables.metrics[row.id]
            return len(found)

        return await self._gate.write(work)


def _row(execution_id: ExecutionId, run: TaskRun) -> TaskRunRow:
    known = run.progress is not None and run.progress.items is not None
    return TaskRunRow(execution_id=execution_id, run=run, items_known=known)


def _without_items(run: TaskRun) -> TaskRun:
    if run.progress is None or run.progress.items is None:
        return run
    return replace(run, progress=replace(run.progress, items=None))
