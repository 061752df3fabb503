"""Tokens of an expression to a tree: a Pratt parser (02 §1.5)."""

from collections.abc import Callable

from batuta.expr.errors import ExpressionSyntaxError, RuntimeFaultError
from batuta.expr.syntax import nodes
from batuta.expr.syntax.lex import (
    EOF,
    INTERPOLATED,
    LONG,
    NAME,
    NUMBER,
    OPERATOR,
    PUNCTUATION,
    STRING,
    Token,
)
from batuta.expr.syntax.nodes import Arguments, At, Node
from batuta.expr.values import LONG_MAX, Long

CHANGES_LISTS = frozenset(("sort", "rsort", "reverse"))
"""Filters that work in place."""
UNARY = frozenset(("not", "-", "+"))
UNARY_PRECEDENCE = 500
PRECEDENCE = {
    "..": 120,
    "??": 120,
    "???": 120,
    "isIn": 120,
    "~": 110,
    "|": 100,
    "*": 60,
    "/": 60,
    "%": 60,
    "+": 40,
    "-": 40,
    "==": 30,
    "equals": 30,
    "!=": 30,
    "<": 30,
    ">": 30,
    "<=": 30,
    ">=": 30,
    "is": 20,
    "is not": 20,
    "contains": 20,
    "and": 15,
    "or": 10,
}
CONSTANTS: dict[str, bool | None] = {
    "true": True,
    "TRUE": True,
    "false": False,
    "FALSE": False,
    "null": None,
    "NULL": None,
    "none": None,
    "NONE": None,
}
_LITERALS = {word: nodes.Literal(value) for word, value in CONSTANTS.items()}
_NO_ARGUMENTS = Arguments((), ())
MAX_DEPTH = 80
_MAX_CHAIN = 250
_MAX_DIGITS = 19


class Facts:
    """What is gathered on the way for the compiler."""

    __slots__ = ("assigned", "changes_lists", "macros", "one_line", "stateful")

    def __init__(self, *, one_line: bool) -> None:
        self.one_line = one_line
        self.assigned: set[str] = set()
        self.macros: set[str] = set()
        self.stateful = False
        self.changes_lists = False


