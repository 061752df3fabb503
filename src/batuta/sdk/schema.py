"""JSON Schemas of types, made from their facts (03 §6.14, §16)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.sdk.definition import Plugin, TaskBase, Trigger
from batuta.sdk.errors import PluginError
from batuta.sdk.facts import Facts, TypeFacts, properties_of
from batuta.sdk.registry import Registry

DRAFT = "http://json-schema.org/draft-07/schema#"
DOCUMENT_DRAFT = "https://json-schema.org/draft/2019-09/schema"
_ANY_VALUE = ["string", "number", "boolean", "array", "object"]
_FORMATS = {"partial-time": "time"}
_BASES: Mapping[str, type[Plugin]] = {"task": TaskBase, "trigger": Trigger}
_KINDS = ("task", "trigger", "condition", "taskRunner")

Schema = dict[str, Any]


def document(name: str, facts: TypeFacts, *, title: str | None = None) -> Schema:
    """The schema part of a type's documentation: properties, outputs and definitions apart."""
    properties = {key: value for key, value in facts.properties.items() if key != "type"}
    body: Schema = {
        "$schema": DOCUMENT_DRAFT,
        "type": "object",
        "title": title or summary(facts) or name.rpartition(".")[2],
        **_object(properties, documented=True, package=""),
    }
    if facts.deprecated:
        body["$deprecated"] = True
    outputs = {key: _schema(each, package="") for key, each in facts.outputs.items()}
    return {
        "properties": body,
        "outputs": {"type": "object", "properties": outputs},
        "definitions": {key: _schema(each, package="") for key, each in facts.definitions.items()},
    }


def summary(facts: TypeFacts) -> str | None:
    """The first line of a type's description."""
    return facts.description.strip().partition("\n")[0] if facts.description else None


class Combined:
    """Draft-07 schemas in which every known type is a definition; what an editor is given."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def schema(self, root: str, own: Mapping[str, Facts]) -> Schema:
        """A schema whose root is the definition `root`; `own` are definitions besides those of the types."""
        definitions: Schema = {name: _schema(facts, package=root) for name, facts in own.items()}
        by_kind: dict[str, list[str]] = {kind: [] for kind in _KINDS}
        packages: dict[str, Mapping[str, Facts]] = {}
        for name in self._registry.known():
            try:
                facts = self._registry.facts(name)
            except PluginError:
                continue
            if facts.internal or "$" in name:
                continue
            # All types of a catalogue group share one map of definitions.
            package = next(
                (known for known, inner in packages.items() if inner is facts.definitions),
                _package(name),
            )
            if facts.definitions:
                packages.setdefault(package, facts.definitions)
            definitions[name] = self._type(name, facts, package)
            by_kind.setdefault(facts.kind, []).append(name)
        for package, inner in packages.items():
            for key, each in inner.items():
                definitions[f"{package}:{key}"] = _schema(each, package=package)
        for kind in _BASES:
            for key, each in _shared(kind).items():
                definitions[_shared_name(kind, key)] = _property(each, kind)
        for kind, names in by_kind.items():
            definitions[_any_of_kind(kind)] = {"anyOf": [_reference(name) for name in names]}
        return {"$schema": DRAFT, "$ref": f"#/definitions/{root}", "definitions": definitions}

    def _type(self, name: str, facts: TypeFacts, package: str) -> Schema:
        names = [name, *self._registry.aliases_of(name)]
        properties = {key: value for key, value in facts.properties.items() if key != "type"}
        shared = _shared(facts.kind)
        body = _object(
            {key: each for key, each in properties.items() if shared.get(key) != each},
            documented=False,
            package=package,
        )
        for key, each in shared.items():
            if properties.get(key) == each:
                body["properties"][key] = _reference(_shared_name(facts.kind, key))
        body["properties"]["type"] = {"const": name} if len(names) == 1 else {"enum": names}
        for old, new in facts.renamed.items():
            body["properties"][old] = body["properties"][new]
        # Plugin defaults may supply what a type requires (01 §1.5).
        body["required"] = ["type"]
        text = summary(facts)
        return {
            "type": "object",
            **({"title": text} if text else {}),
            **({"deprecated": True} if facts.deprecated else {}),
            **body,
            "additionalProperties": False,
        }


def _shared(kind: str) -> Mapping[str, Facts]:
    """Properties that most types of a kind have."""
    base = _BASES.get(kind)
    return {} if base is None else properties_of(base)


def _shared_name(kind: str, key: str) -> str:
    return f"any.{kind}.{key}"


def _package(name: str) -> str:
    """Catalogue definitions belong to the group of a type."""
    return ".".join(name.split(".")[:4])


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _any_of_kind(kind: str) -> str:
    return f"any.{kind}"


def _object(properties: Mapping[str, Facts], *, documented: bool, package: str) -> Schema:
    body: Schema = {
        "properties": {
            name: _documented(facts) if documented else _property(facts, package)
            for name, facts in properties.items()
        }
    }
    required = [
        name
        for name, facts in properties.items()
        if facts.required and facts.default is msgspec.UNSET
    ]
    if required:
        body["required"] = required
    return body


def _documented(facts: Facts) -> Schema:
    """As the original's documentation has it: the type of the value, and flags that start with `$`."""
    schema = {**_schema(facts, package=""), "$required": facts.required}
    for flag, word in (
        (facts.dynamic, "$dynamic"),
        (facts.deprecated, "$deprecated"),
        (facts.beta, "$beta"),
        (facts.internal_storage_uri, "$internalStorageURI"),
    ):
        if flag:
            schema[word] = True
    if facts.description:
        schema["title"] = facts.description
    return schema


