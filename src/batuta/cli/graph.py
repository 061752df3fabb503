"""A plan as a Mermaid flowchart: groups for control tasks, arrows for the order."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

from batuta.engine.plan import AnyNode, Choice, Control, Dag, EachItem, Parallel, Plan
from batuta.model.ids import TaskId


def draw(plan: Plan) -> str:
    lines = ["flowchart TD"]
    lines.extend(_section(plan, plan.tasks, "  "))
    for title, tasks in (
        ("errors", plan.errors),
        ("finally", plan.finally_),
        ("afterExecution", plan.after),
    ):
        if tasks:
            lines.append(f'  subgraph {_word(title)}_["{title}"]')
            lines.extend(_section(plan, tasks, "    "))
            lines.append("  end")
    return "\n".join(lines)


def _section(plan: Plan, tasks: tuple[TaskId, ...], indent: str) -> Iterator[str]:
    """Tasks one after another."""
    for task in tasks:
        yield from _task(plan, plan.nodes[task], indent)
    for before, after in pairwise(tasks):
        yield f"{indent}{_word(before)} --> {_word(after)}"


def _task(plan: Plan, node: AnyNode, indent: str) -> Iterator[str]:
    if not isinstance(node, Control | EachItem):
        yield f'{indent}{_word(node.id)}["{_text(node.id)}<br/>{_short(node.type)}"]'
        return
    yield f'{indent}subgraph {_word(node.id)}["{_text(node.id)} ({_short(node.type)})"]'
    for name, tasks in _branches(node).items():
        inner = f"{indent}  "
        if name:
            yield f'{inner}subgraph {_word(node.id)}__{_word(name)}["{_text(name)}"]'
            yield from _branch(plan, node, tasks, indent=f"{inner}  ")
            yield f"{inner}end"
        else:
            yield from _branch(plan, node, tasks, indent=inner)
    yield f"{indent}end"


def _branch(plan: Plan, node: AnyNode, tasks: tuple[TaskId, ...], *, indent: str) -> Iterator[str]:
    if not isinstance(node, Parallel | Dag):
        yield from _section(plan, tasks, indent)
        return
    for task in tasks:
        yield from _task(plan, plan.nodes[task], indent)
    if isinstance(node, Dag):
        for task, needed in node.depends_on.items():
            for before in needed:
                yield f"{indent}{_word(before)} --> {_word(task)}"


def _branches(node: AnyNode) -> Mapping[str, tuple[TaskId, ...]]:
    """The branches by name; the unnamed one is the main branch."""
    branches: dict[str, tuple[TaskId, ...]] = {}
    if isinstance(node, Choice):
        branches.update(node.cases)
        if node.defaults:
            branches["default"] = node.defaults
    elif isinstance(node, EachItem):
        branches[""] = (node.split, node.items, node.merge)
    else:
        branches[""] = getattr(node, "tasks", ())
    for name in ("errors", "finally_"):
        tasks = getattr(node, name, ())
        if tasks:
            branches[name.rstrip("_")] = tasks
    return {name: tasks for name, tasks in branches.items() if tasks}


def _word(text: str) -> str:
    """An identifier of Mermaid."""
    return "n_" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in text)


def _text(text: str) -> str:
    return text.replace('"', "#quot;")


def _short(type_name: str) -> str:
    return ".".join(type_name.split(".")[-2:])
