"""Searches as the API words them (03 §4), checked and turned into queries of the store.

A `Condition` has the API's field name and texts; each resource has a table of the fields and operators that it takes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

import msgspec

from batuta.model.duration import parse_duration
from batuta.model.instant import DAY, Instant, from_iso
from batuta.model.label import Label
from batuta.operations.caller import Caller
from batuta.operations.errors import BadRequestError, IllegalArgumentError, UnprocessableError
from batuta.store.query import LEVELS, Filter, FilterValue, Op, Query, Sort

LOOP = "LOOP"
"""The kind of an iteration: part of another execution, and never met without it."""
HIDDEN_KINDS = ("TEST", "PLAYGROUND", LOOP)
"""Left out of searches and figures unless asked for (03 §4.7)."""
DEFAULT_WINDOW = 8 * DAY
"""Searches of executions and logs without a start reach back so far (03 §4.5)."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """`number` counts from 1."""

    number: int = 1
    size: int = 10


class Condition(msgspec.Struct, frozen=True):
    """`values` holds one text, several for IN, NOT_IN and `scope`; `labels` replaces it for labels."""

    field: str
    op: Op
    values: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """`default_window`: whether executions and logs without a start are limited to the latest days."""

    conditions: tuple[Condition, ...] = ()
    page: Page = Page()
    sort: tuple[Sort, ...] = ()
    default_window: bool = True


_MATCH = frozenset({Op.EQUALS, Op.NOT_EQUALS})
_ENDS = frozenset({Op.CONTAINS, Op.STARTS_WITH, Op.ENDS_WITH})
_LIST = frozenset({Op.IN, Op.NOT_IN})
_COMPARE = _MATCH | {
    Op.GREATER_THAN,
    Op.LESS_THAN,
    Op.GREATER_THAN_OR_EQUAL_TO,
    Op.LESS_THAN_OR_EQUAL_TO,
}
_TEXT = _MATCH | _ENDS | _LIST

FIELDS: Mapping[str, tuple[str, frozenset[Op]]] = {
    "q": ("QUERY", _MATCH),
    "scope": ("SCOPE", _MATCH),
    "namespace": ("NAMESPACE", _TEXT | {Op.REGEX, Op.PREFIX}),
    "kind": ("KIND", _MATCH | _LIST),
    "labels": ("LABELS", _MATCH | _LIST | {Op.CONTAINS}),
    "flowId": ("FLOW_ID", _TEXT | {Op.REGEX, Op.PREFIX}),
    "updated": ("UPDATED", _COMPARE),
    "startDate": ("START_DATE", _COMPARE),
    "endDate": ("END_DATE", _COMPARE),
    "state": ("STATE", _MATCH | _LIST),
    "timeRange": ("TIME_RANGE", frozenset({Op.EQUALS})),
    "triggerExecutionId": ("TRIGGER_EXECUTION_ID", _TEXT),
    "triggerId": ("TRIGGER_ID", _TEXT),
    "executionId": ("EXECUTION_ID", _TEXT),
    "workerId": ("WORKER_ID", _TEXT),
    "childFilter": ("CHILD_FILTER", _MATCH),
    "existingOnly": ("EXISTING_ONLY", _MATCH),
    "level": ("MIN_LEVEL", _MATCH),
}
"""The API's name of each field: the name in messages, and its operators (03 §4.3)."""


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """`columns` maps the API's fields to those of the store; `sorts` those that can be ordered by."""

    name: str
    columns: Mapping[str, str]
    sorts: Mapping[str, str]
    hides_kinds: bool = False
    """Executions of other kinds than NORMAL are left out unless asked for (03 §4.7)."""
    dated: bool = False


