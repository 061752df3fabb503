"""Changing flows: create, update, delete, import (03 §7.2 to §7.6, 01 §1.4).

The author's text is what is stored; the definition beside it is the same as JSON, without plugin defaults.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batuta.flow.read import Reading
from batuta.flow.yaml import Tree
from batuta.model import codec
from batuta.model.ids import FlowKey
from batuta.model.problem import Problem
from batuta.operations.caller import Caller
from batuta.operations.errors import (
    IllegalArgumentError,
    InvalidEntityError,
    NotFoundError,
    Violation,
)
from batuta.operations.flows.look import chosen, get, is_visible, of_namespace, read_source
from batuta.operations.flows.source import (
    definition_of,
    documents,
    with_disabled,
    without_revision,
)
from batuta.operations.services import Services
from batuta.store.errors import ConflictError
from batuta.store.rows import FlowRow, TriggerKey

_READING_PREFIX = "Illegal Flow source: "
_SAVING_PREFIX = "Illegal genericflow source: "


class Imported(msgspec.Struct, frozen=True):
    """`failed` names what was not imported: entries of an archive, or numbers of documents."""

    failed: tuple[str, ...]


async def create(caller: Caller, services: Services, source: str) -> FlowRow:
    """Raises `InvalidEntityError` with everything that is wrong, or because the flow exists."""
    reading = await read_source(caller, services, source, strict=True)
    key = _require(caller, reading)
    latest = await services.store.flows.get(key)
    if latest is not None and not latest.deleted:
        raise _exists()
    try:
        return await _save(services, key, reading, source=source, latest=latest)
    except ConflictError:
        raise _exists() from None


async def update(caller: Caller, services: Services, key: FlowKey, *, source: str) -> FlowRow:
    """Unknown properties are ignored here (03 §7.4). The same text again makes no new revision."""
    latest = await get(caller, services, key)
    reading = await read_source(caller, services, source, strict=False)
    violations = []
    if reading.id is not None and reading.id != key.id:
        violations.append(Violation("Illegal flow id update", "flow.id"))
    if reading.namespace is not None and reading.namespace != key.namespace:
        violations.append(Violation("Illegal namespace update", "flow.namespace"))
    if violations:
        raise InvalidEntityError(violations)
    _require(caller, reading)
    return await _save_after(services, key, reading, source=source, latest=latest)


async def delete(caller: Caller, services: Services, key: FlowKey) -> FlowRow:
    """A revision that says so; executions and older revisions stay (03 §7.6)."""
    latest = await get(caller, services, key)
    row = msgspec.structs.replace(
        latest, revision=latest.revision + 1, deleted=True, updated=services.clock.now()
    )
    await services.store.flows.save(row)
    await _forget_triggers(services, key, kept=frozenset())
    return row


async def set_disabled(caller: Caller, services: Services, key: FlowKey, *, disabled: bool) -> bool:
    """Rewrite the source; whether anything changed (03 §7.12)."""
    latest = await get(caller, services, key)
    if latest.disabled == disabled:
        return False
    source = with_disabled(latest.source, disabled=disabled)
    await update(caller, services, key, source=source)
    return True


async def upsert(caller: Caller, services: Services, source: str) -> FlowRow:
    """Create, update or restore, as imports and bulk updates do; unknown properties are ignored."""
    reading = await read_source(caller, services, source, strict=False)
    key = _require(caller, reading)
    latest = await services.store.flows.get(key)
    return await _save_after(services, key, reading, source=source, latest=latest)


async def import_source(caller: Caller, services: Services, source: str) -> Imported:
    """All documents of a text; those that fail are named by their number."""
    failed = []
    for index, document in enumerate(documents(source)):
        try:
            await upsert(caller, services, document)
        except (InvalidEntityError, IllegalArgumentError):
            failed.append(str(index))
    return Imported(tuple(failed))


async def replace_all(
    caller: Caller,
    services: Services,
    source: str,
    *,
    namespace: str | None,
    allow_children: bool = False,
    delete_others: bool = True,
) -> Sequence[FlowRow]:
    """Bring a namespace (None: the whole installation) to what the documents say (03 §7.5): deleted flows, then saved."""
    texts = documents(source)
    readings = [await read_source(caller, services, text, strict=False) for text in texts]
    keys = [_require(caller, reading) for reading in readings]
    _check_batch(keys, namespace, allow_children=allow_children)
    deleted = []
    if delete_others:
        for row in await _others(caller, services, keys, namespace=namespace):
            await delete(caller, services, row.key)
            deleted.append(row)
    saved = []
    for key, reading, text in zip(keys, readings, texts, strict=True):
        latest = await services.store.flows.get(key)
        saved.append(await _save_after(services, key, reading, source=text, latest=latest))
    return [*deleted, *saved]


async def _others(
    caller: Caller, services: Services, keys: Sequence[FlowKey], *, namespace: str | None
) -> Sequence[FlowRow]:
    if namespace is not None:
        rows = await of_namespace(caller, services, namespace)
    else:
        rows = await chosen(caller, services, ())
    return [row for row in rows if row.key not in keys]


def _check_batch(keys: Sequence[FlowKey], namespace: str | None, *, allow_children: bool) -> None:
    violations = [
        Violation(f"{key} - flow namespace is invalid", "flow.namespace")
        for key in keys
        if not _belongs(key, namespace, allow_children=allow_children)
    ]
    ids = [key.id for key in keys]
    if len(set(ids)) < len(ids):
        violations.append(Violation("Duplicate flow id", "flow.id"))
    if violations:
        raise InvalidEntityError(violations)


def _belongs(key: FlowKey, namespace: str | None, *, allow_children: bool) -> bool:
    if namespace is None or key.namespace == namespace:
        return True
    return allow_children and key.namespace.startswith(f"{namespace}.")


def _require(caller: Caller, reading: Reading) -> FlowKey:
    """The flow's key. Raises with all errors of the reading, or where the namespace is not the caller's."""
    if reading.flow is None:
        raise InvalidEntityError(violations_of(reading))
    key = FlowKey(caller.tenant, reading.flow.namespace, reading.flow.id)
    if not is_visible(caller, key):
        raise NotFoundError
    return key


def violations_of(reading: Reading) -> Sequence[Violation]:
    """The errors of a source, as the API says them when it refuses to save."""
    return [_violation(problem) for problem in reading.errors]


def _violation(problem: Problem) -> Violation:
    message = problem.message
    path = problem.path
    if message.startswith(_READING_PREFIX):
        message, path = _SAVING_PREFIX + message[len(_READING_PREFIX) :], path or "yaml"
    return Violation(message, path, problem.line, problem.column, problem.suggestion)


def _exists() -> InvalidEntityError:
    return InvalidEntityError([Violation("Flow id already exists", "flow.id")])


async def _save_after(
    services: Services, key: FlowKey, reading: Reading, *, source: str, latest: FlowRow | None
) -> FlowRow:
    """Save; when somebody else was faster, once more on top of that."""
    try:
        return await _save(services, key, reading, source=source, latest=latest)
    except ConflictError:
        newer = await services.store.flows.get(key)
        return await _save(services, key, reading, source=source, latest=newer)


async def _save(
    services: Services, key: FlowKey, reading: Reading, *, source: str, latest: FlowRow | None
) -> FlowRow:
    flow, tree = reading.flow, reading.tree
    if flow is None or tree is None:
        raise InvalidEntityError(violations_of(reading))
    labels = flow.label_list
    row = FlowRow(
        key=key,
        revision=1 if latest is None else latest.revision + 1,
        data=codec.encode(definition_of(_map(tree), codec.to_plain(labels))),
        source=without_revision(source),
        updated=services.clock.now(),
        description=flow.description,
        labels=labels,
        disabled=flow.disabled,
    )
    if latest is not None and not latest.deleted and latest.source == row.source:
        return latest
    await services.store.flows.save(row)
    await _forget_triggers(
        services, key, kept=frozenset(trigger.id for trigger in flow.triggers or ())
    )
    return row


async def _forget_triggers(services: Services, key: FlowKey, *, kept: frozenset[str]) -> None:
    rows = await services.store.triggers.of_flow(key)
    gone: list[TriggerKey] = [row.key for row in rows if row.key.id not in kept]
    if gone:
        await services.store.triggers.delete(gone)


def _map(tree: Tree) -> Mapping[str, Any]:
    value = tree.value
    return value if isinstance(value, Mapping) else {}
