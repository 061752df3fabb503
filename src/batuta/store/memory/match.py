"""Searches over rows in memory, with the meaning that `batuta.store.statements.condition` has in SQL."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from batuta.model.label import Label, Labels
from batuta.store.errors import QueryError
from batuta.store.query import (
    LEVELS,
    MAX_TOTAL,
    Filter,
    Kind,
    Op,
    Page,
    Query,
    Sort,
    check_filter,
    check_sort,
    matches,
    pairs,
    words,
)

Row = TypeVar("Row")

_TEXTS: Mapping[Op, Callable[[str, str], bool]] = {
    Op.STARTS_WITH: str.startswith,
    Op.ENDS_WITH: str.endswith,
    Op.CONTAINS: str.__contains__,
    Op.REGEX: lambda place, value: matches(value, place),
    Op.PREFIX: lambda place, value: place == value or place.startswith(f"{value}."),
}
_COMPARISONS: Mapping[Op, Callable[[Any, Any], bool]] = {
    Op.GREATER_THAN: lambda place, value: bool(place > value),
    Op.LESS_THAN: lambda place, value: bool(place < value),
    Op.GREATER_THAN_OR_EQUAL_TO: lambda place, value: bool(place >= value),
    Op.LESS_THAN_OR_EQUAL_TO: lambda place, value: bool(place <= value),
}


class Resource(msgspec.Struct, Generic[Row], frozen=True):
    """How the fields of a kind of row are read, and its order without a sort.

    A field of kind SEARCH gives the texts that are looked into, `labels` the labels.
    """

    kinds: Mapping[str, Kind]
    read: Mapping[str, Callable[[Row], Any]]
    key: Callable[[Row], tuple[Any, ...]]
    order: Sequence[Sort] = ()
    descending: bool = False
    """Whether the key is walked backwards when there is no sort."""

    def page(self, rows: Iterable[Row], query: Query) -> Page[Row]:
        """Raises `QueryError`."""
        found = self.sorted(self.matching(rows, query.filters), query.sort)
        start = (query.page - 1) * query.size
        chosen = found[start : start + query.size]
        return Page(chosen, min(len(found), MAX_TOTAL) if query.total else len(chosen))

    def matching(self, rows: Iterable[Row], filters: Sequence[Filter]) -> list[Row]:
        checked = [(condition, check_filter(condition, self.kinds)) for condition in filters]
        try:
            return [
                row
                for row in rows
                if all(
                    holds(self.read[condition.field](row), condition, kind)
                    for condition, kind in checked
                )
            ]
        except TimeoutError:
            raise QueryError("the regular expression takes too long", field="") from None

    def sorted(self, rows: list[Row], sorts: Sequence[Sort]) -> list[Row]:
        for sort in sorts:
            check_sort(sort, self.kinds)
        backwards = sorts[-1].descending if sorts else self.descending
        found = sorted(rows, key=self.key, reverse=backwards)
        for sort in reversed(sorts or self.order):
            found.sort(key=self._sort_key(sort.field), reverse=sort.descending)
        return found

    def _sort_key(self, field: str) -> Callable[[Row], tuple[bool, Any]]:
        read = self.read[field]
        if self.kinds[field] is Kind.LEVEL:
            return lambda row: (True, LEVELS[read(row)])
        return lambda row: _sortable(read(row))


def holds(place: Any, condition: Filter, kind: Kind) -> bool:
    """Whether a value fulfils the condition."""
    match kind:
        case Kind.LABELS:
            return _labels(place, condition)
        case Kind.SEARCH:
            found = all(_word(place, word.lower()) for word in words(condition))
            return found is not (condition.op is Op.NOT_EQUALS) or not words(condition)
        case Kind.FLAG | Kind.PRESENT:
            flag = bool(place) if kind is Kind.FLAG else place is not None
            return (flag == bool(condition.value)) is (condition.op is Op.EQUALS)
        case Kind.LEVEL:
            above = LEVELS[place] >= LEVELS.get(str(condition.value), 0)
            return above is (condition.op is Op.EQUALS)
        case Kind.EXPIRY:
            value: Any = condition.value
            over = place is not None and place <= value
            return over is (condition.op is Op.EQUALS)
        case _:
            return _plain(place, condition)


def _plain(place: Any, condition: Filter) -> bool:
    operator, value = condition.op, condition.value
    some = value if isinstance(value, tuple) else (value,)
    if operator in {Op.EQUALS, Op.NOT_EQUALS}:
        return (place is not None and place == value) is (operator is Op.EQUALS)
    if operator in {Op.IN, Op.NOT_IN}:
        return (place is not None and place in some) is (operator is Op.IN)
    if operator in _COMPARISONS:
        return place is not None and _COMPARISONS[operator](place, value)
    if value == "" and operator in {Op.STARTS_WITH, Op.ENDS_WITH, Op.CONTAINS}:
        return True
    return place is not None and _TEXTS[operator](place, str(value))


def _labels(labels: Labels, condition: Filter) -> bool:
    wanted = pairs(condition)
    if condition.op is Op.CONTAINS:
        return all(
            any(label.key == key and part in label.value for label in labels)
            for key, part in wanted
        )
    has = [Label(*pair) in labels for pair in wanted]
    if condition.op in {Op.NOT_EQUALS, Op.NOT_IN}:
        return not any(has)
    return (any(has) or not has) if condition.op is Op.IN else all(has)


def _word(texts: Iterable[str | None], word: str) -> bool:
    return any(text is not None and word in text.lower() for text in texts)


def _sortable(value: Any) -> tuple[bool, Any]:
    """Empty values come first, as in SQLite."""
    return (value is not None, value)
