"""Every core type against the reference of Kestra: names, required, defaults, dynamic, deprecated, outputs.

What differs on purpose stands in `DIFFERENT`, with the reason.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, get_args, get_type_hints

import pytest

from batuta.plugins.core.execution.count import CountedFlow
from batuta.plugins.core.http.options import (
    AuthOptions,
    HttpOptions,
    ProxyOptions,
    SslOptions,
    TimeoutOptions,
)
from batuta.plugins.core.kv.purge import Behavior
from batuta.plugins.core.metric import Metric
from batuta.plugins.core.trigger.flow import ExecutionFilter, Filter, Preconditions, UpstreamFlow
from batuta.plugins.core.trigger.window import TimeWindow
from batuta.sdk import Definition, Output, Registry, Task
from batuta.sdk.facts import UNSET, Facts, TypeFacts, object_facts
from batuta.sdk.files import NamespaceFiles
from tests.paths import SHARED

REFERENCE = SHARED / "reference/plugins/core.json"
CORE = "io.kestra.plugin.core"
LATER = (".dashboard.", ".http.Trigger", ".ScheduleOnDates", "LocalStorage")
"""Types that other parts of the product bring: known to validation, not run."""
INTERNAL = ("$ForEachItemExecutable", "$ForEachItemSplit", "$ExecutorTemplate")
"""Parts of the original's engine, which no author writes."""
NESTED = "an object that has defaults of its own"

DIFFERENT: Mapping[tuple[str, str, str], str] = {
    ("condition.MultipleCondition", "timeWindow", "default"): NESTED,
    ("execution.Exit", "state", "enum"): "CANCELLED is accepted, too (05 §13.4)",
    ("flow.ForEachItem", "batch", "default"): NESTED,
    ("flow.LoopUntil", "checkFrequency", "default"): NESTED,
    ("flow.Subflow", "revision", "dynamic"): "a whole number is no expression",
    (
        "flow.Subflow",
        "",
        "aliases",
    ): "the name of the configuration key (05 §14.2) is an alias, too",
    ("http.Download", "options", "default"): NESTED,
    ("http.Request", "options", "default"): NESTED,
    ("kv.PurgeKV", "behavior", "default"): NESTED,
    ("metric.Publish", "metrics", "default"): "an empty list is none",
    ("namespace.UploadFiles", "files", "default"): "an empty list is none",
    ("namespace.DeleteFiles", "", "outputs"): "never filled in the original (05 §12.3)",
    ("namespace.UploadFiles", "", "outputs"): "never filled in the original (05 §12.1)",
    ("output.OutputValues", "values", "default"): "an empty map is none",
    (
        "storage.Split",
        "separator",
        "default",
    ): "a line break; the reference spells it with a backslash",
    ("trigger.Flow", "inputs", "dynamic"): "templates over the other execution (04 §10.3)",
    ("trigger.Schedule", "recoverMissedSchedules", "enum"): "in another order",
}


@lru_cache
def reference() -> Mapping[str, Any]:
    return json.loads(REFERENCE.read_text()) if REFERENCE.exists() else {"types": {}, "base": {}}


@lru_cache
def registry() -> Registry:
    return Registry.installed()


def ours() -> list[str]:
    """The types of the reference that are ours to run."""
    return [
        name
        for name in reference()["types"]
        if not name.endswith(INTERNAL) and not any(part in name for part in LATER)
    ]


@pytest.mark.parametrize("name", ours() or [None])
def test_type_is_that_of_the_reference(name: str | None) -> None:
    if name is None:
        pytest.skip("the reference is not on this machine")
    short = name.removeprefix(f"{CORE}.")
    found = {(short, place, what) for place, what in differences(name)}
    expected = {key for key in DIFFERENT if key[0] == short}
    assert found == expected


