"""JSON Schemas made from facts."""

import json
from functools import lru_cache
from typing import Any

import pytest

from batuta.flow.read import read_flow
from batuta.flow.schema import SCHEMA_TYPES, json_schema
from batuta.sdk import Registry
from batuta.sdk.schema import document
from tests.paths import SHARED

REGISTRY = Registry.installed()
EXAMPLES = SHARED / "examples"


@lru_cache(maxsize=1)
def _flow_schema() -> dict[str, Any]:
    return json_schema("flow", REGISTRY)


def _references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(_references(item) for item in value.values()))
    return set().union(*(_references(item) for item in value)) if isinstance(value, list) else set()


def test_every_reference_of_the_flow_schema_is_defined() -> None:
    schema = _flow_schema()
    known = {f"#/definitions/{name}" for name in schema["definitions"]}
    assert _references(schema) <= known


def test_the_flow_schema_knows_installed_and_catalogue_types() -> None:
    definitions = _flow_schema()["definitions"]
    call = definitions["io.kestra.plugin.core.flow.Subflow"]
    assert "io.kestra.plugin.core.flow.Flow" in call["properties"]["type"]["enum"]
    assert call["additionalProperties"] is False
    assert "io.kestra.plugin.gcp.bigquery.Query" in definitions


@pytest.mark.parametrize("kind", SCHEMA_TYPES)
def test_each_schema_has_the_shape_of_the_api(kind: str) -> None:
    schema = json_schema(kind.upper(), REGISTRY)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["$ref"].removeprefix("#/definitions/") in schema["definitions"]


def test_a_schema_can_be_asked_for_as_a_list() -> None:
    schema = json_schema("task", REGISTRY, array=True)
    assert (schema["type"], schema["items"]) == ("array", {"$ref": "#/definitions/any.task"})


def test_a_type_is_documented_with_the_flags_of_the_original() -> None:
    found = document("x", REGISTRY.facts("io.kestra.plugin.core.flow.Pause"))
    properties = found["properties"]["properties"]
    assert "type" not in properties
    assert properties["behavior"]["enum"] == ["RESUME", "WARN", "CANCEL", "FAIL"]
    assert properties["behavior"]["$dynamic"] is True
    assert properties["delay"]["$deprecated"] is True
    assert properties["id"]["$required"] is True
    assert found["properties"]["title"].startswith("Stop the execution")


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="needs the example flows")
def test_example_flows_that_are_valid_here_fit_the_schema() -> None:
    validators = pytest.importorskip("jsonschema_rs", reason="needs a JSON-Schema validator")
    validator = validators.Draft7Validator(_flow_schema())
    verdicts = json.loads((SHARED / "reference" / "validation-examples.json").read_text())
    wrong = {}
    for name in verdicts:
        reading = read_flow((EXAMPLES / name).read_text(), REGISTRY)
        if reading.flow is None or reading.tree is None:
            continue
        errors = [error.message for error in validator.iter_errors(reading.tree.value)]
        if errors:
            wrong[name] = errors
    assert wrong == {}
