"""Whatever a task returns, as the plain JSON data that its outputs are stored as."""

import base64
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

import msgspec
from pydantic import BaseModel

from batuta.model.duration import format_duration
from batuta.model.instant import from_datetime, to_iso


def plain_outputs(value: Any) -> dict[str, Any] | None:
    """Outputs are a map: of an `Output` its fields, of a map its entries. Raises `TypeError` for anything else."""
    if value is None:
        return None
    data = plain(value)
    if not isinstance(data, dict):
        raise TypeError(f"a task returned {type(value).__name__} where outputs are a map")
    return data


def plain(value: Any) -> Any:
    if value is None or type(value) in _SCALARS:
        return value
    for kind, convert in _CONVERSIONS:
        if isinstance(value, kind):
            return convert(value)
    return str(value)


def _items(value: Any) -> list[Any]:
    return [plain(item) for item in value]


def _entries(value: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): plain(item) for key, item in value.items()}


def _fields(value: Any) -> dict[str, Any]:
    kind = type(value)
    names = zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True)
    return {name: plain(getattr(value, field)) for name, field in names}


def _number(value: Decimal) -> int | float:
    """JSON knows no decimals: whole numbers stay exact, others become the nearest double."""
    if value.is_finite() and value.as_tuple().exponent == 0:
        return int(value)
    return float(value)


def _moment(value: datetime) -> str:
    return value.isoformat() if value.tzinfo is None else to_iso(from_datetime(value))


_SCALARS = frozenset({bool, int, float, str})
_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Enum, lambda value: plain(value.value)),
    (str, str),
    (int, int),
    (float, float),
    (Mapping, _entries),
    ((list, tuple, AbstractSet), _items),
    (msgspec.Struct, _fields),
    (BaseModel, lambda value: _entries(value.model_dump(by_alias=True, mode="json"))),
    (Decimal, _number),
    (datetime, _moment),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, lambda value: format_duration(value // timedelta(microseconds=1))),
    ((bytes, bytearray, memoryview), lambda value: base64.b64encode(value).decode()),
)
"""In the order of their tests: subclasses of scalars first."""
