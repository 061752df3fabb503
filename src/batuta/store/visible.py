"""What searches over versioned rows leave out. Pure."""

from msgspec.structs import replace

from batuta.model.instant import Instant
from batuta.store.errors import ConflictError
from batuta.store.query import Filter, Op, Query
from batuta.store.rows import KvRow

LATEST = Filter("latest", Op.EQUALS, value=True)
ALIVE = Filter("deleted", Op.EQUALS, value=False)


def flows_only(query: Query) -> Query:
    """Latest revisions; deleted flows only when a filter names `deleted`."""
    named = any(condition.field == "deleted" for condition in query.filters)
    return replace(query, filters=[LATEST, *([] if named else [ALIVE]), *query.filters])


def values_only(query: Query, now: Instant | None) -> Query:
    """Last versions that have not expired at `now`; deleted ones only when a filter names `deleted`."""
    named = any(condition.field == "deleted" for condition in query.filters)
    fresh = [] if now is None else [Filter("expired", Op.NOT_EQUALS, now)]
    alive = [] if named else [ALIVE]
    return replace(query, filters=[LATEST, *alive, *fresh, *query.filters])


def is_there(row: KvRow | None, now: Instant) -> bool:
    """Whether a last version holds a value."""
    return row is not None and not row.deleted and (row.expires is None or row.expires > now)


def next_version(last: KvRow | None, row: KvRow, *, expected: int | None) -> KvRow:
    """The row as it is to be stored over the last version. Raises `ConflictError`."""
    there = is_there(last, row.updated)
    present = last.version if last is not None and there else 0
    if expected is not None and present != expected:
        raise ConflictError(
            f"key `{row.key}` in namespace `{row.namespace}` is at version {present},"
            f" not {expected}",
            table="kv",
        )
    if last is None:
        return replace(row, version=1, deleted=False)
    created = last.created if there else row.created
    return replace(row, version=last.version + 1, created=created, deleted=False)
