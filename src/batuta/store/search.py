"""A `Query` to SQL: chooses prepared pieces, and gives every value as a parameter. Pure."""

from collections.abc import Sequence
from typing import Any

from batuta.store.query import (
    LEVELS,
    MAX_TOTAL,
    Filter,
    Kind,
    Op,
    Query,
    check_filter,
    check_sort,
    pairs,
    words,
)
from batuta.store.record import pair_text
from batuta.store.statement import Search, marks

Bound = tuple[str, list[Any]]


def select_page(search: Search, query: Query) -> Bound:
    """The page that is asked for."""
    where, values = _where(search, query.filters)
    values += [query.size, (query.page - 1) * query.size]
    return f"{search.select}{where} ORDER BY {_order(search, query)} LIMIT ? OFFSET ?", values


def select_count(search: Search, query: Query) -> Bound:
    """How many rows match, up to MAX_TOTAL."""
    where, values = _where(search, query.filters)
    return f"{search.count}{where} LIMIT {MAX_TOTAL}) AS matches", values


def delete_matches(search: Search, query: Query) -> Bound:
    where, values = _where(search, query.filters)
    return f"{search.delete}{where}", values


def _order(search: Search, query: Query) -> str:
    if not query.sort:
        return search.order
    columns = []
    for sort in query.sort:
        check_sort(sort, search.kinds)
        columns.append(f"{search.sorts[sort.field]} {'DESC' if sort.descending else 'ASC'}")
    # Rows that are equal so far follow the direction of the last column, as a reversed list would show them.
    direction = " DESC" if query.sort[-1].descending else ""
    keys = [f"{key}{direction}" for key in search.key.split(", ")]
    return ", ".join([*columns, *keys])


def _where(search: Search, filters: Sequence[Filter]) -> Bound:
    conditions: list[str] = []
    values: list[Any] = []
    for condition in filters:
        text, bound = _condition(search, condition)
        if text:
            conditions.append(text)
            values += bound
    return (" WHERE " + " AND ".join(conditions) if conditions else ""), values


def _condition(search: Search, condition: Filter) -> Bound:
    kind = check_filter(condition, search.kinds)
    pieces = search.filters[condition.field]
    match kind:
        case Kind.LABELS:
            return _label_condition(pieces, condition)
        case Kind.SEARCH:
            return _word_condition(pieces, condition)
        case Kind.LEVEL:
            return _filled(pieces[condition.op], LEVELS.get(str(condition.value), 0))
        case Kind.FLAG | Kind.PRESENT:
            return _filled(pieces[condition.op], int(bool(condition.value)))
        case _:
            return _plain_condition(pieces[condition.op], condition)


def _plain_condition(piece: str, condition: Filter) -> Bound:
    if condition.op in {Op.IN, Op.NOT_IN}:
        some = list(condition.value) if isinstance(condition.value, tuple) else [condition.value]
        return piece.replace("??", marks(len(some))), some
    if condition.value == "" and condition.op in {Op.STARTS_WITH, Op.ENDS_WITH, Op.CONTAINS}:
        return "", []
    return _filled(piece, condition.value)


def _label_condition(pieces: Any, condition: Filter) -> Bound:
    if condition.op is Op.CONTAINS:
        found = [_all(pieces[Op.CONTAINS], list(pair)) for pair in pairs(condition)]
    else:
        negated = condition.op in {Op.NOT_EQUALS, Op.NOT_IN}
        piece = pieces[Op.NOT_EQUALS if negated else Op.EQUALS]
        found = [_all(piece, [pair_text(*pair)]) for pair in pairs(condition)]
    return _join(found, " OR " if condition.op is Op.IN else " AND ")


def _word_condition(pieces: Any, condition: Filter) -> Bound:
    found = [_filled(pieces[Op.EQUALS], _pattern(word)) for word in words(condition)]
    text, values = _join(found, " AND ")
    return (f"NOT {text}" if text and condition.op is Op.NOT_EQUALS else text), values


def _pattern(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _join(found: list[Bound], word: str) -> Bound:
    if not found:
        return "", []
    values = [value for _, some in found for value in some]
    return f"({word.join(text for text, _ in found)})", values


def _filled(piece: str, value: Any) -> Bound:
    return piece, [value] * piece.count("?")


def _all(piece: str, values: list[Any]) -> Bound:
    return piece, values
