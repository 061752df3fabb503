"""The only place that chooses implementations: store, storage, clock, ids, roles."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from batuta.cli.config import Configuration
from batuta.cli.failure import CommandError
from batuta.operations.cipher import cipher_of
from batuta.operations.feed import Feed
from batuta.operations.plans import PlanCache
from batuta.operations.services import Services
from batuta.operations.settings import Settings
from batuta.operations.system import Clock, Ids, SystemClock, SystemIds
from batuta.sdk.registry import Registry
from batuta.storage.contract import Storage
from batuta.storage.local import LocalStorage
from batuta.store.contract import Store
from batuta.store.errors import StoreError

if TYPE_CHECKING:
    from batuta.server.roles import Roles

_DATABASE = "batuta.db"
_STORAGE = "storage"
_CACHE = "cache"
_FALLBACK = "kestra.tasks.scripts.docker-fallback"
"""The name under which script tasks ask whether they may run without Docker."""


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Folders and files of one server."""

    database: Path | None
    """None: rows live in memory."""
    storage: Path
    cache: Path
    tmp: Path


class Installation:
    """What a process works with. Opened by `open_installation`, closed once."""

    def __init__(self, services: Services, places: Places) -> None:
        self.services = services
        self._places = places

    def make_roles(self) -> "Roles":
        """Executor, scheduler and workers, ready to run on this event loop."""
        from batuta.server.protocol import StorageAccess
        from batuta.server.roles import RoleOptions, make_roles

        return make_roles(
            self.services,
            RoleOptions(
                owner=self.services.ids.token(),
                tmp_dir=self._places.tmp,
                cache_dir=self._places.cache,
                storage=StorageAccess(base_path=str(self._places.storage)),
            ),
        )

    async def close(self) -> None:
        await self.services.store.close()


def places_of(configuration: Configuration, data: Path) -> Places:
    """What the configuration names, else below the data folder."""
    tmp = configuration.settings.tmp_dir or tempfile.gettempdir()
    return Places(
        database=None
        if configuration.store == "memory"
        else configuration.database or data / _DATABASE,
        storage=configuration.storage or data / _STORAGE,
        cache=data / _CACHE,
        tmp=Path(tmp),
    )


async def open_installation(
    configuration: Configuration, data: Path, *, cache: Path | None = None
) -> Installation:
    """`cache`: in place of the one below the data folder. Raises `CommandError` for what cannot be used."""
    places = places_of(configuration, data)
    if cache is not None:
        places = msgspec.structs.replace(places, cache=cache)
    for folder in (places.storage, places.cache, places.tmp):
        _make_folder(folder)
    try:
        store = await _open_store(places.database)
    except StoreError as error:
        raise CommandError(f"The database cannot be opened: {error}") from None
    services = make_services(
        store,
        LocalStorage(places.storage),
        settings=_with_fallback(configuration.settings),
        environment=os.environ,
    )
    return Installation(services, places)


def make_services(
    store: Store,
    storage: Storage,
    *,
    settings: Settings,
    environment: Mapping[str, str],
    clock: Clock | None = None,
    ids: Ids | None = None,
) -> Services:
    """Raises `CommandError` for an encryption key that cannot be used."""
    clock = clock or SystemClock()
    ids = ids or SystemIds()
    try:
        cipher_of(settings, ids)
    except ValueError as error:
        raise CommandError(f"The configuration is not right:\n  {error}") from None
    registry = Registry.installed()
    return Services(
        store=store,
        storage=storage,
        registry=registry,
        clock=clock,
        ids=ids,
        settings=settings,
        plans=PlanCache(store, registry, settings=settings, clock=clock),
        feed=Feed(store),
        environment=environment,
    )


async def _open_store(database: Path | None) -> Store:
    if database is None:
        from batuta.store.memory import MemoryStore

        return MemoryStore()
    from batuta.store.sqlite.store import SqliteStore

    return await SqliteStore.open(database)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"The folder {folder} cannot be made: {error.strerror}; choose another with --data."
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CommandError(
            f"The folder {folder} cannot be written by this user; choose another with --data."
        )


def _with_fallback(settings: Settings) -> Settings:
    known = {_FALLBACK: settings.docker_fallback, **settings.plugin_settings}
    return msgspec.structs.replace(settings, plugin_settings=known)
