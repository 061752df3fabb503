"""Loops whose body is one row of text: `{% for x in rows %}{{ loop.index }}: {{ x.name | upper }},{% endfor %}`.

Such a body is evaluated column by column with list comprehensions, which costs a fraction of evaluating it
item by item. Only prints made of the item, its keys, `loop`, variables that the template cannot change and
filters without side effects qualify; the order in which those are evaluated cannot be observed.
"""

from collections.abc import Callable, Sequence
from typing import Any

from batuta.expr.access import attribute
from batuta.expr.compiler.call import FAILURES, Bound, bind, placed
from batuta.expr.compiler.expression import compile_expression
from batuta.expr.compiler.scope import Scope, Writers
from batuta.expr.compiler.state import Meter, State
from batuta.expr.registry import FILTERS
from batuta.expr.syntax import nodes
from batuta.expr.syntax.nodes import At, Node
from batuta.expr.values import Loop, Value

_TOGETHER = 32
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
    return _columns(columns, texts, scope.writers)


def _one_column(column: Column, texts: list[str], writers: Writers) -> Turns:
    before, after = texts
    between = after + before
    is_item, width = column is _items, len(between)

    def turns(s: State, items: Sequence[Value], out: Callable[[Value], None]) -> None:
        values = items if is_item else column(s, items)
        extra = len(values) * width
        cells = values if type(values[0]) is str else _written(values, writers, s.meter)
        try:
            # Mostly all are texts if the first is; anything else raises and is written first.
            s.meter.charge(sum(map(len, cells)) + extra)
            joined = between.join(cells)
        except TypeError:
            joined = between.join(_written(values, writers, s.meter))
        out(before + joined + after)

    return turns


def _columns(columns: list[Column], texts: list[str], writers: Writers) -> Turns:
    before, *between, after = texts
    between.append(after + before)
    size = sum(map(len, texts))
    pattern = [piece for text in between for piece in ("", text)]
    width = len(pattern)

    def turns(s: State, items: Sequence[Value], out: Callable[[Value], None]) -> None:
        count = len(items)
        s.meter.charge(count * size)
        pieces = pattern * count
        for index, column in enumerate(columns):
            pieces[2 * index :: width] = _written(column(s, items), writers, s.meter)
        pieces[-1] = after
        out(before + "".join(pieces))

    return turns


def _written(values: Sequence[Value], writers: Writers, meter: Meter) -> Sequence[Any]:
    kinds = set(map(type, values))
    if kinds == {str}:
        meter.charge(sum(map(len, values)))
        return values
    writer = writers[kinds.pop()] if len(kinds) == 1 else lambda value: writers[type(value)](value)
    return _mapped(writer, values, meter)


def _mapped(code: Callable[[Value], Value], values: Sequence[Value], meter: Meter) -> list[Value]:
    """Charged piece by piece, so that a few big values that come again and again end early."""
    result: list[Value] = []
    for start in range(0, len(values), _TOGETHER):
        part = list(map(code, values[start : start + _TOGETHER]))
        try:
            meter.charge(sum(map(len, part)))
        except TypeError:  # numbers and the like have no length, and are short
            meter.charge(sum(len(value) for value in part if type(value) is str))
        result += part
    return result


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

    single = code if not arguments else lambda value: code(value, *arguments)

    def filtered(s: State, items: Sequence[Value]) -> Sequence[Value]:
        values = column(s, items)
        try:
            return _mapped(single, values, s.meter)
        except FAILURES as problem:
            raise placed(problem, at) from problem.__cause__

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
