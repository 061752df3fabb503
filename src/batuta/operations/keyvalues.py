"""The key-value store (05 §11). A put adds a version; a deleted or expired key counts as absent."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from batuta.model import codec
from batuta.model.duration import parse_duration
from batuta.model.instant import SECOND, Instant
from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalArgumentError, NotFoundError
from batuta.operations.services import Services
from batuta.sdk.context import KeyValue
from batuta.store.errors import ConflictError
from batuta.store.query import Filter, Op, Query, Sort
from batuta.store.rows import KvRow

KINDS = ("STRING", "NUMBER", "BOOLEAN", "DATETIME", "DATE", "DURATION", "JSON")
_KEY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_DURATION = re.compile(r"P(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?", re.ASCII)
_BATCH = 1000


class InvalidKeyError(IllegalArgumentError, ValueError):
    """The key breaks the rule that the message spells."""


class KeyExistsError(IllegalArgumentError, KeyError):
    """The key has a value and must not get another."""


class _Stored(msgspec.Struct, frozen=True):
    """What the text of a row holds."""

    kind: str
    value: Any


async def get(caller: Caller, services: Services, namespace: str, *, key: str) -> KeyValue | None:
    """The value of exactly this namespace."""
    _check(caller, namespace, key)
    row = await services.store.kv.get(caller.tenant, namespace, key)
    if row is None or not _is_alive(row, services.clock.now()):
        return None
    return _entry(row)


async def find(caller: Caller, services: Services, namespace: str, *, key: str) -> KeyValue | None:
    """The value of the namespace or, failing that, of the nearest parent that has one."""
    parts = namespace.split(".")
    for length in range(len(parts), 0, -1):
        found = await get(caller, services, ".".join(parts[:length]), key=key)
        if found is not None:
            return found
    return None


async def put(
    caller: Caller,
    services: Services,
    namespace: str,
    *,
    entry: KeyValue,
    overwrite: bool = True,
) -> None:
    """Raises `KeyExistsError` when the key has a value and `overwrite` is false."""
    _check(caller, namespace, entry.key)
    now = services.clock.now()
    row = KvRow(
        tenant=caller.tenant,
        namespace=namespace,
        key=entry.key,
        value=codec.encode_text(_Stored(entry.kind, entry.value)),
        created=now,
        updated=now,
        description=entry.description,
        expires=entry.expires,
    )
    try:
        await services.store.kv.put(row, expected=None if overwrite else 0)
    except ConflictError:
        raise KeyExistsError(
            f"Cannot set value for key '{entry.key}'. Key already exists and `overwrite` is set to `false`."
        ) from None


async def delete(caller: Caller, services: Services, namespace: str, *, key: str) -> bool:
    """Whether there was a value."""
    _check(caller, namespace, key)
    return await services.store.kv.delete(caller.tenant, namespace, key, now=services.clock.now())


async def keys(caller: Caller, services: Services, namespace: str) -> Sequence[str]:
    """The keys of exactly this namespace that have a value, in order."""
    if not caller.may_see(namespace):
        raise NotFoundError
    filters = [
        Filter("tenant", Op.EQUALS, caller.tenant),
        Filter("namespace", Op.EQUALS, namespace),
    ]
    found: list[str] = []
    while True:
        number = len(found) // _BATCH + 1
        query = Query(filters=filters, sort=[Sort("key")], page=number, size=_BATCH, total=False)
        page = await services.store.kv.search(query, now=services.clock.now())
        found.extend(row.key for row in page.rows)
        if len(page.rows) < _BATCH:
            return found


def shown_value(entry: KeyValue) -> Any:
    """What templates and outputs see: a duration is a number of seconds (05 §11.1)."""
    return parse_duration(entry.value) / SECOND if entry.kind == "DURATION" else entry.value


def kind_of(value: Any) -> str:
    """The kind of plain data (05 §11.1)."""
    match value:
        case bool():
            return "BOOLEAN"
        case int() | float():
            return "NUMBER"
        case str():
            return "DURATION" if _is_duration(value) else "STRING"
        case _:
            return "JSON"


def _entry(row: KvRow) -> KeyValue:
    stored = codec.decode_as(_Stored, row.value)
    kind = stored.kind
    # A text that reads as a duration is one, whatever was stored (05 §11.1).
    if kind == "STRING" and isinstance(stored.value, str) and _is_duration(stored.value):
        kind = "DURATION"
    return KeyValue(
        key=row.key,
        value=stored.value,
        kind=kind,
        description=row.description,
        expires=row.expires,
    )


def _is_duration(text: str) -> bool:
    return len(text) > 2 and _DURATION.fullmatch(text) is not None  # noqa: PLR2004 - `P` alone is none


def _is_alive(row: KvRow, now: Instant) -> bool:
    return not row.deleted and (row.expires is None or row.expires > now)


def _check(caller: Caller, namespace: str, key: str) -> None:
    if not caller.may_see(namespace):
        raise NotFoundError
    if not _KEY.fullmatch(key):
        raise InvalidKeyError(
            f"The key `{key}` must start with a letter or digit, followed by letters, digits, `.`, `_` or `-`."
        )
