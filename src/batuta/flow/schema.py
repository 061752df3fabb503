"""JSON Schemas of flows, tasks and triggers for editors (03 §16)."""

from typing import Any

from batuta.flow.definition import Flow, PluginDefault
from batuta.sdk.facts import object_facts
from batuta.sdk.registry import Registry
from batuta.sdk.schema import Combined

FLOW = "io.kestra.core.models.flows.Flow"
_ROOTS = {
    "flow": FLOW,
    "task": "any.task",
    "trigger": "any.trigger",
    "plugindefault": "io.kestra.core.models.flows.PluginDefault",
}
SCHEMA_TYPES = tuple(_ROOTS)


def json_schema(kind: str, registry: Registry, *, array: bool = False) -> dict[str, Any]:
    """The schema of `flow`, `task`, `trigger` or `plugindefault`, in any case. Raises `KeyError`.

    Everything that the reader accepts fits; making it takes a moment, so keep the result.
    """
    root = _ROOTS[kind.lower()]
    schema = Combined(registry).schema(
        root, {FLOW: object_facts(Flow), _ROOTS["plugindefault"]: object_facts(PluginDefault)}
    )
    # Read and ignored with a warning (01 §1.1): a catalogue block of blueprints, the old name of plugin defaults.
    schema["definitions"][FLOW]["properties"] |= {
        name: {"deprecated": True} for name in ("extend", "taskDefaults")
    }
    if array:
        reference = schema.pop("$ref")
        return {**schema, "type": "array", "items": {"$ref": reference}}
    return schema
