"""The proleptic ISO calendar over any year, as arithmetic on days since 1970-01-01."""

MIN_YEAR, MAX_YEAR = -999_999_999, 999_999_999
_DAYS_400_YEARS = 146_097
_EPOCH_SHIFT = 719_468  # days from 0000-03-01 to 1970-01-01
_FEBRUARY = 2
_FROM_MARCH = 10  # months of a year that begins in March, up to its end
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def month_length(year: int, month: int) -> int:
    return 29 if month == _FEBRUARY and is_leap(year) else _MONTH_DAYS[month - 1]


def to_epoch_day(year: int, month: int, day: int) -> int:
    """Raises `ValueError` for a date that does not exist."""
    if not (
        MIN_YEAR <= year <= MAX_YEAR
        and 1 <= month <= len(_MONTH_DAYS)
        and 1 <= day <= month_length(year, month)
    ):
        raise ValueError(f"no such date: {year}-{month:02}-{day:02}")
    shifted = year - 1 if month <= _FEBRUARY else year
    era, year_of_era = divmod(shifted, 400)
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * _DAYS_400_YEARS + day_of_era - _EPOCH_SHIFT


def from_epoch_day(epoch_day: int) -> tuple[int, int, int]:
    """Year, month, day."""
    era, day_of_era = divmod(epoch_day + _EPOCH_SHIFT, _DAYS_400_YEARS)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < _FROM_MARCH else shifted_month - 9
    year = year_of_era + era * 400
    return (year + 1 if month <= _FEBRUARY else year), month, day


def weekday(epoch_day: int) -> int:
    """1 for Monday to 7 for Sunday."""
    return (epoch_day + 3) % 7 + 1


def iso_week(epoch_day: int) -> tuple[int, int]:
    """Week-based year and week of ISO 8601."""
    thursday = epoch_day - weekday(epoch_day) + 4
    year = from_epoch_day(thursday)[0]
    return year, (thursday - to_epoch_day(year, 1, 1)) // 7 + 1
