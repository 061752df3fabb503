"""Trees to closures: text, prints and tags. A statement takes the state and a function that takes output."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from batuta.expr import operators
from batuta.expr.compiler.expression import compile_expression, compile_printed
from batuta.expr.compiler.loop_row import Turns, row_turns
from batuta.expr.compiler.scope import Scope
from batuta.expr.compiler.state import TOO_MUCH_TEXT, Expression, State, Statement
from batuta.expr.errors import EvaluationError, ExpressionError, LimitError, RuntimeFaultError
from batuta.expr.format.text import JAVA_PRINTED, java_text
from batuta.expr.syntax import nodes
from batuta.expr.syntax.nodes import At, Node
from batuta.expr.syntax.references import uses_loop
from batuta.expr.values import Entry, Loop, Value, class_name, is_enum

Piece = Callable[[State], str]
_ABSENT = object()


class MacroDefinition:
    """A macro sees its arguments only; what it prints is its result."""

    __slots__ = ("_body", "_defaults", "name")

    def __init__(
        self, name: str, defaults: dict[str, Expression | None], body: Sequence[Statement]
    ) -> None:
        self.name = name
        self._defaults = defaults
        self._body = body

    def call(
        self, s: State, positional: list[Value], named: list[tuple[str, Value]], *, at: At
    ) -> Value:
        inner = State({}, s.host, s.meter)
        inner.macros, inner.blocks, inner.outer = s.macros, s.blocks, s.outer
        inner.local = self._arguments(positional, named, at)
        for name, default in self._defaults.items():
            if name not in inner.local:
                inner.local[name] = None if default is None else default(inner)
        return run_body(self._body, inner)

    def _arguments(
        self, positional: list[Value], named: list[tuple[str, Value]], at: At
    ) -> dict[str, Value]:
        names = list(self._defaults)
        if len(positional) > len(names):
            raise EvaluationError(
                f"The argument at position {len(names) + 1} is not allowed. "
                f"Only {len(names)} argument(s) are allowed.",
                at,
            )
        given = dict(zip(names, positional, strict=False))
        for name, value in named:
            if name not in self._defaults:
                raise EvaluationError(f"The following named argument does not exist: {name}", at)
            given[name] = value
        return given


def run_body(body: Sequence[Statement], s: State) -> str:
    """The text that statements write."""
    meter = s.meter
    meter.enter()
    meter.spend(1)
    pieces: list[str] = []
    for statement in body:
        statement(s, pieces.append)
    meter.leave()
    size = sum(map(len, pieces))
    meter.charge(size)
    return "".join(pieces)


class Definitions:
    """Macros and blocks found on the way; they are known in the whole template."""

    __slots__ = ("blocks", "macros")

    def __init__(self) -> None:
        self.macros: dict[str, MacroDefinition] = {}
        self.blocks: dict[str, Sequence[Statement]] = {}


def compile_body(body: Sequence[Node], scope: Scope, found: Definitions) -> list[Statement]:
    """Statements; neighbouring texts and prints become one."""
    result: list[Statement] = []
    run: list[Node] = []
    for node in body:
        if isinstance(node, (nodes.Text, nodes.Print)):
            run.append(node)
            continue
        if run:
            result += _output(run, scope)
            run = []
        statement = _COMPILERS[type(node)](node, scope, found)
        if statement is not None:
            result.append(statement)
    if run:
        result += _output(run, scope)
    return result


def _output(run: list[Node], scope: Scope) -> list[Statement]:
    if scope.typed:
        return [_typed_output(node, scope) for node in run]
    return [_writing(compile_piece(run, scope))]


def compile_piece(run: Sequence[Any], scope: Scope) -> Piece:
    """The text of neighbouring texts and prints."""
    template = ""
    prints: list[Piece] = []
    for node in run:
        if isinstance(node, nodes.Print):
            template += "%s"
            prints.append(compile_printed(node.expression, scope))
        else:
            template += node.text.replace("%", "%%")
    if not prints:
        text = template.replace("%%", "%")
        return lambda s: text
    if len(prints) == 1:
        return _one_print(template, prints[0])
    return lambda s: template % tuple([piece(s) for piece in prints])


def _one_print(template: str, piece: Piece) -> Piece:
    if template == "%s":
        return piece
    before, after = (part.replace("%%", "%") for part in template.split("%s", 1))
    if not before:
        return lambda s: piece(s) + after
    if not after:
        return lambda s: before + piece(s)
    return lambda s: before + piece(s) + after


def _writing(piece: Piece) -> Statement:
    def write(s: State, out: Callable[[Value], None]) -> None:
        text = piece(s)
        # What `Meter.charge` does, for the statement that is met most.
        meter, size = s.meter, len(text)
        meter.chars -= size
        if meter.chars < 0 or size > meter.text_chars:
            raise LimitError(TOO_MUCH_TEXT)
        out(text)

    return write


def _typed_output(node: Node, scope: Scope) -> Statement:
    if isinstance(node, nodes.Text):
        text = node.text
        return lambda s, out: out(text)
    expression = compile_expression(node.expression, scope)  # type: ignore[attr-defined]
    return _typed_value(expression)


def _typed_value(expression: Expression) -> Statement:
    def write(s: State, out: Callable[[Value], None]) -> None:
        value = expression(s)
        if value is not None:
            out(value)

    return write


def _print(expression: Expression, scope: Scope) -> Statement:
    if scope.typed:
        return _typed_value(expression)
    writers = scope.writers

    def write(s: State, out: Callable[[Value], None]) -> None:
        value = expression(s)
        out(writers[type(value)](value))

    return write


# Tags


def _if(node: nodes.If, scope: Scope, found: Definitions) -> Statement:
    branches = [
        (compile_expression(condition, scope), compile_body(body, scope, found), at)
        for condition, body, at in node.branches
    ]
    otherwise = compile_body(node.otherwise, scope, found)

    def choose(s: State, out: Callable[[Value], None]) -> None:
        for condition, body, at in branches:
            if _holds(condition, s, at):
                for statement in body:
                    statement(s, out)
                return
        for statement in otherwise:
            statement(s, out)

    return choose


def _holds(condition: Expression, s: State, at: At) -> bool:
    """Any failure of the condition becomes a generic error (02 §1.7)."""
    try:
        value = condition(s)
        if value is True or value is False:
            return bool(value)
        return operators.if_condition(value)
    except LimitError:
        raise
    except ExpressionError as problem:
        raise EvaluationError('Expected a Boolean in "if" statement', at) from problem


def _set(node: nodes.Set, scope: Scope, _: Definitions) -> Statement:
    name, value = node.name, compile_expression(node.expression, scope)

    def assign(s: State, _: Callable[[Value], None]) -> None:
        s.local[name] = value(s)

    return assign


def _for(node: nodes.For, scope: Scope, found: Definitions) -> Statement:
    iterable, at = compile_expression(node.iterable, scope), node.at
    body = compile_body(node.body, scope, found)
    otherwise = compile_body(node.otherwise, scope, found)
    rows = row_turns(node, scope)
    turns, in_rows = rows or _turns(node, body), rows is not None
    names = sorted(assigned_names(node.body) - {node.variable, "loop"})

    def loop(s: State, out: Callable[[Value], None]) -> None:
        value = iterable(s)
        items = value if type(value) is list else _items(value, at)
        if items is None:
            return
        if not items:
            for statement in otherwise:
                statement(s, out)
            return
        meter = s.meter
        meter.steps -= len(items)
        if meter.steps < 0:
            meter.spend(0)
        if in_rows:
            turns(s, items, out)
            return
        local = s.local
        inner = [name for name in names if name not in local and name not in s.variables]
        saved = [(name, local.get(name, _ABSENT)) for name in (node.variable, "loop")]
        turns(s, items, out)
        for name in inner:
            local.pop(name, None)
        for name, value in saved:
            if value is _ABSENT:
                local.pop(name, None)
            else:
                local[name] = value

    return loop


def _turns(node: nodes.For, body: list[Statement]) -> Turns:
    variable = node.variable
    if not uses_loop(node.body):
        return _bare_turns(variable, body)

    def turns(s: State, items: Sequence[Value], out: Callable[[Value], None]) -> None:
        local = s.local
        loop = local["loop"] = Loop(len(items))
        for index, item in enumerate(items):
            loop.index = index
            local[variable] = item
            for statement in body:
                statement(s, out)

    return turns


def _bare_turns(variable: str, body: list[Statement]) -> Turns:
    if len(body) == 1:
        only = body[0]

        def single(s: State, items: Sequence[Value], out: Callable[[Value], None]) -> None:
            local = s.local
            for item in items:
                local[variable] = item
                only(s, out)

        return single

    def turns(s: State, items: Sequence[Value], out: Callable[[Value], None]) -> None:
        local = s.local
        for item in items:
            local[variable] = item
            for statement in body:
                statement(s, out)

    return turns


def _items(value: Value, at: At) -> Sequence[Value] | None:
    """What a loop runs over; `None` for null."""
    if value is None or isinstance(value, (list, tuple)):
        return value
    if isinstance(value, Mapping) and not isinstance(value, Entry):
        return [Entry(key, item) for key, item in value.items()]
    raise EvaluationError(f"Not an iterable object. Value = [{java_text(value)}]", at)


def assigned_names(body: Sequence[Node]) -> set[str]:
    """Names that `set` gives a value in a body, inner loops and branches included."""
    names: set[str] = set()
    for node in body:
        match node:
            case nodes.Set():
                names.add(node.name)
            case nodes.For():
                names |= assigned_names(node.body) | assigned_names(node.otherwise)
            case nodes.If():
                for _, inner, _ in node.branches:
                    names |= assigned_names(inner)
                names |= assigned_names(node.otherwise)
            case nodes.Block() | nodes.FilterBlock():
                names |= assigned_names(node.body)
    return names


def _macro(node: nodes.Macro, scope: Scope, found: Definitions) -> None:
    inner = scope.with_writers(JAVA_PRINTED)
    defaults = {
        name: None if default is None else compile_expression(default, inner)
        for name, default in node.parameters
    }
    body = compile_body(node.body, inner, found)
    found.macros[node.name] = MacroDefinition(node.name, defaults, body)


def _block(node: nodes.Block, scope: Scope, found: Definitions) -> Statement:
    body = compile_body(node.body, scope, found)
    found.blocks[node.name] = compile_body(
        node.body, scope.with_writers(JAVA_PRINTED), Definitions()
    )

    def write(s: State, out: Callable[[Value], None]) -> None:
        for statement in body:
            statement(s, out)

    return write


def _filter_block(node: nodes.FilterBlock, scope: Scope, found: Definitions) -> Statement:
    body = compile_body(node.body, scope.with_writers(JAVA_PRINTED), found)

    def text(s: State) -> Value:
        return run_body(body, s)

    chain = compile_expression(node.chain, scope.with_body(text))
    return _print(chain, scope)


_COMPILERS: dict[type[Node], Callable[[Any, Scope, Definitions], Statement | None]] = {
    nodes.If: _if,
    nodes.Set: _set,
    nodes.For: _for,
    nodes.Macro: _macro,
    nodes.Block: _block,
    nodes.FilterBlock: _filter_block,
}


def concatenated(values: list[Value]) -> Value:
    """What typed rendering gives for the values that were written, in order (02 §2.3)."""
    if not values:
        return None
    result = values[0]
    for value in values[1:]:
        if not (_is_scalar(result) and _is_scalar(value)):
            raise RuntimeFaultError(f"Cannot concat {class_name(result)} with {class_name(value)}")
        result = java_text(result) + java_text(value)
    return result


def _is_scalar(value: Value) -> bool:
    return isinstance(value, (bool, int, float, Decimal, str)) and not is_enum(value)
