"""What single tasks must be beyond their shape (01 §1.7)."""

from collections.abc import Callable, Mapping
from typing import Any

from batuta.flow.check import Found
from batuta.flow.definition import UPDATES_EXECUTION
from batuta.flow.literal import is_expression
from batuta.flow.problems import Problems, nearest
from batuta.sdk.errors import PluginError
from batuta.sdk.facts import TypeFacts
from batuta.sdk.registry import Registry

_CORE = "io.kestra.plugin.core"
WORKING_DIRECTORY = f"{_CORE}.flow.WorkingDirectory"
TEMPLATE = f"{_CORE}.flow.Template"
_HONOURED: Mapping[str, frozenset[str]] = {
    "timeout": frozenset({f"{_CORE}.flow.Pause", WORKING_DIRECTORY}),
    "taskCache": frozenset(),
    "workerGroup": frozenset({WORKING_DIRECTORY}),
}
"""Properties of runnable tasks, and the control tasks that heed them too."""
EXIT_STATES = ("SUCCESS", "WARNING", "KILLED", "FAILED", "CANCELED", "CANCELLED")


def check_task(found: Found, registry: Registry, problems: Problems) -> None:
    if found.facts.kind == "task" and not is_runnable(found.type, found.facts):
        _only_runnable(found, problems)
    check = _CHECKS.get(found.type)
    if check is not None:
        check(found, registry, problems)


def is_runnable(type_name: str, facts: TypeFacts) -> bool:
    """Whether a worker runs it: not so for control tasks, nor for tasks that change the execution (01 §5.4)."""
    return "runnable" in facts.roles and type_name not in UPDATES_EXECUTION


def heeds_worker_group(type_name: str, facts: TypeFacts) -> bool:
    return is_runnable(type_name, facts) or type_name in _HONOURED["workerGroup"]


def _only_runnable(found: Found, problems: Problems) -> None:
    for name in _HONOURED:
        if found.spec.get(name) is None or found.type in _HONOURED[name]:
            continue
        problems.warning(
            "only-runnable",
            f"The task '{found.spec.get('id')}' cannot use the '{name}' property as it's only relevant for "
            "runnable tasks.",
            (*found.path, name),
        )


def _switch(found: Found, registry: Registry, problems: Problems) -> None:
    cases = found.spec.get("cases")
    if not cases and not found.spec.get("defaults"):
        problems.error(
            "no-tasks", "No task defined, neither cases or default have any tasks", found.path
        )


def _dag(found: Found, registry: Registry, problems: Problems) -> None:
    edges: dict[str, list[str]] = {}
    places: dict[str, int] = {}
    for index, entry in enumerate(found.spec.get("tasks") or ()):
        task = entry.get("task") if isinstance(entry, Mapping) else None
        if isinstance(task, Mapping) and isinstance(task.get("id"), str):
            edges[task["id"]] = list(entry.get("dependsOn") or ())
            places[task["id"]] = index
    for name, others in edges.items():
        for position, other in enumerate(others):
            if other not in edges:
                problems.error(
                    "depends-on",
                    f"Not existing task id in dependency: {other}",
                    (*found.path, "tasks", places[name], "dependsOn", position),
                    suggestion=nearest(str(other), edges),
                )
    cycle = _on_cycles(edges)
    if cycle:
        problems.error(
            "cycle",
            f"Cyclic dependency detected: {', '.join(cycle)}",
            (*found.path, "tasks", places[cycle[0]], "dependsOn"),
        )


def _on_cycles(edges: Mapping[str, list[str]]) -> list[str]:
    """Names that remain when all that can be ordered is taken away, and that others wait for in turn."""
    left = {name: {other for other in others if other in edges} for name, others in edges.items()}
    for _ in range(2):
        changed = True
        while changed:
            free = [name for name, others in left.items() if not others]
            changed = bool(free)
            left = {
                name: others.difference(free) for name, others in left.items() if name not in free
            }
        left = _reversed(left)
    return [name for name in edges if name in left]


def _reversed(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    turned: dict[str, set[str]] = {name: set() for name in edges}
    for name, others in edges.items():
        for other in others:
            turned[other].add(name)
    return turned


def _working_directory(found: Found, registry: Registry, problems: Problems) -> None:
    for index, task in enumerate(found.spec.get("tasks") or ()):
        if not isinstance(task, Mapping):
            continue
        path = (*found.path, "tasks", index)
        if not _is_runnable(task.get("type"), registry):
            problems.error(
                "working-directory",
                "Only runnable tasks are allowed as children of a WorkingDirectory task",
                path,
            )
        if task.get("workerGroup") is not None:
            problems.error(
                "working-directory",
                "Cannot set a Worker Group in any WorkingDirectory sub-tasks, it is only supported at the "
                "WorkingDirectory level",
                (*path, "workerGroup"),
            )


def _is_runnable(type_name: Any, registry: Registry) -> bool:
    """A type that is not known is a problem of its own."""
    name = registry.canonical(str(type_name))
    try:
        return is_runnable(name, registry.facts(name))
    except PluginError:
        return True


def _exit(found: Found, registry: Registry, problems: Problems) -> None:
    state = found.spec.get("state")
    if state is None or is_expression(state) or state in EXIT_STATES:
        return
    problems.error(
        "value",
        f"must be one of {', '.join(EXIT_STATES)}, but is `{state}`",
        (*found.path, "state"),
        suggestion=nearest(str(state), EXIT_STATES),
    )


def _schedule(found: Found, registry: Registry, problems: Problems) -> None:
    if found.spec.get("scheduleConditions"):
        problems.error(
            "value",
            "`scheduleConditions` cannot be read: write `conditions`",
            (*found.path, "scheduleConditions"),
        )


_CHECKS: Mapping[str, Callable[[Found, Registry, Problems], None]] = {
    f"{_CORE}.flow.Switch": _switch,
    f"{_CORE}.flow.Dag": _dag,
    WORKING_DIRECTORY: _working_directory,
    f"{_CORE}.execution.Exit": _exit,
    f"{_CORE}.trigger.Schedule": _schedule,
}
