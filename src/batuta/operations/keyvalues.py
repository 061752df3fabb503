"""The key-value store (05 §11). A put adds a version; a deleted or expired key counts as absent."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from batuta.model import codec
from batuta.model.duration import parse_duration
from batuta.model.instant import SECOND, Instant
from batuta.model.ion import IonError, read_one, to_json_data
from batuta.operations.caller import Caller
from batuta.operations.errors import ExpiredError, IllegalArgumentError, NotFoundError
from batuta.operations.query import KEY_VALUE, Search, to_query
from batuta.operations.services import Services
from batuta.sdk.context import KeyValue
from batuta.store.errors import ConflictError
from batuta.store.query import Filter, Op, Page, Query, Sort
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


async def read(caller: Caller, services: Services, namespace: str, *, key: str) -> KeyValue:
    """As people read it: no parents. Raises `NotFoundError`; `ExpiredError` once, which forgets the value (03 §14)."""
    _check(caller, namespace, key)
    row = await services.store.kv.get(caller.tenant, namespace, key)
    if row is None or row.deleted:
        raise NotFoundError(f"No value found for key '{key}' in namespace '{namespace}'")
    if not _is_alive(row, services.clock.now()):
        await services.store.kv.delete(caller.tenant, namespace, key, now=services.clock.now())
        raise ExpiredError("The requested value has expired")
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
    return [row.key for row in await entries(caller, services, namespace)]


async def search(caller: Caller, services: Services, wanted: Search) -> Page[KvRow]:
    """Entries of all namespaces, without those that have expired."""
    now = services.clock.now()
    query = to_query(
        caller, KEY_VALUE, wanted, now=now, system_namespace=services.settings.system_namespace
    )
    return await services.store.kv.search(query, now=now)


async def entries(caller: Caller, services: Services, namespace: str) -> Sequence[KvRow]:
    """All of exactly this namespace, by key."""
    if not caller.may_see(namespace):
        raise NotFoundError
    filters = [
        Filter("tenant", Op.EQUALS, caller.tenant),
        Filter("namespace", Op.EQUALS, namespace),
    ]
    found: list[KvRow] = []
    while True:
        after = [Filter("key", Op.GREATER_THAN, found[-1].key)] if found else []
        query = Query(filters=[*filters, *after], sort=[Sort("key")], size=_BATCH, total=False)
        page = await services.store.kv.search(query, now=services.clock.now())
        found.extend(page.rows)
        if len(page.rows) < _BATCH:
            return found


async def inherited(caller: Caller, services: Services, namespace: str) -> Sequence[KvRow]:
    """Entries of the parents only; the nearest has each key (03 §14)."""
    found: dict[str, KvRow] = {}
    parts = namespace.split(".")
    for length in range(len(parts) - 1, 0, -1):
        parent = ".".join(parts[:length])
        if caller.may_see(parent):
            for row in await entries(caller, services, parent):
                found.setdefault(row.key, row)
    return sorted(found.values(), key=lambda row: row.key)


def parse_value(text: str) -> tuple[str, Any]:
    """Kind and plain value of a text that is Ion, or JSON; a text that is neither is a string (03 §14)."""
    try:
        value = read_one(text)
    except IonError:
        return "STRING", text
    match value:
        case datetime():
            return "DATETIME", to_json_data(value)
        case date():
            return "DATE", to_json_data(value)
        case None:
            return "STRING", None
        case _:
            plain = to_json_data(value)
            return kind_of(plain), plain


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
            "Key must start with an alphanumeric character and hold only letters, digits, `.`, `_` and `-`;"
            f" `{key}` does not"
        )
