"""Key-values: one row for each version, the last one marked."""

from sqlalchemy import func, select, update

from batuta.store.query import KV_FIELDS, KV_STATE_FIELDS
from batuta.store.schema import kv
from batuta.store.statements.build import SearchRows, among, equals, insert_rows

_KEY = ("tenant", "namespace", "key")

kv_insert = insert_rows(kv)
kv_demote = update(kv).values(latest=0).where(equals(kv, *_KEY), kv.c.latest == 1)
kv_latest = select(kv).where(equals(kv, *_KEY), kv.c.latest == 1)
kv_get = select(kv).where(equals(kv, *_KEY, "version"))
kv_versions = select(kv).where(equals(kv, *_KEY)).order_by(kv.c.version)
kv_mark_deleted = update(kv).values(deleted=1).where(equals(kv, *_KEY), kv.c.latest == 1)
kv_purge = kv.delete().where(equals(kv, *_KEY), among(kv.c.version, "versions"))
_last = select(func.max(kv.c.version)).where(equals(kv, *_KEY)).scalar_subquery()
kv_promote = update(kv).values(latest=1).where(equals(kv, *_KEY), kv.c.version == _last)
kv_search = SearchRows(
    table=kv,
    columns=list(kv.columns),
    fields={**KV_FIELDS, **KV_STATE_FIELDS},
    key=[kv.c.namespace, kv.c.key, kv.c.tenant, kv.c.version],
    order=[kv.c.namespace, kv.c.key, kv.c.tenant],
    places={"expired": kv.c.expires},
    words={"q": [kv.c.namespace, kv.c.key, kv.c.description]},
)
