"""What a template reads, found in its tree, so that a job can carry only that (09 §4)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from batuta.expr.syntax import nodes
from batuta.expr.syntax.nodes import Node

WHOLE_CONTEXT = frozenset(("render", "renderOnce", "printContext", "fetchContext"))
"""Functions that may read any variable."""
_BY_TASK = ("outputs", "tasks")
_READS: dict[str, tuple[str, ...]] = {
    "tasksWithState": ("tasks",),
    "currentEachOutput": ("taskrun", "parents"),
    "iterationOutput": ("taskrun", "parents", "outputs"),
    "appLink": ("flow", "execution"),
    "fileURI": ("flow",),
}


class References(msgspec.Struct, frozen=True):
    """`variables`: root names, without those the template sets itself before or after.

    `outputs` and `tasks`: ids of tasks named literally. `dynamic`: any variable, or any task, may be read:
    the whole map is used, an id is computed, or `render()` and its like are called.
    `functions`: names of the functions called.
    """

    variables: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    dynamic: bool = False


def references_of(tree: nodes.Tree) -> References:
    collector = _Collector()
    for node in tree.body:
        collector.visit(node)
    return References(
        frozenset(collector.variables),
        frozenset(collector.by_task["outputs"]),
        frozenset(collector.by_task["tasks"]),
        frozenset(collector.functions),
        collector.dynamic,
    )


def uses_loop(body: Sequence[Node]) -> bool:
    """Whether statements may read the variable `loop`."""
    collector = _Collector()
    for node in body:
        collector.visit(node)
    return "loop" in collector.variables or not WHOLE_CONTEXT.isdisjoint(collector.functions)


class _Collector:
    def __init__(self) -> None:
        self.variables: set[str] = set()
        self.by_task: dict[str, set[str]] = {root: set() for root in _BY_TASK}
        self.functions: set[str] = set()
        self.dynamic = False

    def visit(self, node: Node) -> None:
        reader = _READERS.get(type(node))
        if reader is not None:
            reader(self, node)
        for child in children(node):
            self.visit(child)

    def name(self, node: nodes.Name) -> None:
        self.variables.add(node.name)
        if node.name in _BY_TASK:
            self.dynamic = True

    def attribute(self, node: nodes.Attribute) -> None:
        self.visit(node.key)
        target = node.target
        if isinstance(target, nodes.Name) and target.name in _BY_TASK:
            key = node.key.value if isinstance(node.key, nodes.Literal) else None
            if isinstance(key, str):
                self.variables.add(target.name)
                self.by_task[target.name].add(key)
                return
        self.visit(target)

    def call(self, node: nodes.Call) -> None:
        self.functions.add(node.name)
        self.variables.update(_READS.get(node.name, ()))
        if node.name in WHOLE_CONTEXT or "outputs" in _READS.get(node.name, ()):
            self.dynamic = True
        if node.name == "tasksWithState":
            self.dynamic = True


_READERS: dict[type[Node], Callable[[_Collector, Any], None]] = {
    nodes.Name: _Collector.name,
    nodes.Attribute: _Collector.attribute,
    nodes.Call: _Collector.call,
}


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below; none for an attribute, whose reader goes down itself."""
    if isinstance(node, nodes.Attribute):
        return
    for field in node.__struct_fields__:
        yield from _nodes_in(getattr(node, field))


def _nodes_in(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes_in(item)
