"""What a script says about itself in lines of its output (06 §2). Pure."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.model import codec
from batuta.model.duration import parse_duration
from batuta.model.instant import SECOND

_MARKER = re.compile(r"::(\{.*\})::", re.DOTALL)
_SET_OUTPUT = re.compile(r"::set-output name=([^:\s]+)::(.*)", re.DOTALL)
_LEVELS = frozenset({"TRACE", "DEBUG", "INFO", "WARN", "ERROR"})
_KINDS = frozenset({"counter", "timer", "gauge"})


class ScriptMetric(msgspec.Struct, frozen=True):
    kind: str
    name: str
    value: float
    """Seconds for a timer."""
    tags: Mapping[str, str]


class ScriptMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one line."""

    outputs: Mapping[str, Any] = {}
    metrics: tuple[ScriptMetric, ...] = ()
    logs: tuple[tuple[str, str], ...] = ()
    """Level and text."""


def parse_line(line: str) -> ScriptMessage | None:
    """The message of a line, None for an ordinary line. Raises `ValueError` for a message that nobody understands.

    A line is a message as a whole: `::{…}::`, or the older `::set-output name=K::V`.
    """
    if not line.startswith("::"):
        return None
    marker = _MARKER.fullmatch(line)
    if marker is not None:
        return _message(marker[1])
    older = _SET_OUTPUT.fullmatch(line)
    return None if older is None else ScriptMessage(outputs={older[1]: older[2]})


def _message(text: str) -> ScriptMessage:
    try:
        data = codec.decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    outputs = data.get("outputs") or {}
    if not isinstance(outputs, Mapping):
        raise ValueError("`outputs` is no map")  # noqa: TRY004 - the text is at fault, as with bad JSON
    return ScriptMessage(
        outputs=outputs,
        metrics=tuple(_metric(entry) for entry in _maps(data, "metrics")),
        logs=tuple(_log(entry) for entry in _maps(data, "logs")),
    )


def _maps(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    entries = data.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise ValueError(f"`{key}` is no list of maps")
    return entries


def _metric(entry: Mapping[str, Any]) -> ScriptMetric:
    kind, name, value = entry.get("type"), entry.get("name"), entry.get("value")
    if kind not in _KINDS or not isinstance(name, str):
        raise ValueError(f"no metric has the type `{kind}` and the name `{name}`")
    tags = entry.get("tags") or {}
    if not isinstance(tags, Mapping):
        raise ValueError(f"the tags of the metric `{name}` are no map")  # noqa: TRY004 - as above
    return ScriptMetric(
        kind, name, _number(value), {str(key): str(item) for key, item in tags.items()}
    )


def _number(value: Any) -> float:
    """A number, a number as text, or an ISO duration in seconds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    try:
        return float(str(value))
    except ValueError:
        return parse_duration(str(value)) / SECOND


def _log(entry: Mapping[str, Any]) -> tuple[str, str]:
    level = str(entry.get("level", "INFO")).upper()
    if level not in _LEVELS:
        raise ValueError(f"`{level}` is no level of a log")
    return level, str(entry.get("message", ""))
