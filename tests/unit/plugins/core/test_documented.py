"""Every property that Kestra documents is declared, with a description; nothing else is."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from batuta.sdk import Registry
from batuta.sdk.catalogue import Catalogue
from batuta.sdk.definition import RESOLVE
from batuta.sdk.facts import facts_of

CATALOGUE = Catalogue("batuta.plugins._generated.catalogue")
REGISTRY = Registry(["batuta.plugins.core", "batuta.plugins.jdbc"])
OURS = frozenset({"type", "version", "allowConcurrent"})
INHERITED = {
    "task": REGISTRY.facts("io.kestra.plugin.core.log.Log").properties.keys()
    - {"message", "level"},
    "trigger": REGISTRY.facts("io.kestra.plugin.core.trigger.Webhook").properties.keys(),
    "condition": frozenset(),
}


def documented() -> Iterator[str]:
    return (name for name in REGISTRY if name in CATALOGUE and ".flow." not in name)


@pytest.mark.parametrize("name", list(documented()))
def test_properties_are_those_of_the_reference(name: str) -> None:
    facts, wanted = facts_of(REGISTRY.get(name)), CATALOGUE.facts(name)
    declared = facts.properties.keys() - OURS
    inherited = INHERITED[facts.kind]
    assert wanted.properties.keys() - inherited - OURS <= declared
    assert declared - inherited <= wanted.properties.keys()
    for key in declared - inherited:
        assert facts.properties[key].required == wanted.properties[key].required, key
        assert facts.properties[key].description, key


@pytest.mark.parametrize("name", list(documented()))
def test_types_are_explained_and_keep_their_old_names(name: str) -> None:
    facts = facts_of(REGISTRY.get(name))
    assert facts.description
    assert "xample" in facts.description
    assert set(facts.aliases) == {
        alias for alias, target in REGISTRY.aliases.items() if target == name
    }
    assert facts.deprecated == CATALOGUE.facts(name).deprecated


EXAMPLE = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize(
    "name", [name for name in documented() if "yaml" in (REGISTRY.get(name).__doc__ or "")]
)
def test_examples_are_valid(name: str) -> None:
    kind = REGISTRY.get(name)
    for text in EXAMPLE.findall(inspect.cleandoc(kind.__doc__ or "")):
        spec = first(yaml.safe_load(text))
        assert spec["type"] == name
        assert kind.model_validate(spec, context={RESOLVE: REGISTRY.get}).type == name


def first(example: Any) -> Any:
    """The task, condition or trigger that an example shows."""
    items = example["triggers"] if isinstance(example, dict) else example
    return items[0]
