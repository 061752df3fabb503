"""The parse tree as text for people: one line for each node, indented (`batuta expr --explain`)."""

from collections.abc import Callable, Iterator
from typing import Any

from batuta.expr.format.json_text import json_text
from batuta.expr.syntax import nodes
from batuta.expr.syntax.nodes import Arguments, Node

_INDENT = "  "
_SHOWN = 60


def explain(tree: nodes.Tree) -> str:
    """Several lines, without a line break at the end."""
    return "\n".join(_body(tree.body, 0))


def _body(body: tuple[Node, ...], depth: int) -> Iterator[str]:
    for node in body:
        yield from _node(node, depth)


def _node(node: Node, depth: int, label: str = "") -> Iterator[str]:
    """The node's own line, then what is below it."""
    title, below = _DESCRIPTIONS[type(node)](node)
    yield f"{_INDENT * depth}{label}{title}"
    for name, child in below:
        prefix = f"{name}: " if name else ""
        if isinstance(child, Node):
            yield from _node(child, depth + 1, prefix)
        else:
            if name:
                yield f"{_INDENT * (depth + 1)}{name}:"
            yield from _body(child, depth + (2 if name else 1))


Below = list[tuple[str, Any]]


def _arguments(arguments: Arguments) -> Below:
    below: Below = [("argument", argument) for argument in arguments.positional]
    return below + [(f"argument {name}", argument) for name, argument in arguments.named]


def _shown(text: str) -> str:
    shown = json_text(text)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def _literal(node: nodes.Literal) -> tuple[str, Below]:
    value = node.value
    return (_shown(value) if isinstance(value, str) else json_text(value)), []


def _attribute(node: nodes.Attribute) -> tuple[str, Below]:
    if isinstance(node.key, nodes.Literal) and isinstance(node.key.value, str):
        return f"attribute {node.key.value}", [("", node.target)]
    return "subscript", [("", node.target), ("key", node.key)]


def _map(node: nodes.MapLiteral) -> tuple[str, Below]:
    below: Below = []
    for key, value in node.entries:
        below += [("key", key), ("value", value)]
    return "map", below


def _method(node: nodes.MethodCall) -> tuple[str, Below]:
    name = node.key.value if isinstance(node.key, nodes.Literal) else ""
    return f"method {name}", [("", node.target), *_arguments(node.arguments)]


def _test(node: nodes.Test) -> tuple[str, Below]:
    word = "is not" if node.negated else "is"
    return f"test {word} {node.name}", [("", node.target), *_arguments(node.arguments)]


def _if(node: nodes.If) -> tuple[str, Below]:
    below: Below = []
    for condition, body, _ in node.branches:
        below += [("condition", condition), ("then", body)]
    return "if", below + ([("else", node.otherwise)] if node.otherwise else [])


def _for(node: nodes.For) -> tuple[str, Below]:
    below: Below = [("in", node.iterable), ("do", node.body)]
    return f"for {node.variable}", below + ([("else", node.otherwise)] if node.otherwise else [])


def _macro(node: nodes.Macro) -> tuple[str, Below]:
    defaults: Below = [
        (f"default of {name}", default) for name, default in node.parameters if default is not None
    ]
    names = ", ".join(name for name, _ in node.parameters)
    return f"macro {node.name}({names})", [*defaults, ("", node.body)]


_DESCRIPTIONS: dict[type[Node], Callable[[Any], tuple[str, Below]]] = {
    nodes.Literal: _literal,
    nodes.Concat: lambda node: ("join as text", [("", part) for part in node.parts]),
    nodes.ListLiteral: lambda node: ("list", [("", item) for item in node.items]),
    nodes.MapLiteral: _map,
    nodes.Name: lambda node: (f"variable {node.name}", []),
    nodes.Attribute: _attribute,
    nodes.MethodCall: _method,
    nodes.Call: lambda node: (f"function {node.name}", _arguments(node.arguments)),
    nodes.Filter: lambda node: (
        f"filter {node.name}",
        [("", node.target), *_arguments(node.arguments)],
    ),
    nodes.Test: _test,
    nodes.Unary: lambda node: (f"unary {node.operator}", [("", node.operand)]),
    nodes.Binary: lambda node: (
        f"operator {node.operator}",
        [("", node.left), ("", node.right)],
    ),
    nodes.Ternary: lambda node: (
        "choice",
        [("if", node.condition), ("then", node.then), ("else", node.otherwise)],
    ),
    nodes.Text: lambda node: (f"text {_shown(node.text)}", []),
    nodes.Print: lambda node: ("print", [("", node.expression)]),
    nodes.If: _if,
    nodes.For: _for,
    nodes.Set: lambda node: (f"set {node.name}", [("", node.expression)]),
    nodes.Macro: _macro,
    nodes.Block: lambda node: (f"block {node.name}", [("", node.body)]),
    nodes.FilterBlock: lambda node: ("filter block", [("", node.chain), ("body", node.body)]),
    nodes.FilterBody: lambda _: ("the body", []),
}
