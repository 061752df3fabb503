"""How statements are written down: one at a time, over many rows, and searches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    column,
    delete,
    tuple_,
    update,
    values,
)
from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.sql.base import Executable

from batuta.store.query import Kind

INSERTS = {"sqlite": SqliteInsert, "postgresql": PostgresqlInsert}
LIST = "list_"
"""The parameter that stands for the rows of a bulk deletion or check."""


@dataclass(frozen=True)
class Upsert:
    """Insert rows; where the key exists, replace `replaced` (None: fail; empty: leave the row)."""

    table: Table
    columns: Sequence[str]
    replaced: Sequence[str] | None

    def build(self, dialect: str) -> Executable:
        values = {name: bindparam(name, type_=self.table.c[name].type) for name in self.columns}
        # Both dialects write the same clause; the type of one stands for both.
        kind = cast("type[SqliteInsert]", INSERTS[dialect])
        statement = kind(self.table).values(values)
        if self.replaced is None:
            return statement
        key = list(self.table.primary_key.columns)
        if not self.replaced:
            return statement.on_conflict_do_nothing(index_elements=key)
        return statement.on_conflict_do_update(
            index_elements=key,
            set_={name: statement.excluded[name] for name in self.replaced},
        )


@dataclass(frozen=True)
class Indexed:
    """A statement in which SQLite is told the index of the table that `place` begins with.

    Without statistics it takes the primary key, and would read through all runs of a long loop.
    """

    statement: Executable
    place: str
    index: str

    def apply(self, text: str) -> str:
        words = self.place.split(" ", 2)
        table = words[1].removesuffix(",")
        named = self.place.replace(table, f"{table} INDEXED BY {self.index}", 1)
        return text.replace(self.place, named)


@dataclass(frozen=True)
class ManyRows:
    """A statement whose rows of parameters are any number."""

    statement: Executable | Upsert
    table: Table
    columns: tuple[str, ...]


@dataclass(frozen=True)
class SearchRows:
    """A searchable table: what each field is, and where it stands when the name is not the column's."""

    table: Table
    columns: Sequence[Column[Any]]
    fields: Mapping[str, Kind]
    key: Sequence[Column[Any]]
    order: Sequence[ColumnElement[Any]]
    places: Mapping[str, ColumnElement[Any]] = field(default_factory=dict)
    words: Mapping[str, Sequence[Column[Any]]] = field(default_factory=dict)
    """Columns that a field of kind SEARCH looks into."""
    deletable: bool = False

    def place(self, name: str) -> ColumnElement[Any]:
        return self.places.get(name, self.table.c.get(name, self.columns[0]))


def all_columns(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


def insert_rows(table: Table) -> ManyRows:
    names = all_columns(table)
    return ManyRows(Upsert(table, names, None), table, names)


def put_rows(table: Table, *, without: Sequence[str] = ()) -> ManyRows:
    """Insert, or replace everything but the key and the columns that are left out."""
    names = tuple(name for name in all_columns(table) if name not in without)
    keys = {column.name for column in table.primary_key.columns}
    replaced = [name for name in names if name not in keys]
    return ManyRows(Upsert(table, names, replaced), table, names)


def update_rows(
    table: Table, key: str, names: Sequence[str], *, same: Sequence[str] = ()
) -> ManyRows:
    """Change the named columns of rows found by one key column, where the columns `same` are as given."""
    columns = (key, *names, *same)
    rows = (
        values(*[column(name, table.c[name].type) for name in columns], name="changed")
        .data([tuple(bindparam(name, type_=table.c[name].type) for name in columns)])
        .cte("changed")
    )
    statement = (
        update(table)
        .values({name: rows.c[name] for name in names})
        .where(*[table.c[name] == rows.c[name] for name in (key, *same)])
    )
    return ManyRows(statement, table, columns)


def delete_rows(table: Table, *names: str) -> ManyRows:
    """One or two columns: SQLite reads the whole table to find rows by three."""
    return ManyRows(delete(table).where(is_one_of(table, *names)), table, names)


def is_one_of(table: Table, *names: str) -> ColumnElement[bool]:
    rows: BindParameter[Any] = bindparam(LIST, expanding=True)
    if len(names) == 1:
        return table.c[names[0]].in_(rows)
    return tuple_(*[table.c[name] for name in names]).in_(rows)


def among(place: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Whether the column is one of a list that is given as the parameter `name`."""
    return place.in_(bindparam(name, expanding=True))


def equals(table: Table, *names: str) -> ColumnElement[bool]:
    """Whether the columns have the values of the parameters with their names."""
    return and_(*[table.c[name] == bindparam(name, type_=table.c[name].type) for name in names])


def limited(statement: Select[Any]) -> Select[Any]:
    return statement.limit(bindparam("limit"))
