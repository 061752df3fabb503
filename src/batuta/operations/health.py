"""Whether the server can work, and what identifies the installation. Light: answered before all else is loaded."""

import zlib
from collections.abc import Iterable, Mapping

import msgspec

from batuta.operations.system import Ids
from batuta.store.contract import Store
from batuta.store.errors import StoreError

INSTALLATION_KEY = "instance.uuid"


class Health(msgspec.Struct, frozen=True):
    parts: Mapping[str, bool]


async def check(store: Store) -> Health:
    try:
        await store.settings.get(INSTALLATION_KEY)
    except StoreError:
        return Health({"store": False})
    return Health({"store": True})


async def installation_id(store: Store, ids: Ids) -> str:
    """The same for the life of the store; made on first use."""
    found = await store.settings.get(INSTALLATION_KEY)
    if found is None:
        found = ids.token().encode()
        await store.settings.put(INSTALLATION_KEY, found)
    return found.decode()


def plugins_hash(types: Iterable[str]) -> int:
    """Changes when the installed types change."""
    return zlib.crc32("\n".join(types).encode())
