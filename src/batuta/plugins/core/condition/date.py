"""Conditions on dates and times; usable on schedules."""

import calendar
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.condition.moment import day_of, moment_of, time_in, time_of
from batuta.plugins.core.condition.subject import ConditionError, Render, choice_of
from batuta.sdk import Condition, Lazy
from batuta.sdk.definition import DateTime

TRIGGER_DATE = "{{ trigger.date }}"
_WEEK = 7


class DayOfWeek(StrEnum):
    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class DayInMonth(StrEnum):
    FIRST = "FIRST"
    LAST = "LAST"
    SECOND = "SECOND"
    THIRD = "THIRD"
    FOURTH = "FOURTH"


_WEEKDAYS = list(DayOfWeek)
_ORDINALS = {DayInMonth.FIRST: 0, DayInMonth.SECOND: 1, DayInMonth.THIRD: 2, DayInMonth.FOURTH: 3}


class DateTimeBetween(
    Condition,
    type="io.kestra.plugin.core.condition.DateTimeBetween",
    aliases=(
        "io.kestra.core.models.conditions.types.DateTimeBetweenCondition",
        "io.kestra.plugin.core.condition.DateTimeBetweenCondition",
    ),
):
    """True between two moments.

    # What it does
    Holds when the date is strictly after `after` and strictly before `before`; one of them may be missing.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.DateTimeBetween
      after: "2026-01-01T00:00:00Z"
    ```
    """

    date: Lazy[str] = Field(default=TRIGGER_DATE, description="The date that is tested.")
    after: Lazy[DateTime] | None = Field(
        default=None, description="A date-time with `Z` or an offset."
    )
    before: Lazy[DateTime] | None = Field(
        default=None, description="A date-time with `Z` or an offset."
    )

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        if self.after is None and self.before is None:
            raise ConditionError("Invalid condition with no before nor after")
        moment = moment_of(self.date, render)
        if self.after is not None and moment <= moment_of(self.after, render):
            return False
        return self.before is None or moment < moment_of(self.before, render)


class TimeBetween(
    Condition,
    type="io.kestra.plugin.core.condition.TimeBetween",
    aliases=(
        "io.kestra.core.models.conditions.types.TimeBetweenCondition",
        "io.kestra.plugin.core.condition.TimeBetweenCondition",
    ),
):
    """True between two times of the day.

    # What it does
    Holds when the time of the date is strictly after `after` and strictly before `before`; one of them may be missing.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.TimeBetween
      after: "08:00:00+02:00"
      before: "18:00:00+02:00"
    ```

    # Notes
    A range over midnight never matches: use `Or` with two conditions.
    """

    date: Lazy[str] = Field(default=TRIGGER_DATE, description="The date that is tested.")
    after: Lazy[str] | None = Field(
        default=None, description="A time of day with `Z` or an offset."
    )
    before: Lazy[str] | None = Field(
        default=None, description="A time of day with `Z` or an offset."
    )

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        if self.after is None and self.before is None:
            raise ConditionError("Invalid condition with no before nor after")
        time = time_in(moment_of(self.date, render))
        if self.after is not None and time <= time_of(self.after, render):
            return False
        return self.before is None or time < time_of(self.before, render)


class DayWeek(
    Condition,
    type="io.kestra.plugin.core.condition.DayWeek",
    aliases=(
        "io.kestra.core.models.conditions.types.DayWeekCondition",
        "io.kestra.plugin.core.condition.DayWeekCondition",
    ),
):
    """True on one day of the week.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.DayWeek
      dayOfWeek: MONDAY
    ```
    """

    date: Lazy[str] = Field(default=TRIGGER_DATE, description="The date that is tested.")
    day_of_week: Lazy[DayOfWeek] = Field(description="The day, as `MONDAY`.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        wanted = choice_of(DayOfWeek, self.day_of_week, render)
        return weekday(day_of(self.date, render)) is wanted


class DayWeekInMonth(
    Condition,
    type="io.kestra.plugin.core.condition.DayWeekInMonth",
    aliases=(
        "io.kestra.core.models.conditions.types.DayWeekInMonthCondition",
        "io.kestra.plugin.core.condition.DayWeekInMonthCondition",
    ),
):
    """True on the first, second, third, fourth or last of a day of the week in its month.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.DayWeekInMonth
      dayOfWeek: MONDAY
      dayInMonth: FIRST
    ```

    # Notes
    The fourth may also be the last.
    """

    date: Lazy[str] = Field(default=TRIGGER_DATE, description="The date that is tested.")
    day_of_week: Lazy[DayOfWeek] = Field(description="The day, as `MONDAY`.")
    day_in_month: Lazy[DayInMonth] = Field(description="Which of them in the month.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        wanted = choice_of(DayOfWeek, self.day_of_week, render)
        place = choice_of(DayInMonth, self.day_in_month, render)
        day = day_of(self.date, render)
        if weekday(day) is not wanted:
            return False
        if place is DayInMonth.LAST:
            return day.day + _WEEK > calendar.monthrange(day.year, day.month)[1]
        return (day.day - 1) // _WEEK == _ORDINALS[place]


class Weekend(
    Condition,
    type="io.kestra.plugin.core.condition.Weekend",
    aliases=(
        "io.kestra.core.models.conditions.types.WeekendCondition",
        "io.kestra.plugin.core.condition.WeekendCondition",
    ),
):
    """True on Saturdays and Sundays.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.Weekend
    ```
    """

    date: Lazy[str] = Field(default=TRIGGER_DATE, description="The date that is tested.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        return weekday(day_of(self.date, render)) in {DayOfWeek.SATURDAY, DayOfWeek.SUNDAY}


def weekday(day: date) -> DayOfWeek:
    return _WEEKDAYS[day.weekday()]
