"""A simulated flow as YAML-like text, and what happened to it, for people."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from batuta.engine.plan import AnyNode, Choice, Plan
from batuta.model.duration import format_duration
from batuta.model.ids import TaskId, derived_id
from batuta.testing.simulate.happening import Happening

_LISTS = ("tasks", "defaults", "errors", "finally_", "after")
_HIDDEN = frozenset({"nodes", "parents", "flow", "revision", "cases", "type", *_LISTS})
_MOST_RUNS = 500


def flow_text(plan: Plan) -> str:
    return "\n".join((f"id: {plan.flow.id}", *_own(plan, ""), *_lists(plan, plan, "")))


def _lists(plan: Plan, node: Any, indent: str) -> Iterator[str]:
    for name in _LISTS:
        yield from _list(plan, name, getattr(node, name, None), indent=indent)
    if isinstance(node, Choice):
        for case, tasks in node.cases.items():
            yield from _list(plan, f"case {case}", tasks, indent=indent)


def _list(plan: Plan, name: str, tasks: tuple[TaskId, ...] | None, *, indent: str) -> Iterator[str]:
    if not tasks:
        return
    yield f"{indent}{name.strip('_')}:"
    for task in tasks:
        node: AnyNode = plan.nodes[task]
        yield f"{indent}  - id: {task}  # {type(node).__name__}"
        yield from _own(node, f"{indent}    ")
        yield from _lists(plan, node, f"{indent}    ")


def _own(node: msgspec.Struct, indent: str) -> Iterator[str]:
    """The properties that are not as usual."""
    defaults = dict(
        zip(reversed(node.__struct_fields__), reversed(node.__struct_defaults__), strict=False)
    )
    for name in node.__struct_fields__:
        value = getattr(node, name)
        usual = value == defaults.get(name) or value in ({}, ())
        if name not in _HIDDEN and name != "id" and not usual:
            yield f"{indent}{name}: {msgspec.json.encode(value).decode()}"


def events_text(execution_id: str, happened: Sequence[Happening]) -> str:
    """One line each: time since the start, what, and about which task run (by its ordinal)."""
    names = {derived_id(execution_id, number): f"#{number}" for number in range(_MOST_RUNS)}
    start = happened[0].at if happened else 0
    return "\n".join(_line(happening, names, start=start) for happening in happened)


def _line(happening: Happening, names: dict[Any, str], *, start: int) -> str:
    parts = [f"{format_duration(happening.at - start):>12} {type(happening).__name__}"]
    for name in happening.__struct_fields__:
        value = getattr(happening, name)
        if name != "at" and value not in (None, (), {}):
            text = msgspec.json.encode(value).decode()
            for run_id, shown in names.items():
                text = text.replace(run_id, shown)
            parts.append(f"{name}={text}")
    return " ".join(parts)
