"""Trees to closures: expressions. A closure takes the state and gives a value.

A `Context` may stand for the state where a template needs nothing but variables (`Tree.stateful`).
"""

import operator as comparison
from collections.abc import Callable, Mapping
from typing import Any

from batuta.expr import operators
from batuta.expr.access import attribute, call_method
from batuta.expr.compiler.call import compile_call, compile_filter, compile_test
from batuta.expr.compiler.scope import Scope
from batuta.expr.compiler.state import Expression, State
from batuta.expr.errors import (
    EvaluationError,
    ExpressionError,
    LimitError,
    MissingVariableError,
    RuntimeFaultError,
    place,
)
from batuta.expr.format.text import PRINTED, java_text
from batuta.expr.syntax import nodes
from batuta.expr.syntax.nodes import Node
from batuta.expr.values import LONG_MAX, LONG_MIN, HashMap, Long, Loop, Value, is_list, wrap64


def compile_expression(node: Node, scope: Scope) -> Expression:
    """The closure of an expression."""
    return _COMPILERS[type(node)](node, scope)


def compile_printed(node: Node, scope: Scope) -> Callable[[State], str]:
    """The closure of `{{ expression }}` as text."""
    expression = compile_expression(node, scope)
    writers = scope.writers

    if writers is not PRINTED:

        def print_other(s: State) -> str:
            value = expression(s)
            return value if type(value) is str else writers[type(value)](value)

        return print_other

    def print_value(s: State) -> str:
        value = expression(s)
        return value if type(value) is str else PRINTED[type(value)](value)

    return print_value


# Literals


def _literal(node: nodes.Literal, _: Scope) -> Expression:
    value = node.value
    return lambda s: value


def _list(node: nodes.ListLiteral, scope: Scope) -> Expression:
    items = [compile_expression(item, scope) for item in node.items]
    return lambda s: [item(s) for item in items]


def _map(node: nodes.MapLiteral, scope: Scope) -> Expression:
    entries = [
        (compile_expression(key, scope), compile_expression(value, scope))
        for key, value in node.entries
    ]
    at = node.at

    def build(s: State) -> Value:
        result = HashMap()
        for key, value in entries:
            name = key(s)
            if name is None or isinstance(name, (list, Mapping)):
                raise RuntimeFaultError("a map needs a text, number or boolean as key", at)
            result[name] = value(s)
        return result

    return build


def _concat(node: nodes.Concat, scope: Scope) -> Expression:
    parts = [compile_expression(part, scope) for part in node.parts]
    metered = scope.metered

    def concat(s: State) -> Value:
        texts = []
        for part in parts:
            value = part(s)
            if type(value) is str:
                texts.append(value)
            elif value is not None:
                texts.append(java_text(value))
        text = "".join(texts)
        if metered:
            s.meter.charge(len(text))
        return text

    return concat


# Names and paths


def _name(node: nodes.Name, scope: Scope) -> Expression:
    name, at = node.name, node.at

    def from_context(s: State) -> Value:
        try:
            return s.variables[name]
        except KeyError:
            raise MissingVariableError(name, at, known=s.variables) from None

    def from_anywhere(s: State) -> Value:
        local = s.local
        if name in local:
            return local[name]
        try:
            return s.variables[name]
        except KeyError:
            raise MissingVariableError(name, at, known=s.visible()) from None

    return from_anywhere if scope.is_local(name) else from_context


def _attribute(node: nodes.Attribute, scope: Scope) -> Expression:
    if not isinstance(node.key, nodes.Literal) or type(node.key.value) is not str:
        return _computed(node, scope)
    key: str = node.key.value
    if isinstance(node.target, nodes.Name) and node.target.name == "loop" and key in Loop.NAMES:
        return _loop_member(node, key, scope)
    path = _path(node)
    if path is None or len(path) not in _FAST_PATHS or scope.is_local(path[0]):
        return _step(node, key, scope)
    return _FAST_PATHS[len(path)](path)


def _step(node: nodes.Attribute, key: str, scope: Scope) -> Expression:
    """One step of a path with every rule of 02 §1.4."""
    target, at, root = compile_expression(node.target, scope), node.at, _root_of(node.target)

    def step(s: State) -> Value:
        value = target(s)
        if type(value) is dict and key in value:
            return value[key]
        return attribute(value, key, at=at, root=root)

    return step


