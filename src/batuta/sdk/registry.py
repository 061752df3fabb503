"""Which type name is which class. Loading is lazy: the catalogues are names only, a module is imported on first use.

A plugin package is named by an entry point of the group `batuta.plugins` and offers two maps:

    TYPES = {"io.kestra.plugin.core.log.Log": "batuta.plugins.core.log:Log", …}
    ALIASES = {"io.kestra.core.tasks.log.Log": "io.kestra.plugin.core.log.Log", …}
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points

from batuta.sdk.definition import Plugin
from batuta.sdk.errors import PluginError, UnknownTypeError

GROUP = "batuta.plugins"


class Registry:
    """Types by name. A package or class that cannot be loaded disables only itself; see `failures`."""

    def __init__(self, packages: Iterable[str]) -> None:
        self._paths: dict[str, str] = {}
        self._aliases: dict[str, str] = {}
        self._classes: dict[str, type[Plugin]] = {}
        self.failures: dict[str, str] = {}
        for package in packages:
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

    def canonical(self, type_name: str) -> str:
        """The type that an alias stands for; any other name unchanged."""
        return self._aliases.get(type_name, type_name)

    def has(self, type_name: str) -> bool:
        return self.canonical(type_name) in self._paths

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
        by_short = {name.rpartition(".")[2].lower(): name for name in self._paths}
        close = get_close_matches(type_name, self._paths, n=3, cutoff=0.6)
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

    def _load(self, name: str) -> type[Plugin]:
        path = self._paths.get(name)
        if path is None:
            raise UnknownTypeError(name, nearest=self.nearest(name))
        module_name, _, class_name = path.partition(":")
        try:
            plugin = getattr(import_module(module_name), class_name)
        except Exception as error:
            self.failures[name] = f"{type(error).__name__}: {error}"
            raise PluginError(
                f"The plugin {name} cannot be loaded: {self.failures[name]}"
            ) from error
        if not (isinstance(plugin, type) and issubclass(plugin, Plugin) and name == plugin.TYPE):
            self.failures[name] = f"{path} does not declare this type"
            raise PluginError(f"The plugin {name} cannot be loaded: {self.failures[name]}")
        return plugin
