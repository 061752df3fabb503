"""Runs jq programs, and evaluates what is a path: where a value was found."""

from collections.abc import Callable
from functools import cache
from typing import ClassVar

from typing_extensions import override

from batuta.expr.jq.binder import Step, Steps
from batuta.expr.jq.errors import BreakError, JqError, JqLimitError
from batuta.expr.jq.evaluate import ValueEvaluator
from batuta.expr.jq.prelude import PRELUDE
from batuta.expr.jq.scope import Scope
from batuta.expr.jq.syntax import Node, parse_definitions, parse_jq
from batuta.expr.jq.value import get, get_path, iterate, slice_of, truthy
from batuta.expr.values import Value

_MAX_RESULTS = 100_000


def run_jq(program: str, value: Value, *, now: float = 0.0) -> list[Value]:
    """All results. `now` is the current time in seconds. Raises `JqError`."""
    try:
        tree = parse_jq(program)
        evaluator = Evaluator(now)
        results = []
        for result in evaluator.values(tree, _root(), value):
            results.append(result)
            if len(results) > _MAX_RESULTS:
                raise JqLimitError("the program gives too many results")
    except RecursionError:
        raise JqLimitError("the program calls itself too deeply") from None
    return results


@cache
def _root() -> Scope:
    scope = Scope({}, {})
    for definition in parse_definitions(PRELUDE):
        scope = scope.with_function(definition)
    return scope


class Evaluator(ValueEvaluator):
    """Paths too: where a value was found, for `path`, `del` and assignments."""

    __slots__ = ()

    def _identity_path(self, _node: Node, _scope: Scope, at: Step) -> Steps:
        yield at

    def _literal_path(self, node: Node, _scope: Scope, _at: Step) -> Steps:
        if node[1] is not None:
            raise JqError("Invalid path expression")
        yield (), None

    def _pipe_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        for middle in self.paths(node[1], scope, at):
            yield from self.paths(node[2], scope, middle)

    def _comma_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        yield from self.paths(node[1], scope, at)
        yield from self.paths(node[2], scope, at)

    def _index_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        for path, target in self.paths(node[1], scope, at):
            for key in self.values(node[2], scope, at[1]):
                yield (*path, key), get(target, key)

    def _slice_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        for path, target in self.paths(node[1], scope, at):
            for start, end in self.slice_bounds(node, scope, at[1]):
                yield (*path, {"start": start, "end": end}), slice_of(target, start, end)

    def _iterate_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        for path, target in self.paths(node[1], scope, at):
            for key, item in () if target is None else iterate(target):
                self.spend()
                yield (*path, key), item

    def _attempt_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        try:
            yield from self.paths(node[1], scope, at)
        except JqLimitError:
            raise
        except JqError:
            return

    def _alternative_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        found = False
        try:
            for step in self.paths(node[1], scope, at):
                if truthy(step[1]):
                    found = True
                    yield step
        except JqLimitError:
            raise
        except JqError:
            pass
        if not found:
            yield from self.paths(node[2], scope, at)

    def _condition_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        for test in self.values(node[1], scope, at[1]):
            yield from self.paths(node[2 if truthy(test) else 3], scope, at)

    def _define_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        yield from self.paths(node[2], scope.with_function(node[1]), at)

    def _bind_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        for source in self.values(node[1], scope, at[1]):
            yield from self.first_pattern(
                node[2], scope, source, body=lambda s: self.paths(node[3], s, at)
            )

    def _reduce_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        _, source, patterns, start, update = node
        for initial in self.paths(start, scope, at):
            state = initial
            for item in self.values(source, scope, at[1]):
                for inner in self.matches(patterns[0], scope, item):
                    for step in list(self.paths(update, inner, state)):
                        state = step
            yield state

    def _label_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        number_ = self.next_label()
        inner = scope.with_variables({f"*{node[1]}": number_})
        try:
            yield from self.paths(node[2], inner, at)
        except BreakError as stop:
            if stop.label != number_:
                raise

    def _leave_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        return self._leave(node, scope, at[1])

    def _call_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        _, name, arguments = node
        function = scope.functions.get((name, len(arguments)))
        if function is not None:
            for inner in self.bound(function, arguments, scope, value=at[1]):
                yield from self.paths(function.body, inner, at)
        elif name == "getpath" and len(arguments) == 1:
            for keys in self.values(arguments[0], scope, at[1]):
                yield (*at[0], *keys), get_path(at[1], tuple(keys))
        elif name == "empty":
            return
        elif name == "error":
            yield from ((at[0], item) for item in self._call(node, scope, at[1]))
        elif name in {"first", "last"} and len(arguments) == 1:
            yield from self._edge_path(node, scope, at)
        elif name == "recurse" and len(arguments) <= 1:
            yield from self._recurse_path(arguments, scope, at)
        else:
            raise JqError("Invalid path expression")

    def _edge_path(self, node: Node, scope: Scope, at: Step) -> Steps:
        """`first(f)` and `last(f)`."""
        found = None
        for step in self.paths(node[2][0], scope, at):
            found = step
            if node[1] == "first":
                break
        if found is not None:
            yield found

    def _recurse_path(self, arguments: tuple[Node, ...], scope: Scope, at: Step) -> Steps:
        stack: list[Steps] = [iter((at,))]
        while stack:
            step = next(stack[-1], None)
            if step is None:
                stack.pop()
                continue
            self.spend()
            yield step
            if arguments:
                stack.append(self.paths(arguments[0], scope, step))
            elif isinstance(step[1], (list, dict)):
                path = step[0]
                stack.append(iter([((*path, key), item) for key, item in iterate(step[1])]))

    _PATHS: ClassVar[dict[str, Callable[..., Steps]]] = {
        "identity": _identity_path,
        "literal": _literal_path,
        "pipe": _pipe_path,
        "comma": _comma_path,
        "index": _index_path,
        "slice": _slice_path,
        "iterate": _iterate_path,
        "try": _attempt_path,
        "alternative": _alternative_path,
        "if": _condition_path,
        "def": _define_path,
        "as": _bind_path,
        "reduce": _reduce_path,
        "label": _label_path,
        "break": _leave_path,
        "call": _call_path,
    }

    @override
    def paths(self, node: Node, scope: Scope, at: Step) -> Steps:
        self.spend()
        walk = self._PATHS.get(node[0])
        if walk is None:
            raise JqError("Invalid path expression")
        return walk(self, node, scope, at)
