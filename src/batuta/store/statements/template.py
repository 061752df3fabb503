"""Templates: one row for each revision, the last one marked."""

from batuta.store.schema import template
from batuta.store.statements.revisions import Revisions

_rows = Revisions(template)

template_insert = _rows.insert
template_demote = _rows.demote
template_latest = _rows.latest
template_get = _rows.get
template_revisions = _rows.all
template_namespaces = _rows.namespaces
template_search = _rows.search
