"""What a flow must be as a whole, beyond the shape of its parts (01 §1.7)."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from batuta.flow.check import Found
from batuta.flow.labels import check_system_labels
from batuta.flow.literal import is_expression
from batuta.flow.problems import Problems, nearest
from batuta.flow.rule_input import check_inputs
from batuta.flow.rule_retry import check_retry
from batuta.flow.rule_task import TEMPLATE, check_task, heeds_worker_group
from batuta.flow.yaml import Path
from batuta.sdk.errors import PluginError
from batuta.sdk.registry import Registry

RESERVED_IDS = (
    "pause",
    "resume",
    "force-run",
    "change-status",
    "kill",
    "executions",
    "search",
    "source",
    "disable",
    "enable",
)
_CALLS = frozenset({"io.kestra.plugin.core.flow.Subflow", "io.kestra.plugin.core.flow.ForEachItem"})
_FLOW_TRIGGER = "io.kestra.plugin.core.trigger.Flow"


class Offers(msgspec.Struct, frozen=True, kw_only=True):
    """What the installation has to offer that a flow may ask for."""

    groups: frozenset[str] = frozenset()
    """Worker groups that are served."""
    templates: bool = False
    """Whether there may be templates."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A flow under examination: as read (`plain`), as written (`source`), and its plugin objects."""

    plain: Mapping[str, Any]
    source: Mapping[str, Any]
    found: tuple[Found, ...]
    registry: Registry
    exists: Callable[[str, str], bool] | None = None
    offers: Offers = Offers()

    def of_kind(self, kind: str) -> Iterator[Found]:
        return (each for each in self.found if each.facts.kind == kind)


Rule = Callable[[Subject, Problems], None]


def check_rules(subject: Subject, problems: Problems) -> None:
    for rule in _RULES:
        rule(subject, problems)


def _reserved_id(subject: Subject, problems: Problems) -> None:
    name = subject.plain.get("id")
    if name in RESERVED_IDS:
        problems.error(
            "reserved-id",
            f"Flow id is a reserved keyword: {name}. List of reserved keywords: {', '.join(RESERVED_IDS)}",
            ("id",),
        )


def _revision(subject: Subject, problems: Problems) -> None:
    revision = subject.source.get("revision")
    if isinstance(revision, str) and isinstance(subject.plain.get("revision"), int):
        problems.error(
            "value", f"must be a number without quotes, but is `{revision}`", ("revision",)
        )


def _unique_ids(subject: Subject, problems: Problems) -> None:
    _unique(
        [(each.spec.get("id"), each.path) for each in subject.of_kind("task")],
        "Duplicate task id with name",
        problems,
    )
    _unique(
        [(each.spec.get("id"), each.path) for each in subject.of_kind("trigger")],
        "Duplicate trigger id with name",
        problems,
    )
    _unique(_entries(subject, "inputs"), "Duplicate input with name", problems)
    _unique(_entries(subject, "outputs"), "Duplicate output with name", problems)
    preconditions = [
        (each.spec["preconditions"].get("id"), (*each.path, "preconditions"))
        for each in subject.of_kind("trigger")
        if isinstance(each.spec.get("preconditions"), Mapping)
    ]
    _unique(preconditions, "Duplicate preconditions with id", problems)


def _entries(subject: Subject, section: str) -> list[tuple[Any, Path]]:
    entries = subject.plain.get(section)
    return [
        (entry.get("id"), (section, index))
        for index, entry in enumerate(entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping)
    ]


def _unique(named: list[tuple[Any, Path]], message: str, problems: Problems) -> None:
    seen: set[str] = set()
    for name, path in named:
        if not isinstance(name, str):
            continue
        if name in seen:
            problems.error("duplicate-id", f"{message} [{name}]", (*path, "id"))
        seen.add(name)


def _system_labels(subject: Subject, problems: Problems) -> None:
    check_system_labels(subject.source.get("labels"), ("labels",), problems, allow_read_only=True)
    for each in subject.found:
        if each.facts.kind == "trigger" or each.type in _CALLS:
            check_system_labels(each.spec.get("labels"), (*each.path, "labels"), problems)
    for index, sla in enumerate(subject.plain.get("sla") or ()):
        check_system_labels(sla.get("labels"), ("sla", index, "labels"), problems)


def _calls(subject: Subject, problems: Problems) -> None:
    own = (subject.plain.get("namespace"), subject.plain.get("id"))
    for each in subject.found:
        if each.type not in _CALLS:
            continue
        called = (each.spec.get("namespace"), each.spec.get("flowId"))
        if called == own:
            problems.error(
                "recursion",
                f"Recursive call to flow [{called[0]}.{called[1]}]",
                (*each.path, "flowId"),
            )
        elif (
            subject.exists is not None
            and each.depth == 0
            and each.type.endswith(".Subflow")
            and all(isinstance(part, str) and not is_expression(part) for part in called)
            and not subject.exists(str(called[0]), str(called[1]))
        ):
            problems.warning(
                "unknown-flow",
                f"The subflow '{called[1]}' not found in namespace '{called[0]}'.",
                (*each.path, "flowId"),
            )


def _tasks(subject: Subject, problems: Problems) -> None:
    for each in subject.found:
        check_task(each, subject.registry, problems)


def _retries(subject: Subject, problems: Problems) -> None:
    check_retry(subject.plain.get("retry"), ("retry",), problems)
    for each in subject.of_kind("task"):
        check_retry(each.spec.get("retry"), (*each.path, "retry"), problems)


