"""Which other flows a flow starts, and which flows start it (03 §6.11)."""

from collections.abc import Iterator
from typing import Any

import msgspec

from batuta.flow.compile import nested_tasks
from batuta.flow.definition import Flow
from batuta.flow.literal import is_expression

_CALLS = frozenset({"io.kestra.plugin.core.flow.Subflow", "io.kestra.plugin.core.flow.ForEachItem"})
_FLOW_TRIGGER = "io.kestra.plugin.core.trigger.Flow"
_FLOW_CONDITIONS = ("ExecutionFlow", "FlowCondition")


class Link(msgspec.Struct, frozen=True):
    """`relation` is FLOW_TASK: this flow starts the named one; FLOW_TRIGGER: the named one starts this flow.

    `flow_id` is None where a trigger listens to all flows of a namespace.
    """

    relation: str
    namespace: str
    flow_id: str | None


def links_of(flow: Flow) -> tuple[Link, ...]:
    """Without those whose names are only known when the flow runs; each once."""
    found = [*_calls(flow), *_upstream(flow)]
    return tuple(dict.fromkeys(found))


def _calls(flow: Flow) -> Iterator[Link]:
    sections = (flow.tasks, flow.errors, flow.finally_, flow.after_execution)
    for section in sections:
        for task in nested_tasks(section):
            if type(task).TYPE in _CALLS:
                yield from _link("FLOW_TASK", task.spec)


def _upstream(flow: Flow) -> Iterator[Link]:
    for trigger in flow.triggers or ():
        if type(trigger).TYPE != _FLOW_TRIGGER:
            continue
        spec = trigger.spec
        for upstream in (spec.get("preconditions") or {}).get("flows") or ():
            yield from _link("FLOW_TRIGGER", upstream)
        for condition in _conditions(spec.get("conditions") or ()):
            if str(condition.get("type", "")).rpartition(".")[2].startswith(_FLOW_CONDITIONS):
                yield from _link("FLOW_TRIGGER", condition)


def _conditions(conditions: Any) -> Iterator[dict[str, Any]]:
    """Those inside a condition of several too."""
    items = conditions.values() if isinstance(conditions, dict) else conditions
    for condition in items:
        if isinstance(condition, dict):
            yield condition
            yield from _conditions(condition.get("conditions") or ())


def _link(relation: str, names: Any) -> Iterator[Link]:
    namespace, flow_id = names.get("namespace"), names.get("flowId")
    known = isinstance(namespace, str) and (flow_id is None or isinstance(flow_id, str))
    if known and not is_expression(namespace) and not is_expression(flow_id):
        yield Link(relation, namespace, flow_id)