FLOW = Resource(
    name="FLOW",
    columns={"labels": "labels", "namespace": "namespace", "q": "q", "flowId": "id"},
    sorts={"id": "id", "namespace": "namespace", "revision": "revision", "updated": "updated"},
)
TEMPLATE = Resource(
    name="TEMPLATE",
    columns={"namespace": "namespace", "q": "q"},
    sorts={"id": "id", "namespace": "namespace", "updated": "updated"},
)
EXECUTION = Resource(
    name="EXECUTION",
    columns={
        "q": "q",
        "flowId": "flow_id",
        "startDate": "start",
        "endDate": "end",
        "state": "state",
        "labels": "labels",
        "triggerExecutionId": "trigger_execution_id",
        "childFilter": "child",
        "namespace": "namespace",
        "kind": "kind",
    },
    sorts={
        "id": "id",
        "namespace": "namespace",
        "flowId": "flow_id",
        "state.current": "state",
        "state.startDate": "start",
        "state.endDate": "end",
        "state.duration": "duration",
    },
    hides_kinds=True,
    dated=True,
)
LOG = Resource(
    name="LOG",
    columns={
        "q": "q",
        "namespace": "namespace",
        "startDate": "at",
        "endDate": "at",
        "flowId": "flow_id",
        "triggerId": "trigger_id",
        "level": "level",
        "executionId": "execution_id",
    },
    sorts={
        "timestamp": "at",
        "level": "level",
        "namespace": "namespace",
        "flowId": "flow_id",
        "taskId": "task_id",
        "executionId": "execution_id",
        "triggerId": "trigger_id",
    },
    hides_kinds=True,
    dated=True,
)
TRIGGER = Resource(
    name="TRIGGER",
    columns={
        "q": "q",
        "namespace": "namespace",
        "workerId": "worker_id",
        "flowId": "flow_id",
        "startDate": "next_date",
        "endDate": "next_date",
        "triggerId": "trigger_id",
    },
    sorts={
        "flowId": "flow_id",
        "namespace": "namespace",
        "triggerId": "trigger_id",
        "executionId": "execution_id",
        "nextExecutionDate": "next_date",
        "next_execution_date": "next_date",
        "date": "date",
    },
)
KEY_VALUE = Resource(
    name="KV_METADATA",
    columns={"q": "q", "namespace": "namespace", "updated": "updated"},
    sorts={
        "key": "key",
        "namespace": "namespace",
        "updated": "updated",
        "expirationDate": "expires",
    },
)
METRIC = Resource(
    name="METRIC",
    columns={},
    sorts={
        "namespace": "namespace",
        "flowId": "flow_id",
        "taskId": "task_id",
        "executionId": "execution_id",
        "taskrunId": "task_run_id",
        "name": "name",
        "timestamp": "at",
        "value": "value",
    },
)
_SPECIAL = frozenset({"scope", "timeRange"})


def to_query(
    caller: Caller,
    resource: Resource,
    search: Search,
    *,
    now: Instant,
    system_namespace: str,
) -> Query:
    """Raises `BadRequestError` for fields and operators that the resource does not take, else argument errors."""
    _check_fields(resource, search.conditions)
    conditions = _dated(search, now) if resource.dated else search.conditions
    filters = [Filter("tenant", Op.EQUALS, caller.tenant)]
    for condition in conditions:
        filters.extend(_filters(resource, condition, system_namespace))
    if resource.hides_kinds and not any(c.field in {"kind", "executionId"} for c in conditions):
        filters.append(Filter("kind", Op.NOT_IN, HIDDEN_KINDS))
    filters.extend(visible(caller))
    return Query(
        filters=filters,
        sort=[to_sort(resource, sort) for sort in search.sort],
        page=search.page.number,
        size=search.page.size,
    )


def visible(caller: Caller) -> list[Filter]:
    """What keeps the rows of other namespaces from the caller."""
    if caller.namespaces is None:
        return []
    choices = "|".join(re.escape(name) for name in caller.namespaces)
    return [Filter("namespace", Op.REGEX, rf"^(?:{choices})(?:\..+)?$")]


def to_level(text: str) -> str:
    """Raises `IllegalArgumentError` for what is no level."""
    level = text.upper()
    if level not in LEVELS:
        raise IllegalArgumentError(f"No enum constant org.slf4j.event.Level.{text}")
    return level


def _check_fields(resource: Resource, conditions: Sequence[Condition]) -> None:
    allowed = {*resource.columns, "scope", *(("timeRange",) if resource.dated else ())}
    problems = []
    for condition in conditions:
        known = FIELDS.get(condition.field)
        if known is None:
            names = ", ".join(FIELDS)
            raise IllegalArgumentError(
                f"Unsupported field '{condition.field}'. Expected one of: [{names}]"
            )
        name, operators = known
        if condition.field not in allowed:
            supported = ", ".join(FIELDS[field][0] for field in FIELDS if field in allowed)
            problems.append(
                f"Field {name} is not supported for resource {resource.name}."
                f" Supported fields are {supported}"
            )
        elif condition.op not in operators:
            supported = ", ".join(op for op in Op if op in operators)
            problems.append(
                f"Operation {condition.op} is not supported for field {name}."
                f" Supported operations are {supported}"
            )
    if problems:
        raise InvalidFiltersError(f"{', '.join(problems)}: Provided query filters are invalid")


class InvalidFiltersError(BadRequestError):
    """Fields or operators that the resource does not take; the message stands alone (03 §3.7)."""


