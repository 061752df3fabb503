"""Evaluates the tree of a jq program: every node gives any number of values."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from typing_extensions import override

from batuta.expr.jq import builtin, mathematics
from batuta.expr.jq.binder import Binder, Values
from batuta.expr.jq.errors import BreakError, JqError, JqLimitError
from batuta.expr.jq.form import formatted
from batuta.expr.jq.native import NATIVE, Invocation, Spend
from batuta.expr.jq.scope import Scope
from batuta.expr.jq.stream import STREAMS
from batuta.expr.jq.syntax import Node
from batuta.expr.jq.value import (
    BINARY,
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

BUILTIN = (builtin, mathematics)
"""Modules that fill `NATIVE`."""
_ITEMS_PER_STEP = 64
"""Copying this many items counts as one step."""


class ValueEvaluator(Binder):
    """Values of every kind of node."""

    __slots__ = ()

    def _identity(self, _node: Node, _scope: Scope, value: Value) -> Values:
        yield value

    def _literal(self, node: Node, _scope: Scope, _value: Value) -> Values:
        yield node[1]

    def _variable(self, node: Node, scope: Scope, _: Value) -> Values:
        try:
            yield scope.variables[node[1]]
        except KeyError:
            raise JqLimitError(f"{node[1]} is not defined") from None

    def _pipe(self, node: Node, scope: Scope, value: Value) -> Values:
        for middle in self.values(node[1], scope, value):
            yield from self.values(node[2], scope, middle)

    def _comma(self, node: Node, scope: Scope, value: Value) -> Values:
        yield from self.values(node[1], scope, value)
        yield from self.values(node[2], scope, value)

    def _index(self, node: Node, scope: Scope, value: Value) -> Values:
        for target in self.values(node[1], scope, value):
            for key in self.values(node[2], scope, value):
                yield get(target, key)

    def _slice(self, node: Node, scope: Scope, value: Value) -> Values:
        for target in self.values(node[1], scope, value):
            for start, end in self.slice_bounds(node, scope, value):
                yield slice_of(target, start, end)

    def slice_bounds(self, node: Node, scope: Scope, value: Value) -> Iterator[tuple[Value, Value]]:
        for end in self._optional(node[3], scope, value):
            for start in self._optional(node[2], scope, value):
                yield start, end

    def _optional(self, node: Node | None, scope: Scope, value: Value) -> Values:
        return iter((None,)) if node is None else self.values(node, scope, value)

    def _iterate(self, node: Node, scope: Scope, value: Value) -> Values:
        for target in self.values(node[1], scope, value):
            for _, item in iterate(target):
                self.spend()
                yield item

    def _attempt(self, node: Node, scope: Scope, value: Value) -> Values:
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

    def _alternative(self, node: Node, scope: Scope, value: Value) -> Values:
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

    def _both(self, node: Node, scope: Scope, value: Value) -> Values:
        for left in self.values(node[1], scope, value):
            if not truthy(left):
                yield False
                continue
            for right in self.values(node[2], scope, value):
                yield truthy(right)

    def _either(self, node: Node, scope: Scope, value: Value) -> Values:
        for left in self.values(node[1], scope, value):
            if truthy(left):
                yield True
                continue
            for right in self.values(node[2], scope, value):
                yield truthy(right)

    def _binary(self, node: Node, scope: Scope, value: Value) -> Values:
        code = BINARY[node[1]]
        for right in self.values(node[3], scope, value):
            for left in self.values(node[2], scope, value):
                result = code(left, right)
                self.spend(_size(result) // _ITEMS_PER_STEP)
                yield result

    def _negate(self, node: Node, scope: Scope, value: Value) -> Values:
        for operand in self.values(node[1], scope, value):
            if type_name(operand) != "number":
                raise JqError(f"{type_name(operand)} cannot be negated")
            yield number(-operand)

    def _array(self, node: Node, scope: Scope, value: Value) -> Values:
        items = [] if node[1] is None else list(self.values(node[1], scope, value))
        yield items

    def _object(self, node: Node, scope: Scope, value: Value) -> Values:
        yield from self._entries(node[1], scope, value, made={})

    def _entries(
        self, entries: tuple[Any, ...], scope: Scope, value: Value, *, made: dict[str, Value]
    ) -> Values:
        if not entries:
            yield made
            return
        key_node, value_node = entries[0]
        for key in self.values(key_node, scope, value):
            if not isinstance(key, str):
                raise JqError(f"Object keys must be strings, not {type_name(key)}")
            for item in self.values(value_node, scope, value):
                yield from self._entries(entries[1:], scope, value, made={**made, key: item})

    def _text(self, node: Node, scope: Scope, value: Value) -> Values:
        yield from self._joined(node[1], scope, value, made="")

    def _joined(self, parts: tuple[Node, ...], scope: Scope, value: Value, *, made: str) -> Values:
        if not parts:
            yield made
            return
        for part in self.values(parts[0], scope, value):
            yield from self._joined(parts[1:], scope, value, made=add(made, part))

    def _format(self, node: Node, scope: Scope, value: Value) -> Values:
        for item in self.values(node[2], scope, value):
            yield formatted(node[1], item)

    def _condition(self, node: Node, scope: Scope, value: Value) -> Values:
        for test in self.values(node[1], scope, value):
            yield from self.values(node[2 if truthy(test) else 3], scope, value)

    def _define(self, node: Node, scope: Scope, value: Value) -> Values:
        yield from self.values(node[2], scope.with_function(node[1]), value)

    def _bind(self, node: Node, scope: Scope, value: Value) -> Values:
        for source in self.values(node[1], scope, value):
            yield from self.first_pattern(
                node[2], scope, source, body=lambda s: self.values(node[3], s, value)
            )

    def _reduce(self, node: Node, scope: Scope, value: Value) -> Values:
        _, source, patterns, start, update = node
        for initial in self.values(start, scope, value):
            state = initial
            for item in self.values(source, scope, value):
                for inner in self.matches(patterns[0], scope, item):
                    self.spend()
                    results = list(self.values(update, inner, state))
                    state = results[-1] if results else None
            yield state

    def _foreach(self, node: Node, scope: Scope, value: Value) -> Values:
        _, source, patterns, start, update, extract = node
        for initial in self.values(start, scope, value):
            state = initial
            for item in self.values(source, scope, value):
                for inner in self.matches(patterns[0], scope, item):
                    for result in self.values(update, inner, state):
                        state = result
                        yield from self.values(extract, inner, result)

    def _label(self, node: Node, scope: Scope, value: Value) -> Values:
        number_ = self.next_label()
        inner = scope.with_variables({f"*{node[1]}": number_})
        try:
            yield from self.values(node[2], inner, value)
        except BreakError as stop:
            if stop.label != number_:
                raise

    def _leave(self, node: Node, scope: Scope, _: Value) -> Values:
        number_ = scope.variables.get(f"*{node[1]}")
        if number_ is None:
            raise JqLimitError(f"{node[1]} is no label")
        raise BreakError(number_)

    def _assign(self, node: Node, scope: Scope, value: Value) -> Values:
        _, operator, target, source = node
        if operator == "|=":
            yield self._updated(
                target, scope, value, change=lambda old: self.values(source, scope, old)
            )
            return
        for new in self.values(source, scope, value):
            if operator == "=":
                result = value
                for path, _ in self.paths(target, scope, ((), value)):
                    self.spend(_size(result) // _ITEMS_PER_STEP)
                    result = set_path(result, path, new)
                yield result
            else:
                yield self._updated(target, scope, value, change=_combine(operator[:-1], new))

    def _updated(
        self, target: Node, scope: Scope, value: Value, *, change: Callable[[Value], Values]
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

    def _call(self, node: Node, scope: Scope, value: Value) -> Values:
        _, name, arguments = node
        function = scope.functions.get((name, len(arguments)))
        if function is not None:
            for inner in self.bound(function, arguments, scope, value=value):
                yield from self.values(function.body, inner, value)
            return
        stream = STREAMS.get((name, len(arguments)))
        if stream is not None:
            yield from stream(Invocation(self, arguments, scope, value))
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

    _TABLE: ClassVar[dict[str, Callable[..., Values]]] = {
        "identity": _identity,
        "literal": _literal,
        "variable": _variable,
        "pipe": _pipe,
        "comma": _comma,
        "index": _index,
        "slice": _slice,
        "iterate": _iterate,
        "try": _attempt,
        "alternative": _alternative,
        "and": _both,
        "or": _either,
        "binary": _binary,
        "negate": _negate,
        "array": _array,
        "object": _object,
        "text": _text,
        "format": _format,
        "if": _condition,
        "def": _define,
        "as": _bind,
        "reduce": _reduce,
        "foreach": _foreach,
        "label": _label,
        "break": _leave,
        "assign": _assign,
        "call": _call,
    }

    @override
    def values(self, node: Node, scope: Scope, value: Value) -> Values:
        self.spend()
        return self._TABLE[node[0]](self, node, scope, value)


def _combine(operator: str, new: Value) -> Callable[[Value], Values]:
    if operator == "//":
        return lambda old: iter((old if truthy(old) else new,))
    return lambda old: iter((BINARY[operator](old, new),))


def _size(value: Value) -> int:
    return len(value) if isinstance(value, (list, dict)) else 0
