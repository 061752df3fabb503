"""Checks plain data of a source against the facts of its types: every problem, each at its place.

The same checker serves types that are installed (facts of their classes) and types that are only in a catalogue. What
it gives back is the data as the original reads it: texts, numbers and booleans converted, older names replaced, nulls
left out; dynamic properties stay as they are written.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from batuta.flow.literal import Misfit, java_text, literal_misfit, read_scalar, shape_of
from batuta.flow.problems import Problems, nearest
from batuta.flow.yaml import Path
from batuta.sdk.errors import PluginError
from batuta.sdk.facts import Facts, TypeFacts
from batuta.sdk.registry import Registry

MAX_SHOWN_PROPERTIES = 12
MAX_HINTS = 50


class Found(msgspec.Struct, frozen=True):
    """A task, trigger or other plugin object of a source, as it was read."""

    path: Path
    type: str
    """The canonical type."""
    spec: Mapping[str, Any]
    facts: TypeFacts
    depth: int
    """How many plugin objects stand around it."""


class Scope(msgspec.Struct, frozen=True):
    """Around a value: the type that owns it, and the definitions that `ref` names."""

    owner: str
    definitions: Mapping[str, Facts] = {}


class Checker:
    """Checks one document; `found` lists its plugin objects in document order, the outer before the inner."""

    def __init__(self, registry: Registry, problems: Problems, *, strict: bool = True) -> None:
        self._registry = registry
        self._problems = problems
        self._strict = strict
        self._depth = 0
        self.found: list[Found] = []

    def plugin(
        self, value: Any, path: Path, kind: str | None, *, types: tuple[str, ...] | None = None
    ) -> Any:
        """A task, trigger, condition, … chosen by its `type`, which must be of the kind and among `types`."""
        if not isinstance(value, Mapping):
            word = kind or "plugin"
            self._problems.error(
                "value", f"must be a {word} (a map with a `type`), but is {shape_of(value)}", path
            )
            return None
        type_name = value.get("type")
        facts = self._facts(type_name, path)
        if facts is None or not isinstance(type_name, str):
            return None
        if kind is not None and facts.kind != kind:
            self._problems.error(
                "unknown-type", f"{type_name} is a {facts.kind}, not a {kind}", (*path, "type")
            )
            return None
        canonical = self._registry.canonical(type_name)
        if types is not None and canonical not in types:
            self._problems.error(
                "unknown-type",
                f"Invalid type: {type_name}: it does not fit here",
                (*path, "type"),
                suggestion=nearest(type_name, types) or f"one of {', '.join(types)}",
            )
            return None
        if canonical != type_name:
            self._problems.info("alias", f"{type_name} is replaced by {canonical}", (*path, "type"))
        if facts.deprecated:
            self._problems.deprecated(f"{canonical} is deprecated", path)
        place = len(self.found)
        self._depth += 1
        spec = self.object(
            value,
            Facts(properties=facts.properties, renamed=facts.renamed),
            path,
            scope=Scope(canonical, facts.definitions),
        )
        self._depth -= 1
        self.found.insert(place, Found(path, canonical, spec, facts, self._depth))
        return spec

    def object(
        self,
        value: Mapping[str, Any],
        facts: Facts,
        path: Path,
        *,
        scope: Scope,
        is_part: bool = False,
    ) -> dict[str, Any]:
        """A map with known properties. Deprecations inside a part of a plugin are not told, as in the original."""
        properties = facts.properties or {}
        renamed = facts.renamed or {}
        result: dict[str, Any] = {}
        for written, raw in value.items():
            name = renamed.get(written, written)
            known = properties.get(name)
            if known is None:
                if written != "type":
                    self._unknown(written, properties, (*path, written), scope=scope)
                else:
                    result[written] = raw
                continue
            if known.deprecated and not is_part:
                self._problems.deprecated(f"`{name}` is deprecated", (*path, written))
            if raw is None:
                continue
            errors = self._problems.errors
            read = self.value(raw, known, (*path, written), scope=scope)
            if read is not None:
                result[name] = read
            if (
                errors == self._problems.errors
                and known.required
                and raw == ""
                and self._problems.raw((*path, written)) == ""
            ):
                self._problems.warning(
                    "empty",
                    f"`{name}` is the empty text: nothing stands behind the colon",
                    (*path, written),
                )
        given = {renamed.get(name, name) for name, raw in value.items() if raw is not None}
        for name, known in properties.items():
            if known.required and known.default is msgspec.UNSET and name not in given:
                self._missing(name, known, path)
        return result

    def value(self, value: Any, facts: Facts, path: Path, *, scope: Scope) -> Any:
        """Any value; None when it cannot be read or counts as absent."""
        if facts.dynamic:
            self._dynamic(value, facts, path)
            return value
        if facts.plugin_kind is not None or facts.types is not None:
            return self.plugin(value, path, facts.plugin_kind, types=facts.types)
        if facts.ref is not None:
            facts = _referred(facts, scope)
        if facts.any_of is not None:
            return self._any_of(value, facts, path, scope=scope)
        if facts.variants is not None:
            return self._variant(value, facts.variants, path, scope=scope)
        return self._plain(value, facts, path, scope=scope)

    def _plain(self, value: Any, facts: Facts, path: Path, *, scope: Scope) -> Any:
        if facts.type == "array":
            return self._list(value, facts, path, scope=scope)
        if facts.type == "object" or facts.properties is not None:
            return self._map(value, facts, path, scope=scope)
        return value if facts.type is None else self._scalar(value, facts, path)

    def _facts(self, type_name: Any, path: Path) -> TypeFacts | None:
        if not isinstance(type_name, str) or not type_name:
            shown = "<null>" if type_name is None else java_text(type_name)
            self._problems.error("unknown-type", f"Invalid type: {shown}", (*path, "type"))
            return None
        if not self._registry.knows(type_name):
            near = self._registry.nearest(type_name) if self._may_hint() else ()
            hint = ", ".join(f"`{name}`" for name in near)
            self._problems.error(
                "unknown-type",
                f"Invalid type: {type_name}",
                (*path, "type"),
                suggestion=f"did you mean {hint}?" if hint else None,
            )
            return None
        try:
            return self._registry.facts(type_name)
        except PluginError as error:
            self._problems.error("plugin", str(error), (*path, "type"))
        return None

    def _may_hint(self) -> bool:
        """Looking for near names takes time, and nobody reads a hundred hints."""
        return self._problems.errors < MAX_HINTS

    def _unknown(
        self, name: str, properties: Mapping[str, Facts], path: Path, *, scope: Scope
    ) -> None:
        if not self._problems.is_written(path):
            return
        known = sorted(properties)
        shown = ", ".join(known[:MAX_SHOWN_PROPERTIES])
        more = ", …" if len(known) > MAX_SHOWN_PROPERTIES else ""
        message = (
            f'Unrecognized field "{name}" (class {scope.owner}), not marked as ignorable '
            f"({len(known)} known properties: {shown}{more})"
        )
        hint = nearest(name, known) if self._may_hint() else None
        if self._strict:
            self._problems.unknown_key(message, path, suggestion=hint)
        else:
            self._problems.warning("unknown-property", message, path, suggestion=hint)

    def _missing(self, name: str, facts: Facts, path: Path) -> None:
        text = "must not be empty" if facts.min_items else "must not be null"
        self._problems.error("required", facts.message or text, (*path, name))

    def _dynamic(self, value: Any, facts: Facts, path: Path) -> None:
        misfit = literal_misfit(value, facts)
        if misfit is not None:
            self._problems.warning("literal", misfit, path)
        else:
            self._quotes_inside(value, facts, path)
        if facts.min_items and value == []:
            self._problems.error("constraint", facts.message or "must not be empty", path)

    def _quotes_inside(self, value: Any, facts: Facts, path: Path) -> None:
        """Also in a map or list of texts, such as `env`."""
        if facts.type == "string":
            self._quotes(value, path)
        elif isinstance(value, Mapping) and _is_text(facts.values):
            for key, item in value.items():
                self._quotes(item, (*path, key))
        elif isinstance(value, list) and _is_text(facts.items):
            for index, item in enumerate(value):
                self._quotes(item, (*path, index))

    def _quotes(self, value: Any, path: Path) -> None:
        if isinstance(value, bool | int | float):
            raw = self._problems.raw(path)
            text = java_text(value)
            if raw is not None and raw != text:
                self._problems.warning(
                    "quotes", f"`{raw}` is read as `{text}`; quote it to keep the text", path
                )

    def _scalar(self, value: Any, facts: Facts, path: Path) -> Any:
        if facts.format == "duration" and not isinstance(value, str):
            self._dynamic(value, facts, path)
        try:
            read = read_scalar(value, facts)
        except Misfit as misfit:
            hint = nearest(str(value), facts.enum) if facts.enum is not None else None
            self._problems.error("value", str(misfit), path, suggestion=hint)
            return None
        if facts.type == "string" and facts.format is None:
            self._quotes(value, path)
        if read is not None:
            self._constraints(read, facts, path)
        return read

    def _constraints(self, value: Any, facts: Facts, path: Path) -> None:
        for message in violations(value, facts):
            self._problems.error("constraint", message, path)

    def _list(self, value: Any, facts: Facts, path: Path, *, scope: Scope) -> Any:
        if not isinstance(value, list):
            self._problems.error("value", f"must be a list, but is {shape_of(value)}", path)
            return None
        if facts.min_items and len(value) < facts.min_items:
            self._problems.error("constraint", facts.message or "must not be empty", path)
        if facts.items is None:
            return value
        items = facts.items
        read = [
            None
            if item is None and items.type == "string"
            else self.value(item, items, (*path, index), scope=scope)
            for index, item in enumerate(value)
        ]
        if items.type in {"object", None}:
            # An entry that could not be read keeps its number, for the places of other problems.
            return [{} if item is None else item for item in read]
        return [item for item in read if item is not None]

    def _map(self, value: Any, facts: Facts, path: Path, *, scope: Scope) -> Any:
        if not isinstance(value, Mapping):
            self._problems.error("value", f"must be a map, but is {shape_of(value)}", path)
            return None
        if facts.properties is not None:
            return self.object(value, facts, path, scope=scope, is_part=self._depth > 0)
        if facts.min_properties and len(value) < facts.min_properties:
            self._problems.error("constraint", "must not be empty", path)
        if facts.values is None:
            return value
        values = facts.values
        return {
            key: self.value(item, values, (*path, key), scope=scope)
            for key, item in value.items()
            if item is not None
        }

    def _any_of(self, value: Any, facts: Facts, path: Path, *, scope: Scope) -> Any:
        options = [_referred(each, scope) for each in facts.any_of or ()]
        chosen = _choose(value, options)
        if isinstance(chosen, Facts):
            return self.value(value, chosen, path, scope=scope)
        if chosen is not None:
            self._problems.error("unknown-type", chosen, (*path, "type"))
            return None
        return value

    def _variant(
        self, value: Any, variants: Mapping[str, Facts], path: Path, *, scope: Scope
    ) -> Any:
        """An object whose `type` is no plugin: a retry, an input, an SLA."""
        type_name = value.get("type") if isinstance(value, Mapping) else None
        facts = variants.get(type_name) if isinstance(type_name, str) else None
        if facts is None or not isinstance(value, Mapping):
            shown = "null" if type_name is None else java_text(type_name)
            self._problems.error(
                "unknown-type",
                f"Invalid type: {shown}",
                (*path, "type") if isinstance(value, Mapping) else path,
                suggestion=nearest(shown, variants) or f"one of {', '.join(variants)}",
            )
            return None
        if facts.deprecated:
            self._problems.deprecated(f"the type {type_name} is deprecated", path)
        inner = Scope(f"{scope.owner}, type {type_name}", scope.definitions)
        return self.object(value, facts, path, scope=inner)


def _is_text(facts: Facts | None) -> bool:
    return facts is not None and facts.type == "string" and facts.enum is None


def violations(value: Any, facts: Facts) -> list[str]:
    """The bounds and patterns that a value breaks, in the original's words."""
    found: list[str] = []
    if isinstance(value, str):
        low, high = facts.min_length or 0, facts.max_length
        if facts.pattern is not None and not _pattern(facts.pattern).fullmatch(value):
            found.append(f'must match "{_shown_pattern(facts.pattern)}"')
        if len(value) < low or (high is not None and len(value) > high):
            found.append(f"size must be between {low} and {2**31 - 1 if high is None else high}")
        return found
    if isinstance(value, bool) or not isinstance(value, int | float):
        return found
    if facts.minimum is not None and value < facts.minimum:
        found.append(f"must be greater than or equal to {facts.minimum:g}")
    if facts.exclusive_minimum is not None and value <= facts.exclusive_minimum:
        found.append(f"must be greater than {facts.exclusive_minimum:g}")
    if facts.maximum is not None and value > facts.maximum:
        found.append(f"must be less than or equal to {facts.maximum:g}")
    return found


