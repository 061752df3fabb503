"""The only place that chooses implementations: store, storage, clock, ids, roles.

A server opens its store first and answers; what flows, expressions and plugins need is imported after that, on a
thread (`Installation.load`).
"""

import asyncio
import os
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from batuta.cli.config import Configuration
from batuta.cli.failure import CommandError
from batuta.operations.settings import Settings
from batuta.operations.system import SystemClock, SystemIds
from batuta.store.contract import Store
from batuta.store.errors import StoreError

if TYPE_CHECKING:
    from batuta.operations.services import Services
    from batuta.server.roles import Roles

_DATABASE = "batuta.db"
_STORAGE = "storage"
_CACHE = "cache"
_FALLBACK = "batuta.worker.docker-fallback"
"""The name under which script tasks ask whether they may run without Docker."""
_LOADED_LATER = ("batuta.web.api", "batuta.server.roles")


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """Folders and files of one server."""

    database: Path | None
    """None: rows live in memory."""
    storage: Path
    cache: Path
    tmp: Path


class Installation:
    """What a process works with. Opened by `open_installation`, closed once."""

    def __init__(self, store: Store, places: Places, *, settings: Settings) -> None:
        self.store = store
        self.settings = settings
        self.clock = SystemClock()
        self.ids = SystemIds()
        self._places = places

    async def load(self) -> "Services":
        """Import the rest of the program without keeping the event loop from its work, and open it."""
        await asyncio.to_thread(_import_all)
        from batuta.operations.feed import Feed
        from batuta.operations.plans import PlanCache
        from batuta.operations.services import Services
        from batuta.sdk.registry import Registry
        from batuta.storage.local import LocalStorage

        registry = await asyncio.to_thread(Registry.installed)
        plans = PlanCache(self.store, registry, settings=self.settings, clock=self.clock)
        return Services(
            store=self.store,
            storage=LocalStorage(self._places.storage),
            registry=registry,
            clock=self.clock,
            ids=self.ids,
            settings=self.settings,
            plans=plans,
            feed=Feed(self.store),
            environment=os.environ,
        )

    def make_roles(self, services: "Services") -> "Roles":
        """Executor, scheduler and workers, ready to run on this event loop."""
        from batuta.server.protocol import StorageAccess
        from batuta.server.roles import RoleOptions, make_roles

        return make_roles(
            services,
            RoleOptions(
                owner=self.ids.token(),
                tmp_dir=self._places.tmp,
                cache_dir=self._places.cache,
                storage=StorageAccess(base_path=str(self._places.storage)),
            ),
        )

    async def close(self) -> None:
        await self.store.close()


def places_of(configuration: Configuration, data: Path) -> Places:
    """What the configuration names, else below the data folder."""
    in_memory = configuration.store == "memory"
    return Places(
        database=None if in_memory else configuration.database or data / _DATABASE,
        storage=configuration.storage or data / _STORAGE,
        cache=data / _CACHE,
        tmp=Path(configuration.settings.tmp_dir or tempfile.gettempdir()),
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
    _check_key(configuration.settings)
    try:
        store = await _open_store(places.database)
    except StoreError as error:
        raise CommandError(f"The database cannot be opened: {error}") from None
    return Installation(store, places, settings=_with_fallback(configuration.settings))


async def _open_store(database: Path | None) -> Store:
    if database is None:
        from batuta.store.memory import MemoryStore

        return MemoryStore()
    from batuta.store.sqlite.store import SqliteStore

    return await SqliteStore.open(database)


def _import_all() -> None:
    for name in _LOADED_LATER:
        import_module(name)


def _check_key(settings: Settings) -> None:
    from batuta.operations.cipher import cipher_of

    try:
        cipher_of(settings, SystemIds())
    except ValueError as error:
        raise CommandError(f"The configuration is not right:\n  {error}") from None


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
    known = {**settings.plugin_settings, _FALLBACK: settings.docker_fallback}
    return msgspec.structs.replace(settings, plugin_settings=known)
