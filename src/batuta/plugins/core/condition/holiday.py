"""`core.condition.PublicHoliday`."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.condition.moment import day_of
from batuta.plugins.core.condition.subject import ConditionError, Render, text_of
from batuta.sdk import Condition, Lazy


class PublicHoliday(
    Condition,
    type="io.kestra.plugin.core.condition.PublicHoliday",
    aliases=(
        "io.kestra.core.models.conditions.types.PublicHolidayCondition",
        "io.kestra.plugin.core.condition.PublicHolidayCondition",
    ),
):
    """True on public holidays of a country.

    # What it does
    Looks the local date up in the calendar of the country, and of the subdivision where one is given.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.PublicHoliday
      country: DE
      subDivision: BY
    ```

    # Notes
    Inside `Not` it makes a schedule of working days. Needs the extra `holidays`. An unknown subdivision has the national holidays.
    """

    date: Lazy[str] = Field(default="{{ trigger.date}}", description="The date that is tested.")
    country: Lazy[str] | None = Field(
        default=None, description="ISO 3166-1 code of two letters, as `FR`."
    )
    sub_division: Lazy[str] | None = Field(default=None, description="Code of a region, as `BY`.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        country = text_of(self.country, render).upper()
        if not country:
            raise ConditionError("A country is needed to know its public holidays")
        return is_holiday(
            day_of(self.date, render), country, text_of(self.sub_division, render).upper()
        )


def is_holiday(day: date, country: str, region: str = "") -> bool:
    """Raises `ConditionError` for a country without calendar."""
    return day in _calendar(country, region, day.year)


@lru_cache(maxsize=64)
def _calendar(country: str, region: str, year: int) -> frozenset[date]:
    try:
        import holidays
    except ImportError as error:
        raise ConditionError(
            "Public holidays need the package `holidays`: install `batuta[holidays]`"
        ) from error
    for subdivision in (region or None, None):
        try:
            return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
        except NotImplementedError:
            continue
    raise ConditionError(f"No calendar of public holidays is known for the country `{country}`")