def _dated(search: Search, now: Instant) -> tuple[Condition, ...]:
    """A time range becomes a start; without a start the search reaches back eight days (03 §4.5)."""
    ranges = [c for c in search.conditions if c.field == "timeRange"]
    dates = [c for c in search.conditions if c.field in {"startDate", "endDate"}]
    if ranges and dates:
        raise IllegalArgumentError(
            "Parameters 'startDate'/'endDate' and 'timeRange' are mutually exclusive"
        )
    conditions = [c for c in search.conditions if c.field != "timeRange"]
    if ranges:
        conditions.append(_since(now - _length(ranges[-1].values[0])))
    elif search.default_window and not any(c.field == "startDate" for c in dates):
        conditions.append(_since(now - DEFAULT_WINDOW))
    _check_order(conditions)
    return tuple(conditions)


def _length(text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError:
        raise IllegalArgumentError(f"Invalid duration: {text}") from None


def _since(start: int) -> Condition:
    return Condition("startDate", Op.GREATER_THAN_OR_EQUAL_TO, (str(start),))


_LOWER = frozenset({Op.GREATER_THAN, Op.GREATER_THAN_OR_EQUAL_TO})
_UPPER = frozenset({Op.LESS_THAN, Op.LESS_THAN_OR_EQUAL_TO})


def _check_order(conditions: Iterable[Condition]) -> None:
    starts = [
        _instant(c.values[0]) for c in conditions if c.field == "startDate" and c.op in _LOWER
    ]
    ends = [_instant(c.values[0]) for c in conditions if c.field == "endDate" and c.op in _UPPER]
    if starts and ends and max(starts) > min(ends):
        raise IllegalArgumentError("Start date must be before End Date")


def _instant(text: str) -> Instant:
    """An ISO date-time, or microseconds that this module wrote itself."""
    if text.lstrip("-").isdigit() and len(text) > len("20251231"):
        return Instant(int(text))
    try:
        return from_iso(text)
    except ValueError:
        pass
    try:
        return from_iso(f"{text}Z")
    except ValueError:
        raise IllegalArgumentError(f"Invalid date: {text}") from None


def _filters(resource: Resource, condition: Condition, system_namespace: str) -> Iterable[Filter]:
    if condition.field == "scope":
        return _scope(condition, system_namespace)
    column = resource.columns[condition.field]
    value = _value(condition)
    if condition.field == "q" and not value:
        return ()
    if condition.field == "kind":
        return _kinds(column, condition)
    if condition.field == "labels":
        pairs = tuple((label.key, label.value) for label in condition.labels)
        return (Filter(column, condition.op, pairs),) if pairs else ()
    return (Filter(column, condition.op, value),)


def _value(condition: Condition) -> FilterValue:
    values = condition.values
    match condition.field:
        case "startDate" | "endDate" | "updated":
            return _instant(values[0])
        case "childFilter":
            return _child(values[0])
        case "state":
            values = tuple(value.upper() for value in values)
        case "level":
            values = (to_level(values[0]),)
        case _:
            pass
    return values if condition.op in _LIST else (values[0] if values else "")


_KINDS = frozenset({"NORMAL", *HIDDEN_KINDS})


def _kinds(column: str, condition: Condition) -> Iterable[Filter]:
    """A normal execution has no kind in the store."""
    wanted = frozenset(value.upper() for value in condition.values)
    for value in sorted(wanted - _KINDS):
        raise IllegalArgumentError(f"No enum constant ExecutionKind.{value}")
    allowed = wanted if condition.op in {Op.EQUALS, Op.IN} else _KINDS - wanted
    if "NORMAL" not in allowed:
        return (Filter(column, Op.IN, tuple(sorted(allowed))),)
    refused = tuple(sorted(_KINDS - allowed))
    return (Filter(column, Op.NOT_IN, refused),) if refused else ()


def _child(text: str) -> bool:
    if text.upper() not in {"CHILD", "MAIN"}:
        raise IllegalArgumentError(f"No enum constant ChildFilter.{text}")
    return text.upper() == "CHILD"


def _scope(condition: Condition, system_namespace: str) -> Iterable[Filter]:
    """One effective value; both together are no condition (03 §4.3)."""
    scopes = {value.strip().upper() for value in condition.values}
    for value in scopes - {"USER", "SYSTEM"}:
        raise IllegalArgumentError(f"Invalid FlowScope value: {value}")
    if len(scopes) != 1:
        return ()
    keeps_system = (scopes == {"SYSTEM"}) == (condition.op is Op.EQUALS)
    return (Filter("namespace", Op.EQUALS if keeps_system else Op.NOT_EQUALS, system_namespace),)


def to_sort(resource: Resource, sort: Sort) -> Sort:
    """The order of the store. Raises `UnprocessableError` for a field that the resource does not sort by."""
    column = resource.sorts.get(sort.field)
    if column is None:
        _bad_sort(resource, sort.field)
    return Sort(column, sort.descending)


def _bad_sort(resource: Resource, field: str) -> NoReturn:
    raise UnprocessableError(
        f"Invalid sort parameter: `{field}` is none of {', '.join(resource.sorts)}"
    )
