"""A connection with named statements, inside a transaction or for reading."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

from batuta.store._generated import sqlite as sql
from batuta.store.feed import Feed
from batuta.store.record import Record
from batuta.store.statement import Bulk, Statement, bulk_text

MAX_ROWS = 128
"""Rows of one bulk statement, a power of two: few texts are prepared, each is used often."""


class Session:
    __slots__ = ("connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def all(self, statement: Statement, **values: Any) -> list[Record]:
        text, bound = statement.spread(**values)
        return self.connection.execute(text, bound).fetchall()

    def one(self, statement: Statement, **values: Any) -> Record | None:
        text, bound = statement.spread(**values)
        found: Record | None = self.connection.execute(text, bound).fetchone()
        return found

    def text(self, text: str, values: Sequence[Any]) -> list[Record]:
        """A statement of `search.compose`."""
        return self.connection.execute(text, values).fetchall()


class Transaction(Session):
    """Inside BEGIN … COMMIT. `feed` is told to listeners after the commit."""

    __slots__ = ("feed",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.feed = Feed()

    def run(self, statement: Statement, **values: Any) -> int:
        """Execute; the number of rows changed."""
        text, bound = statement.spread(**values)
        return self.connection.execute(text, bound).rowcount

    def bulk(self, bulk: Bulk, rows: Sequence[Record]) -> int:
        """Execute for all rows, in as few statements as possible; the number of rows changed.

        One statement with many rows lets go of the interpreter once, not once for each row, which matters more
        than anything else while the event loop is busy on its own thread.
        """
        before = self.connection.total_changes
        start, left = 0, len(rows)
        while left:
            size = min(MAX_ROWS, 1 << (left.bit_length() - 1))
            chunk = rows[start : start + size]
            self.connection.execute(bulk_text(bulk, size), list(chain.from_iterable(chunk)))
            start, left = start + size, left - size
        return self.connection.total_changes - before

    def bulk_count(self, bulk: Bulk, rows: Sequence[Record]) -> int:
        """The number that a bulk query over these rows gives."""
        text = bulk_text(bulk, len(rows))
        return int(self.connection.execute(text, list(chain.from_iterable(rows))).fetchone()[0])

    def take_ids(self, count: int) -> int:
        """Reserve `count` ids; the first one."""
        found = self.one(sql.SEQUENCE_TAKE, name="id", count=count)
        if found is None:
            raise sqlite3.DatabaseError("the sequence of ids is missing")
        return int(found[0]) - count + 1
