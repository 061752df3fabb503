"""Reads search conditions from a query string: brackets, or the older flat names (03 §4)."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from batuta.model.label import Label
from batuta.operations.errors import IllegalArgumentError
from batuta.operations.query import Condition, Search
from batuta.store.query import Op
from batuta.web.request import Ask

_KEY = re.compile(r"filters\[(?P<field>[^\[\]]+)\]\[(?P<op>[^\[\]]+)\](?:\[(?P<label>[^\[\]]+)\])?")
_LISTS = frozenset({Op.IN, Op.NOT_IN})

_FLAT: Mapping[str, tuple[str, Op]] = {
    "q": ("q", Op.EQUALS),
    "namespace": ("namespace", Op.PREFIX),
    "flowId": ("flowId", Op.EQUALS),
    "triggerId": ("triggerId", Op.EQUALS),
    "minLevel": ("level", Op.EQUALS),
    "startDate": ("startDate", Op.GREATER_THAN),
    "endDate": ("endDate", Op.LESS_THAN),
    "timeRange": ("timeRange", Op.EQUALS),
    "triggerExecutionId": ("triggerExecutionId", Op.EQUALS),
    "childFilter": ("childFilter", Op.EQUALS),
    "workerId": ("workerId", Op.EQUALS),
}
_FLAT_LISTS: Mapping[str, tuple[str, Op]] = {
    "scope": ("scope", Op.EQUALS),
    "state": ("state", Op.IN),
}

FLOW_PARAMETERS = frozenset({"q", "scope", "namespace", "labels"})
TEMPLATE_PARAMETERS = frozenset({"q", "namespace"})
EXECUTION_PARAMETERS = frozenset(
    {
        "q",
        "scope",
        "namespace",
        "flowId",
        "startDate",
        "endDate",
        "timeRange",
        "state",
        "labels",
        "triggerExecutionId",
        "childFilter",
    }
)
TRIGGER_PARAMETERS = frozenset({"q", "namespace", "workerId", "flowId"})
LOG_PARAMETERS = frozenset(
    {"q", "namespace", "flowId", "triggerId", "minLevel", "startDate", "endDate"}
)


def read_search(ask: Ask, flat: frozenset[str]) -> Search:
    """Conditions, page and order. `flat`: the older names that this route knows."""
    return Search(conditions=read_conditions(ask, flat), page=ask.page(), sort=ask.sorts())


def read_conditions(ask: Ask, flat: frozenset[str]) -> tuple[Condition, ...]:
    """Flat names count only where no bracket is there (03 §4.1)."""
    bracketed = tuple(_bracketed(ask))
    return bracketed or tuple(_flat(ask, flat))


def _bracketed(ask: Ask) -> Iterator[Condition]:
    labels: dict[Op, list[Label]] = {}
    for key, value in ask.query.multi_items():
        match = _KEY.fullmatch(key)
        if match is None:
            continue
        op = _op(match["op"])
        if match["field"] == "labels":
            if match["label"]:
                labels.setdefault(op, []).append(Label(match["label"], value))
        elif not match["label"]:
            yield Condition(match["field"], op, _values(match["field"], op, value))
    for op, pairs in labels.items():
        yield Condition("labels", op, labels=tuple(pairs))


def _values(field: str, op: Op, value: str) -> tuple[str, ...]:
    if op in _LISTS:
        plain = unquote(value).replace("[", "").replace("]", "")
        return tuple(part.strip() for part in plain.split(",") if part.strip())
    if field == "scope":
        return tuple(part.strip() for part in value.split(","))
    return (value,)


def _op(name: str) -> Op:
    try:
        return Op(name)
    except ValueError:
        raise IllegalArgumentError(
            f"No enum constant io.kestra.core.models.QueryFilter.Op.{name}"
        ) from None


def _flat(ask: Ask, names: frozenset[str]) -> Iterator[Condition]:
    for name in sorted(names & _FLAT.keys()):
        value = ask.text(name)
        if value:
            field, op = _FLAT[name]
            yield Condition(field, op, (value,))
    for name in sorted(names & _FLAT_LISTS.keys()):
        values = ask.texts(name)
        if values:
            field, op = _FLAT_LISTS[name]
            yield Condition(field, op, values)
    if "labels" in names and ask.text("labels"):
        yield Condition("labels", Op.EQUALS, labels=ask.labels())
