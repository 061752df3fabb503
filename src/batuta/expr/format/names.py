"""Names and symbols of languages: the only place that uses babel, which is imported on first use (08 §4)."""

import re
from datetime import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from babel import Locale

_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:[_-][A-Za-z0-9]{2,8})*", re.ASCII)
_WIDTHS = {"short": "abbreviated", "full": "wide", "narrow": "narrow"}
_NOON = 12
Names = tuple[str, ...]


@lru_cache(maxsize=64)
def find_locale(identifier: str) -> "Locale":
    """Raises `ValueError` for what is no locale; one that nobody has data for is English."""
    from babel import Locale, UnknownLocaleError

    if _LOCALE.fullmatch(identifier) is None:
        raise ValueError(f"Invalid locale format: {identifier}")
    parts = re.split("[_-]", identifier)
    for count in range(len(parts), 0, -1):
        try:
            return Locale.parse("_".join(parts[:count]))
        except (UnknownLocaleError, ValueError):
            continue
    return Locale("en")


@lru_cache(maxsize=256)
def months(locale: str, width: str, *, alone: bool = False) -> Names:
    """January first; `width` is `short`, `full` or `narrow`."""
    return _list(_form(find_locale(locale).months, width, alone=alone), range(1, 13))


@lru_cache(maxsize=256)
def weekdays(locale: str, width: str, *, alone: bool = False) -> Names:
    """Monday first."""
    return _list(_form(find_locale(locale).days, width, alone=alone), range(7))


@lru_cache(maxsize=256)
def quarters(locale: str, width: str, *, alone: bool = False) -> Names:
    return _list(_form(find_locale(locale).quarters, width, alone=alone), range(1, 5))


@lru_cache(maxsize=64)
def eras(locale: str, width: str) -> Names:
    """Before and after the beginning of the calendar."""
    return _list(find_locale(locale).eras[_WIDTHS[width]], range(2))


@lru_cache(maxsize=64)
def halves_of_day(locale: str) -> Names:
    periods: Any = find_locale(locale).day_periods
    names = periods["format"]["abbreviated"]
    return str(names["am"]), str(names["pm"])


def period_of_day(hour: int, minute: int, *, locale: str, width: str) -> str:
    from babel.dates import get_period_id

    found = find_locale(locale)
    key = get_period_id(time(hour, minute), type=None, locale=found)
    periods: Any = found.day_periods
    names = periods["format"][_WIDTHS[width]]
    return str(names.get(key, names["am" if hour < _NOON else "pm"]))


def week_rules(locale: str) -> tuple[int, int]:
    """First day of the week (0 for Monday) and days that the first week of a year needs."""
    found = find_locale(locale)
    return found.first_week_day, found.min_week_days


def zone_name(zone_id: str, locale: str, *, daylight: bool) -> str:
    """`Central European Standard Time`."""
    from babel.dates import get_timezone, get_timezone_name

    return get_timezone_name(
        get_timezone(zone_id),
        width="long",
        locale=find_locale(locale),
        zone_variant="daylight" if daylight else "standard",
    )


def style_pattern(style: str, locale: str) -> str:
    """The pattern of a localized date and time: `full`, `long`, `medium` or `short`."""
    found = find_locale(locale)
    date: Any = found.date_formats[style]
    time_of_day: Any = found.time_formats[style]
    both = str(found.datetime_formats[style])
    return both.replace("{1}", date.pattern).replace("{0}", time_of_day.pattern)


@lru_cache(maxsize=64)
def number_symbols(locale: str) -> tuple[str, str, str, str]:
    """Decimal point, grouping mark, minus sign, percent sign."""
    symbols: Any = find_locale(locale).number_symbols["latn"]
    return tuple(str(symbols[key]) for key in ("decimal", "group", "minusSign", "percentSign"))  # type: ignore[return-value]


def _form(forms: Any, width: str, *, alone: bool) -> Any:
    return forms["stand-alone" if alone else "format"][_WIDTHS[width]]


def _list(names: Any, keys: range) -> Names:
    return tuple(str(names[key]) for key in keys)
