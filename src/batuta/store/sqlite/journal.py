"""Logs and metrics in SQLite."""

from collections.abc import Sequence

from batuta.store._generated import sqlite as sql
from batuta.store.query import Page, Query
from batuta.store.record import read_log, read_metric
from batuta.store.rows import LogRow, MetricRow
from batuta.store.search import delete_matches
from batuta.store.sqlite.database import Database
from batuta.store.sqlite.session import Transaction
from batuta.store.sqlite.turns import append_journal
from batuta.store.statement import Search


class SqliteJournal:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, logs: Sequence[LogRow], metrics: Sequence[MetricRow] = ()) -> None:
        def work(transaction: Transaction) -> None:
            count = len(logs) + len(metrics)
            if count:
                append_journal(transaction, logs, metrics, first=transaction.take_ids(count))

        await self._database.write(work)

    async def logs(self, query: Query) -> Page[LogRow]:
        return await self._database.page(sql.LOG_SEARCH, query, decode=read_log)

    async def metrics(self, query: Query) -> Page[MetricRow]:
        return await self._database.page(sql.METRIC_SEARCH, query, decode=read_metric)

    async def delete_logs(self, query: Query) -> int:
        return await self._delete(sql.LOG_SEARCH, query)

    async def delete_metrics(self, query: Query) -> int:
        return await self._delete(sql.METRIC_SEARCH, query)

    async def _delete(self, search: Search, query: Query) -> int:
        text, values = delete_matches(search, query)

        def work(transaction: Transaction) -> int:
            return transaction.connection.execute(text, values).rowcount

        return await self._database.write(work)
