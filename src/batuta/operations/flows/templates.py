"""Templates: kept like flows, asked for like flows, and only where they are switched on (03 §21, 01 §6.14)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batuta.flow.read import Reading
from batuta.flow.template import read_template
from batuta.model import codec
from batuta.model.ids import FlowKey
from batuta.operations.caller import Caller
from batuta.operations.errors import InvalidEntityError, NotFoundError, Violation
from batuta.operations.flows.archive import entries_of
from batuta.operations.flows.change import violations_of
from batuta.operations.flows.look import Verdict, is_visible
from batuta.operations.flows.source import documents
from batuta.operations.query import TEMPLATE, Condition, Search, to_query
from batuta.operations.services import Services
from batuta.store.errors import ConflictError
from batuta.store.query import Filter, Op, Page, Query
from batuta.store.rows import FlowRow

_BATCH = 500
_SHOWN = ("id", "namespace", "description", "tasks", "errors")


async def create(caller: Caller, services: Services, source: str) -> FlowRow:
    """Raises `InvalidEntityError` with everything that is wrong, or because the template exists."""
    reading = _read(services, source)
    key = _require(caller, reading)
    latest = await services.store.templates.get(key)
    if latest is not None and not latest.deleted:
        raise InvalidEntityError([Violation("Template id already exists", "template.id")])
    return await _save(services, key, reading, source=source, latest=latest)


async def update(caller: Caller, services: Services, key: FlowKey, *, source: str) -> FlowRow:
    """The same again makes no new revision. Raises `NotFoundError`, `InvalidEntityError`."""
    latest = await get(caller, services, key)
    reading = _read(services, source)
    violations = []
    if reading.id is not None and reading.id != key.id:
        violations.append(Violation("Illegal template id update", "template.id"))
    if reading.namespace is not None and reading.namespace != key.namespace:
        violations.append(Violation("Illegal namespace update", "template.namespace"))
    if violations:
        raise InvalidEntityError(violations)
    _require(caller, reading)
    return await _save(services, key, reading, source=source, latest=latest)


async def delete(caller: Caller, services: Services, key: FlowKey) -> FlowRow:
    """Executions that have begun with it go on. Raises `NotFoundError`."""
    latest = await get(caller, services, key)
    gone = msgspec.structs.replace(
        latest, revision=latest.revision + 1, deleted=True, updated=services.clock.now()
    )
    await services.store.templates.save(gone)
    return gone


async def get(caller: Caller, services: Services, key: FlowKey) -> FlowRow:
    """Raises `NotFoundError`."""
    row = await services.store.templates.get(key) if is_visible(caller, key) else None
    if row is None or row.deleted:
        raise NotFoundError
    return row


async def search(caller: Caller, services: Services, wanted: Search) -> Page[FlowRow]:
    return await services.store.templates.search(_query(caller, services, wanted))


async def chosen(
    caller: Caller, services: Services, conditions: tuple[Condition, ...]
) -> Sequence[FlowRow]:
    """All templates that a request by query means."""
    return await _all(services, _query(caller, services, Search(conditions=conditions)))


async def namespaces(caller: Caller, services: Services) -> Sequence[str]:
    found = await services.store.templates.namespaces(caller.tenant)
    return [name for name in found if caller.may_see(name)]


async def replace_all(
    caller: Caller,
    services: Services,
    namespace: str,
    *,
    sources: Sequence[str],
    delete_others: bool,
) -> Sequence[FlowRow]:
    """Bring a namespace to what is said. Nothing is saved when one template is wrong."""
    readings = [_read(services, source) for source in sources]
    keys = [_require(caller, reading) for reading in readings]
    violations = [
        Violation(f"{key} - template namespace is invalid", "template.namespace")
        for key in keys
        if key.namespace != namespace
    ]
    if len(set(keys)) < len(keys):
        violations.append(Violation("Duplicate template id", "template.id"))
    if violations:
        raise InvalidEntityError(violations)
    if delete_others and caller.may_see(namespace):
        here = [
            Filter("tenant", Op.EQUALS, caller.tenant),
            Filter("namespace", Op.EQUALS, namespace),
        ]
        for row in await _all(services, Query(filters=here)):
            if row.key not in keys:
                await delete(caller, services, row.key)
    return await _save_all(services, keys, readings, sources=sources)


async def import_file(caller: Caller, services: Services, name: str, *, content: bytes) -> None:
    """Save every template of a YAML file or zip. Raises for the first one that is wrong; then nothing is saved."""
    texts = [text for _, entry in entries_of(name, content) for text in documents(entry)]
    readings = [_read(services, text) for text in texts]
    keys = [_require(caller, reading) for reading in readings]
    await _save_all(services, keys, readings, sources=texts)


def validate(services: Services, source: str) -> Sequence[Verdict]:
    """One verdict for each document; never an error for a mistake of the author."""
    return [
        Verdict(index, _read(services, document), outdated=False)
        for index, document in enumerate(documents(source))
    ]


def _read(services: Services, source: str) -> Reading:
    plans = services.plans
    return read_template(source, services.registry, defaults=plans.defaults, offers=plans.offers)


def _require(caller: Caller, reading: Reading) -> FlowKey:
    if reading.flow is None:
        raise InvalidEntityError(violations_of(reading))
    key = FlowKey(caller.tenant, reading.flow.namespace, reading.flow.id)
    if not is_visible(caller, key):
        raise NotFoundError
    return key


async def _save_all(
    services: Services,
    keys: Sequence[FlowKey],
    readings: Sequence[Reading],
    *,
    sources: Sequence[str],
) -> Sequence[FlowRow]:
    saved = []
    for key, reading, source in zip(keys, readings, sources, strict=True):
        latest = await services.store.templates.get(key)
        saved.append(await _save(services, key, reading, source=source, latest=latest))
    return saved


async def _save(
    services: Services, key: FlowKey, reading: Reading, *, source: str, latest: FlowRow | None
) -> FlowRow:
    """When somebody else was faster, once more on top of that."""
    row = _row(services, key, reading, source=source, latest=latest)
    if latest is not None and not latest.deleted and latest.source == source:
        return latest
    try:
        await services.store.templates.save(row)
    except ConflictError:
        newer = await services.store.templates.get(key)
        row = _row(services, key, reading, source=source, latest=newer)
        await services.store.templates.save(row)
    return row


def _row(
    services: Services, key: FlowKey, reading: Reading, *, source: str, latest: FlowRow | None
) -> FlowRow:
    value: Any = reading.tree.value if reading.tree is not None else {}
    said: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    definition = {name: said[name] for name in _SHOWN if said.get(name) is not None}
    return FlowRow(
        key=key,
        revision=1 if latest is None else latest.revision + 1,
        data=codec.encode(definition),
        source=source,
        updated=services.clock.now(),
        description=None if reading.flow is None else reading.flow.description,
    )


def _query(caller: Caller, services: Services, wanted: Search) -> Query:
    system = services.settings.system_namespace
    now = services.clock.now()
    return to_query(caller, TEMPLATE, wanted, now=now, system_namespace=system)


async def _all(services: Services, query: Query) -> Sequence[FlowRow]:
    rows: list[FlowRow] = []
    number = 1
    while True:
        part = msgspec.structs.replace(query, page=number, size=_BATCH, total=False)
        page = await services.store.templates.search(part)
        rows.extend(page.rows)
        if len(page.rows) < _BATCH:
            return rows
        number += 1
