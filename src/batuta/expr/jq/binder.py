"""What all of the evaluator builds on: the budget, patterns of `as`, and parameters of functions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from batuta.expr.jq.errors import JqError, JqLimitError
from batuta.expr.jq.scope import Function, Scope
from batuta.expr.jq.syntax import Node
from batuta.expr.jq.value import Path, get, type_name
from batuta.expr.values import Value

_STEPS = 2_000_000
Values = Iterator[Value]
Step = tuple[Path, Value]
Steps = Iterator[Step]


class Binder(ABC):
    """One run of a program."""

    __slots__ = ("_labels", "_left", "now")

    def __init__(self, now: float) -> None:
        self.now = now
        self._left = _STEPS
        self._labels = 0

    def spend(self, steps: int = 1) -> None:
        self._left -= steps
        if self._left < 0:
            raise JqLimitError("the program takes too many steps")

    def next_label(self) -> int:
        self._labels += 1
        return self._labels

    @abstractmethod
    def values(self, node: Node, scope: Scope, value: Value) -> Values:
        """What a node gives for an input."""

    @abstractmethod
    def paths(self, node: Node, scope: Scope, at: Step) -> Steps:
        """Where a node leads, from a path with its value. Raises `JqError` if it is no path."""

    def first(self, node: Node, scope: Scope, value: Value) -> Value:
        return next(self.values(node, scope, value), None)

    def first_pattern(
        self,
        patterns: tuple[Node, ...],
        scope: Scope,
        source: Value,
        *,
        body: Callable[[Scope], Iterator[Any]],
    ) -> Iterator[Any]:
        """Of alternatives (`?//`) the first that does not fail."""
        *others, last = patterns
        base = scope.with_variables(dict.fromkeys(_names(patterns))) if others else scope
        for pattern in others:
            try:
                for inner in self.matches(pattern, base, source):
                    yield from body(inner)
            except JqLimitError:
                raise
            except JqError:
                continue
            return
        for inner in self.matches(last, base, source):
            yield from body(inner)

    def matches(self, pattern: Node, scope: Scope, source: Value) -> Iterator[Scope]:
        """Scopes with the variables of a pattern."""
        if pattern[0] == "bind":
            yield scope.with_variables({pattern[1]: source})
        elif pattern[0] == "bind_array":
            if source is not None and not isinstance(source, list):
                raise JqError(f"Cannot index {type_name(source)} with number")
            yield from self.match_items(pattern[1], scope, source, index=0)
        else:
            yield from self.match_entries(pattern[1], scope, source)

    def match_items(
        self, patterns: tuple[Node, ...], scope: Scope, source: Value, *, index: int
    ) -> Iterator[Scope]:
        if index == len(patterns):
            yield scope
            return
        for inner in self.matches(patterns[index], scope, get(source, index)):
            yield from self.match_items(patterns, inner, source, index=index + 1)

    def match_entries(
        self, entries: tuple[Any, ...], scope: Scope, source: Value
    ) -> Iterator[Scope]:
        if not entries:
            yield scope
            return
        key_node, variable, pattern = entries[0]
        for key in self.values(key_node, scope, source):
            item = get(source, key)
            inner = scope.with_variables({variable: item}) if variable else scope
            found = iter((inner,)) if pattern is None else self.matches(pattern, inner, item)
            for each in found:
                yield from self.match_entries(entries[1:], each, source)

    def bound(
        self, function: Function, arguments: tuple[Node, ...], scope: Scope, *, value: Value
    ) -> Iterator[Scope]:
        """Scopes of a function's body; `$x` parameters are evaluated, the others are passed as they are."""
        functions = dict(function.scope.functions)
        variables: dict[str, Node] = {}
        for parameter, argument in zip(function.parameters, arguments, strict=True):
            passed = Function((), argument, scope)
            functions[parameter.removeprefix("$"), 0] = passed
            if parameter.startswith("$"):
                variables[parameter] = argument
        inner = Scope(function.scope.variables, functions)
        yield from self.bind_parameters(list(variables.items()), inner, scope, value=value)

    def bind_parameters(
        self, parameters: list[tuple[str, Node]], inner: Scope, scope: Scope, *, value: Value
    ) -> Iterator[Scope]:
        if not parameters:
            yield inner
            return
        name, argument = parameters[-1]
        for given in self.values(argument, scope, value):
            constant = Function((), ("literal", given), inner)
            bound = Scope(
                {**inner.variables, name: given}, {**inner.functions, (name[1:], 0): constant}
            )
            yield from self.bind_parameters(parameters[:-1], bound, scope, value=value)


def _names(patterns: tuple[Node, ...]) -> Iterator[str]:
    for pattern in patterns:
        if pattern[0] == "bind":
            yield pattern[1]
        elif pattern[0] == "bind_array":
            yield from _names(pattern[1])
        else:
            for _, variable, inner in pattern[1]:
                if variable:
                    yield variable
                if inner is not None:
                    yield from _names((inner,))
