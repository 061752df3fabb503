"""Flows: one row for each revision, the last one marked."""

from sqlalchemy import select, update

from batuta.store.query import FLOW_FIELDS, LATEST_FIELD
from batuta.store.schema import flow
from batuta.store.statements.build import SearchRows, equals, insert_rows

_KEY = ("tenant", "namespace", "id")

flow_insert = insert_rows(flow)
flow_demote = update(flow).values(latest=0).where(equals(flow, *_KEY), flow.c.latest == 1)
flow_latest = select(flow).where(equals(flow, *_KEY), flow.c.latest == 1)
flow_get = select(flow).where(equals(flow, *_KEY, "revision"))
flow_revisions = select(flow).where(equals(flow, *_KEY)).order_by(flow.c.revision)
flow_namespaces = (
    select(flow.c.namespace)
    .distinct()
    .where(equals(flow, "tenant"), flow.c.latest == 1, flow.c.deleted == 0)
    .order_by(flow.c.namespace)
)
flow_search = SearchRows(
    table=flow,
    columns=list(flow.columns),
    fields={**FLOW_FIELDS, **LATEST_FIELD},
    key=[flow.c.namespace, flow.c.id, flow.c.tenant, flow.c.revision],
    order=[flow.c.namespace, flow.c.id, flow.c.tenant],
    words={
        "q": [flow.c.namespace, flow.c.id, flow.c.description, flow.c.labels],
        "source": [flow.c.source],
    },
)