NESTED_TYPES: Mapping[str, tuple[type[Definition], str | None]] = {
    "io.kestra.core.http.client.configurations.HttpConfiguration": (HttpOptions, None),
    "io.kestra.core.http.client.configurations.TimeoutConfiguration": (TimeoutOptions, None),
    "io.kestra.core.http.client.configurations.ProxyConfiguration": (ProxyOptions, None),
    "io.kestra.core.http.client.configurations.SslOptions": (SslOptions, None),
    "io.kestra.core.http.client.configurations.BasicAuthConfiguration": (AuthOptions, "BASIC"),
    "io.kestra.core.http.client.configurations.BearerAuthConfiguration": (AuthOptions, "BEARER"),
    f"{CORE}.trigger.Flow-Preconditions": (Preconditions, None),
    f"{CORE}.trigger.Flow-UpstreamFlow": (UpstreamFlow, None),
    f"{CORE}.trigger.Flow-ExecutionFilter": (ExecutionFilter, None),
    f"{CORE}.trigger.Flow-Filter": (Filter, None),
    "io.kestra.core.models.triggers.TimeWindow": (TimeWindow, None),
    f"{CORE}.kv.Key": (Behavior, "key"),
    f"{CORE}.kv.Version": (Behavior, "version"),
    "io.kestra.core.models.tasks.metrics.CounterMetric": (Metric, "counter"),
    "io.kestra.core.models.tasks.metrics.GaugeMetric": (Metric, "gauge"),
    "io.kestra.core.models.tasks.metrics.TimerMetric": (Metric, "timer"),
    "io.kestra.core.models.executions.statistics.Flow": (CountedFlow, None),
    "io.kestra.core.models.tasks.NamespaceFiles": (NamespaceFiles, None),
}
NESTED_DIFFERENT = {
    ("HttpConfiguration", "logs", "default"): "an empty list is none",
    ("Flow-Preconditions", "timeWindow", "default"): NESTED,
    ("Key", "expiredOnly", "dynamic"): "expressions are taken inside the object, too",
    ("Version", "before", "dynamic"): "expressions are taken inside the object, too",
    ("Version", "keepAmount", "dynamic"): "expressions are taken inside the object, too",
}


@pytest.mark.parametrize("name", NESTED_TYPES)
def test_nested_object_is_that_of_the_reference(name: str) -> None:
    theirs = reference().get("definitions", {}).get(name)
    if theirs is None:
        pytest.skip("the reference is not on this machine")
    kind, variant = NESTED_TYPES[name]
    ours = object_facts(kind)
    properties = (ours if variant is None else (ours.variants or {})[variant]).properties or {}
    short = name.rpartition(".")[2]
    found = {
        (short, key, what)
        for key, wanted in theirs["properties"].items()
        for what in _of_property(properties[key], wanted)
        if (key, what) != ("type", "enum")
    }
    assert properties.keys() == theirs["properties"].keys()
    assert found == {key for key in NESTED_DIFFERENT if key[0] == short}


@pytest.mark.parametrize("part", LATER)
def test_types_of_later_are_known(part: str) -> None:
    names = [name for name in reference()["types"] if part in name]
    if not names:
        pytest.skip("the reference is not on this machine")
    assert all(registry().knows(name) for name in names)


def differences(name: str) -> Iterator[tuple[str, str]]:
    """Property (empty for the type itself) and what is different about it."""
    theirs = reference()["types"][name]
    facts = registry().facts(name)
    yield from _of_type(name, facts, theirs)
    for key, wanted in theirs["properties"].items():
        given = facts.properties.get(key)
        if given is None:
            yield key, "missing"
        else:
            yield from ((key, what) for what in _of_property(given, wanted))
    base = reference()["base"].get(theirs["kind"], {})
    known = theirs["properties"].keys() | base.keys() | {"type", "version", "allowConcurrent"}
    if "$" not in name:
        yield from ((key, "unknown") for key in facts.properties.keys() - known)


def _of_type(name: str, facts: TypeFacts, theirs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    same = {
        "kind": facts.kind == theirs["kind"],
        "deprecated": facts.deprecated == theirs.get("deprecated", False),
        "aliases": set(registry().aliases_of(name)) == set(theirs.get("aliases", ())),
        "outputs": _outputs(name) in (None, set(theirs.get("outputs", ()))),
    }
    yield from (("", what) for what, holds in same.items() if not holds)


def _of_property(given: Facts, wanted: Mapping[str, Any]) -> Iterator[str]:
    default = None if given.default is UNSET else given.default
    same = {
        "required": given.required == wanted.get("required", False),
        "dynamic": given.dynamic == wanted.get("dynamic", False) or _is_object(given, wanted),
        "deprecated": given.deprecated == wanted.get("deprecated", False),
        "default": default == wanted.get("default"),
        "enum": list(given.enum or ()) == wanted.get("enum", []),
    }
    yield from (what for what, holds in same.items() if not holds)


def _is_object(given: Facts, wanted: Mapping[str, Any]) -> bool:
    return given.type == "object" and wanted.get("type") is None


def _outputs(name: str) -> set[str] | None:
    """The fields that `run` gives back; None for what is no runnable task."""
    kind = registry().get(name)
    if not issubclass(kind, Task) or "$" in name:
        return None
    made = get_type_hints(kind.run)["return"]
    if made is Any:
        return set()
    return {
        field
        for each in (get_args(made) or (made,))
        if isinstance(each, type) and issubclass(each, Output)
        for field in each.__struct_encode_fields__
    }
