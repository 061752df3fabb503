"""Plugin defaults: which apply to an object, and how they are merged into it (01 §1.5)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batuta.sdk.errors import PluginError
from batuta.sdk.registry import Registry

SECTION = "pluginDefaults"


class Default(msgspec.Struct, frozen=True):
    """Values for a type, or for all types that begin with this text."""

    type: str
    values: Mapping[str, Any]
    forced: bool = False


def defaults_in(source: Mapping[str, Any]) -> tuple[Default, ...]:
    """The usable entries of a flow's own section; what is wrong with the others is told elsewhere."""
    entries = source.get(SECTION)
    return tuple(
        Default(entry["type"], entry["values"], entry.get("forced") is True)
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping)
        and isinstance(entry.get("type"), str)
        and isinstance(entry.get("values"), Mapping)
    )


def with_defaults(
    source: Mapping[str, Any], levels: Sequence[Default], registry: Registry
) -> Mapping[str, Any]:
    """The source with all defaults merged in; `levels` holds the most important first."""
    if not levels:
        return source
    merger = _Merger(levels, registry)
    return {key: value if key == SECTION else merger.inside(value) for key, value in source.items()}


class _Merger:
    def __init__(self, levels: Sequence[Default], registry: Registry) -> None:
        self._registry = registry
        # More specific types first, then the more important level: the original leaves the order of types open.
        self._levels = sorted(levels, key=lambda level: -len(registry.canonical(level.type)))

    def inside(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.inside(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        merged = {key: self.inside(item) for key, item in value.items()}
        type_name = merged.get("type")
        return self._apply(merged, type_name) if isinstance(type_name, str) else merged

    def _apply(self, value: dict[str, Any], type_name: str) -> dict[str, Any]:
        names = {type_name, self._registry.canonical(type_name)}
        fitting = [
            level
            for level in self._levels
            for prefix in (level.type, self._registry.canonical(level.type))
            if any(name.startswith(prefix) for name in names)
        ]
        known = self._properties(type_name) if fitting else None
        for level in fitting:
            if not level.forced:
                value = merge(_known_values(level.values, known), value)
        for level in reversed(fitting):
            if level.forced:
                value = merge(value, _known_values(level.values, known))
        return value

    def _properties(self, type_name: str) -> frozenset[str] | None:
        """Names that the type knows; defaults for others are ignored (01 §1.5). None when anything goes."""
        try:
            return frozenset(self._registry.facts(type_name).properties)
        except PluginError:
            return None


def _known_values(values: Mapping[str, Any], known: frozenset[str] | None) -> Mapping[str, Any]:
    if known is None:
        return values
    return {name: value for name, value in values.items() if name in known}


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` wins unless it is null; maps are merged deeply, lists are joined, `base` first."""
    result = dict(base)
    for key, value in over.items():
        former = result.get(key)
        if isinstance(former, Mapping) and isinstance(value, Mapping):
            result[key] = merge(former, value)
        elif isinstance(former, list) and isinstance(value, list):
            result[key] = [*former, *value]
        elif value is not None or key not in result:
            result[key] = value
    return result
