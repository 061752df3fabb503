"""Preconditions: what has happened so far, and whether that is everything (04 §10.4). Pure."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from batuta.engine.execution import Execution
from batuta.expr.regex import matches_whole
from batuta.expr.temporal import Zone
from batuta.model.instant import Instant
from batuta.plugins.core.trigger.flow import ExecutionFilter, Filter, Preconditions, UpstreamFlow
from batuta.plugins.core.truth import is_truthy
from batuta.server.listening.window import span_of

Render = Callable[[str], Any]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Requirements that were met since `first`, and the merged outputs of the executions that met them."""

    met: tuple[str, ...] = ()
    first: Instant | None = None
    outputs: Mapping[str, Any] = {}


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What an event makes of the memory; `fires` when everything has happened."""

    memory: Memory
    fires: bool = False
    outputs: Mapping[str, Any] = {}


def hear(
    conditions: Preconditions,
    memory: Memory,
    execution: Execution,
    *,
    at: Instant,
    zone: Zone,
    render: Render,
) -> Heard:
    """An execution reached a state that counts. An event that meets no requirement changes nothing."""
    span = span_of(conditions.time_window, at, zone=zone, first=memory.first)
    if memory.first is not None and memory.first not in span:
        memory = Memory()
        span = span_of(conditions.time_window, at, zone=zone, first=None)
    met = _met(conditions, execution, render)
    if at not in span or (not met and _names(conditions)):
        return Heard(memory=memory)
    outputs = merged(execution.outputs or {}, memory.outputs)
    everything = tuple(dict.fromkeys((*memory.met, *met)))
    now = Memory(
        met=everything,
        first=memory.first if memory.first is not None else at,
        outputs=outputs,
    )
    if set(everything) != set(_names(conditions)):
        return Heard(memory=now)
    return Heard(
        memory=Memory() if conditions.reset_on_success else now, fires=True, outputs=outputs
    )


def merged(new: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Maps merge, lists are joined, and of two values the stored one wins (04 §10.4)."""
    result = dict(new)
    for key, value in stored.items():
        other = result.get(key)
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            result[key] = merged(other, value)
        elif isinstance(value, list) and isinstance(other, list):
            result[key] = [*value, *other]
        else:
            result[key] = value
    return result


def _names(conditions: Preconditions) -> list[str]:
    flows = [f"flow {index}" for index in range(len(conditions.flows or ()))]
    return [*flows, *(f"where {each.id}" for each in conditions.where or ())]


def _met(conditions: Preconditions, execution: Execution, render: Render) -> list[str]:
    met = [
        f"flow {index}"
        for index, upstream in enumerate(conditions.flows or ())
        if _is_from(upstream, execution)
    ]
    met += [
        f"where {each.id}" for each in conditions.where or () if _passes(each, execution, render)
    ]
    return met


def _is_from(upstream: UpstreamFlow, execution: Execution) -> bool:
    labels = {label.key: label.value for label in execution.labels}
    wanted = {key: str(value) for key, value in (upstream.labels or {}).items()}
    return (
        upstream.namespace == execution.flow.namespace
        and upstream.flow_id in {None, execution.flow.id}
        and (not upstream.states or execution.state in upstream.states)
        and all(labels.get(key) == value for key, value in wanted.items())
    )


def _passes(condition: ExecutionFilter, execution: Execution, render: Render) -> bool:
    results = [_holds(each, execution, render) for each in condition.filters]
    return any(results) if condition.operand == "OR" else all(results)


def _holds(condition: Filter, execution: Execution, render: Render) -> bool:
    fields: Mapping[str, Callable[[], Any]] = {
        "FLOW_ID": lambda: execution.flow.id,
        "NAMESPACE": lambda: execution.flow.namespace,
        "STATE": lambda: execution.state.value,
        "EXPRESSION": lambda: render(condition.value or ""),
    }
    return _COMPARISONS[condition.type](fields[condition.field](), condition)


_COMPARISONS: Mapping[str, Callable[[Any, Filter], bool]] = {
    "EQUAL_TO": lambda found, wanted: found == wanted.value,
    "NOT_EQUAL_TO": lambda found, wanted: found != wanted.value,
    "IN": lambda found, wanted: found in (wanted.values or ()),
    "NOT_IN": lambda found, wanted: found not in (wanted.values or ()),
    "IS_TRUE": lambda found, _: is_truthy(found),
    "IS_FALSE": lambda found, _: not is_truthy(found),
    "IS_NULL": lambda found, _: found is None,
    "IS_NOT_NULL": lambda found, _: found is not None,
    "STARTS_WITH": lambda found, wanted: str(found).startswith(wanted.value or ""),
    "ENDS_WITH": lambda found, wanted: str(found).endswith(wanted.value or ""),
    "REGEX": lambda found, wanted: matches_whole(str(found), wanted.value or ""),
    "CONTAINS": lambda found, wanted: (wanted.value or "") in str(found),
}
