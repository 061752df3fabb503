"""Trees to closures: filters, tests, functions and macros with their arguments (02 §1.6)."""

from collections.abc import Callable
from typing import Any

from batuta.expr.compiler.scope import Scope
from batuta.expr.compiler.state import Expression, State
from batuta.expr.errors import (
    EvaluationError,
    ExpressionError,
    MissingVariableError,
    RuntimeFaultError,
    place,
)
from batuta.expr.registry import FILTERS, FUNCTIONS, TESTS, Code, Definition
from batuta.expr.syntax import nodes
from batuta.expr.syntax.nodes import Arguments, At, Node
from batuta.expr.values import Value, is_list

CompileExpression = Callable[[Node, Scope], Expression]
FAILURES = (ExpressionError, ValueError, TypeError, ArithmeticError, LookupError)
"""Our errors, and what Python raises for a value of the wrong kind: the raw errors of the original."""
_NOT_RECURSIVE = frozenset(("render", "renderOnce"))
_CHARS_PER_STEP = 64


class Bound:
    """Arguments of one call, ready to be evaluated in the order of the parameters."""

    __slots__ = ("closures", "constants")

    def __init__(self, closures: list[Expression], constants: tuple[Value, ...] | None) -> None:
        self.closures = closures
        self.constants = constants

    def evaluate(self, s: State) -> tuple[Value, ...]:
        if self.constants is not None:
            return self.constants
        return tuple([closure(s) for closure in self.closures])


def bind(
    arguments: Arguments, definition: Definition, scope: Scope, *, compiler: CompileExpression
) -> Bound | str:
    """The bound arguments, or the message of the mistake."""
    parameters = definition.parameters
    if parameters is None:
        return _bound(list(arguments.positional), scope, compiler)
    given = len(arguments.positional)
    if given > len(parameters):
        return (
            f"The argument at position {len(parameters) + 1} is not allowed. "
            f"Only {len(parameters)} argument(s) are allowed."
        )
    slots: list[Node] = [*arguments.positional, *[_NULL] * (len(parameters) - given)]
    for name, value in arguments.named:
        if name not in parameters:
            return f"The following named argument does not exist: {name}"
        slots[parameters.index(name)] = value
    for name in definition.required:
        if slots[parameters.index(name)] is _NULL:
            return f"The '{definition.name}' function expects an argument '{name}'."
    return _bound(slots, scope, compiler)


_NULL = nodes.Literal(None)


def _bound(slots: list[Node], scope: Scope, compiler: CompileExpression) -> Bound:
    values = [slot.value for slot in slots if isinstance(slot, nodes.Literal)]
    if len(values) == len(slots):
        return Bound([], tuple(values))
    return Bound([compiler(slot, scope) for slot in slots], None)


def _failing(message: str, at: At) -> Expression:
    """Unknown names and wrong arguments fail when they are evaluated, not before."""

    def fail(_: State) -> Value:
        raise EvaluationError(message, at)

    return fail


def run(code: Code, at: At, arguments: tuple[Any, ...]) -> Value:
    """Calls declared code; gives errors their place."""
    try:
        return code(*arguments)
    except FAILURES as problem:
        raise placed(problem, at) from problem.__cause__


def placed(problem: Exception, at: At) -> ExpressionError:
    if isinstance(problem, ExpressionError):
        place(problem, at)
        return problem
    return RuntimeFaultError(f"{type(problem).__name__}: {problem}", at)


# Filters


def compile_filter(node: nodes.Filter, scope: Scope, compiler: CompileExpression) -> Expression:
    definition = FILTERS.table.get(node.name)
    if definition is None:
        return _failing(f"Filter [{node.name}] does not exist.", node.at)
    bound = bind(node.arguments, definition, scope, compiler=compiler)
    if isinstance(bound, str):
        return _failing(bound, node.at)
    target = compiler(node.target, scope)
    if definition.catches_missing:
        target = _tolerant(target)
    if definition.changes_list:
        return _changing_filter(definition, target, node.at)
    if definition.with_state:
        return _asking_filter(definition, target, bound, at=node.at, metered=scope.metered)
    if scope.metered:
        return _metered_filter(definition, target, bound, at=node.at)
    return _plain_filter(definition, target, bound, at=node.at)


def _tolerant(target: Expression) -> Expression:
    def tolerant(s: State) -> Value:
        try:
            return target(s)
        except MissingVariableError:
            return None

    return tolerant


