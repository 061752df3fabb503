"""Recorded verdicts of the validation call on small flows.

Compared are the verdict, the place of each kind of error, warnings, deprecations and replaced types. `DIFFERENCES` is
the list of cases in which this system judges otherwise on purpose (conformance README, 01 §1.6.1 and §1.7).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from batuta.flow.read import Reading, read_flow
from batuta.flow.yaml import split_documents, walk
from batuta.flow.yaml.tree import path_text
from batuta.sdk.registry import Registry
from batuta.testing.conformance.casefile import load_cases

DIFFERENCES: Mapping[str, bool] = {
    **dict.fromkeys(
        (
            "yaml-undefined-alias",
            "yaml-duplicate-key",
            "yaml-duplicate-key-nested",
            "task-is-text",
            "task-is-null",
            "input-select-no-values",
            "input-multiselect-no-values",
        ),
        False,
    ),
    **dict.fromkeys(
        (
            "input-required-false-default",
            # A merged task has its type; the recorded reader takes `<<` for an unknown property (01 §1.6.1).
            "yaml-merge-key-task",
        ),
        True,
    ),
}
"""Verdict of ours for cases that are recorded otherwise."""

OWN_WARNINGS = frozenset(
    {"quotes", "literal", "default", "empty", "choices", "required-default", "ignored"}
)
"""Codes of warnings that the original does not give."""

_CHAIN = re.compile(r"\[\"([^\"]+)\"\]|\[(\d+)\]")
_PATH = re.compile(r"([^:\s]*): ")
_FIELD = re.compile(r'Unrecognized field "([^"]+)"')
_TYPE = re.compile(r"Invalid type: (\S+)")
_READER_LINE = re.compile(r"in 'reader', line (\d+)")
_SOURCE_LINE = re.compile(r"line: (\d+), column: \d+")


def cases(path: Path) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """Name and check of every case; a check returns the difference, or None."""
    for case in load_cases(path):
        yield case["name"], partial(_check, case)


@cache
def _registry() -> Registry:
    return Registry.installed()


def _read(source: str) -> Reading:
    return read_flow(source, _registry(), exists=lambda _namespace, _id: False)


def _check(case: Mapping[str, Any]) -> str | None:
    if "documents" not in case:
        return _difference(case, _read(case["flow"]))
    parts = split_documents(case["flow"])
    if len(parts) != len(case["documents"]):
        return f"{len(parts)} documents, recorded {len(case['documents'])}"
    for number, (wanted, part) in enumerate(zip(case["documents"], parts, strict=True), 1):
        found = _difference({"name": case["name"], **wanted}, _read(part))
        if found is not None:
            return f"document {number}: {found}"
    return None


def _difference(case: Mapping[str, Any], reading: Reading) -> str | None:
    wanted = DIFFERENCES.get(case["name"], case["valid"])
    if reading.is_valid != wanted:
        said = "; ".join(str(problem) for problem in reading.errors) or "valid"
        return f"ours: {said}; recorded: {case['messages'] or 'valid'}"
    if case["name"] in DIFFERENCES:
        return None
    checks = (_warnings, _deprecations, _infos, _identity)
    found = next((text for check in checks if (text := check(case, reading)) is not None), None)
    return found if case["valid"] else found or _places(case, reading)


def _warnings(case: Mapping[str, Any], reading: Reading) -> str | None:
    if not case["valid"]:
        return None
    found = {problem.message for problem in reading.warnings if problem.code not in OWN_WARNINGS}
    wanted = set(case.get("warnings") or ())
    return None if found == wanted else f"warnings {sorted(found)}, recorded {sorted(wanted)}"


def _deprecations(case: Mapping[str, Any], reading: Reading) -> str | None:
    found = [problem.path for problem in reading.deprecations]
    wanted = case.get("deprecated") or []
    missing = [path for path in wanted if not any(_ends_with(each, path) for each in found)]
    more = len(found) > len(wanted) and case["valid"]
    return f"deprecated {found}, recorded {wanted}" if missing or more else None


def _ends_with(path: str, end: str) -> bool:
    """The original leaves out the trigger around a condition."""
    return path == end or path.endswith(f".{end}")


def _infos(case: Mapping[str, Any], reading: Reading) -> str | None:
    found = sorted(problem.message for problem in reading.infos)
    wanted = sorted(case.get("infos") or ())
    return None if found == wanted else f"infos {found}, recorded {wanted}"


def _identity(case: Mapping[str, Any], reading: Reading) -> str | None:
    if case["valid"] and "flowId" in case and reading.id != str(case["flowId"]):
        return f"flow id {reading.id!r}, recorded {case['flowId']!r}"
    outdated = reading.revision is not None and reading.revision != 1
    if outdated != bool(case.get("outdated")):
        return f"outdated {outdated}, recorded {case.get('outdated')}"
    return None


def _places(case: Mapping[str, Any], reading: Reading) -> str | None:
    """Each recorded error must be at the place, or about the name, of one of ours."""
    for message in case["messages"]:
        if not any(_same_place(message, problem, reading) for problem in reading.errors):
            said = "; ".join(str(problem) for problem in reading.errors)
            return f"ours: {said}; recorded: {message[:300]}"
    return None


def _same_place(message: str, problem: Any, reading: Reading) -> bool:
    for pattern in (_FIELD, _TYPE):
        named = pattern.search(message)
        if named is not None:
            wanted = {"<null>": "null"}.get(named[1], named[1])
            return wanted in problem.message.replace("<null>", "null")
    if message.startswith("Illegal Flow source"):
        lines = _READER_LINE.findall(message) + _SOURCE_LINE.findall(message)
        return any(abs(int(line) - (problem.line or 0)) <= 1 for line in lines)
    path = _recorded_path(message, reading)
    return path is None or problem.path.startswith(path) or path.startswith(problem.path)


def _recorded_path(message: str, reading: Reading) -> str | None:
    """The property path of a recorded message; None when it names no place."""
    if "reference chain" in message:
        steps = _CHAIN.findall(message.partition("reference chain")[2])
        return path_text(tuple(name or int(index) for name, index in steps))
    match = _PATH.match(message)
    if match is None or not match[1] or message.startswith("Unable to validate"):
        return None
    # Labels are recorded by their number, `assert` under the name of the original's field.
    path = match[1].partition("labels[")[0].rstrip(".") if "labels[" in match[1] else match[1]
    path = path.replace("._", ".")
    steps = path.split(".")
    for count in range(len(steps), 0, -1):
        owner = _owner(".".join(steps[:count]), reading)
        if owner is not None:
            return ".".join([owner, *steps[count:]])
    return path


def _owner(name: str, reading: Reading) -> str | None:
    """Constraints on tasks and inputs are recorded under their id."""
    if reading.tree is None or (
        isinstance(reading.tree.value, dict) and name in reading.tree.value
    ):
        return None
    for path, node in walk(reading.tree.root):
        if path and path[-1] == "id" and node.value == name:
            return path_text(path[:-1])
    return None
