"""Flows: one row for each revision, the last one marked."""

from batuta.store.schema import flow
from batuta.store.statements.revisions import Revisions

_rows = Revisions(flow)

flow_insert = _rows.insert
flow_demote = _rows.demote
flow_latest = _rows.latest
flow_get = _rows.get
flow_revisions = _rows.all
flow_namespaces = _rows.namespaces
flow_search = _rows.search
