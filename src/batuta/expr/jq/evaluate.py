"""Evaluates the tree of a jq program: every node gives any number of values, or of paths with values."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from batuta.expr.jq.builtin import NATIVE, PRELUDE
from batuta.expr.jq.errors import BreakError, JqError, JqLimitError
from batuta.expr.jq.form import formatted
from batuta.expr.jq.native import Spend
from batuta.expr.jq.stream import STREAMS
from batuta.expr.jq.syntax import Node, parse_definitions, parse_jq
from batuta.expr.jq.value import (
    BINARY,
    Path,
    add,
    delete_paths,
    get,
    get_path,
    iterate,
    number,
    set_path,
    slice_of,
    truthy,
    type_name,
)
from batuta.expr.values import Value

_STEPS = 2_000_000
_MAX_RESULTS = 100_000
_ITEMS_PER_STEP = 64
"""Copying this many items counts as one step."""
Values = Iterator[Value]
Steps = Iterator[tuple[Path, Value]]


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
    except BreakError:
        raise JqError("break") from None
    except RecursionError:
        raise JqLimitError("the program calls itself too deeply") from None
    return results


class Function:
    """A definition, or an argument (a body without parameters in the caller's scope)."""

    __slots__ = ("body", "parameters", "scope")

    def __init__(self, parameters: tuple[str, ...], body: Node, scope: "Scope") -> None:
        self.parameters = parameters
        self.body = body
        self.scope = scope


class Scope:
    """Variables and functions that are visible at a place."""

    __slots__ = ("functions", "variables")

    def __init__(
        self, variables: Mapping[str, Value], functions: Mapping[tuple[str, int], Function]
    ) -> None:
        self.variables = variables
        self.functions = functions

    def with_variables(self, more: Mapping[str, Value]) -> "Scope":
        return Scope({**self.variables, **more}, self.functions)

    def with_function(self, definition: Node) -> "Scope":
        name, parameters, body = definition
        inner = Scope(self.variables, {})
        inner.functions = {
            **self.functions,
            (name, len(parameters)): Function(parameters, body, inner),
        }
        return inner


@cache
def _root() -> Scope:
    scope = Scope({}, {})
    for definition in parse_definitions(PRELUDE):
        scope = scope.with_function(definition)
    return scope


class Evaluator:
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

    def values(self, node: Node, scope: Scope, value: Value) -> Values:
        self.spend()
        return _VALUES[node[0]](self, node, scope, value)

    def paths(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        self.spend()
        walk = _PATHS.get(node[0])
        if walk is None:
            raise JqError("Invalid path expression")
        return walk(self, node, scope, at)

    def first(self, node: Node | None, scope: Scope, value: Value) -> Value:
        return None if node is None else next(self.values(node, scope, value), None)

    # Values

    def identity(self, _node: Node, _scope: Scope, value: Value) -> Values:
        yield value

    def literal(self, node: Node, _scope: Scope, _value: Value) -> Values:
        yield node[1]

    def variable(self, node: Node, scope: Scope, _: Value) -> Values:
        try:
            yield scope.variables[node[1]]
        except KeyError:
            raise JqLimitError(f"{node[1]} is not defined") from None

    def pipe(self, node: Node, scope: Scope, value: Value) -> Values:
        for middle in self.values(node[1], scope, value):
            yield from self.values(node[2], scope, middle)

    def comma(self, node: Node, scope: Scope, value: Value) -> Values:
        yield from self.values(node[1], scope, value)
        yield from self.values(node[2], scope, value)

    def index(self, node: Node, scope: Scope, value: Value) -> Values:
        for target in self.values(node[1], scope, value):
            for key in self.values(node[2], scope, value):
                yield get(target, key)

    def slice(self, node: Node, scope: Scope, value: Value) -> Values:
        for target in self.values(node[1], scope, value):
            for start, end in self.slice_bounds(node, scope, value):
                yield slice_of(target, start, end)

    def slice_bounds(self, node: Node, scope: Scope, value: Value) -> Iterator[tuple[Value, Value]]:
        for end in self.optional(node[3], scope, value):
            for start in self.optional(node[2], scope, value):
                yield start, end

    def optional(self, node: Node | None, scope: Scope, value: Value) -> Values:
        return iter((None,)) if node is None else self.values(node, scope, value)

    def iterate(self, node: Node, scope: Scope, value: Value) -> Values:
        for target in self.values(node[1], scope, value):
            for _, item in iterate(target):
                self.spend()
                yield item

    def attempt(self, node: Node, scope: Scope, value: Value) -> Values:
        try:
            yield from self.values(node[1], scope, value)
        except JqLimitError:
            raise
        except JqError as problem:
            caught = problem.value
        else:
            return
        if node[2] is not None:
            yield from self.values(node[2], scope, caught)

    def alternative(self, node: Node, scope: Scope, value: Value) -> Values:
        found = False
        try:
            for result in self.values(node[1], scope, value):
                if truthy(result):
                    found = True
                    yield result
        except JqLimitError:
            raise
        except JqError:
            pass
        if not found:
            yield from self.values(node[2], scope, value)

    def both(self, node: Node, scope: Scope, value: Value) -> Values:
        for left in self.values(node[1], scope, value):
            if not truthy(left):
                yield False
                continue
            for right in self.values(node[2], scope, value):
                yield truthy(right)

    def either(self, node: Node, scope: Scope, value: Value) -> Values:
        for left in self.values(node[1], scope, value):
            if truthy(left):
                yield True
                continue
            for right in self.values(node[2], scope, value):
                yield truthy(right)

    def binary(self, node: Node, scope: Scope, value: Value) -> Values:
        code = BINARY[node[1]]
        for right in self.values(node[3], scope, value):
            for left in self.values(node[2], scope, value):
                result = code(left, right)
                self.spend(_size(result) // _ITEMS_PER_STEP)
                yield result

    def negate(self, node: Node, scope: Scope, value: Value) -> Values:
        for operand in self.values(node[1], scope, value):
            if type_name(operand) != "number":
                raise JqError(f"{type_name(operand)} cannot be negated")
            yield number(-operand)

    def array(self, node: Node, scope: Scope, value: Value) -> Values:
        items = [] if node[1] is None else list(self.values(node[1], scope, value))
        yield items

    def object(self, node: Node, scope: Scope, value: Value) -> Values:
        yield from self.entries(node[1], scope, value, {})

    def entries(
        self, entries: tuple[Any, ...], scope: Scope, value: Value, made: dict[str, Value]
    ) -> Values:
        if not entries:
            yield made
            return
        key_node, value_node = entries[0]
        for key in self.values(key_node, scope, value):
            if not isinstance(key, str):
                raise JqError(f"Object keys must be strings, not {type_name(key)}")
            for item in self.values(value_node, scope, value):
                yield from self.entries(entries[1:], scope, value, {**made, key: item})

    def text(self, node: Node, scope: Scope, value: Value) -> Values:
        yield from self.joined(node[1], scope, value, "")

    def joined(self, parts: tuple[Node, ...], scope: Scope, value: Value, made: str) -> Values:
        if not parts:
            yield made
            return
        for part in self.values(parts[0], scope, value):
            yield from self.joined(parts[1:], scope, value, add(made, part))

    def format(self, node: Node, scope: Scope, value: Value) -> Values:
        for item in self.values(node[2], scope, value):
            yield formatted(node[1], item)

    def condition(self, node: Node, scope: Scope, value: Value) -> Values:
        for test in self.values(node[1], scope, value):
            yield from self.values(node[2 if truthy(test) else 3], scope, value)

    def define(self, node: Node, scope: Scope, value: Value) -> Values:
        yield from self.values(node[2], scope.with_function(node[1]), value)

    def bind(self, node: Node, scope: Scope, value: Value) -> Values:
        for source in self.values(node[1], scope, value):
            yield from self.first_pattern(
                node[2], scope, source, lambda s: self.values(node[3], s, value)
            )

    def first_pattern(
        self,
        patterns: tuple[Node, ...],
        scope: Scope,
        source: Value,
        body: Callable[[Scope], Iterator[Any]],
    ) -> Iterator[Any]:
        """Of alternatives (`?//`) the first that does not fail."""
        for number_, pattern in enumerate(patterns):
            base = (
                scope.with_variables(dict.fromkeys(_names(patterns)))
                if len(patterns) > 1
                else scope
            )
            try:
                for inner in self.matches(pattern, base, source):
                    yield from body(inner)
            except JqLimitError:
                raise
            except JqError:
                if number_ == len(patterns) - 1:
                    raise
            else:
                return

    def matches(self, pattern: Node, scope: Scope, source: Value) -> Iterator[Scope]:
        """Scopes with the variables of a pattern."""
        if pattern[0] == "bind":
            yield scope.with_variables({pattern[1]: source})
        elif pattern[0] == "bind_array":
            if source is not None and not isinstance(source, list):
                raise JqError(f"Cannot index {type_name(source)} with number")
            yield from self.match_items(pattern[1], scope, source, 0)
        else:
            yield from self.match_entries(pattern[1], scope, source)

    def match_items(
        self, patterns: tuple[Node, ...], scope: Scope, source: Value, index: int
    ) -> Iterator[Scope]:
        if index == len(patterns):
            yield scope
            return
        for inner in self.matches(patterns[index], scope, get(source, index)):
            yield from self.match_items(patterns, inner, source, index + 1)

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

    def reduce(self, node: Node, scope: Scope, value: Value) -> Values:
        _, source, patterns, start, update = node
        for initial in self.values(start, scope, value):
            state = initial
            for item in self.values(source, scope, value):
                for inner in self.matches(patterns[0], scope, item):
                    last = None
                    for last in self.values(update, inner, state):
                        self.spend()
                    state = last
            yield state

    def foreach(self, node: Node, scope: Scope, value: Value) -> Values:
        _, source, patterns, start, update, extract = node
        for initial in self.values(start, scope, value):
            state = initial
            for item in self.values(source, scope, value):
                for inner in self.matches(patterns[0], scope, item):
                    for state in self.values(update, inner, state):
                        yield from self.values(extract, inner, state)

    def label(self, node: Node, scope: Scope, value: Value) -> Values:
        self._labels += 1
        number_ = self._labels
        inner = scope.with_variables({f"*{node[1]}": number_})
        try:
            yield from self.values(node[2], inner, value)
        except BreakError as stop:
            if stop.label != number_:
                raise

    def leave(self, node: Node, scope: Scope, _: Value) -> Values:
        number_ = scope.variables.get(f"*{node[1]}")
        if number_ is None:
            raise JqLimitError(f"{node[1]} is no label")
        raise BreakError(number_)
        yield  # makes this a generator like all the others

    def assign(self, node: Node, scope: Scope, value: Value) -> Values:
        _, operator, target, source = node
        if operator == "|=":
            yield self.updated(target, scope, value, lambda old: self.values(source, scope, old))
            return
        for new in self.values(source, scope, value):
            if operator == "=":
                result = value
                for path, _ in self.paths(target, scope, ((), value)):
                    self.spend(_size(result) // _ITEMS_PER_STEP)
                    result = set_path(result, path, new)
                yield result
            else:
                yield self.updated(target, scope, value, _combine(operator[:-1], new))

    def updated(
        self, target: Node, scope: Scope, value: Value, change: Callable[[Value], Values]
    ) -> Value:
        """Every place of a path changed; a place without a result is deleted."""
        result, gone = value, []
        for path, _ in list(self.paths(target, scope, ((), value))):
            self.spend(_size(result) // _ITEMS_PER_STEP)
            for new in change(get_path(result, path)):
                result = set_path(result, path, new)
                break
            else:
                gone.append(path)
        return delete_paths(result, gone)

    def call(self, node: Node, scope: Scope, value: Value) -> Values:
        _, name, arguments = node
        function = scope.functions.get((name, len(arguments)))
        if function is not None:
            for inner in self.bound(function, arguments, scope, value):
                yield from self.values(function.body, inner, value)
            return
        stream = STREAMS.get((name, len(arguments)))
        if stream is not None:
            yield from stream(self, arguments, scope, value)
            return
        native = NATIVE.get((name, len(arguments)))
        if native is None:
            raise JqLimitError(f"{name}/{len(arguments)} is not defined")
        for given in self.combinations(arguments, scope, value):
            self.spend(_size(value) // 16)
            yield native(Spend(self.spend, self.now), value, *given)

    def combinations(
        self, arguments: tuple[Node, ...], scope: Scope, value: Value
    ) -> Iterator[tuple[Value, ...]]:
        if not arguments:
            yield ()
            return
        for last in self.values(arguments[-1], scope, value):
            for rest in self.combinations(arguments[:-1], scope, value):
                yield (*rest, last)

    def bound(
        self, function: Function, arguments: tuple[Node, ...], scope: Scope, value: Value
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
        yield from self.bind_parameters(list(variables.items()), inner, scope, value)

    def bind_parameters(
        self, parameters: list[tuple[str, Node]], inner: Scope, scope: Scope, value: Value
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
            yield from self.bind_parameters(parameters[:-1], bound, scope, value)

    # Paths

    def identity_path(self, _node: Node, _scope: Scope, at: tuple[Path, Value]) -> Steps:
        yield at

    def literal_path(self, node: Node, _scope: Scope, _at: tuple[Path, Value]) -> Steps:
        if node[1] is not None:
            raise JqError("Invalid path expression")
        yield (), None

    def pipe_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        for middle in self.paths(node[1], scope, at):
            yield from self.paths(node[2], scope, middle)

    def comma_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        yield from self.paths(node[1], scope, at)
        yield from self.paths(node[2], scope, at)

    def index_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        for path, target in self.paths(node[1], scope, at):
            for key in self.values(node[2], scope, at[1]):
                yield (*path, key), get(target, key)

    def slice_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        for path, target in self.paths(node[1], scope, at):
            for start, end in self.slice_bounds(node, scope, at[1]):
                yield (*path, {"start": start, "end": end}), slice_of(target, start, end)

    def iterate_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        for path, target in self.paths(node[1], scope, at):
            for key, item in () if target is None else iterate(target):
                self.spend()
                yield (*path, key), item

    def attempt_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        try:
            yield from self.paths(node[1], scope, at)
        except JqLimitError:
            raise
        except JqError:
            return

    def alternative_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
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

    def condition_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        for test in self.values(node[1], scope, at[1]):
            yield from self.paths(node[2 if truthy(test) else 3], scope, at)

    def define_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        yield from self.paths(node[2], scope.with_function(node[1]), at)

    def bind_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        for source in self.values(node[1], scope, at[1]):
            yield from self.first_pattern(
                node[2], scope, source, lambda s: self.paths(node[3], s, at)
            )

    def reduce_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        _, source, patterns, start, update = node
        for initial in self.paths(start, scope, at):
            state = initial
            for item in self.values(source, scope, at[1]):
                for inner in self.matches(patterns[0], scope, item):
                    for state in self.paths(update, inner, state):
                        self.spend()
            yield state

    def label_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        self._labels += 1
        number_ = self._labels
        inner = scope.with_variables({f"*{node[1]}": number_})
        try:
            yield from self.paths(node[2], inner, at)
        except BreakError as stop:
            if stop.label != number_:
                raise

    def call_path(self, node: Node, scope: Scope, at: tuple[Path, Value]) -> Steps:
        _, name, arguments = node
        function = scope.functions.get((name, len(arguments)))
        if function is not None:
            for inner in self.bound(function, arguments, scope, at[1]):
                yield from self.paths(function.body, inner, at)
        elif name == "getpath" and len(arguments) == 1:
            for keys in self.values(arguments[0], scope, at[1]):
                yield (*at[0], *keys), get_path(at[1], tuple(keys))
        elif name == "empty":
            return
        elif name == "error":
            yield from ((at[0], item) for item in self.call(node, scope, at[1]))
        elif name == "recurse" and len(arguments) < 2:
            yield from self.recurse_path(arguments, scope, at)
        else:
            raise JqError("Invalid path expression")

    def recurse_path(
        self, arguments: tuple[Node, ...], scope: Scope, at: tuple[Path, Value]
    ) -> Steps:
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


def _combine(operator: str, new: Value) -> Callable[[Value], Values]:
    if operator == "//":
        return lambda old: iter((old if truthy(old) else new,))
    return lambda old: iter((BINARY[operator](old, new),))


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


def _size(value: Value) -> int:
    return len(value) if isinstance(value, (list, dict)) else 0


_VALUES: dict[str, Callable[[Evaluator, Node, Scope, Value], Values]] = {
    "identity": Evaluator.identity,
    "literal": Evaluator.literal,
    "variable": Evaluator.variable,
    "pipe": Evaluator.pipe,
    "comma": Evaluator.comma,
    "index": Evaluator.index,
    "slice": Evaluator.slice,
    "iterate": Evaluator.iterate,
    "try": Evaluator.attempt,
    "alternative": Evaluator.alternative,
    "and": Evaluator.both,
    "or": Evaluator.either,
    "binary": Evaluator.binary,
    "negate": Evaluator.negate,
    "array": Evaluator.array,
    "object": Evaluator.object,
    "text": Evaluator.text,
    "format": Evaluator.format,
    "if": Evaluator.condition,
    "def": Evaluator.define,
    "as": Evaluator.bind,
    "reduce": Evaluator.reduce,
    "foreach": Evaluator.foreach,
    "label": Evaluator.label,
    "break": Evaluator.leave,
    "assign": Evaluator.assign,
    "call": Evaluator.call,
}
_PATHS: dict[str, Callable[[Evaluator, Node, Scope, tuple[Path, Value]], Steps]] = {
    "identity": Evaluator.identity_path,
    "literal": Evaluator.literal_path,
    "pipe": Evaluator.pipe_path,
    "comma": Evaluator.comma_path,
    "index": Evaluator.index_path,
    "slice": Evaluator.slice_path,
    "iterate": Evaluator.iterate_path,
    "try": Evaluator.attempt_path,
    "alternative": Evaluator.alternative_path,
    "if": Evaluator.condition_path,
    "def": Evaluator.define_path,
    "as": Evaluator.bind_path,
    "reduce": Evaluator.reduce_path,
    "label": Evaluator.label_path,
    "call": Evaluator.call_path,
}
