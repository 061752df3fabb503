"""Recorded readings of YAML documents: the value, or the place of the error.

Where this system differs on purpose (conformance README, "yaml.yaml"): documents that it refuses for one of `REFUSED`,
and values in which aliases are followed and merge keys applied. The latter are checked by reading the document again
with anchors taken away and aliases written as texts, which must give what the original read.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from batuta.flow.yaml import YamlReading, try_read_yaml
from batuta.testing.conformance.casefile import load_cases

REFUSED = frozenset(
    {
        "undefined-alias",
        "duplicate-key",
        "too-deep",
        "too-long",
        "too-many-nodes",
        "merge-key",
    }
)
"""Codes of the problems for which a document is refused although the original reads it."""
LINES_APART = 1
"""The original often reports the place before the fault."""

_ANCHOR = re.compile(r"(?<![\w\"'])&[^\s:,\]}]+ ?")
_ALIAS = re.compile(r"(?<![\w\"'])\*([^\s:,\]}]+)")
_MERGE = re.compile(r"<<(?=\s*:)")


def cases(path: Path) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """Name and check of every case; a check returns the difference, or None."""
    for case in load_cases(path):
        yield case["name"], partial(_check, case)


def _check(case: Mapping[str, Any]) -> str | None:
    text = _document(case)
    reading = try_read_yaml(text)
    if case.get("error"):
        return _refused_difference(case, reading)
    if reading.problems:
        unexpected = [problem for problem in reading.problems if problem.code not in REFUSED]
        return f"refused: {unexpected[0]}" if unexpected else None
    if "json" not in case:
        return None
    found = _value(reading)
    wanted = _canonical(json.loads(case["json"]))
    if found == wanted or _value(try_read_yaml(_without_aliases(text))) == wanted != found:
        return None
    return f"expected {wanted[:200]}, got {found[:200]}"


def _document(case: Mapping[str, Any]) -> str:
    if "yaml" in case:
        return str(case["yaml"])
    return "".join(str(text) * int(count) for text, count in case["build"])


def _refused_difference(case: Mapping[str, Any], reading: YamlReading) -> str | None:
    if not reading.problems:
        return f"accepted as {_value(reading)[:200]}, recorded as refused: {case.get('message')}"
    problem = reading.problems[0]
    lines = [place for place in (_line(case.get("at")), case.get("line")) if place is not None]
    if not lines or problem.code in REFUSED or problem.line is None:
        return None
    if any(abs(problem.line - line) <= LINES_APART for line in lines):
        return None
    return f"refused at line {problem.line}, recorded at line {lines[0]}: {problem.message}"


def _line(place: Any) -> int | None:
    return int(place[0]) if isinstance(place, list) else None


def _value(reading: YamlReading) -> str:
    return "nothing" if reading.tree is None else _canonical(reading.tree.value)


def _canonical(value: Any) -> str:
    return json.dumps(value)


def _without_aliases(text: str) -> str:
    return _MERGE.sub('"<<"', _ALIAS.sub(lambda match: json.dumps(match[1]), _ANCHOR.sub("", text)))
