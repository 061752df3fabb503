"""Facts of types that Kestra knows, whether this installation runs them or not: one JSON file for each group.

A plugin package names such a folder of files by `CATALOGUE = "package"`; nothing is read before a type is asked for.
`index.json` is `{"types": {TYPE: [group, kind]}, "aliases": {ALIAS: TYPE}}`.
"""

from collections.abc import Iterator, Mapping
from importlib.resources import files

import msgspec

from batuta.sdk.definition import Condition, Plugin, TaskBase, TaskRunner, Trigger
from batuta.sdk.facts import Facts, TypeFacts, properties_of


class _Index(msgspec.Struct, frozen=True):
    types: Mapping[str, tuple[str, str]]
    aliases: Mapping[str, str]


class _Group(msgspec.Struct, frozen=True):
    types: Mapping[str, TypeFacts]
    definitions: Mapping[str, Facts] = {}


_BASES: Mapping[str, type[Plugin]] = {
    "task": TaskBase,
    "trigger": Trigger,
    "condition": Condition,
    "taskRunner": TaskRunner,
}
"""The common properties of a kind are those of our own classes."""


class Catalogue:
    """The types of one catalogue folder."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._loaded_index: _Index | None = None
        self._groups: dict[str, _Group] = {}

    @property
    def aliases(self) -> Mapping[str, str]:
        return self._index.aliases

    def __iter__(self) -> Iterator[str]:
        return iter(self._index.types)

    def __contains__(self, type_name: object) -> bool:
        return type_name in self._index.types

    def kind(self, type_name: str) -> str:
        """Raises `KeyError`."""
        return self._index.types[type_name][1]

    def facts(self, type_name: str) -> TypeFacts:
        """Raises `KeyError`."""
        group_name, kind = self._index.types[type_name]
        group = self._group(group_name)
        found = group.types[type_name]
        base = _BASES.get(kind)
        common = {} if base is None else properties_of(base)
        return msgspec.structs.replace(
            found,
            properties={**common, **found.properties},
            definitions=group.definitions,
            renamed={} if base is None else base.RENAMED,
            installed=False,
        )

    @property
    def _index(self) -> _Index:
        if self._loaded_index is None:
            self._loaded_index = msgspec.json.decode(self._read("index"), type=_Index)
        return self._loaded_index

    def _group(self, name: str) -> _Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = msgspec.json.decode(self._read(name), type=_Group)
        return group

    def _read(self, name: str) -> bytes:
        return files(self._package).joinpath(f"{name}.json").read_bytes()
