"""What the compiler knows while it turns a tree into closures."""

from collections.abc import Callable
from typing import Any

from batuta.expr.compiler.state import Expression
from batuta.expr.syntax.nodes import Tree

Writers = dict[type, Callable[[Any], str]]


class Scope:
    """`writers` turn printed values into text: JSON for collections, or Java text in macros and filter bodies.

    `filter_body` is set for the chain of a filter tag only.
    """

    filter_body: Expression

    __slots__ = ("_all_local", "_assigned", "filter_body", "metered", "tree", "typed", "writers")

    def __init__(self, tree: Tree, writers: Writers, *, typed: bool = False) -> None:
        self.tree = tree
        self.writers = writers
        self.typed = typed
        self.metered = tree.stateful
        self._assigned = tree.assigned
        # A list that is changed in place may hide any variable (state.change_list).
        self._all_local = tree.changes_lists

    def is_local(self, name: str) -> bool:
        """True if the template itself may give the name a value."""
        return self._all_local or name in self._assigned

    def with_writers(self, writers: Writers) -> "Scope":
        return Scope(self.tree, writers)

    def with_body(self, body: Expression) -> "Scope":
        """For the chain of a filter tag, whose input is `body`."""
        scope = Scope(self.tree, self.writers)
        scope.filter_body = body
        return scope
