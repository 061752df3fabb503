"""What a search asks for: filters that must all hold, an order, and a page."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from batuta.store.errors import QueryError

Row = TypeVar("Row")

MAX_TOTAL = 100_000
"""A total is exact up to here; a greater number of matches is reported as this (09 §6)."""

REGEX_SECONDS = 0.1
"""The longest time that matching a pattern against one text may take."""

LEVELS: Mapping[str, int] = {"TRACE": 0, "DEBUG": 1, "INFO": 2, "WARN": 3, "ERROR": 4}


class Op(StrEnum):
    """Operators of 03 §4.2. PREFIX on a namespace is "equal to or child of"; texts compare with case."""

    EQUALS = "EQUALS"
    NOT_EQUALS = "NOT_EQUALS"
    GREATER_THAN = "GREATER_THAN"
    LESS_THAN = "LESS_THAN"
    GREATER_THAN_OR_EQUAL_TO = "GREATER_THAN_OR_EQUAL_TO"
    LESS_THAN_OR_EQUAL_TO = "LESS_THAN_OR_EQUAL_TO"
    IN = "IN"
    NOT_IN = "NOT_IN"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    CONTAINS = "CONTAINS"
    REGEX = "REGEX"
    PREFIX = "PREFIX"


class Kind(StrEnum):
    """What a field holds, which decides its operators."""

    TEXT = "text"
    """All but the comparisons, of which GREATER_THAN alone is there, for walks by key."""
    NUMBER = "number"
    """Instants, revisions: EQUALS, NOT_EQUALS, the four comparisons, IN, NOT_IN."""
    FLAG = "flag"
    """EQUALS, NOT_EQUALS with a boolean."""
    PRESENT = "present"
    """EQUALS, NOT_EQUALS with a boolean: whether the column holds anything."""
    LABELS = "labels"
    """EQUALS, NOT_EQUALS, IN, NOT_IN, CONTAINS with pairs `(key, value)`: EQUALS needs all of them, IN any, NOT_EQUALS
    and NOT_IN none; CONTAINS needs, for each pair, the key with a value that contains the text."""
    SEARCH = "search"
    """EQUALS, NOT_EQUALS: every word of the text is part of one of several columns, without case (03 §4.7)."""
    EXPIRY = "expiry"
    """NOT_EQUALS: empty, or later than the instant given; EQUALS: not."""
    LEVEL = "level"
    """EQUALS: the level or one above; NOT_EQUALS: one below."""


OPERATORS: Mapping[Kind, frozenset[Op]] = {
    Kind.TEXT: frozenset(Op)
    - {Op.LESS_THAN, Op.GREATER_THAN_OR_EQUAL_TO, Op.LESS_THAN_OR_EQUAL_TO},
    Kind.NUMBER: frozenset(Op) - {Op.STARTS_WITH, Op.ENDS_WITH, Op.CONTAINS, Op.REGEX, Op.PREFIX},
    Kind.FLAG: frozenset({Op.EQUALS, Op.NOT_EQUALS}),
    Kind.PRESENT: frozenset({Op.EQUALS, Op.NOT_EQUALS}),
    Kind.LABELS: frozenset({Op.EQUALS, Op.NOT_EQUALS, Op.IN, Op.NOT_IN, Op.CONTAINS}),
    Kind.SEARCH: frozenset({Op.EQUALS, Op.NOT_EQUALS}),
    Kind.EXPIRY: frozenset({Op.EQUALS, Op.NOT_EQUALS}),
    Kind.LEVEL: frozenset({Op.EQUALS, Op.NOT_EQUALS}),
}

EXECUTION_FIELDS: Mapping[str, Kind] = {
    "q": Kind.SEARCH,
    "tenant": Kind.TEXT,
    "id": Kind.TEXT,
    "namespace": Kind.TEXT,
    "flow_id": Kind.TEXT,
    "revision": Kind.NUMBER,
    "state": Kind.TEXT,
    "start": Kind.NUMBER,
    "end": Kind.NUMBER,
    "duration": Kind.NUMBER,
    "updated": Kind.NUMBER,
    "kind": Kind.TEXT,
    "labels": Kind.LABELS,
    "trigger_id": Kind.TEXT,
    "trigger_execution_id": Kind.TEXT,
    "child": Kind.PRESENT,
    "link_execution_id": Kind.TEXT,
    "parent_id": Kind.TEXT,
    "original_id": Kind.TEXT,
}
FLOW_FIELDS: Mapping[str, Kind] = {
    "q": Kind.SEARCH,
    "source": Kind.SEARCH,
    "tenant": Kind.TEXT,
    "namespace": Kind.TEXT,
    "id": Kind.TEXT,
    "revision": Kind.NUMBER,
    "updated": Kind.NUMBER,
    "disabled": Kind.FLAG,
    "deleted": Kind.FLAG,
    "labels": Kind.LABELS,
}
LOG_FIELDS: Mapping[str, Kind] = {
    "q": Kind.SEARCH,
    "tenant": Kind.TEXT,
    "namespace": Kind.TEXT,
    "flow_id": Kind.TEXT,
    "execution_id": Kind.TEXT,
    "task_id": Kind.TEXT,
    "task_run_id": Kind.TEXT,
    "attempt": Kind.NUMBER,
    "trigger_id": Kind.TEXT,
    "level": Kind.LEVEL,
    "at": Kind.NUMBER,
    "kind": Kind.TEXT,
    "id": Kind.NUMBER,
}
METRIC_FIELDS: Mapping[str, Kind] = {
    "tenant": Kind.TEXT,
    "namespace": Kind.TEXT,
    "flow_id": Kind.TEXT,
    "execution_id": Kind.TEXT,
    "task_id": Kind.TEXT,
    "task_run_id": Kind.TEXT,
    "name": Kind.TEXT,
    "value": Kind.NUMBER,
    "at": Kind.NUMBER,
    "kind": Kind.TEXT,
    "id": Kind.NUMBER,
}
TRIGGER_FIELDS: Mapping[str, Kind] = {
    "q": Kind.SEARCH,
    "tenant": Kind.TEXT,
    "namespace": Kind.TEXT,
    "flow_id": Kind.TEXT,
    "trigger_id": Kind.TEXT,
    "worker_id": Kind.TEXT,
    "execution_id": Kind.TEXT,
    "next_date": Kind.NUMBER,
    "date": Kind.NUMBER,
    "disabled": Kind.FLAG,
}
KV_FIELDS: Mapping[str, Kind] = {
    "q": Kind.SEARCH,
    "tenant": Kind.TEXT,
    "namespace": Kind.TEXT,
    "key": Kind.TEXT,
    "updated": Kind.NUMBER,
    "expires": Kind.NUMBER,
}
TASK_RUN_FIELDS: Mapping[str, Kind] = {
    "execution_id": Kind.TEXT,
    "id": Kind.TEXT,
    "task_id": Kind.TEXT,
    "state": Kind.TEXT,
    "ordinal": Kind.NUMBER,
}
OUTPUT_FIELDS: Mapping[str, Kind] = {
    "execution_id": Kind.TEXT,
    "task_id": Kind.TEXT,
    "task_run_id": Kind.TEXT,
    "ordinal": Kind.NUMBER,
}
LATEST_FIELD: Mapping[str, Kind] = {"latest": Kind.FLAG}
KV_STATE_FIELDS: Mapping[str, Kind] = {
    **LATEST_FIELD,
    "deleted": Kind.FLAG,
    "expired": Kind.EXPIRY,
}
UNSORTED = frozenset({Kind.SEARCH, Kind.LABELS, Kind.PRESENT, Kind.EXPIRY})
"""Kinds of fields that cannot be sorted by."""

FilterValue = (
    str | int | float | bool | tuple[str, ...] | tuple[int, ...] | tuple[tuple[str, str], ...]
)


class Filter(msgspec.Struct, frozen=True):
    """One condition. REGEX finds a pattern anywhere in a text; a pattern that takes too long is a `QueryError`. IN and NOT_IN take a tuple, `labels` a tuple of pairs, all others one value.

    NOT_EQUALS, NOT_IN and the like also hold for rows where the column is empty.
    """

    field: str
    op: Op
    value: FilterValue


class Sort(msgspec.Struct, frozen=True):
    field: str
    descending: bool = False


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Rows for which all `filters` hold, in the order of `sort`, then of id. Pages count from 1.

    For a walk over many rows sort by id (or the key) and filter it with GREATER_THAN the last one seen,
    `total=False`: its cost does not grow with the distance.
    """

    filters: Sequence[Filter] = ()
    sort: Sequence[Sort] = ()
    page: int = 1
    size: int = 10
    total: bool = True
    """Whether `Page.total` is wanted."""


