"""Lists of types by plugin, as the API gives them (03 §6.14, §16). Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from batuta.operations.plugins.document import input_class
from batuta.sdk.errors import PluginError
from batuta.sdk.input import InputType
from batuta.sdk.registry import Registry

_LISTS: Mapping[str, str] = {
    "task": "tasks",
    "trigger": "triggers",
    "condition": "conditions",
    "storage": "storages",
    "taskRunner": "taskRunners",
    "chart": "charts",
    "dataFilter": "dataFilters",
    "dataFilterKpi": "dataFiltersKPI",
    "additional": "additionalPlugins",
}
_EMPTY = ("secrets", "apps", "appBlocks", "logExporters")
_GROUP_PARTS = 4


class Known(msgspec.Struct, frozen=True):
    """One type that is known; what cannot be loaded or is internal is left out."""

    name: str
    kind: str
    is_deprecated: bool
    is_flowable: bool
    is_installed: bool

    @property
    def group(self) -> str:
        return ".".join(self.name.split(".")[:_GROUP_PARTS])

    @property
    def package(self) -> str:
        return self.name.partition("$")[0].rpartition(".")[0]


def groups(registry: Registry) -> list[dict[str, Any]]:
    """One entry for each plugin."""
    return list(_plugins(_by_group(registry)))


def subgroups(registry: Registry) -> list[dict[str, Any]]:
    """One entry for each plugin, and one for each package inside of it."""
    by_group = _by_group(registry)
    listed = []
    for plugin in _plugins(by_group):
        group = plugin["group"]
        listed.append(plugin)
        packages: dict[str, list[Known]] = {}
        for each in by_group[group]:
            packages.setdefault(each.package, []).append(each)
        listed.extend(
            {**_plugin(group, types), "title": _title(package), "subGroup": package}
            for package, types in sorted(packages.items())
            if package != group
        )
    return listed


def icons(registry: Registry) -> dict[str, Any]:
    """By type and alias; without pictures."""
    found: dict[str, Any] = {}
    for each in _known(registry):
        for name in (each.name, *registry.aliases_of(each.name)):
            found[name] = {"name": name.rpartition(".")[2], "flowable": each.is_flowable}
    return found


def group_icons(registry: Registry) -> dict[str, Any]:
    names = {name for each in _known(registry) for name in (each.group, each.package)}
    return {name: {"name": "plugin-icon", "flowable": False} for name in sorted(names)}


def inputs() -> list[dict[str, str]]:
    """The types of inputs."""
    return [{"type": kind.value, "cls": input_class(kind)} for kind in InputType]


def _plugins(by_group: Mapping[str, list[Known]]) -> Iterator[dict[str, Any]]:
    return (_plugin(group, types) for group, types in sorted(by_group.items()))


def _by_group(registry: Registry) -> dict[str, list[Known]]:
    by_group: dict[str, list[Known]] = {}
    for each in _known(registry):
        by_group.setdefault(each.group, []).append(each)
    return by_group


def _known(registry: Registry) -> Iterator[Known]:
    for name in registry.known():
        try:
            facts = registry.facts(name)
        except PluginError:
            continue
        if not facts.internal:
            yield Known(name, facts.kind, facts.deprecated, facts.is_flowable, facts.installed)


def _plugin(group: str, types: list[Known]) -> dict[str, Any]:
    lists: dict[str, list[dict[str, Any]]] = {name: [] for name in (*_LISTS.values(), *_EMPTY)}
    for each in types:
        entry: dict[str, Any] = {"cls": each.name}
        if each.is_deprecated:
            entry["deprecated"] = True
        if not each.is_installed:
            # Beyond Kestra's shape: flows that use it are valid, and stop there.
            entry["installed"] = False
        lists[_LISTS.get(each.kind, "additionalPlugins")].append(entry)
    return {
        "name": f"plugin-{group.rpartition('.')[2]}",
        "title": _title(group),
        "group": group,
        "manifest": {},
        "guides": [],
        "aliases": [],
        **lists,
        "categories": [],
    }


def _title(package: str) -> str:
    return package.rpartition(".")[2].capitalize()
