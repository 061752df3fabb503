"""Whether the server can work, and what identifies the installation."""

import zlib
from collections.abc import Mapping

import msgspec

from batuta.operations.services import Services
from batuta.store.errors import StoreError

INSTALLATION_KEY = "instance.uuid"


class Health(msgspec.Struct, frozen=True):
    parts: Mapping[str, bool]

    @property
    def is_up(self) -> bool:
        return all(self.parts.values())


async def check(services: Services) -> Health:
    try:
        await services.store.settings.get(INSTALLATION_KEY)
    except StoreError:
        return Health({"store": False})
    return Health({"store": True})


async def installation_id(services: Services) -> str:
    """The same for the life of the store; made on first use."""
    found = await services.store.settings.get(INSTALLATION_KEY)
    if found is None:
        found = services.ids.token().encode()
        await services.store.settings.put(INSTALLATION_KEY, found)
    return found.decode()


def plugins_hash(services: Services) -> int:
    """Changes when the installed types change."""
    return zlib.crc32("\n".join(services.registry).encode())