class Page(msgspec.Struct, Generic[Row], frozen=True):
    rows: Sequence[Row]
    total: int = 0
    """Matches on all pages, at most MAX_TOTAL; the number of `rows` when no total was wanted."""


def check_filter(condition: Filter, fields: Mapping[str, Kind]) -> Kind:
    """The kind of the field. Raises `QueryError` when the resource has no such field, or that not this operator."""
    kind = fields.get(condition.field)
    if kind is None:
        known = ", ".join(fields)
        raise QueryError(
            f"there is no field `{condition.field}` to filter by; known are {known}",
            field=condition.field,
        )
    if condition.op not in OPERATORS[kind]:
        raise QueryError(
            f"`{condition.field}` cannot be filtered with {condition.op}", field=condition.field
        )
    if condition.op is Op.REGEX:
        _check_pattern(condition)
    return kind


def _check_pattern(condition: Filter) -> None:
    import regex

    try:
        regex.compile(str(condition.value))
    except regex.error as error:
        raise QueryError(
            f"`{condition.value}` is no regular expression: {error}", field=condition.field
        ) from None


def matches(pattern: str, text: str | None) -> bool:
    """Whether the pattern is found in the text. Raises `TimeoutError` after REGEX_SECONDS."""
    import regex

    return text is not None and regex.search(pattern, text, timeout=REGEX_SECONDS) is not None


def check_sort(sort: Sort, fields: Mapping[str, Kind]) -> None:
    """Raises `QueryError` for a field that the resource does not sort by."""
    if fields.get(sort.field, Kind.SEARCH) in UNSORTED:
        raise QueryError(f"`{sort.field}` is no field to sort by", field=sort.field)


def words(condition: Filter) -> list[str]:
    """What a condition on a field of kind SEARCH looks for."""
    return str(condition.value).split()


def pairs(condition: Filter) -> list[tuple[str, str]]:
    """The key-value pairs of a condition on labels."""
    value = condition.value if isinstance(condition.value, tuple) else ()
    return [(str(pair[0]), str(pair[1])) for pair in value if isinstance(pair, tuple)]
