"""Outputs of an execution's task runs, addressed as templates do: `outputs.<task>[<value>]….<field>` (01 §6.0).

A tree for each task: one level for every loop value on the path of a run. Looking up one value costs the same
however many values the loop has. Outputs inside loops need not be in memory: where they are `Stored`, looking them up
is interrupted by `NotInMemoryError`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from typing_extensions import override

from batuta.model.ids import ExecutionId, TaskId


class Stored(msgspec.Struct, frozen=True, gc=False):
    """In place of outputs: where their row is."""

    execution_id: ExecutionId
    task_id: TaskId
    ordinal: int


class NotInMemoryError(BaseException):
    """Not an error of the template: no handler inside the language may swallow it."""

    def __init__(self, stored: Stored) -> None:
        super().__init__(stored)
        self.stored = stored


_NOTHING: dict[str, "OutputTree"] = {}
"""The children of all trees that have none; never written to."""


class OutputTree:
    """Outputs of the runs of one task. Mutable; the executor is its only owner."""

    __slots__ = ("children", "content")

    def __init__(self) -> None:
        self.content: Mapping[str, Any] | Stored | None = None
        self.children = _NOTHING

    @property
    def value(self) -> Mapping[str, Any] | None:
        """Raises `NotInMemoryError`."""
        if isinstance(self.content, Stored):
            raise NotInMemoryError(self.content)
        return self.content

    def put(self, path: tuple[str, ...], outputs: Mapping[str, Any] | Stored | None) -> None:
        """Replace the outputs of the run at `path`."""
        tree = self
        for step in path:
            tree = tree._child(step)
        tree.content = outputs

    def at(self, path: tuple[str, ...]) -> Mapping[str, Any] | None:
        """Raises `NotInMemoryError`."""
        tree = self._find(path)
        return tree.value if tree is not None else None

    def swap(
        self,
        path: tuple[str, ...],
        known: Mapping[str, Any] | Stored,
        other: Mapping[str, Any] | Stored,
    ) -> bool:
        """Put `other` where `known` is; false if that is not there any more."""
        tree = self._find(path)
        if tree is None:
            return False
        is_there = tree.content is known or (isinstance(known, Stored) and tree.content == known)
        if is_there:
            tree.content = other
        return is_there

    def _find(self, path: tuple[str, ...]) -> "OutputTree | None":
        tree: OutputTree | None = self
        for step in path:
            tree = tree.children.get(step) if tree is not None else None
        return tree

    def _child(self, step: str) -> "OutputTree":
        child = self.children.get(step)
        if child is None:
            if not self.children:
                self.children = {}
            child = self.children[step] = OutputTree()
        return child

    def adopt(self, newer: "OutputTree") -> None:
        """Take over everything of another tree of the same task, in place of what is here."""
        if newer.content is not None:
            self.content = newer.content
        for step, child in newer.children.items():
            self._child(step).adopt(child)

    def remove(self, path: tuple[str, ...]) -> None:
        """Forget what is at `path` and below."""
        tree = self
        for step in path[:-1]:
            child = tree.children.get(step)
            if child is None:
                return
            tree = child
        if path:
            tree.children.pop(path[-1], None)
        else:
            tree.content = None
            tree.children = _NOTHING

    def view(self) -> Mapping[str, Any]:
        """What a template sees: the outputs themselves, or a map from value to what lies below."""
        if not self.children:
            return self.value or {}
        return TreeView(self)

    def along(self, path: tuple[str, ...]) -> dict[str, Any]:
        """Plain data of the part that runs on `path` can reach by the values around them."""
        result = dict(self.value or {})
        if path and path[0] in self.children:
            result[path[0]] = self.children[path[0]].along(path[1:])
        elif not path:
            result.update((step, child.plain()) for step, child in self.children.items())
        return result

    def plain(self) -> dict[str, Any]:
        """Everything below, as plain data."""
        result = dict(self.value or {})
        result.update((step, child.plain()) for step, child in self.children.items())
        return result

    def size(self) -> int:
        """Number of runs with outputs directly or one level below: a cheap measure of bulk."""
        return (self.content is not None) + len(self.children)

    def has_value(self) -> bool:
        return self.content is not None or bool(self.children)


class TreeView(Mapping[str, Any]):
    """A read-only map over a tree; children are looked up one at a time."""

    __slots__ = ("_tree",)

    def __init__(self, tree: OutputTree) -> None:
        self._tree = tree

    @override
    def __getitem__(self, key: str) -> Any:
        child = self._tree.children.get(key)
        if child is not None:
            return child.view()
        return (self._tree.value or {})[key]

    @override
    def __iter__(self) -> Iterator[str]:
        yield from self._tree.value or ()
        yield from self._tree.children

    @override
    def __len__(self) -> int:
        return len(self._tree.value or ()) + len(self._tree.children)

    @override
    def __contains__(self, key: object) -> bool:
        return key in self._tree.children or key in (self._tree.value or {})


class OutputsView(Mapping[str, Any]):
    """`outputs` of a template: a map from task id. Tasks without outputs are absent."""

    __slots__ = ("_trees",)

    def __init__(self, trees: Mapping[str, OutputTree]) -> None:
        self._trees = trees

    @override
    def __getitem__(self, key: str) -> Any:
        tree = self._trees[key]
        if not tree.has_value():
            raise KeyError(key)
        return tree.view()

    @override
    def __iter__(self) -> Iterator[str]:
        return (key for key, tree in self._trees.items() if tree.has_value())

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)
