"""Templates: one row for each revision, the last one marked."""

from sqlalchemy import select, update

from batuta.store.query import FLOW_FIELDS, LATEST_FIELD
from batuta.store.schema import template
from batuta.store.statements.build import SearchRows, equals, insert_rows

_KEY = ("tenant", "namespace", "id")

template_insert = insert_rows(template)
template_demote = (
    update(template).values(latest=0).where(equals(template, *_KEY), template.c.latest == 1)
)
template_latest = select(template).where(equals(template, *_KEY), template.c.latest == 1)
template_get = select(template).where(equals(template, *_KEY, "revision"))
template_revisions = select(template).where(equals(template, *_KEY)).order_by(template.c.revision)
template_namespaces = (
    select(template.c.namespace)
    .distinct()
    .where(equals(template, "tenant"), template.c.latest == 1, template.c.deleted == 0)
    .order_by(template.c.namespace)
)
template_search = SearchRows(
    table=template,
    columns=list(template.columns),
    fields={**FLOW_FIELDS, **LATEST_FIELD},
    key=[template.c.namespace, template.c.id, template.c.tenant, template.c.revision],
    order=[template.c.namespace, template.c.id, template.c.tenant],
    words={
        "q": [template.c.namespace, template.c.id, template.c.description, template.c.labels],
        "source": [template.c.source],
    },
)
