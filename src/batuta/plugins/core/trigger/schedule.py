"""`core.trigger.Schedule`: its definition, and when it fires (04 §7). Pure: time and the server's zone are arguments."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self

import msgspec
from pydantic import Field, field_validator, model_validator

from batuta.expr.temporal import Zone, find_zone
from batuta.model.cron import Cron, at_or_after, next_after, parse_cron, previous_before
from batuta.model.duration import parse_duration
from batuta.model.instant import SECOND, Instant, to_datetime
from batuta.sdk import Lazy, Trigger
from batuta.sdk.definition import Deprecated, DurationText

HORIZON_YEARS = 10
"""How far away an occurrence that fulfils the conditions is looked for (04 §7.3)."""

MAX_CANDIDATES = 100_000
"""Occurrences tried against the conditions in one search; beyond, the plain next one counts."""

Holds = Callable[[Mapping[str, str]], bool]
"""Whether the conditions hold for these trigger variables; may raise what conditions raise."""


class RecoverMissedSchedules(StrEnum):
    """What becomes of occurrences that were missed (04 §7.7)."""

    ALL = "ALL"
    LAST = "LAST"
    NONE = "NONE"


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """A time at which the schedule fires, with its neighbours that fulfil the conditions, where there are any."""

    date: Instant
    next: Instant | None = None
    previous: Instant | None = None

    def variables(self, zone: Zone) -> dict[str, str]:
        """The trigger variables of the execution (04 §7.5)."""
        moments = (("date", self.date), ("next", self.next), ("previous", self.previous))
        return {name: offset_text(moment, zone) for name, moment in moments if moment is not None}


class Schedule(
    Trigger,
    type="io.kestra.plugin.core.trigger.Schedule",
    aliases=("io.kestra.core.models.triggers.types.Schedule",),
):
    """Start a flow at times that a cron expression describes.

    # What it does
    Creates one execution for each occurrence, one after another. Occurrences that were missed are made up for as
    `recoverMissedSchedules` says.

    # Example
    ```yaml
    triggers:
      - id: weekdays
        type: io.kestra.plugin.core.trigger.Schedule
        cron: "45 5 * * MON-FRI"
        timezone: Europe/Madrid
        inputs:
          warehouse: north
        conditions:
          - type: io.kestra.plugin.core.condition.Not
            conditions:
              - type: io.kestra.plugin.core.condition.PublicHoliday
                country: ES
    ```

    # Outputs
    `trigger.date`, `trigger.next`, `trigger.previous`: the occurrence and its neighbours, ISO-8601 with the offset of
    the zone; a neighbour that does not exist is absent.

    # Notes
    Five fields (six with `withSeconds`), or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. With both days
    restricted, either of them fires. Local times that a change of the clock skips do not fire.
    """

    cron: str = Field(description="The cron expression.")
    with_seconds: bool = Field(
        default=False, description="Whether the expression begins with a field of seconds."
    )
    timezone: str | None = Field(
        default=None,
        description="The time zone; the server's when absent.",
        json_schema_extra={"default": "UTC"},
    )
    inputs: Lazy[dict[str, Any]] | None = Field(
        default=None, description="Inputs of the executions."
    )
    recover_missed_schedules: RecoverMissedSchedules | None = Field(
        default=None,
        description="What becomes of missed occurrences; the server's setting when absent.",
    )
    late_maximum_delay: DurationText | None = Field(
        default=None, description="Occurrences that are later than this are skipped."
    )
    schedule_conditions: Annotated[list[Any] | None, Deprecated()] = Field(
        default=None, description="Use `conditions`."
    )
    backfill: Annotated[dict[str, Any] | None, Deprecated()] = Field(
        default=None, description="Accepted and without effect: backfills are started by request."
    )

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, timezone: str | None) -> str | None:
        if timezone is not None:
            try:
                find_zone(timezone)
            except ValueError as error:
                raise ValueError(f"timezone '({timezone})' is not a valid time-zone ID") from error
        return timezone

    @field_validator("schedule_conditions")
    @classmethod
    def _no_schedule_conditions(cls, conditions: list[Any] | None) -> list[Any] | None:
        if conditions:
            raise ValueError("scheduleConditions can hold no condition: use `conditions`")
        return conditions

    @field_validator("late_maximum_delay")
    @classmethod
    def _is_duration(cls, delay: str | None) -> str | None:
        if delay is not None:
            parse_duration(delay)
        return delay

    @model_validator(mode="after")
    def _valid_cron(self) -> Self:
        parse_cron(self.cron, with_seconds=self.with_seconds)
        return self

    @cached_property
    def expression(self) -> Cron:
        return parse_cron(self.cron, with_seconds=self.with_seconds)

    def zone(self, server: Zone) -> Zone:
        """The trigger's zone, or the server's."""
        return server if self.timezone is None else find_zone(self.timezone)

    def next_fire(
        self,
        base: Instant | None,
        *,
        now: Instant,
        zone: Zone,
        holds: Holds | None = None,
        in_backfill: bool = False,
    ) -> Instant | None:
        """The next date of the trigger's row: after `base`, or after now without one. None when it never fires.

        Conditions are regarded only with a base (04 §7.3). Outside of a backfill occurrences later than
        `lateMaximumDelay` are skipped (04 §7.8).
        """
        if base is None:
            return next_after(self.expression, now, zone)
        found = self._walk(base, now=now, zone=zone, holds=holds, step=next_after)
        if found is None:
            found = next_after(self.expression, base, zone)
        if self.late_maximum_delay is None or in_backfill or found is None:
            return found
        oldest = Instant(now - parse_duration(self.late_maximum_delay))
        if found >= oldest:
            return found
        return self.next_fire(
            Instant(oldest - 1), now=now, zone=zone, holds=holds, in_backfill=True
        )

    def is_too_late(self, date: Instant, *, now: Instant) -> bool:
        """Whether an occurrence that is due by now may no longer fire."""
        delay = self.late_maximum_delay
        return delay is not None and date < now - parse_duration(delay)

    def previous_fire(
        self, base: Instant, *, now: Instant, zone: Zone, holds: Holds | None = None
    ) -> Instant | None:
        """The last occurrence before `base` that fulfils the conditions, within the horizon."""
        return self._walk(base, now=now, zone=zone, holds=holds, step=previous_before)

    def evaluate(
        self, date: Instant, *, now: Instant, zone: Zone, holds: Holds | None = None
    ) -> Occurrence | None:
        """What fires for the row's date: the first occurrence at or after it, when it is due and the conditions hold.

        In a backfill `date` is the cursor: an occurrence that differs from it is not to be executed yet (04 §8.3).
        """
        found = at_or_after(self.expression, date, zone)
        if found is None or found > now + SECOND:
            return None
        if holds is not None and not holds({"date": offset_text(found, zone)}):
            return None
        return Occurrence(
            date=found,
            next=self._walk(found, now=now, zone=zone, holds=holds, step=next_after),
            previous=self._walk(found, now=now, zone=zone, holds=holds, step=previous_before),
        )

    def recovered(
        self,
        policy: RecoverMissedSchedules,
        *,
        row_date: Instant | None,
        row_next: Instant | None,
        now: Instant,
        zone: Zone,
        holds: Holds | None = None,
    ) -> Instant | None:
        """The row's next date after a time in which occurrences were missed (04 §6.1, §5.2)."""
        if row_next is None or row_next >= now:
            return row_next
        match policy:
            case RecoverMissedSchedules.ALL:
                return row_next
            case RecoverMissedSchedules.NONE:
                return next_after(self.expression, now, zone)
            case RecoverMissedSchedules.LAST:
                last = self.previous_fire(now, now=now, zone=zone, holds=holds)
                later = last is not None and (row_date is None or last > row_date)
                return last if later else row_next

    def _walk(
        self,
        base: Instant,
        *,
        now: Instant,
        zone: Zone,
        holds: Holds | None,
        step: Callable[[Cron, int, Zone], Instant | None],
    ) -> Instant | None:
        """The nearest occurrence that fulfils the conditions, at most ten years from now."""
        candidate = step(self.expression, base, zone)
        if holds is None:
            return candidate
        year = to_datetime(now).year
        for _ in range(MAX_CANDIDATES):
            if candidate is None or abs(_local(candidate, zone).year - year) >= HORIZON_YEARS:
                return None
            if holds({"date": offset_text(candidate, zone)}):
                return candidate
            candidate = step(self.expression, candidate, zone)
        return None


def _local(instant: Instant, zone: Zone) -> datetime:
    offset = timedelta(seconds=zone.offset_at(instant // SECOND))
    return to_datetime(instant).astimezone(timezone(offset))


def offset_text(instant: Instant, zone: Zone) -> str:
    """ISO-8601 with seconds and the offset of the zone, `Z` for none: `2022-05-01T09:12:00-04:00`."""
    local = _local(instant, zone)
    text = local.replace(tzinfo=None).isoformat(timespec="seconds")
    return f"{text}Z" if not local.utcoffset() else f"{text}{local.isoformat()[-6:]}"
