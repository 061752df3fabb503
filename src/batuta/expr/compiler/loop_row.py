"""Loops whose body is one row of text: `{% for x in rows %}{{ loop.index }}: {{ x.name | upper }},{% endfor %}`.

Such a body is evaluated column by column with list comprehensions, which costs a fraction of evaluating it
item by item. Only prints made of the item, its keys, `loop`, variables that the template cannot change and
filters without side effects qualify; the order in which those are evaluated cannot be observed.
"""

from collections.abc import Callable, Sequence

from batuta.expr.access import attribute
from batuta.expr.compiler.call import Bound, bind, run
from batuta.expr.compiler.expression import compile_expression
from batuta.expr.compiler.scope import Scope, Writers
from batuta.expr.compiler.state import State
from batuta.expr.registry import FILTERS
from batuta.expr.syntax import nodes
from batuta.expr.syntax.nodes import At, Node
from batuta.expr.values import Loop, Value

Turns = Callable[[State, Sequence[Value], Callable[[Value], None]], None]
Column = Callable[[State, Sequence[Value]], Sequence[Value]]
"""The values of one expression for all items."""


def row_turns(node: nodes.For, scope: Scope) -> Turns | None:
    """The turns of a loop, or `None` if its body is more than a row."""
    if scope.typed or node.variable == "loop":
        return None
    texts: list[str] = [""]
    columns: list[Column] = []
    for statement in node.body:
        if isinstance(statement, nodes.Text):
            texts[-1] += statement.text
            continue
        if not isinstance(statement, nodes.Print):
            return None
        column = _column(statement.expression, node.variable, scope)
        if column is None:
            return None
        columns.append(column)
        texts.append("")
    if len(columns) == 1:
        return _one_column(columns[0], texts, scope.writers)
    if not columns:
        return None
    return _columns(columns, "%s".join(text.replace("%", "%%") for text in texts), scope.writers)


def _one_column(column: Column, texts: list[str], writers: Writers) -> Turns:
    before, after = texts
    between = after + before

    def turns(s: State, items: Sequence[Value], out: Callable[[Value], None]) -> None:
        values = column(s, items)
        extra = len(values) * len(between)
        try:
            # Mostly all are texts already; anything else raises and is written first.
            s.meter.charge(sum(map(len, values)) + extra)
            joined = between.join(values)
        except TypeError:
            cells = _written(values, writers)
            s.meter.charge(sum(map(len, cells)) + extra)
            joined = between.join(cells)
        out(before + joined + after)

    return turns


def _columns(columns: list[Column], template: str, writers: Writers) -> Turns:
    def turns(s: State, items: Sequence[Value], out: Callable[[Value], None]) -> None:
        rows = [_written(column(s, items), writers) for column in columns]
        s.meter.charge(sum(sum(map(len, cells)) for cells in rows) + len(items) * len(template))
        out("".join([template % row for row in zip(*rows, strict=True)]))

    return turns


def _written(values: Sequence[Value], writers: Writers) -> list[str]:
    return [value if type(value) is str else writers[type(value)](value) for value in values]


def _column(node: Node, variable: str, scope: Scope) -> Column | None:
    if isinstance(node, nodes.Name):
        if node.name == variable:
            return _items
        return None if scope.is_local(node.name) else _constant(node, scope)
    if isinstance(node, nodes.Literal):
        return _constant(node, scope)
    if isinstance(node, nodes.Attribute):
        return _attribute(node, variable, scope)
    if isinstance(node, nodes.Filter):
        return _filter(node, variable, scope)
    return None


def _items(_: State, items: Sequence[Value]) -> Sequence[Value]:
    return items


def _constant(node: Node, scope: Scope) -> Column:
    expression = compile_expression(node, scope)
    return lambda s, items: [expression(s)] * len(items)


def _attribute(node: nodes.Attribute, variable: str, scope: Scope) -> Column | None:
    key = node.key.value if isinstance(node.key, nodes.Literal) else None
    if type(key) is not str:
        return None
    target = node.target
    if isinstance(target, nodes.Name) and target.name == "loop" and key in Loop.NAMES:
        return _LOOP_COLUMNS[key]
    column = _column(target, variable, scope)
    if column is None:
        return None
    return _keys(column, key, node.at, root=target.name if isinstance(target, nodes.Name) else None)


def _keys(column: Column, key: str, at: At, *, root: str | None) -> Column:
    def keys(s: State, items: Sequence[Value]) -> Sequence[Value]:
        return [
            value[key]
            if type(value) is dict and key in value
            else attribute(value, key, at=at, root=root)
            for value in column(s, items)
        ]

    return keys


def _filter(node: nodes.Filter, variable: str, scope: Scope) -> Column | None:
    definition = FILTERS.table.get(node.name)
    if definition is None or definition.with_state or definition.changes_list:
        return None
    column = _column(node.target, variable, scope)
    bound = bind(node.arguments, definition, scope, compiler=compile_expression)
    if column is None or definition.catches_missing or not isinstance(bound, Bound):
        return None
    if bound.constants is None:
        return None
    code, at = definition.code, node.at
    arguments = () if definition.parameters is None else bound.constants

    def filtered(s: State, items: Sequence[Value]) -> Sequence[Value]:
        result = [run(code, at, (value, *arguments)) for value in column(s, items)]
        s.meter.charge(sum(len(value) for value in result if type(value) is str))
        return result

    return filtered


def _numbers(_: State, items: Sequence[Value]) -> Sequence[Value]:
    return range(len(items))


def _numbers_down(_: State, items: Sequence[Value]) -> Sequence[Value]:
    return range(len(items) - 1, -1, -1)


def _lengths(_: State, items: Sequence[Value]) -> Sequence[Value]:
    return [len(items)] * len(items)


def _firsts(_: State, items: Sequence[Value]) -> Sequence[Value]:
    return [True, *[False] * (len(items) - 1)]


def _lasts(_: State, items: Sequence[Value]) -> Sequence[Value]:
    return [*[False] * (len(items) - 1), True]


_LOOP_COLUMNS: dict[str, Column] = {
    "index": _numbers,
    "length": _lengths,
    "first": _firsts,
    "last": _lasts,
    "revindex": _numbers_down,
}
