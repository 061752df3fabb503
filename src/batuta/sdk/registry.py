"""Which type name is which class. Loading is lazy: the catalogues are names only, a module is imported on first use.

A plugin package is named by an entry point of the group `batuta.plugins` and offers two maps:

    TYPES = {"io.kestra.plugin.core.log.Log": "batuta.plugins.core.log:Log", …}
    ALIASES = {"io.kestra.core.tasks.log.Log": "io.kestra.plugin.core.log.Log", …}

and, if it likes, a catalogue of types that it knows and does not run: `CATALOGUE = "package.with.json.files"`.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points

from batuta.sdk.catalogue import Catalogue
from batuta.sdk.definition import Plugin
from batuta.sdk.errors import PluginError, UnknownTypeError
from batuta.sdk.facts import TypeFacts, facts_of
from batuta.sdk.unavailable import stand_in

GROUP = "batuta.plugins"


class Registry:
    """Types by name. A package or class that cannot be loaded disables only itself; see `failures`."""

    def __init__(self, packages: Iterable[str]) -> None:
        self._paths: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._classes: dict[str, type[Plugin]] = {}
        self._catalogues: list[Catalogue] = []
        self._facts: dict[str, TypeFacts] = {}
        self._names: dict[str, list[str]] = {}
        self.failures: dict[str, str] = {}
        self.packages = tuple(packages)
        for package in self.packages:
            self._add_package(package)

    @classmethod
    def installed(cls) -> "Registry":
        """All packages that installed distributions name in their entry points."""
        return cls(sorted({entry.value for entry in entry_points(group=GROUP)}))

    def add(self, plugin: type[Plugin]) -> None:
        """Register a class directly (tests, plugins defined in a program)."""
        self._classes[plugin.TYPE] = plugin
        self._paths[plugin.TYPE] = f"{plugin.__module__}:{plugin.__qualname__}"
        self._aliases.update(dict.fromkeys(plugin.ALIASES, plugin.TYPE))
        self._facts.pop(plugin.TYPE, None)
        self._names.clear()

    def canonical(self, type_name: str) -> str:
        """The type that an alias stands for; any other name unchanged."""
        name = self._aliases.get(type_name)
        if name is not None:
            return name
        if type_name in self._paths:
            return type_name
        for catalogue in self._catalogues:
            name = catalogue.aliases.get(type_name)
            if name is not None:
                return name
        return type_name

    def has(self, type_name: str) -> bool:
        return self.canonical(type_name) in self._paths

    def knows(self, type_name: str) -> bool:
        """Whether the type is installed, or at least in a catalogue."""
        name = self.canonical(type_name)
        return name in self._paths or self._catalogue_of(name) is not None

    def facts(self, type_name: str) -> TypeFacts:
        """What is known of a type: by its class, else by a catalogue. Raises as `get` does."""
        name = self.canonical(type_name)
        found = self._facts.get(name)
        if found is None:
            catalogue = None if name in self._paths else self._catalogue_of(name)
            found = facts_of(self.get(name)) if catalogue is None else catalogue.facts(name)
            self._facts[name] = found
        return found

    def definition(self, type_name: str) -> type[Plugin]:
        """As `get`; a stand-in that keeps every property for a type that is only in a catalogue."""
        name = self.canonical(type_name)
        catalogue = None if name in self._paths else self._catalogue_of(name)
        return self.get(name) if catalogue is None else stand_in(catalogue.kind(name))

    def known(self) -> Iterator[str]:
        """All types: installed ones and those of the catalogues."""
        names = set(self._paths).union(*self._catalogues)
        return iter(sorted(names))

    def aliases_of(self, type_name: str) -> tuple[str, ...]:
        """Older names of a canonical type."""
        if not self._names:
            for source in (self._aliases, *(each.aliases for each in self._catalogues)):
                for alias, target in source.items():
                    names = self._names.setdefault(target, [])
                    if alias not in names:
                        names.append(alias)
        return tuple(self._names.get(type_name, ()))

    def get(self, type_name: str) -> type[Plugin]:
        """The class of a type or alias. Raises `UnknownTypeError`, or `PluginError` when it cannot be loaded."""
        name = self.canonical(type_name)
        found = self._classes.get(name)
        if found is None:
            found = self._classes[name] = self._load(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._paths))

    @property
    def aliases(self) -> Mapping[str, str]:
        return self._aliases

    def nearest(self, type_name: str) -> tuple[str, ...]:
        """Up to three known types that look alike, the nearest first."""
        names = list(self.known())
        by_short = {name.rpartition(".")[2].lower(): name for name in names}
        close = get_close_matches(type_name, names, n=3, cutoff=0.8)
        short = get_close_matches(type_name.rpartition(".")[2].lower(), by_short, n=2, cutoff=0.7)
        return tuple(dict.fromkeys([*close, *(by_short[name] for name in short)]))[:3]

    def _add_package(self, package: str) -> None:
        try:
            module = import_module(package)
        except Exception as error:
            self.failures[package] = f"{type(error).__name__}: {error}"
            return
        self._paths.update(getattr(module, "TYPES", {}))
        self._aliases.update(getattr(module, "ALIASES", {}))
        catalogue = getattr(module, "CATALOGUE", None)
        if catalogue is not None:
            self._catalogues.append(Catalogue(catalogue))

    def _catalogue_of(self, name: str) -> Catalogue | None:
        return next((catalogue for catalogue in self._catalogues if name in catalogue), None)

    def _load(self, name: str) -> type[Plugin]:
        path = self._paths.get(name)
        if path is None:
            known = self._catalogue_of(name) is not None
            raise UnknownTypeError(name, nearest=() if known else self.nearest(name), known=known)
        module_name, _, class_name = path.partition(":")
        try:
            plugin = getattr(import_module(module_name), class_name)
            if isinstance(plugin, type) and issubclass(plugin, Plugin):
                plugin.model_rebuild()
        except Exception as error:
            self.failures[name] = f"{type(error).__name__}: {error}"
            raise PluginError(
                f"The plugin {name} cannot be loaded: {self.failures[name]}"
            ) from error
        if not (isinstance(plugin, type) and issubclass(plugin, Plugin) and name == plugin.TYPE):
            self.failures[name] = f"{path} does not declare this type"
            raise PluginError(f"The plugin {name} cannot be loaded: {self.failures[name]}")
        return plugin
