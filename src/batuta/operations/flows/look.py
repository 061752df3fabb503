"""Flows as they are: validate, read, search (03 §7.3, §7.10)."""

from collections.abc import Sequence

import msgspec

from batuta.flow.read import Reading, read_flow
from batuta.flow.yaml import split_documents
from batuta.model.ids import FlowKey
from batuta.operations.caller import Caller
from batuta.operations.errors import NotFoundError
from batuta.operations.plans import InvalidFlowError
from batuta.operations.query import FLOW, Condition, Search, to_query
from batuta.operations.services import Services
from batuta.store.query import Filter, Op, Page, Query, Sort
from batuta.store.rows import FlowRow

_BATCH = 500


class Verdict(msgspec.Struct, frozen=True):
    """What validation says of one document (03 §6.12)."""

    index: int
    reading: Reading
    outdated: bool


async def validate(caller: Caller, services: Services, source: str) -> Sequence[Verdict]:
    """One verdict for each document; never an error for a mistake of the author."""
    verdicts = []
    for index, document in enumerate(part for part in split_documents(source) if part.strip()):
        reading = await read_source(caller, services, document, strict=True)
        verdicts.append(Verdict(index, reading, await _is_outdated(caller, services, reading)))
    return verdicts


async def get(
    caller: Caller,
    services: Services,
    key: FlowKey,
    *,
    revision: int | None = None,
    allow_deleted: bool = False,
) -> FlowRow:
    """Raises `NotFoundError` for what is unknown, deleted or not for the caller."""
    row = (
        await services.store.flows.get(key, revision=revision) if is_visible(caller, key) else None
    )
    if row is None or (row.deleted and not allow_deleted):
        raise NotFoundError
    return row


async def search(caller: Caller, services: Services, wanted: Search) -> Page[FlowRow]:
    return await services.store.flows.search(_query(caller, services, wanted))


async def of_namespace(caller: Caller, services: Services, namespace: str) -> Sequence[FlowRow]:
    """Flows of exactly this namespace, by id."""
    if not caller.may_see(namespace):
        return ()
    filters = [
        Filter("tenant", Op.EQUALS, caller.tenant),
        Filter("namespace", Op.EQUALS, namespace),
    ]
    return await _all(services, Query(filters=filters, sort=[Sort("id")]))


async def chosen(
    caller: Caller, services: Services, conditions: tuple[Condition, ...]
) -> Sequence[FlowRow]:
    """All flows that a bulk request by query means."""
    return await _all(services, _query(caller, services, Search(conditions=conditions)))


async def revisions(caller: Caller, services: Services, key: FlowKey) -> Sequence[FlowRow]:
    """Oldest first, deletions included; nothing for an unknown flow."""
    return await services.store.flows.revisions(key) if is_visible(caller, key) else ()


async def namespaces(caller: Caller, services: Services, *, part: str = "") -> Sequence[str]:
    """Namespaces that have flows and contain the text."""
    found = await services.store.flows.namespaces(caller.tenant)
    return [name for name in found if part.lower() in name.lower() and caller.may_see(name)]


def unreadable(services: Services, row: FlowRow) -> str | None:
    """Why the stored flow cannot be read any more (03 §6.1, `exception`), or None."""
    try:
        services.plans.compiled(row)
    except InvalidFlowError as error:
        return error.message
    return None


async def read_source(caller: Caller, services: Services, source: str, *, strict: bool) -> Reading:
    """Subflows that a first reading asks about are looked up for a second."""
    asked: dict[tuple[str, str], bool] = {}

    def exists(namespace: str, flow_id: str) -> bool:
        return asked.setdefault((namespace, flow_id), True)

    def read() -> Reading:
        return read_flow(
            source,
            services.registry,
            defaults=services.plans.defaults,
            strict=strict,
            exists=exists,
            offers=services.plans.offers,
        )

    reading = read()
    for namespace, flow_id in list(asked):
        row = await services.store.flows.get(FlowKey(caller.tenant, namespace, flow_id))
        asked[namespace, flow_id] = row is not None and not row.deleted and not row.disabled
    return reading if all(asked.values()) else read()


async def _is_outdated(caller: Caller, services: Services, reading: Reading) -> bool:
    """A source that names a revision other than the one it would get (03 §7.10)."""
    if reading.revision is None or reading.id is None or reading.namespace is None:
        return False
    latest = await services.store.flows.get(FlowKey(caller.tenant, reading.namespace, reading.id))
    return reading.revision != (1 if latest is None else latest.revision + 1)


def is_visible(caller: Caller, key: FlowKey) -> bool:
    return key.tenant == caller.tenant and caller.may_see(key.namespace)


def _query(caller: Caller, services: Services, wanted: Search) -> Query:
    return to_query(
        caller,
        FLOW,
        wanted,
        now=services.clock.now(),
        system_namespace=services.settings.system_namespace,
    )


async def _all(services: Services, query: Query) -> Sequence[FlowRow]:
    rows: list[FlowRow] = []
    number = 1
    while True:
        page = await services.store.flows.search(
            msgspec.structs.replace(query, page=number, size=_BATCH, total=False)
        )
        rows.extend(page.rows)
        if len(page.rows) < _BATCH:
            return rows
        number += 1
