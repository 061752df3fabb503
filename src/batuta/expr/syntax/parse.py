"""Tokens to a tree: a Pratt parser for expressions (02 §1.5), recursive descent for tags (02 §1.7)."""

from collections.abc import Callable

from batuta.expr.errors import ExpressionSyntaxError, RuntimeFaultError
from batuta.expr.syntax import nodes
from batuta.expr.syntax.lex import (
    EOF,
    EXECUTE_END,
    INTERPOLATED,
    LONG,
    NAME,
    NUMBER,
    OPERATOR,
    PRINT_END,
    PRINT_START,
    PUNCTUATION,
    STRING,
    TEXT,
    Token,
    tokenize,
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
_MAX_DEPTH = 80
_MAX_CHAIN = 250


def parse(text: str) -> nodes.Tree:
    """Raises `ExpressionSyntaxError`, or `RuntimeFaultError` where the original fails unwrapped."""
    facts = _Facts(one_line="\n" not in text and "\r" not in text)
    body = _Parser(tokenize(text), facts).body(())
    return nodes.Tree(
        tuple(body),
        frozenset(facts.assigned),
        facts.stateful or facts.changes_lists,
        facts.changes_lists,
    )


class _Facts:
    """What is gathered on the way for the compiler."""

    __slots__ = ("assigned", "changes_lists", "macros", "one_line", "stateful")

    def __init__(self, *, one_line: bool) -> None:
        self.one_line = one_line
        self.assigned: set[str] = set()
        self.macros: set[str] = set()
        self.stateful = False
        self.changes_lists = False


class _Parser:
    __slots__ = ("depth", "facts", "index", "tokens")

    def __init__(self, tokens: list[Token], facts: _Facts) -> None:
        self.tokens = tokens
        self.facts = facts
        self.index = 0
        self.depth = 0

    # Statements

    def body(self, stops: tuple[str, ...]) -> list[Node]:
        """Statements up to a tag named in `stops`, which is left as the current token, or the end."""
        tokens = self.tokens
        result: list[Node] = []
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self._too_deep()
        while True:
            kind, value, at = tokens[self.index]
            self.index += 1
            if kind is TEXT:
                result.append(nodes.Text(str(value)))
            elif kind is PRINT_START:
                expression = self.expression()
                self._expect(PRINT_END)
                result.append(nodes.Print(expression))
            elif kind is EOF:
                self.index -= 1
                break
            else:
                tag = self._tag_name(at)
                if tag in stops:
                    break
                result.append(self._tag(tag))
        self.depth -= 1
        return result

    def _tag_name(self, at: int) -> str:
        kind, value, _ = self.tokens[self.index]
        if kind is not NAME:
            raise ExpressionSyntaxError("A block must start with a tag name.", at)
        return str(value)

    def _tag(self, tag: str) -> Node:
        reader = _TAGS.get(tag)
        self.facts.stateful = True
        at = self.tokens[self.index][2]
        if reader is None:
            raise ExpressionSyntaxError(f'Unexpected tag name "{tag}"', at)
        self.index += 1
        return reader(self, at)

    def read_if(self, at: int) -> Node:
        branches = []
        otherwise: list[Node] = []
        keyword = "elseif"
        while keyword == "elseif":
            condition = self.expression()
            place = self._place(at)
            self._expect(EXECUTE_END)
            body = self.body(("elseif", "else", "endif"))
            branches.append((condition, tuple(body), place))
            keyword = self._closing_word("endif", at)
            at = self.tokens[self.index][2]
        if keyword == "else":
            self._expect(EXECUTE_END)
            otherwise = self.body(("endif",))
            self._closing_word("endif", at)
        self._expect(EXECUTE_END)
        return nodes.If(tuple(branches), tuple(otherwise))

    def read_for(self, at: int) -> Node:
        variable = self._new_name()
        self.facts.assigned |= {variable, "loop"}
        if self.tokens[self.index][1] != "in":
            self._unexpected(NAME)
        self._expect(NAME)
        iterable = self.expression()
        place = self._place(at)
        self._expect(EXECUTE_END)
        body = self.body(("else", "endfor"))
        otherwise: list[Node] = []
        if self._closing_word("endfor", at) == "else":
            self._expect(EXECUTE_END)
            otherwise = self.body(("endfor",))
            self._closing_word("endfor", at)
        self._expect(EXECUTE_END)
        return nodes.For(variable, iterable, tuple(body), tuple(otherwise), place)

    def read_set(self, _: int) -> Node:
        name = self._new_name()
        self.facts.assigned.add(name)
        self._expect_symbol("=")
        value = self.expression()
        self._expect(EXECUTE_END)
        return nodes.Set(name, value)

    def read_macro(self, at: int) -> Node:
        name = str(self._expect(NAME)[1])
        parameters = self._parameters()
        self._expect(EXECUTE_END)
        body = self.body(("endmacro",))
        self._end_of("endmacro", at)
        if name in self.facts.macros:
            raise RuntimeFaultError(f"More than one macro can not share the same name: {name}", at)
        self.facts.macros.add(name)
        return nodes.Macro(name, parameters, tuple(body), at)

    def read_block(self, at: int) -> Node:
        name = str(self._expect(STRING if self.tokens[self.index][0] is STRING else NAME)[1])
        self._expect(EXECUTE_END)
        body = self.body(("endblock",))
        self._skip_end("endblock", at)
        if self.tokens[self.index][1] == name:
            self.index += 1
        self._expect(EXECUTE_END)
        return nodes.Block(name, tuple(body))

    def read_filter(self, at: int) -> Node:
        chain: Node = nodes.FilterBody()
        while True:
            name = str(self._expect(NAME)[1])
            arguments = self._optional_arguments()
            chain = nodes.Filter(chain, name, arguments, at)
            if self.tokens[self.index][1] != "|":
                break
            self.index += 1
        self._expect(EXECUTE_END)
        body = self.body(("endfilter",))
        self._end_of("endfilter", at)
        return nodes.FilterBlock(chain, tuple(body))

    def _closing_word(self, wanted: str, at: int) -> str:
        kind, value, _ = self.tokens[self.index]
        if kind is EOF:
            raise ExpressionSyntaxError(
                f'Unexpected end of template. Pebble was looking for the "{wanted}" tag', at
            )
        self.index += 1
        return str(value)

    def _skip_end(self, wanted: str, at: int) -> None:
        if self.tokens[self.index][0] is EOF:
            # The original runs into a null pointer here (02 §8, tags).
            raise RuntimeFaultError(f"The tag `{wanted}` is missing", at)
        self.index += 1

    def _end_of(self, wanted: str, at: int) -> None:
        self._skip_end(wanted, at)
        self._expect(EXECUTE_END)

    # Expressions

    def expression(self, minimum: int = 0) -> Node:
        tokens = self.tokens
        self.depth += 1
        if self.depth > _MAX_DEPTH:
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
        number = int(digits[:20])
        if len(digits) > 19 or number > LONG_MAX:
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
                inner = _Parser(part, self.facts)
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
        if self.tokens[self.index][0] is EOF:
            return False
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


_TAGS: dict[str, Callable[[_Parser, int], Node]] = {
    "if": _Parser.read_if,
    "for": _Parser.read_for,
    "set": _Parser.read_set,
    "macro": _Parser.read_macro,
    "block": _Parser.read_block,
    "filter": _Parser.read_filter,
}
_OPERANDS: dict[str, Callable[[_Parser, object, int], Node]] = {
    PUNCTUATION: _Parser.read_punctuation,
    OPERATOR: _Parser.read_unary,
    NUMBER: _Parser.read_number,
    LONG: _Parser.read_long,
    STRING: _Parser.read_string,
    INTERPOLATED: _Parser.read_interpolated,
}
