"""jq text to a tree of tuples: `(kind, …)`."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from typing_extensions import override

from batuta.expr.jq.errors import JqError
from batuta.expr.jq.tokens import tokens

Node = tuple[Any, ...]
Token = tuple[str, str]

IDENTITY: Node = ("identity",)
_MAX_PROGRAM = 20_000
_MAX_DEPTH = 60
MAX_DIGITS = 18
"""Integers with more digits are doubles."""
_KEYWORDS = frozenset(
    (
        *("def", "if", "then", "elif", "else", "end", "as", "reduce", "foreach", "try", "catch"),
        *("label", "and", "or", "import", "include", "__loc__"),
    )
)
_BINARY: tuple[tuple[str, ...], ...] = (
    ("or",),
    ("and",),
    ("==", "!=", "<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/", "%"),
)
_COMPARISONS = 2
_ASSIGNMENTS = frozenset(("=", "|=", "+=", "-=", "*=", "/=", "%=", "//="))


@lru_cache(maxsize=256)
def parse_jq(program: str) -> Node:
    """The tree of a program. Raises `JqError`."""
    if len(program) > _MAX_PROGRAM:
        raise JqError("the program is too long")
    parser = _Parser(tokens(program))
    if parser.peek() == ("end", ""):
        return IDENTITY
    node = parser.pipe()
    parser.expect_end()
    return node


def parse_definitions(text: str) -> list[Node]:
    """A sequence of `def`s."""
    parser = _Parser(tokens(text))
    definitions = []
    while parser.peek() == ("word", "def"):
        definitions.append(parser.definition())
    parser.expect_end()
    return definitions


class _Operators(ABC):
    """From the loosest operator to the tightest."""

    def __init__(self, tokens: list[Any]) -> None:
        self.tokens = tokens
        self.index = 0
        self.depth = 0
        self.labels = 0

    def peek(self) -> Any:
        return self.tokens[self.index]

    def next(self) -> Any:
        token = self.tokens[self.index]
        self.index += 1
        return token

    def at(self, *values: str) -> bool:
        kind, value = self.tokens[self.index]
        return kind in {"symbol", "word"} and value in values

    def take(self, value: str) -> bool:
        if self.at(value):
            self.index += 1
            return True
        return False

    def expect(self, value: str) -> None:
        if not self.take(value):
            raise JqError(f"syntax error: expected `{value}`, found `{self.peek()[1]}`")

    def expect_end(self) -> None:
        if self.peek()[0] != "end":
            raise JqError(f"syntax error: unexpected `{self.peek()[1]}`")

    def name(self, kind: str) -> str:
        token = self.next()
        if token[0] != kind:
            raise JqError(f"syntax error: unexpected `{token[1]}`")
        return str(token[1])

    # From the loosest to the tightest

    def pipe(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise JqError("the program is nested too deeply")
        node = self._pipe()
        self.depth -= 1
        return node

    def _pipe(self) -> Node:
        if self.at("def"):
            definition = self.definition()
            return ("def", definition, self.pipe())
        if self.at("label"):
            self.index += 1
            name = self.name("variable")
            self.expect("|")
            return ("label", name, self.pipe())
        left = self.comma()
        return ("pipe", left, self.pipe()) if self.take("|") else left

    def definition(self) -> Node:
        self.expect("def")
        name = self.name("word")
        parameters: list[str] = []
        if self.take("("):
            while True:
                kind, value = self.next()
                if kind not in {"word", "variable"}:
                    raise JqError("syntax error: bad parameter")
                parameters.append(str(value))
                if not self.take(";"):
                    break
            self.expect(")")
        self.expect(":")
        body = self.pipe()
        self.expect(";")
        return (name, tuple(parameters), body)

    def comma(self) -> Node:
        node = self.alternative()
        while self.take(","):
            node = ("comma", node, self.alternative())
        return node

    def alternative(self) -> Node:
        node = self.assignment()
        if self.take("//"):
            return ("alternative", node, self.alternative())
        return node

    def assignment(self) -> Node:
        node = self.binary(0)
        kind, value = self.peek()
        if kind == "symbol" and value in _ASSIGNMENTS:
            self.index += 1
            return ("assign", value, node, self.alternative())
        return node

    def binary(self, level: int) -> Node:
        if level == len(_BINARY):
            return self.postfix()
        node = self.binary(level + 1)
        while self.at(*_BINARY[level]):
            operator = self.next()[1]
            right = self.binary(level + 1)
            node = (
                (operator, node, right)
                if level < _COMPARISONS
                else ("binary", operator, node, right)
            )
        return node

    def postfix(self) -> Node:
        if self.take("-"):
            return ("negate", self.postfix())
        if self.take("try"):
            body = self.postfix()
            handler = self.postfix() if self.take("catch") else None
            return ("try", body, handler)
        node = self.term()
        while True:
            following = self.suffix(node)
            if following is None:
                break
            node = following
        if self.at("as"):
            self.index += 1
            patterns = self.patterns()
            self.expect("|")
            return ("as", node, patterns, self.pipe())
        return node

    def suffix(self, node: Node) -> Node | None:
        kind, value = self.peek()
        if kind == "field":
            self.index += 1
            return ("index", node, ("literal", value[1:]))
        if kind == "textfield":
            self.index += 1
            return ("index", node, self.text(self.next()[1], None))
        if self.take("?"):
            return ("try", node, None)
        if value == "." and self.tokens[self.index + 1] == ("symbol", "["):
            self.index += 1
        if self.take("["):
            return self.subscript(node)
        return None

    def subscript(self, node: Node) -> Node:
        if self.take("]"):
            return ("iterate", node)
        start: Node | None = None
        if not self.at(":"):
            start = self.pipe()
        if self.take(":"):
            end = None if self.at("]") else self.pipe()
            self.expect("]")
            return ("slice", node, start, end)
        self.expect("]")
        return ("index", node, start)

    @abstractmethod
    def term(self) -> Node:
        """What operators stand between."""

    @abstractmethod
    def text(self, parts: Any, form: str | None) -> Node:
        """A text with its interpolated parts."""

    def parenthesis(self) -> Node:
        node = self.pipe()
        self.expect(")")
        return node

    def patterns(self) -> tuple[Node, ...]:
        result = [self.pattern()]
        while self.take("?//"):
            result.append(self.pattern())
        return tuple(result)

    def pattern(self) -> Node:
        kind, value = self.next()
        if kind == "variable":
            return ("bind", value)
        if (kind, value) == ("symbol", "["):
            items = [self.pattern()]
            while self.take(","):
                items.append(self.pattern())
            self.expect("]")
            return ("bind_array", tuple(items))
        if (kind, value) == ("symbol", "{"):
            return self.object_pattern()
        raise JqError(f"syntax error: unexpected `{value}` in a pattern")

    def object_pattern(self) -> Node:
        entries: list[Node] = []
        while True:
            kind, value = self.next()
            variable = value if kind == "variable" else None
            if kind == "variable":
                key: Node = ("literal", value[1:])
            elif kind == "word":
                key = ("literal", value)
            elif kind == "text":
                key = self.text(value, None)
            elif (kind, value) == ("symbol", "("):
                key = self.parenthesis()
            else:
                raise JqError(f"syntax error: unexpected `{value}` in a pattern")
            inner = self.pattern() if self.take(":") else None
            entries.append((key, variable, inner))
            if not self.take(","):
                break
        self.expect("}")
        return ("bind_object", tuple(entries))


class _Parser(_Operators):
    """Terms."""

    @override
    def term(self) -> Node:
        kind, value = self.next()
        reader = _TERMS.get(kind)
        if reader is None:
            raise JqError(f"syntax error: unexpected `{value}`")
        return reader(self, value)

    def number(self, value: str) -> Node:
        number = float(value)
        whole = value.isdigit() and len(value) <= MAX_DIGITS
        return ("literal", int(value) if whole else number)

    def field(self, value: str) -> Node:
        return ("index", IDENTITY, ("literal", value[1:]))

    def text_field(self, _: str) -> Node:
        return ("index", IDENTITY, self.text(self.next()[1], None))

    def variable(self, value: str) -> Node:
        if value == "$__loc__":
            return ("literal", {"file": "<top-level>", "line": 1})
        return ("variable", value)

    def format(self, value: str) -> Node:
        if self.peek()[0] == "text":
            return self.text(self.next()[1], value)
        return ("format", value, IDENTITY)

    def plain_text(self, parts: Any) -> Node:
        return self.text(parts, None)

    @override
    def text(self, parts: Any, form: str | None) -> Node:
        if len(parts) == 1:
            return ("literal", parts[0])
        nodes: list[Node] = []
        for part in parts:
            if isinstance(part, str):
                nodes.append(("literal", part))
            else:
                inner = _Parser(part)
                inner.depth = self.depth
                node = inner.pipe()
                inner.expect_end()
                nodes.append(("format", form or "@text", node))
        return ("text", tuple(nodes))

    def symbol(self, value: str) -> Node:
        reader = _SYMBOLS.get(value)
        if reader is None:
            raise JqError(f"syntax error: unexpected `{value}`")
        return reader(self)

    def dot(self) -> Node:
        if self.take("["):
            return self.subscript(IDENTITY)
        return IDENTITY

    def everything(self) -> Node:
        return ("call", "recurse", ())

    def array(self) -> Node:
        if self.take("]"):
            return ("array", None)
        node = self.pipe()
        self.expect("]")
        return ("array", node)

    def object(self) -> Node:
        entries: list[tuple[Node, Node]] = []
        while not self.take("}"):
            if entries:
                self.expect(",")
                if self.take("}"):
                    break
            entries.append(self.entry())
        return ("object", tuple(entries))

    def entry(self) -> tuple[Node, Node]:
        kind, value = self.next()
        if kind == "variable":
            return ("literal", value[1:]), self.variable(value)
        if kind == "format" and self.peek()[0] == "text":
            key = self.text(self.next()[1], value)
        elif kind == "text":
            key = self.text(value, None)
        elif kind in {"word", "number"}:
            key = ("literal", value)
        elif (kind, value) == ("symbol", "("):
            key = self.parenthesis()
        else:
            raise JqError(f"syntax error: unexpected `{value}` in an object")
        if self.take(":"):
            return key, self.object_value()
        return key, ("index", IDENTITY, key)

    def object_value(self) -> Node:
        node = self.postfix()
        while self.take("|"):
            node = ("pipe", node, self.postfix())
        return node

    def word(self, value: str) -> Node:
        reader = _WORDS.get(value)
        if reader is not None:
            return reader(self)
        if value in _KEYWORDS or "::" in value:
            raise JqError(f"syntax error: unexpected `{value}`")
        if value == "break":
            return ("break", self.name("variable"))
        arguments: list[Node] = []
        if self.take("("):
            arguments.append(self.pipe())
            while self.take(";"):
                arguments.append(self.pipe())
            self.expect(")")
        if value in _CONSTANTS and not arguments:
            return ("literal", _CONSTANTS[value])
        return ("call", value, tuple(arguments))

    def condition(self) -> Node:
        test = self.pipe()
        self.expect("then")
        then = self.pipe()
        if self.take("elif"):
            return ("if", test, then, self.condition())
        otherwise = self.pipe() if self.take("else") else IDENTITY
        self.expect("end")
        return ("if", test, then, otherwise)

    def reduction(self) -> Node:
        source, patterns = self.source()
        start = self.pipe()
        self.expect(";")
        update = self.pipe()
        self.expect(")")
        return ("reduce", source, patterns, start, update)

    def iteration(self) -> Node:
        source, patterns = self.source()
        start = self.pipe()
        self.expect(";")
        update = self.pipe()
        extract = self.pipe() if self.take(";") else IDENTITY
        self.expect(")")
        return ("foreach", source, patterns, start, update, extract)

    def source(self) -> tuple[Node, tuple[Node, ...]]:
        node = self.term()
        while True:
            following = self.suffix(node)
            if following is None:
                break
            node = following
        self.expect("as")
        patterns = self.patterns()
        self.expect("(")
        return node, patterns


_CONSTANTS = {"null": None, "true": True, "false": False}
_TERMS: dict[str, Callable[[_Parser, Any], Node]] = {
    "number": _Parser.number,
    "field": _Parser.field,
    "textfield": _Parser.text_field,
    "variable": _Parser.variable,
    "format": _Parser.format,
    "text": _Parser.plain_text,
    "symbol": _Parser.symbol,
    "word": _Parser.word,
}
_SYMBOLS: dict[str, Callable[[_Parser], Node]] = {
    ".": _Parser.dot,
    "..": _Parser.everything,
    "(": _Parser.parenthesis,
    "[": _Parser.array,
    "{": _Parser.object,
}
_WORDS: dict[str, Callable[[_Parser], Node]] = {
    "if": _Parser.condition,
    "reduce": _Parser.reduction,
    "foreach": _Parser.iteration,
}