def _plain_filter(
    definition: Definition, target: Expression, bound: Bound, *, at: At
) -> Expression:
    code = definition.code
    if definition.parameters is None:
        return _simple_filter(code, target, at)
    constants = bound.constants
    if constants is not None:

        def constant(s: State) -> Value:
            value = target(s)
            try:
                return code(value, *constants)
            except FAILURES as problem:
                raise placed(problem, at) from problem.__cause__

        return constant

    def dynamic(s: State) -> Value:
        arguments = bound.evaluate(s)  # before the input (02 §1.6)
        return run(code, at, (target(s), *arguments))

    return dynamic


def _simple_filter(code: Code, target: Expression, at: At) -> Expression:
    def simple(s: State) -> Value:
        value = target(s)
        try:
            return code(value)
        except FAILURES as problem:
            raise placed(problem, at) from problem.__cause__

    return simple


def _metered_filter(
    definition: Definition, target: Expression, bound: Bound, *, at: At
) -> Expression:
    code = definition.code
    ignores_arguments = definition.parameters is None

    def with_meter(s: State) -> Value:
        arguments = bound.evaluate(s)
        if ignores_arguments:
            arguments = ()
        value = target(s)
        s.meter.spend(_weight(value))
        result = run(code, at, (value, *arguments))
        _account(s, result)
        return result

    return with_meter


def _asking_filter(
    definition: Definition, target: Expression, bound: Bound, *, at: At, metered: bool
) -> Expression:
    code = definition.code

    def ask(s: State) -> Value:
        arguments = bound.evaluate(s)
        return run(code, at, (s, target(s), *arguments))

    def ask_and_account(s: State) -> Value:
        result = ask(s)
        _account(s, result)
        return result

    return ask_and_account if metered else ask


def _account(s: State, result: Value) -> None:
    if type(result) is str:
        s.meter.charge(len(result))
    else:
        s.meter.spend(_weight(result))


def _weight(value: Value) -> int:
    if type(value) is str:
        return len(value) // _CHARS_PER_STEP
    return len(value) if isinstance(value, (list, dict)) else 1


def _changing_filter(definition: Definition, target: Expression, at: At) -> Expression:
    code = definition.code

    def changing(s: State) -> Value:
        value = target(s)
        result = run(code, at, (value,))
        return s.change_list(value, result) if is_list(value) else result

    return changing


# Tests


def compile_test(node: nodes.Test, scope: Scope, compiler: CompileExpression) -> Expression:
    definition = TESTS.table.get(node.name)
    if definition is None:
        return _failing(f"Test [{node.name}] does not exist.", node.at)
    target = compiler(node.target, scope)
    if definition.catches_missing:
        target = _tolerant(target)
    code, negated, at = definition.code, node.negated, node.at

    def test(s: State) -> Value:
        value = target(s)
        return run(code, at, (value,)) is not negated

    return test


# Functions and macros


def compile_call(node: nodes.Call, scope: Scope, compiler: CompileExpression) -> Expression:
    definition = FUNCTIONS.table.get(node.name)
    if definition is None:
        return _macro_call(node, scope, compiler)
    bound = bind(node.arguments, definition, scope, compiler=compiler)
    if isinstance(bound, str):
        return _failing(bound, node.at)
    if node.name in _NOT_RECURSIVE:
        return _unless_recursive(node, definition, bound)
    return _function(definition, bound, node.at)


def _function(definition: Definition, bound: Bound, at: At) -> Expression:
    code, with_state, variadic = definition.code, definition.with_state, definition.variadic

    def call(s: State) -> Value:
        arguments = bound.evaluate(s)
        s.meter.spend(1)
        if variadic:
            arguments = (arguments,)
        result = run(code, at, (s, *arguments) if with_state else arguments)
        if type(result) is list:
            s.meter.spend(len(result))
        return result

    return call


def _unless_recursive(node: nodes.Call, definition: Definition, bound: Bound) -> Expression:
    """`render` does not exist where every rendering is recursive (02 §2.4)."""
    call = _function(definition, bound, node.at)
    missing = _failing(f"Function or Macro [{node.name}] does not exist.", node.at)

    def choose(s: State) -> Value:
        return missing(s) if s.host.settings.recursive_rendering else call(s)

    return choose


def _macro_call(node: nodes.Call, scope: Scope, compiler: CompileExpression) -> Expression:
    positional = [compiler(argument, scope) for argument in node.arguments.positional]
    named = [(name, compiler(argument, scope)) for name, argument in node.arguments.named]
    name, at = node.name, node.at

    def call(s: State) -> Value:
        macro = s.macros.get(name)
        if macro is None:
            raise EvaluationError(f"Function or Macro [{name}] does not exist.", at)
        return macro.call(
            s,
            [argument(s) for argument in positional],
            [(key, argument(s)) for key, argument in named],
            at=at,
        )

    return call
