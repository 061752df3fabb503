"""What is kept with its history: one row for each revision, the last one marked."""

from sqlalchemy import Table, select, update

from batuta.store.query import FLOW_FIELDS, LATEST_FIELD
from batuta.store.statements.build import SearchRows, equals, insert_rows

_KEY = ("tenant", "namespace", "id")


class Revisions:
    """The statements of a table with the columns of `flow`."""

    def __init__(self, table: Table) -> None:
        columns = table.c
        self.insert = insert_rows(table)
        self.demote = (
            update(table).values(latest=0).where(equals(table, *_KEY), columns.latest == 1)
        )
        self.latest = select(table).where(equals(table, *_KEY), columns.latest == 1)
        self.get = select(table).where(equals(table, *_KEY, "revision"))
        self.all = select(table).where(equals(table, *_KEY)).order_by(columns.revision)
        self.namespaces = (
            select(columns.namespace)
            .distinct()
            .where(equals(table, "tenant"), columns.latest == 1, columns.deleted == 0)
            .order_by(columns.namespace)
        )
        self.search = SearchRows(
            table=table,
            columns=list(table.columns),
            fields={**FLOW_FIELDS, **LATEST_FIELD},
            key=[columns.namespace, columns.id, columns.tenant, columns.revision],
            order=[columns.namespace, columns.id, columns.tenant],
            words={
                "q": [columns.namespace, columns.id, columns.description, columns.labels],
                "source": [columns.source],
            },
        )