def _property(facts: Facts, package: str) -> Schema:
    """Lenient where the reader is: an expression may stand for any dynamic value, a number for a text."""
    schema = _schema(facts, package=package)
    if facts.dynamic:
        schema = {"anyOf": [schema, {"type": _ANY_VALUE}]}
    elif facts.type == "string" and facts.enum is None and facts.format is None:
        schema = {**schema, "type": ["string", "number", "boolean"]}
    elif facts.type in {"integer", "number", "boolean"} or facts.format is not None:
        schema = {"anyOf": [schema, {"type": ["string", "number", "boolean"]}]}
    if facts.description:
        schema["description"] = facts.description
    if facts.deprecated:
        schema["deprecated"] = True
    return {"anyOf": [schema, {"type": "null"}]} if not facts.required else schema


def _schema(facts: Facts, *, package: str) -> Schema:
    """The value itself."""
    special = _special(facts, package)
    if special is not None:
        return special
    schema: Schema = {}
    if facts.type is not None:
        schema["type"] = facts.type
    for name, value in (
        ("format", _FORMATS.get(facts.format or "", facts.format)),
        ("const", facts.const),
        ("enum", None if facts.enum is None else list(facts.enum)),
        ("minimum", facts.minimum),
        ("maximum", facts.maximum),
        ("exclusiveMinimum", facts.exclusive_minimum),
        ("minLength", facts.min_length),
        ("maxLength", facts.max_length),
        ("minItems", facts.min_items),
        ("pattern", None if facts.pattern is None else f"{facts.pattern.removesuffix('$')}$"),
    ):
        if value is not None:
            schema[name] = value
    if facts.default is not msgspec.UNSET:
        schema["default"] = facts.default
    if facts.items is not None:
        schema["items"] = _property_of(facts.items, package)
    if facts.values is not None:
        schema["additionalProperties"] = _property_of(facts.values, package)
    if facts.properties is not None:
        schema |= {"type": "object", **_object(facts.properties, documented=False, package=package)}
        for old, new in (facts.renamed or {}).items():
            schema["properties"][old] = schema["properties"][new]
        schema["additionalProperties"] = False
    return schema


def _property_of(facts: Facts, package: str) -> Schema:
    return _property(msgspec.structs.replace(facts, required=True), package)


def _special(facts: Facts, package: str) -> Schema | None:
    if facts.plugin_kind is not None:
        return _reference(_any_of_kind(facts.plugin_kind)) if package else {"type": "object"}
    if facts.types is not None:
        return {"anyOf": [_reference(name) for name in facts.types]}
    if facts.ref is not None:
        return _reference(f"{package}:{facts.ref}" if package else facts.ref)
    if facts.any_of is not None:
        return {"anyOf": [_property_of(each, package) for each in facts.any_of]}
    if facts.variants is not None:
        return {"anyOf": [_variant(name, each, package) for name, each in facts.variants.items()]}
    return None


def _variant(name: str, facts: Facts, package: str) -> Schema:
    schema = _schema(facts, package=package)
    schema["properties"] = {**schema["properties"], "type": {"const": name}}
    return schema
