"""Namespaces as flows make them, their secrets by name (03 §12, §15)."""

from collections.abc import Mapping, Sequence

from batuta.operations import flows
from batuta.operations.caller import Caller
from batuta.operations.errors import NotFoundError
from batuta.operations.services import Services

MAX_SUGGESTIONS = 50


async def names(caller: Caller, services: Services, *, part: str = "") -> Sequence[str]:
    """Namespaces of flows with all their parents, and the system namespace; those that contain the text, in order."""
    found = {services.settings.system_namespace}
    for name in await flows.namespaces(caller, services):
        found.update(lineage(name))
    return sorted(name for name in found if part.lower() in name.lower() and caller.may_see(name))


async def suggestions(
    caller: Caller, services: Services, *, part: str, wanted: Sequence[str]
) -> Sequence[str]:
    """The first that contain the text, and those that are wanted in any case."""
    found = list(await names(caller, services, part=part))[:MAX_SUGGESTIONS]
    return list(dict.fromkeys([*found, *(name for name in wanted if caller.may_see(name))]))


def lineage(namespace: str) -> Sequence[str]:
    """`a.b.c`, `a.b`, `a`."""
    parts = namespace.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def secret_keys(services: Services, *, part: str = "") -> Sequence[str]:
    """Names of the secrets, which all namespaces share; never a value."""
    prefix = services.settings.secret_prefix
    found = {name.removeprefix(prefix) for name in services.environment if name.startswith(prefix)}
    return sorted(key for key in found if key and part.lower() in key.lower())


def inherited_secrets(
    caller: Caller, services: Services, namespace: str
) -> Mapping[str, Sequence[str]]:
    """By namespace: this one and its parents."""
    if not caller.may_see(namespace):
        raise NotFoundError
    keys = secret_keys(services)
    return {name: keys for name in lineage(namespace) if caller.may_see(name)}
