"""The tree of a template. `at` is the place of an error: an offset, or (caret, offset of the reported line)."""

import msgspec

At = int | tuple[int, int]


class Node(msgspec.Struct, frozen=True, gc=False):
    pass


# Expressions


class Literal(Node, frozen=True, gc=False):
    value: object


class Concat(Node, frozen=True, gc=False):
    """`a ~ b ~ c`, and a double-quoted text with `#{…}` parts beside text."""

    parts: tuple[Node, ...]


class ListLiteral(Node, frozen=True, gc=False):
    items: tuple[Node, ...]


class MapLiteral(Node, frozen=True, gc=False):
    entries: tuple[tuple[Node, Node], ...]
    at: At


class Name(Node, frozen=True, gc=False):
    name: str
    at: At


class Attribute(Node, frozen=True, gc=False):
    """`target.key`, `target[key]`; a dotted key is a `Literal`."""

    target: Node
    key: Node
    at: At


class Arguments(Node, frozen=True, gc=False):
    positional: tuple[Node, ...]
    named: tuple[tuple[str, Node], ...]


class MethodCall(Node, frozen=True, gc=False):
    target: Node
    key: Node
    arguments: Arguments
    at: At


class Call(Node, frozen=True, gc=False):
    name: str
    arguments: Arguments
    at: At


class Filter(Node, frozen=True, gc=False):
    target: Node
    name: str
    arguments: Arguments
    at: At


class Test(Node, frozen=True, gc=False):
    target: Node
    name: str
    arguments: Arguments
    negated: bool
    at: At


class Unary(Node, frozen=True, gc=False):
    operator: str
    operand: Node
    at: At


class Binary(Node, frozen=True, gc=False):
    operator: str
    left: Node
    right: Node
    at: At


class Ternary(Node, frozen=True, gc=False):
    condition: Node
    then: Node
    otherwise: Node
    at: At


# Statements


class Text(Node, frozen=True, gc=False):
    text: str


class Print(Node, frozen=True, gc=False):
    expression: Node


class If(Node, frozen=True, gc=False):
    branches: tuple[tuple[Node, tuple[Node, ...], At], ...]
    otherwise: tuple[Node, ...]


class For(Node, frozen=True, gc=False):
    variable: str
    iterable: Node
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    at: At


class Set(Node, frozen=True, gc=False):
    name: str
    expression: Node


class Macro(Node, frozen=True, gc=False):
    name: str
    parameters: tuple[tuple[str, Node | None], ...]
    body: tuple[Node, ...]
    at: At


class Block(Node, frozen=True, gc=False):
    name: str
    body: tuple[Node, ...]


class FilterBlock(Node, frozen=True, gc=False):
    """`{% filter f | g %}`: `chain` is a `Filter` whose innermost target is the `body`."""

    chain: Node
    body: tuple[Node, ...]


class FilterBody(Node, frozen=True, gc=False):
    """Stands for the rendered body inside the chain of a `FilterBlock`."""


class Tree(Node, frozen=True, gc=False):
    """A whole template, with what the compiler must know before it starts."""

    body: tuple[Node, ...]
    assigned: frozenset[str]
    """Names that `set`, `for` and macro parameters give a value."""
    stateful: bool
    """Needs more than variables: tags, calls, or an operation that changes a list in place."""
    changes_lists: bool