def _quiet_step(node: nodes.Attribute, scope: Scope) -> Expression | None:
    """A step for the left side of `??` in a loop, where a missing key of a map may be null as well.

    It spares an error for each item that lacks the key; paths of the context stay as small as they are.
    """
    path = _path(node)
    if path is None or not scope.is_local(path[0]):
        return None
    key: str = path[len(path) // 2 - 1]
    target, at, root = compile_expression(node.target, scope), node.at, _root_of(node.target)

    def step(s: State) -> Value:
        value = target(s)
        return value.get(key) if type(value) is dict else attribute(value, key, at=at, root=root)

    return step


Path = tuple[Any, ...]
"""The keys of `a.b.c`, then the place of each: one flat tuple keeps cached templates small."""


def _path(node: Node) -> Path | None:
    keys: list[str] = []
    places: list[nodes.At] = []
    while isinstance(node, nodes.Attribute):
        if not isinstance(node.key, nodes.Literal) or type(node.key.value) is not str:
            return None
        keys.append(node.key.value)
        places.append(node.at)
        node = node.target
    if not isinstance(node, nodes.Name):
        return None
    return (node.name, *reversed(keys), node.at, *reversed(places))


def _walk(s: State, path: Path) -> Value:
    """Every step of a path with the rules of 02 §1.4."""
    count = len(path) // 2
    name: str = path[0]
    try:
        value = s.variables[name]
    except KeyError:
        raise MissingVariableError(name, path[count], known=s.variables) from None
    for index in range(1, count):
        root = name if index == 1 else None
        value = attribute(value, path[index], at=path[count + index], root=root)
    return value


# Maps answer at once; a list, a text or a missing key raises in the fast ways, and `_walk` judges it.


def _fast_two(path: Path) -> Expression:
    root, key = path[:2]

    def two(s: State) -> Value:
        try:
            return s.variables[root][key]
        except (KeyError, TypeError):
            return _walk(s, path)

    return two


def _fast_three(path: Path) -> Expression:
    root, first, second = path[:3]

    def three(s: State) -> Value:
        try:
            return s.variables[root][first][second]
        except (KeyError, TypeError):
            return _walk(s, path)

    return three


def _fast_four(path: Path) -> Expression:
    root, first, second, third = path[:4]

    def four(s: State) -> Value:
        try:
            return s.variables[root][first][second][third]
        except (KeyError, TypeError):
            return _walk(s, path)

    return four


_FAST_PATHS: dict[int, Callable[[Path], Expression]] = {
    4: _fast_two,
    6: _fast_three,
    8: _fast_four,
}


def _loop_member(node: nodes.Attribute, key: str, scope: Scope) -> Expression:
    slow = _step(node, key, scope)
    if not scope.is_local("loop"):
        return slow

    def member(s: State) -> Value:
        loop = s.local.get("loop")
        return loop[key] if type(loop) is Loop else slow(s)

    def index(s: State) -> Value:
        loop = s.local.get("loop")
        return loop.index if type(loop) is Loop else slow(s)

    def last(s: State) -> Value:
        loop = s.local.get("loop")
        return loop.index == loop.length - 1 if type(loop) is Loop else slow(s)

    return {"index": index, "last": last}.get(key, member)


def _computed(node: nodes.Attribute, scope: Scope) -> Expression:
    target, key = compile_expression(node.target, scope), compile_expression(node.key, scope)
    at, root = node.at, _root_of(node.target)
    return lambda s: attribute(target(s), key(s), at=at, root=root)


def _root_of(node: Node) -> str | None:
    return node.name if isinstance(node, nodes.Name) else None


def _method(node: nodes.MethodCall, scope: Scope) -> Expression:
    target, at, root = compile_expression(node.target, scope), node.at, _root_of(node.target)
    name = str(node.key.value) if isinstance(node.key, nodes.Literal) else ""
    arguments = [compile_expression(argument, scope) for argument in node.arguments.positional]

    def call(s: State) -> Value:
        value = target(s)
        given = [argument(s) for argument in arguments]
        limits = s.host.settings.limits
        return call_method(value, name, given, at=at, root=root, limits=limits)

    return call


# Operators


def _unary(node: nodes.Unary, scope: Scope) -> Expression:
    operand, at = compile_expression(node.operand, scope), node.at
    negates = node.operator == "not"
    code = {"not": operators.negated, "-": operators.negate, "+": operators.plus}[node.operator]

    def unary(s: State) -> Value:
        value = operand(s)
        if negates and (value is True or value is False):
            return not value
        try:
            return code(value)
        except ExpressionError as problem:
            place(problem, at)
            raise

    return unary


_WRAPPED: dict[str, tuple[Callable[[Any, Any], Value], str]] = {
    "/": (lambda a, b: operators.arithmetic("/", a, b), "Could not perform division"),
    "%": (lambda a, b: operators.arithmetic("%", a, b), "Could not perform greater modulus"),
    "==": (operators.equal, "Could not perform equals comparison"),
    "equals": (operators.equal, "Could not perform equals comparison"),
    "!=": (operators.not_equal, "Could not perform not equals comparison"),
}
_PLAIN: dict[str, Callable[[Any, Any], Value]] = {
    "contains": operators.contains,
    "isIn": operators.is_in,
}


def _binary(node: nodes.Binary, scope: Scope) -> Expression:
    left, right = compile_expression(node.left, scope), compile_expression(node.right, scope)
    wrapped = _WRAPPED.get(node.operator)
    if wrapped is not None:
        code, message = wrapped
        return _guarded(lambda s: code(left(s), right(s)), message, node.at)
    special = _SPECIAL.get(node.operator)
    if node.operator == "??" and isinstance(node.left, nodes.Attribute):
        left = _quiet_step(node.left, scope) or left
    if special is not None:
        return special(left, right, node.at)
    if node.operator == "..":
        return _range(left, right, node.at, metered=scope.metered)
    return _placed(_PLAIN[node.operator], left, right, at=node.at)


def _guarded(code: Expression, message: str, at: nodes.At) -> Expression:
    """Any failure becomes the operator's own (02 §1.4)."""

    def guarded(s: State) -> Value:
        try:
            return code(s)
        except LimitError:
            raise
        except ExpressionError as problem:
            raise EvaluationError(message, at) from problem

    return guarded


def _placed(
    code: Callable[[Any, Any], Value], left: Expression, right: Expression, *, at: nodes.At
) -> Expression:
    def binary(s: State) -> Value:
        first, second = left(s), right(s)
        try:
            return code(first, second)
        except ExpressionError as problem:
            place(problem, at)
            raise

    return binary


Special = Callable[[Expression, Expression, nodes.At], Expression]
_INTEGERS = frozenset((int, Long))
_WIDE = frozenset(((Long, Long), (Long, int), (int, Long)))
"""Pairs of integers whose result is 64-bit whatever they are."""


def _integral(
    quick: Callable[[int, int], int], slow: Callable[[State, Value, Value], Value], message: str
) -> Special:
    """An operator that is mostly asked about integers."""

    def build(left: Expression, right: Expression, at: nodes.At) -> Expression:
        def compute(s: State) -> Value:
            try:
                first, second = left(s), right(s)
                if (type(first), type(second)) in _WIDE:
                    number = quick(first, second)
                    return Long(number) if LONG_MIN <= number <= LONG_MAX else wrap64(number)
                return slow(s, first, second)
            except LimitError:
                raise
            except ExpressionError as problem:
                raise EvaluationError(message, at) from problem

        return compute

    return build


def _ordering(test: Callable[[float, float], bool], message: str) -> Special:
    ordered = operators.ordered(test)

    def build(left: Expression, right: Expression, at: nodes.At) -> Expression:
        def compare(s: State) -> Value:
            try:
                first, second = left(s), right(s)
                if type(first) in _INTEGERS and type(second) in _INTEGERS:
                    return test(float(first), float(second))
                return ordered(first, second)
            except LimitError:
                raise
            except ExpressionError as problem:
                raise EvaluationError(message, at) from problem

        return compare

    return build


def _add(s: State, first: Value, second: Value) -> Value:
    if is_list(first) and type(second) is not str:
        return s.change_list(first, [*first, *operators.list_with(second)])
    result = operators.add(first, second)
    if type(result) is str:
        s.meter.charge(len(result))
    return result


def _subtract(s: State, first: Value, second: Value) -> Value:
    if is_list(first):
        return s.change_list(first, operators.list_without(first, second))
    return operators.arithmetic("-", first, second)


def _multiply(_: State, first: Value, second: Value) -> Value:
    return operators.arithmetic("*", first, second)


def _and(left: Expression, right: Expression, at: nodes.At) -> Expression:
    def both(s: State) -> Value:
        return _condition(left(s), "and", at) and _condition(right(s), "and", at)

    return both


def _or(left: Expression, right: Expression, at: nodes.At) -> Expression:
    def either(s: State) -> Value:
        return _condition(left(s), "or", at) or _condition(right(s), "or", at)

    return either


def _condition(value: Value, name: str, at: nodes.At) -> bool:
    if value is True or value is False:
        return bool(value)
    try:
        return operators.logical(value, name)
    except ExpressionError as problem:
        place(problem, at)
        raise


def _coalesce(left: Expression, right: Expression, _: nodes.At) -> Expression:
    def coalesce(s: State) -> Value:
        try:
            value = left(s)
        except MissingVariableError:
            return right(s)
        return right(s) if value is None else value

    return coalesce


def _undefined_coalesce(left: Expression, right: Expression, _: nodes.At) -> Expression:
    def coalesce(s: State) -> Value:
        try:
            return left(s)
        except MissingVariableError:
            return right(s)

    return coalesce


def _range(left: Expression, right: Expression, at: nodes.At, *, metered: bool) -> Expression:
    def items(s: State) -> list[Value]:
        first, second = left(s), right(s)
        try:
            return operators.inclusive_range(
                first, second, None, limit=s.host.settings.limits.range_items
            )
        except ExpressionError as problem:
            place(problem, at)
            raise

    def counted(s: State) -> Value:
        result = items(s)
        s.meter.spend(len(result))
        return result

    return counted if metered else items


_SPECIAL: dict[str, Special] = {
    "+": _integral(comparison.add, _add, "Could not perform addition"),
    "-": _integral(comparison.sub, _subtract, "Could not perform subtraction"),
    "*": _integral(comparison.mul, _multiply, "Could not perform multiplication"),
    "and": _and,
    "or": _or,
    "<": _ordering(comparison.lt, "Could not perform less than comparison"),
    ">": _ordering(comparison.gt, "Could not perform greater than comparison"),
    "<=": _ordering(comparison.le, "Could not perform less than or equal comparison"),
    ">=": _ordering(comparison.ge, "Could not perform greater than or equal comparison"),
    "??": _coalesce,
    "???": _undefined_coalesce,
}


def _ternary(node: nodes.Ternary, scope: Scope) -> Expression:
    condition = compile_expression(node.condition, scope)
    then, otherwise = (
        compile_expression(node.then, scope),
        compile_expression(node.otherwise, scope),
    )
    at = node.at

    def ternary(s: State) -> Value:
        value = condition(s)
        if value is True:
            return then(s)
        if value is False:
            return otherwise(s)
        try:
            chosen = operators.ternary_condition(value)
        except ExpressionError as problem:
            place(problem, at)
            raise
        return then(s) if chosen else otherwise(s)

    return ternary


# Calls


def _filter(node: nodes.Filter, scope: Scope) -> Expression:
    return compile_filter(node, scope, compile_expression)


def _test(node: nodes.Test, scope: Scope) -> Expression:
    return compile_test(node, scope, compile_expression)


def _call(node: nodes.Call, scope: Scope) -> Expression:
    return compile_call(node, scope, compile_expression)


def _filter_body(_: nodes.FilterBody, scope: Scope) -> Expression:
    return scope.filter_body


_COMPILERS: dict[type[Node], Callable[[Any, Scope], Expression]] = {
    nodes.Literal: _literal,
    nodes.ListLiteral: _list,
    nodes.MapLiteral: _map,
    nodes.Concat: _concat,
    nodes.Name: _name,
    nodes.Attribute: _attribute,
    nodes.MethodCall: _method,
    nodes.Unary: _unary,
    nodes.Binary: _binary,
    nodes.Ternary: _ternary,
    nodes.Filter: _filter,
    nodes.Test: _test,
    nodes.Call: _call,
    nodes.FilterBody: _filter_body,
}
