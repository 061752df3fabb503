"""Values between PostgreSQL's driver and rows, in both directions (06 §7.10). Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from batuta.model import codec
from batuta.model.ion import to_json_data

_MONTHS = 12
_DAY_MICROS = 86_400_000_000
_MICROS = 1_000_000


def from_database(value: Any, zone: ZoneInfo) -> Any:
    """What the driver gives as a value of a row; what has no form of its own is text."""
    if value is None or type(value) in _SIMPLE:
        return value
    for kind, convert in _CONVERSIONS:
        if isinstance(value, kind):
            return convert(value, zone)
    if hasattr(value, "items"):  # the driver's own type of composite values
        return _map(dict(value.items()), zone)
    return str(value)


def _moment(value: datetime, zone: ZoneInfo) -> datetime:
    return value if value.tzinfo is None else value.astimezone(zone)


def _map(value: Mapping[Any, Any], zone: ZoneInfo) -> dict[str, Any]:
    return {str(name): from_database(each, zone) for name, each in value.items()}


_SIMPLE = frozenset({str, int, float, bool, Decimal, bytes, date})
_CONVERSIONS: tuple[tuple[Any, Callable[[Any, ZoneInfo], Any]], ...] = (
    (datetime, _moment),
    (time, lambda value, _: value.replace(tzinfo=None)),
    (timedelta, lambda value, _: value),
    (Mapping, _map),
    ((list, tuple), lambda values, zone: [from_database(value, zone) for value in values]),
)


def interval_text(parts: Sequence[int]) -> str:
    """Months, days and microseconds as `P1Y2M3DT4H5M6S`."""
    months, days, micros = parts
    years, months = _divided(months, _MONTHS)
    minutes, micros = _divided(micros, 60 * _MICROS)
    hours, minutes = _divided(minutes, 60)
    date_part = "".join(f"{n}{unit}" for n, unit in ((years, "Y"), (months, "M"), (days, "D")) if n)
    time_part = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M")) if n)
    if micros:
        time_part += f"{Decimal(micros) / _MICROS:f}S"
    if not date_part and not time_part:
        return "PT0S"
    return f"P{date_part}{'T' if time_part else ''}{time_part}"


def _divided(number: int, by: int) -> tuple[int, int]:
    """As `divmod`, with both parts having the sign of the number."""
    whole, rest = divmod(abs(number), by)
    return (whole, rest) if number >= 0 else (-whole, -rest)


def to_database(value: Any, type_name: str) -> Any:
    """A value of a flow or row as the driver wants it for a parameter of this type. Raises `ValueError`."""
    if value is None:
        return None
    if type_name.endswith("[]"):
        return _array(value, type_name.removesuffix("[]"))
    read = _READERS.get(type_name)
    if read is None:
        return value
    try:
        return read(value)
    except (TypeError, ValueError, InvalidOperation) as error:
        shown = f"`{value}` ({type(value).__name__})"
        raise ValueError(f"{shown} does not fit the type {type_name}: {error}") from error


def _array(value: Any, item: str) -> list[Any]:
    if isinstance(value, str):
        value = codec.decode(value)
    if not isinstance(value, list | tuple):
        raise ValueError(f"`{value}` is no list for the type {item}[]")  # noqa: TRY004 - the value is wrong
    return [to_database(each, item) for each in value]


def _integer(value: Any) -> int:
    number = int(value)
    if not isinstance(value, str) and number != value:
        raise ValueError("it has a fraction")
    return number


def _boolean(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in {"true", "t", "1", "yes", "on"}:
        return True
    if text in {"false", "f", "0", "no", "off"}:
        return False
    raise ValueError("it is neither true nor false")


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def _timestamp(value: Any) -> datetime:
    return _datetime(value).replace(tzinfo=None)


def _timestamptz(value: Any) -> datetime:
    moment = _datetime(value)
    return moment.replace(tzinfo=ZoneInfo("UTC")) if moment.tzinfo is None else moment


def _datetime(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - a local date-time
    return datetime.fromisoformat(str(value).partition("[")[0])


def _time(value: Any) -> time:
    return value if isinstance(value, time) else time.fromisoformat(str(value))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else codec.encode_text(to_json_data(value)).strip('"')


def _json(value: Any) -> str:
    return value if isinstance(value, str) else codec.encode_text(to_json_data(value))


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _interval(value: Any) -> tuple[int, int, int]:
    """The codec of this connection writes months, days and microseconds."""
    if not isinstance(value, timedelta):
        value = timedelta(seconds=float(value))
    return 0, value.days, value.seconds * _MICROS + value.microseconds


_READERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), _integer),
    **dict.fromkeys(("float4", "float8"), float),
    "numeric": lambda value: Decimal(str(value)),
    "bool": _boolean,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
    "time": _time,
    "timetz": _time,
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext", "xml", "uuid"), _text),
    **dict.fromkeys(("json", "jsonb"), _json),
    "bytea": _bytes,
    "interval": _interval,
}