@lru_cache(maxsize=128)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(_shown_pattern(text), re.ASCII)


def _shown_pattern(text: str) -> str:
    return text.removesuffix("$")


def _referred(facts: Facts, scope: Scope) -> Facts:
    if facts.ref is None:
        return facts
    found = scope.definitions.get(facts.ref)
    if found is None:
        return Facts()
    if found.type is None and found.properties is not None:
        found = msgspec.structs.replace(found, type="object")
    return found


def _choose(value: Any, options: list[Facts]) -> Facts | str | None:
    """The alternative that a value is meant to be; a text when its `type` fits none; None when all is free."""
    if isinstance(value, list):
        return next((each for each in options if each.type == "array"), None)
    if not isinstance(value, Mapping):
        return next(
            (each for each in options if each.type not in {"array", "object", None}), None
        ) or next((each for each in options if each.type is not None), None)
    objects = [each for each in options if each.type == "object" or each.plugin_kind]
    constants = {
        each.properties["type"].const or "": each
        for each in objects
        if each.properties and "type" in each.properties and each.properties["type"].const
    }
    if constants and len(constants) == len(objects):
        type_name = value.get("type")
        shown = "null" if type_name is None else java_text(type_name)
        return constants.get(shown) or f"Invalid type: {shown}"
    return objects[0] if objects else None