class ExpressionParser:
    __slots__ = ("depth", "facts", "index", "tokens")

    def __init__(self, tokens: list[Token], facts: Facts) -> None:
        self.tokens = tokens
        self.facts = facts
        self.index = 0
        self.depth = 0

    def expression(self, minimum: int = 0) -> Node:
        tokens = self.tokens
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._too_deep()
        left = self._operand()
        links = 0
        while True:
            kind, operator, at = tokens[self.index]
            if kind is not OPERATOR:
                break
            precedence = PRECEDENCE.get(operator, -1)  # type: ignore[call-overload]
            if precedence < minimum:
                break
            self.index += 1
            links += 1
            if links > _MAX_CHAIN and operator != "~":
                raise ExpressionSyntaxError("Too many operators in one expression", at)
            left = self._binary(left, str(operator), at)
        if minimum == 0 and tokens[self.index][1] == "?" and tokens[self.index][0] is PUNCTUATION:
            left = self._ternary(left)
        self.depth -= 1
        return left

    def _binary(self, left: Node, operator: str, at: int) -> Node:
        if operator == "|":
            name = str(self._expect(NAME)[1])
            arguments = self._optional_arguments()
            if name in CHANGES_LISTS:
                self.facts.changes_lists = True
            return nodes.Filter(left, name, arguments, self._place(at + 2))
        if operator in {"is", "is not"}:
            name = str(self._expect(NAME)[1])
            arguments = self._optional_arguments()
            place = self._place(at)
            return nodes.Test(left, name, arguments, operator == "is not", place)
        right = self.expression(PRECEDENCE[operator] + 1)
        if operator == "~":
            parts = left.parts if isinstance(left, nodes.Concat) else (left,)
            return nodes.Concat((*parts, right))
        if operator in {"+", "-"}:
            self.facts.changes_lists = True
        return nodes.Binary(operator, left, right, self._place(at))

    def _ternary(self, condition: Node) -> Node:
        at = self.tokens[self.index][2]
        self.index += 1
        then = self.expression()
        self._expect_symbol(":")
        otherwise = self.expression()
        return nodes.Ternary(condition, then, otherwise, self._place(at))

    def _operand(self) -> Node:
        kind, value, at = self.tokens[self.index]
        self.index += 1
        if kind is NAME:
            return self._name(str(value), at)
        reader = _OPERANDS.get(kind)
        if reader is None:
            raise _unexpected_token(kind, value, at)
        return reader(self, value, at)

    def _name(self, name: str, at: int) -> Node:
        following = self.tokens[self.index]
        literal = _LITERALS.get(name)
        if literal is not None:
            if following[0] is PUNCTUATION:
                return self._postfix(literal)
            return literal
        if following[0] is not PUNCTUATION:
            return nodes.Name(name, at)
        if following[1] == "(":
            self.facts.stateful = True
            return self._postfix(nodes.Call(name, self._arguments(), at))
        return self._postfix(nodes.Name(name, at))

    def read_punctuation(self, value: object, at: int) -> Node:
        if value == "(":
            inner = self.expression()
            self._expect_symbol(")")
            return self._postfix(inner)
        if value == "[":
            return self._list()
        if value == "{":
            return self._map(at)
        raise _unexpected_token(PUNCTUATION, value, at)

    def read_unary(self, value: object, at: int) -> Node:
        if value not in UNARY:
            raise _unexpected_token(OPERATOR, value, at)
        operand = self.expression(UNARY_PRECEDENCE)
        return nodes.Unary(str(value), operand, at)

    def read_number(self, value: object, at: int) -> Node:
        text = str(value)
        if "." in text:
            return self._postfix(nodes.Literal(float(text)))
        return self.read_long(text, at)

    def read_long(self, value: object, at: int) -> Node:
        digits = str(value).lstrip("0") or "0"
        number = int(digits[: _MAX_DIGITS + 1])
        if len(digits) > _MAX_DIGITS or number > LONG_MAX:
            raise RuntimeFaultError(f'For input string: "{value}"', at)
        return self._postfix(nodes.Literal(Long(number)))

    def read_string(self, value: object, _: int) -> Node:
        return self._postfix(nodes.Literal(value))

    def read_interpolated(self, value: object, _: int) -> Node:
        parts: list[Node] = []
        for part in value:  # type: ignore[attr-defined]
            if isinstance(part, str):
                parts.append(nodes.Literal(part))
            else:
                inner = ExpressionParser(part, self.facts)
                inner.depth = self.depth
                parts.append(inner.expression())
                inner._expect(EOF)
        node = parts[0] if len(parts) == 1 else nodes.Concat(tuple(parts))
        return self._postfix(node)

    def _list(self) -> Node:
        items: list[Node] = []
        while not self._at_symbol("]"):
            if items:
                self._expect_symbol(",")
            items.append(self.expression())
        self.index += 1
        return nodes.ListLiteral(tuple(items))

    def _map(self, at: int) -> Node:
        entries: list[tuple[Node, Node]] = []
        while not self._at_symbol("}"):
            if entries:
                self._expect_symbol(",")
            key = self.expression()
            self._expect_symbol(":")
            entries.append((key, self.expression()))
        self.index += 1
        return nodes.MapLiteral(tuple(entries), at)

    def _postfix(self, node: Node) -> Node:
        links = 0
        while True:
            kind, value, at = self.tokens[self.index]
            if kind is not PUNCTUATION or value not in {".", "[", "("}:
                return node
            links += 1
            if links > _MAX_CHAIN:
                raise ExpressionSyntaxError("Too many steps in one path", at)
            if value == "(":
                raise RuntimeFaultError("Only functions and macros can be called", at)
            self.index += 1
            node = self._member(node) if value == "." else self._subscript(node, at)

    def _member(self, node: Node) -> Node:
        _, name, at = self._expect(NAME)
        key = nodes.Literal(name)
        if not self._at_symbol("("):
            return nodes.Attribute(node, key, self._place(at))
        arguments = self._arguments()
        if arguments.named:
            raise ExpressionSyntaxError(
                "Can not use named arguments when calling a bean method", at
            )
        return nodes.MethodCall(node, key, arguments, self._place(at))

    def _subscript(self, node: Node, at: int) -> Node:
        key = self.expression()
        place = self._place(at + 1)
        self._expect_symbol("]")
        return nodes.Attribute(node, key, place)

    def _optional_arguments(self) -> Arguments:
        return self._arguments() if self._at_symbol("(") else _NO_ARGUMENTS

    def _arguments(self) -> Arguments:
        self.index += 1
        positional: list[Node] = []
        named: list[tuple[str, Node]] = []
        while not self._at_symbol(")"):
            if positional or named:
                self._expect_symbol(",")
            if self._next_is_equals():
                name = self._new_name()
                self.index += 1
                named.append((name, self.expression()))
                continue
            at = self.tokens[self.index][2]
            positional.append(self.expression())
            if named:
                raise ExpressionSyntaxError(
                    "Positional arguments must be declared before any named arguments.", at
                )
        self.index += 1
        return Arguments(tuple(positional), tuple(named))

    def _parameters(self) -> tuple[tuple[str, Node | None], ...]:
        self._expect_symbol("(")
        parameters: list[tuple[str, Node | None]] = []
        while not self._at_symbol(")"):
            if parameters:
                self._expect_symbol(",")
            name = self._new_name()
            self.facts.assigned.add(name)
            default = None
            if self._at_symbol("="):
                self.index += 1
                default = self.expression()
            parameters.append((name, default))
        self.index += 1
        return tuple(parameters)

    # Tokens

    def _too_deep(self) -> None:
        raise ExpressionSyntaxError("The template is nested too deeply", self.tokens[self.index][2])

    def _place(self, at: int) -> At:
        """Errors point at `at`; the line they report is that of the current token (02 §2.6)."""
        return at if self.facts.one_line else (at, self.tokens[self.index][2])

    def _at_symbol(self, symbol: str) -> bool:
        kind, value, _ = self.tokens[self.index]
        return kind is PUNCTUATION and value == symbol

    def _next_is_equals(self) -> bool:
        kind, value, _ = self.tokens[self.index + 1]
        return kind is PUNCTUATION and value == "="

    def _expect(self, wanted: str) -> Token:
        token = self.tokens[self.index]
        if token[0] is not wanted:
            self._unexpected(wanted)
        self.index += 1
        return token

    def _expect_symbol(self, symbol: str) -> Token:
        if not self._at_symbol(symbol):
            self._unexpected(PUNCTUATION)
        self.index += 1
        return self.tokens[self.index - 1]

    def _unexpected(self, wanted: str) -> None:
        kind, value, at = self.tokens[self.index]
        text = "null" if value is None else value
        raise ExpressionSyntaxError(
            f'Unexpected token of value "{text}" and type {kind}, expected token of type {wanted}',
            at,
        )

    def _new_name(self) -> str:
        _, name, at = self._expect(NAME)
        if name in CONSTANTS:
            raise ExpressionSyntaxError(f"Can not assign a value to {name}", at)
        return str(name)


def _unexpected_token(kind: str, value: object, at: int) -> ExpressionSyntaxError:
    text = "null" if value is None else value
    return ExpressionSyntaxError(f'Unexpected token "{kind}" of value "{text}"', at)


_OPERANDS: dict[str, Callable[[ExpressionParser, object, int], Node]] = {
    PUNCTUATION: ExpressionParser.read_punctuation,
    OPERATOR: ExpressionParser.read_unary,
    NUMBER: ExpressionParser.read_number,
    LONG: ExpressionParser.read_long,
    STRING: ExpressionParser.read_string,
    INTERPOLATED: ExpressionParser.read_interpolated,
}
