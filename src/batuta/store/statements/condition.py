"""The SQL of search conditions, for each kind of field and operator. The value is always a parameter."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Text,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    not_,
    or_,
    text,
)

from batuta.store.query import Kind, Op
from batuta.store.statements.build import SearchRows

Condition = ColumnElement[Any] | Any
SQLITE = "sqlite"


def conditions(search: SearchRows, name: str, *, dialect: str) -> Mapping[str, Condition]:
    """The conditions of one field, by operator."""
    place = search.place(name)
    own = bindparam("value", type_=place.type)
    found: dict[str, Condition]
    match search.fields[name]:
        case Kind.TEXT:
            found = {**_numbers(place, own, ordered=False), **_texts(place, dialect)}
        case Kind.NUMBER:
            found = _numbers(place, own, ordered=True)
        case Kind.FLAG:
            found = _flags(func.coalesce(place, 0))
        case Kind.PRESENT:
            found = _flags(cast(place.is_not(None), Integer))
        case Kind.LABELS:
            found = _labels(place, dialect)
        case Kind.SEARCH:
            found = _words(search.words[name], dialect)
        case Kind.EXPIRY:
            later = or_(place.is_(None), place > own)
            found = {Op.EQUALS: place <= own, Op.NOT_EQUALS: later}
        case _:
            found = {Op.EQUALS: place >= own, Op.NOT_EQUALS: place < own}
    return found


def _value(kind: Any) -> Any:
    return bindparam("value", type_=kind)


def _numbers(place: Any, value: Any, *, ordered: bool) -> dict[str, Condition]:
    some: Any = bindparam("value", expanding=True)
    found: dict[str, Condition] = {
        Op.EQUALS: place == value,
        Op.NOT_EQUALS: place.is_distinct_from(value),
        Op.IN: place.in_(some),
        Op.NOT_IN: or_(place.is_(None), place.not_in(some)),
    }
    comparisons: dict[str, Callable[[], Condition]] = {
        Op.GREATER_THAN: lambda: place > value,
        Op.LESS_THAN: lambda: place < value,
        Op.GREATER_THAN_OR_EQUAL_TO: lambda: place >= value,
        Op.LESS_THAN_OR_EQUAL_TO: lambda: place <= value,
    }
    # Texts compare by order only in walks by key, where the key is the last one seen.
    wanted = comparisons if ordered else {Op.GREATER_THAN: comparisons[Op.GREATER_THAN]}
    return found | {operator: make() for operator, make in wanted.items()}


def _texts(place: Any, dialect: str) -> dict[str, Condition]:
    value = _value(Text())
    find = func.instr if dialect == SQLITE else func.strpos
    ending = (
        func.substr(place, -func.length(value))
        if dialect == SQLITE
        else func.right(place, func.length(value))
    )
    exact = place if dialect == SQLITE else place.collate("C")
    # `/` follows `.`, so this range holds exactly the texts that begin with the value and a dot.
    child = and_(
        exact >= value.concat(literal_column("'.'")), exact < value.concat(literal_column("'/'"))
    )
    return {
        Op.STARTS_WITH: func.substr(place, 1, func.length(value)) == value,
        Op.ENDS_WITH: ending == value,
        Op.CONTAINS: find(place, value) > 0,
        Op.REGEX: place.regexp_match(value),
        Op.PREFIX: or_(place == value, child),
    }


def _flags(flag: Any) -> dict[str, Condition]:
    value = _value(Integer())
    return {Op.EQUALS: flag == value, Op.NOT_EQUALS: flag != value}


def _labels(place: Any, dialect: str) -> dict[str, Condition]:
    """The column is compact JSON of pairs, so a pair is a text inside it, quotes and all.

    CONTAINS has two values: the key, and what its value must contain.
    """
    find = func.instr if dialect == SQLITE else func.strpos
    has = func.coalesce(find(place, _value(Text())), 0)
    each = (
        "SELECT 1 FROM json_each({0}) AS label WHERE json_extract(label.value, '$[0]') = :value"
        " AND instr(json_extract(label.value, '$[1]'), :value) > 0"
        if dialect == SQLITE
        else "SELECT 1 FROM jsonb_array_elements({0}::jsonb) AS label"
        " WHERE label ->> 0 = :value AND strpos(label ->> 1, :value) > 0"
    )
    return {
        Op.EQUALS: has > 0,
        Op.NOT_EQUALS: has == 0,
        Op.CONTAINS: text(f"EXISTS ({each.format(f'{place.table.name}.{place.name}')})"),
    }


def _words(columns: Sequence[Any], dialect: str) -> dict[str, Condition]:
    """The value is a pattern of LIKE, escaped with a backslash."""
    value = _value(Text())
    like = [
        column.like(value, escape="\\") if dialect == SQLITE else column.ilike(value, escape="\\")
        for column in columns
    ]
    found = or_(*[func.coalesce(one, literal_column("false")) for one in like])
    return {Op.EQUALS: found, Op.NOT_EQUALS: not_(found)}
