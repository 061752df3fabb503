"""Executions, task runs and outputs in SQLite."""

from collections.abc import Collection, Iterator, Sequence
from typing import TypeVar

from batuta.engine.execution import TaskRun
from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.state import TERMINAL, State
from batuta.store._generated import sqlite as sql
from batuta.store.query import Filter, Op, Page, Query
from batuta.store.record import read_execution, read_output, read_task_run
from batuta.store.rows import ExecutionRow, OutputRow, TaskRunRow
from batuta.store.sqlite.database import Database
from batuta.store.sqlite.session import Session, Transaction

Id = TypeVar("Id", bound=str)

ALL = 1 << 62
MAX_IDS = 500
_TERMINAL = [state.value for state in TERMINAL]
_PARTS = (
    sql.TASK_RUN_DELETE,
    sql.OUTPUT_DELETE,
    sql.INBOX_DELETE_OF,
    sql.JOB_DELETE_OF,
    sql.TIMER_DELETE_OF,
    sql.SLOT_QUEUE_DELETE_OF,
)


class SqliteExecutions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, execution_id: ExecutionId, *, live: bool = False) -> ExecutionRow | None:
        def work(session: Session) -> ExecutionRow | None:
            found = session.one(sql.EXECUTION_GET, ids=[execution_id])
            if found is None:
                return None
            return read_execution(found, _live_runs(session, execution_id) if live else None)

        return await self._database.read(work)

    async def get_many(self, ids: Sequence[ExecutionId]) -> Sequence[ExecutionRow]:
        def work(session: Session) -> list[ExecutionRow]:
            return [
                read_execution(found)
                for some in _chunks(ids)
                for found in session.all(sql.EXECUTION_GET, ids=some)
            ]

        return await self._database.read(work)

    async def search(self, query: Query) -> Page[ExecutionRow]:
        return await self._database.page(sql.EXECUTION_SEARCH, query, decode=read_execution)

    async def children(self, execution_id: ExecutionId) -> Sequence[ExecutionRow]:
        records = await self._database.read(
            lambda session: session.all(sql.EXECUTION_CHILDREN, id=execution_id)
        )
        return [read_execution(found) for found in records]

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
        filters = [Filter("execution_id", Op.EQUALS, execution_id)]
        if after >= 0:
            filters.append(Filter("ordinal", Op.GREATER_THAN, after))
        if states is not None:
            filters.append(Filter("state", Op.IN, tuple(state.value for state in states)))
        if task_id is not None:
            filters.append(Filter("task_id", Op.EQUALS, task_id))
        size = ALL if limit is None else limit
        rows: list[TaskRunRow] = []
        for some in _id_filters("id", ids):
            query = Query(filters=[*filters, *some], size=size, total=False)
            page = await self._database.page(sql.TASK_RUN_SEARCH, query, decode=read_task_run)
            rows += page.rows
        return sorted(rows, key=lambda row: row.run.ordinal)[:limit]

    async def ancestors(
        self, execution_id: ExecutionId, task_run_id: TaskRunId
    ) -> Sequence[TaskRunRow]:
        records = await self._database.read(
            lambda session: session.all(
                sql.TASK_RUN_ANCESTORS, execution_id=execution_id, id=task_run_id
            )
        )
        return [read_task_run(found) for found in records]

    async def outputs(
        self,
        execution_id: ExecutionId,
        *,
        task_id: TaskId | None = None,
        task_run_ids: Collection[TaskRunId] | None = None,
        ordinals: tuple[int, int] | None = None,
    ) -> Sequence[OutputRow]:
        filters = [Filter("execution_id", Op.EQUALS, execution_id)]
        if task_id is not None:
            filters.append(Filter("task_id", Op.EQUALS, task_id))
        if ordinals is not None:
            filters.append(Filter("ordinal", Op.GREATER_THAN_OR_EQUAL_TO, ordinals[0]))
            filters.append(Filter("ordinal", Op.LESS_THAN_OR_EQUAL_TO, ordinals[1]))
        rows: list[OutputRow] = []
        for some in _id_filters("task_run_id", task_run_ids):
            query = Query(filters=[*filters, *some], size=ALL, total=False)
            page = await self._database.page(sql.OUTPUT_SEARCH, query, decode=read_output)
            rows += page.rows
        return sorted(rows, key=lambda row: row.ordinal)

    async def delete(
        self,
        ids: Sequence[ExecutionId],
        *,
        logs: bool = True,
        metrics: bool = True,
        idle: bool = False,
    ) -> int:
        statements = [
            *_PARTS,
            *([sql.LOG_DELETE_OF] if logs else []),
            *([sql.METRIC_DELETE_OF] if metrics else []),
        ]

        def work(transaction: Transaction) -> int:
            gone = 0
            for chunk in _chunks(ids):
                some = _idle(transaction, chunk) if idle else chunk
                if not some:
                    continue
                transaction.feed.deleted += some
                for statement in statements:
                    transaction.run(statement, ids=some)
                gone += transaction.run(sql.EXECUTION_DELETE, ids=some)
            return gone

        return await self._database.write(work)


def _idle(session: Session, ids: list[ExecutionId]) -> list[ExecutionId]:
    return [row[0] for row in session.all(sql.EXECUTION_IDLE, ids=ids, states=_TERMINAL)]


def _id_filters(field: str, ids: Collection[TaskRunId] | None) -> Iterator[list[Filter]]:
    """One search for each chunk of ids, or one without restriction."""
    if ids is None:
        yield []
        return
    for some in _chunks(tuple(dict.fromkeys(ids))):
        yield [Filter(field, Op.IN, tuple(some))]


def _chunks(ids: Sequence[Id]) -> Iterator[list[Id]]:
    """SQLite bounds the number of marks in a statement."""
    for start in range(0, len(ids), MAX_IDS):
        yield list(ids[start : start + MAX_IDS])


def _live_runs(session: Session, execution_id: ExecutionId) -> dict[TaskRunId, TaskRun]:
    records = session.all(sql.TASK_RUN_ACTIVE, execution_id=execution_id)
    return {run.id: run for run in (read_task_run(found).run for found in records)}
