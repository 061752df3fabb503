"""Types that run here are compared with the recorded facts, property by property."""

from collections.abc import Iterator, Mapping

import pytest

from batuta.plugins.core import CATALOGUE
from batuta.sdk import Registry
from batuta.sdk.catalogue import Catalogue
from batuta.sdk.facts import Facts, TypeFacts

REGISTRY = Registry.installed()
RECORDED = Catalogue(CATALOGUE)
PREFIX = "io.kestra.plugin."

COMPARED = ("type", "format", "enum", "required", "dynamic", "deprecated", "minimum", "plugin_kind")
NOT_COMPARED = frozenset({"id", "type", "version"})

DIFFERENCES: Mapping[str, str] = {
    "core.condition.TimeBetween.after": "a text, checked when the condition is tested",
    "core.condition.TimeBetween.before": "a text, checked when the condition is tested",
    "core.execution.Exit.state": "both spellings of CANCELLED (01 §6.17)",
    "core.flow.ForEachItem$ForEachItemMergeOutputs": "internal: no author writes it",
    "core.flow.ForEachItem$ForEachItemSplit": "internal: no author writes it",
    "core.flow.Subflow aliases": "flow.Flow is an alias too (01 §6.13)",
    "core.flow.Subflow.revision": "the original refuses an expression (recorded: subflow-revision-text)",
    "core.trigger.Flow.inputs": "templates over the other execution (04 §10.1)",
    "scripts.runner.docker.Docker.credentials": "a map whose parts are dynamic",
}
"""Where a class says otherwise than the record, and why."""


def _comparable(facts: Facts, name: str) -> object:
    value = getattr(facts, name)
    return frozenset(value) if name == "enum" and value else value


def _differences(name: str, ours: TypeFacts, recorded: TypeFacts) -> Iterator[str]:
    short = name.removeprefix(PREFIX)
    if ours.deprecated != recorded.deprecated:
        yield f"{short} deprecated"
    if set(ours.aliases) != set(recorded.aliases):
        yield f"{short} aliases"
    names = (set(ours.properties) | set(recorded.properties)) - NOT_COMPARED
    for key in sorted(names):
        mine, theirs = ours.properties.get(key), recorded.properties.get(key)
        place = f"{short}.{key}"
        if mine is None or theirs is None:
            yield place
            continue
        free = mine.type is None or theirs.type is None or mine.any_of or theirs.any_of
        compared = [each for each in COMPARED if each != "type" or not free]
        if any(_comparable(mine, each) != _comparable(theirs, each) for each in compared):
            yield place


@pytest.mark.parametrize("name", [each for each in REGISTRY if each in RECORDED])
def test_a_type_has_the_recorded_properties_or_a_reason(name: str) -> None:
    found = _differences(name, REGISTRY.facts(name), RECORDED.facts(name))
    unexplained = [
        each
        for each in found
        if each not in DIFFERENCES and each.rpartition(".")[0] not in DIFFERENCES
    ]
    assert unexplained == []


def test_every_listed_difference_is_still_there() -> None:
    found = {
        each
        for name in REGISTRY
        if name in RECORDED
        for each in _differences(name, REGISTRY.facts(name), RECORDED.facts(name))
    }
    found |= {each.rpartition(".")[0] for each in found}
    assert set(DIFFERENCES) <= found
