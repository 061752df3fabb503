"""Preconditions: what has happened so far, and whether that is everything (04 §10.4, §10.6). Pure."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from batuta.engine.execution import Execution
from batuta.expr import ExpressionError
from batuta.expr.regex import matches_whole
from batuta.expr.temporal import Zone
from batuta.model import codec
from batuta.model.instant import Instant
from batuta.plugins.core.condition.group import MultipleCondition
from batuta.plugins.core.trigger.flow import ExecutionFilter, Filter, Preconditions, UpstreamFlow
from batuta.plugins.core.trigger.window import TimeWindow
from batuta.plugins.core.truth import is_truthy
from batuta.sdk.errors import PluginError
from batuta.server.listening.window import span_of

Render = Callable[[str], Any]
CONDITION_ERRORS = (ExpressionError, PluginError, ValueError, LookupError, TypeError)
"""What conditions and their templates can do wrong; it counts as not fulfilled."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Requirements that were met since `first`, and the merged outputs of the executions that met them."""

    met: tuple[str, ...] = ()
    first: Instant | None = None
    outputs: Mapping[str, Any] = {}


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What an event makes of the memory. `fires`: everything has happened; then `after` is what is left of it."""

    memory: Memory
    fires: bool = False
    after: Memory = Memory()
    outputs: Mapping[str, Any] = {}


class Needed(msgspec.Struct, frozen=True, kw_only=True):
    """Requirements that belong together.

    `met`: those that the execution of this event fulfils; `problems`: why others could not be judged, which counts as
    not fulfilled.
    """

    names: tuple[str, ...]
    met: tuple[str, ...]
    problems: tuple[str, ...]
    window: TimeWindow
    resets: bool


def of_preconditions(conditions: Preconditions, execution: Execution, render: Render) -> Needed:
    flows = {
        _flow_name(each): partial(_is_from, each, execution) for each in conditions.flows or ()
    }
    where = {
        f"where {each.id}": partial(_passes, each, execution, render)
        for each in conditions.where or ()
    }
    return _needed(
        {**flows, **where}, window=conditions.time_window, resets=conditions.reset_on_success
    )


def of_multiple(
    condition: MultipleCondition, facts: Mapping[str, Any], render: Callable[..., Any]
) -> Needed:
    """04 §10.6: the older form of preconditions, each a condition with a name."""
    tests = {name: partial(each.test, facts, render) for name, each in condition.conditions.items()}
    return _needed(tests, window=window_of(condition), resets=condition.reset_on_success)


def _needed(tests: Mapping[str, Callable[[], bool]], *, window: TimeWindow, resets: bool) -> Needed:
    met: list[str] = []
    problems: list[str] = []
    for name, holds in tests.items():
        try:
            if holds():
                met.append(name)
        except CONDITION_ERRORS as error:
            problems.append(str(error))
    return Needed(
        names=tuple(tests),
        met=tuple(met),
        problems=tuple(problems),
        window=window,
        resets=resets,
    )


def window_of(condition: MultipleCondition) -> TimeWindow:
    """`window` and `windowAdvance` are older names of the parts of a time window."""
    if condition.window is None and condition.window_advance is None:
        return condition.time_window
    return TimeWindow(window=condition.window, windowAdvance=condition.window_advance)


def hear(needed: Needed, memory: Memory, execution: Execution, *, at: Instant, zone: Zone) -> Heard:
    """An execution reached a state that counts. An event that meets no requirement changes nothing."""
    span = span_of(needed.window, at, zone=zone, first=memory.first)
    if memory.first is not None and memory.first not in span:
        memory = Memory()
        span = span_of(needed.window, at, zone=zone, first=None)
    if at not in span or (not needed.met and needed.names):
        return Heard(memory=memory)
    outputs = merged(execution.outputs or {}, memory.outputs)
    everything = tuple(dict.fromkeys((*memory.met, *needed.met)))
    now = Memory(
        met=everything,
        first=memory.first if memory.first is not None else at,
        outputs=outputs,
    )
    if not set(needed.names) <= set(everything):
        return Heard(memory=now)
    after = Memory() if needed.resets else now
    return Heard(memory=now, fires=True, after=after, outputs=outputs)


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


def _flow_name(upstream: UpstreamFlow) -> str:
    """What the requirement says: it is remembered only as long as the author leaves it as it is."""
    return f"flow {codec.encode_text(upstream.model_dump(mode='json', exclude_none=True))}"


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
    results = (_holds(each, execution, render) for each in condition.filters)
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