def _inputs(subject: Subject, problems: Problems) -> None:
    check_inputs(subject.plain.get("inputs"), ("inputs",), problems)
    for each in subject.of_kind("task"):
        check_inputs(each.spec.get("onResume"), (*each.path, "onResume"), problems)


def _flow_triggers(subject: Subject, problems: Problems) -> None:
    for each in subject.of_kind("trigger"):
        if (
            each.type == _FLOW_TRIGGER
            and not each.spec.get("conditions")
            and not each.spec.get("preconditions")
        ):
            problems.warning(
                "every-execution",
                "This flow will be triggered for EVERY execution of EVERY flow on your instance. "
                f"We recommend adding the preconditions property to the Flow trigger '{each.spec.get('id')}'.",
                each.path,
            )


def _worker_groups(subject: Subject, problems: Problems) -> None:
    """Only tasks that a worker runs have one; others that name one are told so elsewhere."""
    places: list[tuple[Any, Path]] = [(subject.plain, ())]
    for each in subject.found:
        if each.facts.kind == "task" and heeds_worker_group(each.type, each.facts):
            places.append((each.spec, each.path))
        elif each.facts.kind == "trigger" and each.spec.get("workerGroup") is not None:
            problems.warning(
                "worker-group",
                "the worker group of a trigger is ignored: the server evaluates its triggers itself",
                (*each.path, "workerGroup"),
            )
    for spec, path in places:
        group = spec.get("workerGroup")
        key = group.get("key") if isinstance(group, Mapping) else None
        if isinstance(key, str) and not is_expression(key):
            _known_group(key, (*path, "workerGroup", "key"), problems, served=subject.offers.groups)


def _known_group(key: str, path: Path, problems: Problems, *, served: frozenset[str]) -> None:
    if not served:
        message = f"the worker group `{key}` is ignored: no worker of this installation has one"
        problems.warning("worker-group", message, path)
    elif key not in served:
        problems.warning(
            "worker-group",
            f"no worker of this installation serves the worker group `{key}`",
            path,
            suggestion=nearest(key, sorted(served)),
        )


def _templates(subject: Subject, problems: Problems) -> None:
    for each in subject.found:
        if each.type == TEMPLATE and not subject.offers.templates:
            problems.error(
                "template",
                "Templates are disabled, please check your configuration",
                (*each.path, "type"),
            )


def _dashed_references(subject: Subject, problems: Problems) -> None:
    inputs = [name for name, _ in _entries(subject, "inputs") if isinstance(name, str)]
    tasks = [each.spec.get("id") for each in subject.of_kind("task")]
    for word, names in (("input", inputs), ("output", tasks)):
        dashed = sorted({name for name in names if isinstance(name, str) and "-" in name})
        if not dashed:
            continue
        pattern = re.compile(
            rf"\b{word}s\.({'|'.join(re.escape(name) for name in dashed)})(?![A-Za-z0-9_-])"
        )
        for path, text in _texts(subject.plain, ()):
            matches = (pattern.search(block) for block in _blocks(text))
            match = next((found for found in matches if found is not None), None)
            if match is not None:
                problems.error(
                    "dash",
                    f"Invalid {word} reference: use {word}s[key-name] instead of {word}s.key-name — keys with "
                    f"dashes require bracket notation, offending reference: {match.group()}",
                    path,
                    suggestion=f"write {word}s['{match[1]}']",
                )


def _blocks(text: str) -> Iterator[str]:
    """What stands inside `{{ }}`, in time that grows with the text alone."""
    end = 0
    while (start := text.find("{{", end)) >= 0 and (end := text.find("}}", start + 2)) >= 0:
        yield text[start + 2 : end]


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if "{{" in value:
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))


def _listeners(subject: Subject, problems: Problems) -> None:
    for index, listener in enumerate(subject.plain.get("listeners") or ()):
        if listener.get("conditions"):
            problems.warning(
                "ignored",
                "a listener with conditions does not run; write its tasks into `afterExecution`, with `runIf`",
                ("listeners", index, "conditions"),
            )


def _plugin_defaults(subject: Subject, problems: Problems) -> None:
    entries = subject.source.get("pluginDefaults")
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("values"), Mapping):
            continue
        path = ("pluginDefaults", index, "values")
        known = _known_properties(entry.get("type"), subject.registry)
        for name, value in entry["values"].items():
            if value is None:
                problems.error(
                    "plugin-default",
                    f"Invalid Plugin Default: No value provided for key '{name}'",
                    (*path, name),
                )
            if known is not None and name not in known:
                problems.error(
                    "plugin-default",
                    f"Invalid Plugin Default: No property '{name}' exists in plugin '{entry['type']}'",
                    (*path, name),
                    suggestion=nearest(name, known),
                )


def _known_properties(type_name: Any, registry: Registry) -> frozenset[str] | None:
    if not isinstance(type_name, str):
        return None
    try:
        facts = registry.facts(type_name)
    except PluginError:
        return None
    return frozenset(facts.properties) | frozenset(facts.renamed)


_RULES: tuple[Rule, ...] = (
    _reserved_id,
    _revision,
    _unique_ids,
    _system_labels,
    _calls,
    _tasks,
    _retries,
    _inputs,
    _flow_triggers,
    _worker_groups,
    _templates,
    _dashed_references,
    _listeners,
    _plugin_defaults,
)
