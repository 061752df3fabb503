"""The documentation of one type as the API gives it (03 §6.14). Pure."""

import inspect
from typing import Any

from msgspec.structs import replace

from batuta.sdk.definition import Condition, Plugin, TaskBase, TaskRunner, Trigger
from batuta.sdk.facts import Facts, TypeFacts, object_facts, properties_of
from batuta.sdk.input import Input, InputType
from batuta.sdk.registry import Registry
from batuta.sdk.schema import document, summary

INPUT_PACKAGE = "io.kestra.core.models.flows.input"
_BASES: dict[str, type[Plugin]] = {
    "task": TaskBase,
    "trigger": Trigger,
    "condition": Condition,
    "taskRunner": TaskRunner,
}


def type_document(name: str, registry: Registry, *, everything: bool) -> dict[str, Any]:
    """`everything`: with the properties that all types of the kind have. `name` is canonical and known."""
    facts = registry.facts(name)
    shown = facts if everything else _own(facts)
    return {"markdown": _markdown(name, facts), "schema": document(name, shown)}


def input_document(kind: InputType) -> dict[str, Any]:
    variants = object_facts(Input).variants or {}
    found = variants[kind.value]
    facts = TypeFacts(kind="input", properties=found.properties or {}, deprecated=found.deprecated)
    name = input_class(kind)
    title = f"{kind.value} input"
    return {
        "markdown": _markdown(name, facts, title=title),
        "schema": document(name, facts, title=title),
    }


def input_class(kind: InputType) -> str:
    """`DATETIME` gives `…DateTimeInput`."""
    special = {"DATETIME": "DateTime", "MULTISELECT": "Multiselect", "URI": "URI", "JSON": "Json"}
    return f"{INPUT_PACKAGE}.{special.get(kind.value, kind.value.capitalize())}Input"


def _own(facts: TypeFacts) -> TypeFacts:
    base = _BASES.get(facts.kind)
    shared = {} if base is None else properties_of(base)
    own = {key: each for key, each in facts.properties.items() if shared.get(key) != each}
    return replace(facts, properties=own)


def _markdown(name: str, facts: TypeFacts, *, title: str | None = None) -> str:
    short = name.rpartition(".")[2]
    lines = ["---", f"title: {short}", "---", "", f"# {short}", ""]
    text = inspect.cleandoc(facts.description) if facts.description else title or summary(facts)
    if text:
        lines += [text, ""]
    if facts.kind != "input":
        lines += ["```yaml", f'type: "{name}"', "```", ""]
    if not facts.installed:
        lines += ["Known to Kestra, not available in this installation.", ""]
    if facts.aliases:
        lines += [f"Older names: {', '.join(f'`{alias}`' for alias in facts.aliases)}", ""]
    if facts.properties:
        lines += ["## Properties", ""]
        lines += [_line(key, each) for key, each in facts.properties.items() if key != "type"]
    if facts.outputs:
        lines += ["", "## Outputs", ""]
        lines += [_line(key, each) for key, each in facts.outputs.items()]
    return "\n".join(lines) + "\n"


def _line(name: str, facts: Facts) -> str:
    words = [facts.format or facts.type or facts.plugin_kind or "any"]
    words += [
        word
        for flag, word in ((facts.required, "required"), (facts.deprecated, "deprecated"))
        if flag
    ]
    text = f": {' '.join(facts.description.split())}" if facts.description else ""
    return f"- `{name}` ({', '.join(words)}){text}"
