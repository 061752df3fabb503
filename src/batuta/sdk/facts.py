"""What is known of a property or type as data: for checking sources, for documentation and for JSON Schemas.

Facts of an installed type come from its class (`facts_of`); those of types that Kestra knows and this installation does
not run come from a catalogue file (`batuta.sdk.catalogue`). Both have the same shape, so there is one checker.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from enum import Enum, StrEnum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from batuta.sdk.definition import (
    Condition,
    ControlTask,
    Definition,
    Deprecated,
    Format,
    Plugin,
    Task,
    TaskBase,
    TaskRunner,
    Trigger,
    Variant,
)
from batuta.sdk.property import Dynamic
from batuta.sdk.types import read_duration

UNSET = msgspec.UNSET


class Facts(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    rename="camel",
):
    """One property. Without `type`, `any_of`, `ref`, `plugin_kind` or `variants` anything fits."""

    type: str | None = None
    """`string`, `integer`, `number`, `boolean`, `array` or `object`."""
    format: str | None = None
    """`duration`, `date-time`, `date`, `time`, `partial-time` or `uri`."""
    enum: tuple[str, ...] | None = None
    const: str | None = None
    default: Any = UNSET
    required: bool = False
    dynamic: bool = False
    """A rendered expression is accepted, so any literal parses."""
    deprecated: bool = False
    beta: bool = False
    description: str | None = None
    items: "Facts | None" = None
    values: "Facts | None" = None
    properties: Mapping[str, "Facts"] | None = None
    renamed: Mapping[str, str] | None = None
    """Older names of properties and what they stand for."""
    variants: Mapping[str, "Facts"] | None = None
    """What an object holds, by its `type`."""
    any_of: tuple["Facts", ...] | None = None
    ref: str | None = None
    """Name of a definition in the same catalogue."""
    types: tuple[str, ...] | None = None
    plugin_kind: str | None = None
    internal_storage_uri: bool = msgspec.field(default=False, name="internalStorageURI")
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    min_properties: int | None = None
    pattern: str | None = None
    message: str | None = None
    """Said instead of the usual text when the value is missing or empty."""


class TypeFacts(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, repr_omit_defaults=True
):
    """A plugin type."""

    kind: str
    """`task`, `trigger`, `condition`, `taskRunner`, or another kind of the catalogue."""
    properties: Mapping[str, Facts] = {}
    roles: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    deprecated: bool = False
    internal: bool = False
    description: str | None = None
    outputs: Mapping[str, Facts] = {}
    renamed: Mapping[str, str] = {}
    definitions: Mapping[str, Facts] = {}
    """What `ref` names."""
    installed: bool = True

    @property
    def is_flowable(self) -> bool:
        return "flowable" in self.roles


class Kind(StrEnum):
    TASK = "task"
    TRIGGER = "trigger"
    CONDITION = "condition"
    TASK_RUNNER = "taskRunner"
    OTHER = "additional"


_KINDS: tuple[tuple[type[Plugin], Kind], ...] = (
    (TaskBase, Kind.TASK),
    (Trigger, Kind.TRIGGER),
    (Condition, Kind.CONDITION),
    (TaskRunner, Kind.TASK_RUNNER),
)


def kind_of(plugin: type[Plugin]) -> Kind:
    return next((kind for base, kind in _KINDS if issubclass(plugin, base)), Kind.OTHER)


@lru_cache(maxsize=2048)
def facts_of(plugin: type[Plugin]) -> TypeFacts:
    """The facts of an installed type, from its class."""
    return TypeFacts(
        kind=kind_of(plugin),
        properties=properties_of(plugin),
        roles=_roles(plugin),
        aliases=plugin.ALIASES,
        deprecated=plugin.DEPRECATED,
        description=plugin.__doc__,
        renamed=plugin.RENAMED,
    )


def _roles(plugin: type[Plugin]) -> tuple[str, ...]:
    if issubclass(plugin, ControlTask):
        return (plugin.ROLE,)
    return ("runnable",) if issubclass(plugin, Task) else ()


@lru_cache(maxsize=2048)
def properties_of(definition: type[Definition]) -> Mapping[str, Facts]:
    """The facts of every property, by its name in the flow."""
    return {
        field.alias or name: _of_field(field) for name, field in definition.model_fields.items()
    }


@lru_cache(maxsize=1024)
def object_facts(definition: type[Definition]) -> Facts:
    """The facts of a nested object."""
    if issubclass(definition, Plugin) and not definition.TYPE:
        return Facts(plugin_kind=kind_of(definition))
    properties = properties_of(definition)
    if not issubclass(definition, Variant):
        return Facts(type="object", properties=properties, renamed=definition.RENAMED or None)
    variants = {
        name: Facts(
            type="object",
            properties=_variant_properties(
                {**properties, **_narrowed(definition.NARROWED.get(name, {}))}, shape
            ),
            renamed=definition.RENAMED or None,
            deprecated=name in definition.DEPRECATED_VARIANTS,
        )
        for name, shape in definition.VARIANTS.items()
    }
    return Facts(type="object", variants=variants)


def _narrowed(annotations: Mapping[str, Any]) -> dict[str, Facts]:
    return {name: _of(annotation) for name, annotation in annotations.items()}


def _variant_properties(
    properties: Mapping[str, Facts], shape: Mapping[str, bool]
) -> Mapping[str, Facts]:
    return {
        name: msgspec.structs.replace(facts, required=shape.get(name, facts.required))
        for name, facts in properties.items()
        if name in shape
    }


def _of_field(field: FieldInfo) -> Facts:
    facts = _of(field.annotation, tuple(field.metadata))
    changes: dict[str, Any] = {}
    if field.is_required():
        changes["required"] = True
    elif field.default is not PydanticUndefined and field.default is not None:
        changes["default"] = _plain(field.default)
    if field.description:
        changes["description"] = field.description
    extra = field.json_schema_extra
    if isinstance(extra, dict):
        changes |= {
            name: extra[name] for name in ("message", "deprecated", "default") if name in extra
        }
    return msgspec.structs.replace(facts, **changes) if changes else facts


def _plain(value: Any) -> Any:
    if isinstance(value, Definition):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


def _of(annotation: Any, metadata: tuple[Any, ...] = ()) -> Facts:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _of(annotation.__origin__, (*metadata, *annotation.__metadata__))
    if origin in {Union, UnionType}:
        facts = _union([option for option in get_args(annotation) if option is not NoneType])
    else:
        facts = _single(annotation, origin)
    changes = _changes(metadata)
    if facts.type == "array" and "min_length" in changes:
        changes["min_items"] = changes.pop("min_length")
    return msgspec.structs.replace(facts, **changes) if changes else facts


def _union(options: list[Any]) -> Facts:
    facts = [_of(option) for option in options]
    if len(facts) == 1:
        return facts[0]
    return Facts(any_of=tuple(facts), dynamic=any(each.dynamic for each in facts))


_SCALARS: Mapping[Any, Facts] = {
    str: Facts(type="string"),
    int: Facts(type="integer"),
    float: Facts(type="number"),
    bool: Facts(type="boolean"),
    timedelta: Facts(type="string", format="duration"),
    datetime: Facts(type="string", format="date-time"),
    date: Facts(type="string", format="date"),
    time: Facts(type="string", format="time"),
}


def _single(annotation: Any, origin: Any) -> Facts:
    arguments = get_args(annotation)
    if origin is Literal:
        return Facts(type="string", enum=tuple(str(option) for option in arguments))
    base = origin or annotation
    if base in _SCALARS:
        return _SCALARS[base]
    return _of_class(base, arguments) if isinstance(base, type) else Facts()


def _of_class(base: type, arguments: tuple[Any, ...]) -> Facts:
    if issubclass(base, Enum):
        return Facts(type="string", enum=tuple(str(option.value) for option in base))
    if issubclass(base, Definition):
        return object_facts(base)
    if issubclass(base, Mapping):
        return Facts(type="object", values=_inner(arguments[1]) if len(arguments) > 1 else None)
    if issubclass(base, list | tuple | set | frozenset):
        return Facts(type="array", items=_inner(arguments[0]) if arguments else None)
    return Facts()


def _inner(annotation: Any) -> Facts | None:
    facts = _of(annotation)
    return None if facts == Facts() else facts


_CONSTRAINTS: Mapping[str, str] = {
    "ge": "minimum",
    "gt": "exclusive_minimum",
    "le": "maximum",
    "min_length": "min_length",
    "max_length": "max_length",
    "pattern": "pattern",
}


def _changes(metadata: tuple[Any, ...]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for meta in metadata:
        if isinstance(meta, Dynamic):
            changes["dynamic"] = True
        elif getattr(meta, "func", None) is read_duration:
            changes |= {"type": "string", "format": "duration"}
        elif isinstance(meta, Format):
            changes["format"] = meta.name
        elif isinstance(meta, Deprecated):
            changes["deprecated"] = True
        elif isinstance(meta, FieldInfo):
            changes |= _changes(tuple(meta.metadata))
        else:
            for name, target in _CONSTRAINTS.items():
                value = getattr(meta, name, None)
                if value is not None:
                    changes[target] = value
    if "pattern" in changes:
        changes["pattern"] = changes["pattern"].removesuffix(r"\Z").removesuffix("$") + "$"
    return changes
