"""The tree of a template. `at` is the place of an error: an offset, or (caret, offset of the reported line)."""

import msgspec

At = int | tuple[int, int]


class Node(msgspec.Struct, frozen=True, gc=False):
    pass


# Expressions


class Literal(Node):
    value: object


class Concat(Node):
    """`a ~ b ~ c`, and a double-quoted text with `#{…}` parts beside text."""

    parts: tuple[Node, ...]


class ListLiteral(Node):
    items: tuple[Node, ...]


class MapLiteral(Node):
    entries: tuple[tuple[Node, Node], ...]
    at: At


class Name(Node):
    name: str
    at: At


class Attribute(Node):
    """`target.key`, `target[key]`; a dotted key is a `Literal`."""

    target: Node
    key: Node
    at: At


class Arguments(Node):
    positional: tuple[Node, ...]
    named: tuple[tuple[str, Node], ...]


class MethodCall(Node):
    target: Node
    key: Node
    arguments: Arguments
    at: At


class Call(Node):
    name: str
    arguments: Arguments
    at: At


class Filter(Node):
    target: Node
    name: str
    arguments: Arguments
    at: At


class Test(Node):
    target: Node
    name: str
    arguments: Arguments
    negated: bool
    at: At


class Unary(Node):
    operator: str
    operand: Node
    at: At


class Binary(Node):
    operator: str
    left: Node
    right: Node
    at: At


class Ternary(Node):
    condition: Node
    then: Node
    otherwise: Node
    at: At


# Statements


class Text(Node):
    text: str


class Print(Node):
    expression: Node


class If(Node):
    branches: tuple[tuple[Node, tuple[Node, ...], At], ...]
    otherwise: tuple[Node, ...]


class For(Node):
    variable: str
    iterable: Node
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    at: At


class Set(Node):
    name: str
    expression: Node


class Macro(Node):
    name: str
    parameters: tuple[tuple[str, Node | None], ...]
    body: tuple[Node, ...]
    at: At


class Block(Node):
    name: str
    body: tuple[Node, ...]


class FilterBlock(Node):
    """`{% filter f | g %}`: `chain` is a `Filter` whose innermost target is the `body`."""

    chain: Node
    body: tuple[Node, ...]


class FilterBody(Node):
    """Stands for the rendered body inside the chain of a `FilterBlock`."""


class Tree(Node):
    """A whole template, with what the compiler must know before it starts."""

    body: tuple[Node, ...]
    assigned: frozenset[str]
    """Names that `set`, `for` and macro parameters give a value."""
    stateful: bool
    """Needs more than variables: tags, calls, or an operation that changes a list in place."""
    changes_lists: bool
