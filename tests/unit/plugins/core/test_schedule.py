"""The Schedule trigger: when it fires, and with which variables (04 §20)."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from batuta.expr import Context, render
from batuta.expr.temporal import UTC, Zone, find_zone
from batuta.model.instant import Instant, from_iso, to_iso
from batuta.plugins.core.trigger.schedule import RecoverMissedSchedules, Schedule
from batuta.sdk import Registry
from batuta.sdk.rendering import render_definition

TYPE = "io.kestra.plugin.core.trigger.Schedule"
CONDITION = "io.kestra.plugin.core.condition"
REGISTRY = Registry(["batuta.plugins.core"])
NOW = from_iso("2030-01-01T00:00:00Z")


def schedule(cron: str, **properties: Any) -> Schedule:
    spec = {"id": "t", "type": TYPE, "cron": cron, **properties}
    return render_definition(Schedule, spec, render=lambda template: template, registry=REGISTRY)


def holds(trigger: Schedule):
    def test(variables: Mapping[str, str]) -> bool:
        context = Context({"trigger": dict(variables)})

        def text(template: str, extra: Mapping[str, Any] | None = None) -> str | None:
            return render(template, context.with_variables(extra or {}))

        facts = {"flow": {"id": "f", "namespace": "n"}, "trigger": dict(variables)}
        return all(each.test(facts, text) for each in trigger.conditions or ())

    return test if trigger.conditions else None


def evaluate(trigger: Schedule, date: str, *, now: Instant = NOW) -> dict[str, str] | None:
    zone = trigger.zone(UTC)
    found = trigger.evaluate(from_iso(date), now=now, zone=zone, holds=holds(trigger))
    return None if found is None else found.variables(zone)


def following(
    trigger: Schedule, base: str | None, *, now: str, backfill: bool = False
) -> str | None:
    found = trigger.next_fire(
        None if base is None else from_iso(base),
        now=from_iso(now),
        zone=trigger.zone(UTC),
        holds=holds(trigger),
        in_backfill=backfill,
    )
    return None if found is None else to_iso(found)


FIRST_MONDAY = {"type": f"{CONDITION}.DayWeekInMonth", "dayOfWeek": "MONDAY", "dayInMonth": "FIRST"}


def test_an_occurrence_has_its_neighbours() -> None:
    assert evaluate(schedule("0 0 1 * *"), "2025-03-01T00:00:00Z") == {
        "date": "2025-03-01T00:00:00Z", "next": "2025-04-01T00:00:00Z", "previous": "2025-02-01T00:00:00Z",
    }  # fmt: skip


def test_a_date_that_is_no_occurrence_moves_to_the_next_one() -> None:
    found = evaluate(schedule("30 0 1 * *"), "2025-03-01T00:45:00Z")
    assert found == {
        "date": "2025-04-01T00:30:00Z",
        "next": "2025-05-01T00:30:00Z",
        "previous": "2025-03-01T00:30:00Z",
    }


def test_nothing_fires_before_its_time() -> None:
    trigger = schedule("0 * * * *")
    ten = "2025-03-01T10:00:00Z"
    assert evaluate(trigger, ten, now=from_iso("2025-03-01T09:59:58Z")) is None
    assert evaluate(trigger, ten, now=from_iso("2025-03-01T09:59:59Z")) is not None


def test_texts_have_the_offset_of_the_zone() -> None:
    found = evaluate(schedule("12 9 1 * *", timezone="America/New_York"), "2022-04-01T13:12:00Z")
    assert found == {
        "date": "2022-04-01T09:12:00-04:00",
        "next": "2022-05-01T09:12:00-04:00",
        "previous": "2022-03-01T09:12:00-05:00",
    }
    assert evaluate(schedule("0 9 * * *", timezone="Europe/London"), "2025-01-15T09:00:00Z")[
        "date"
    ].endswith("09:00:00Z")  # type: ignore[index]


def test_neighbours_fulfil_the_conditions_too() -> None:
    trigger = schedule("0 12 * * 1", timezone="Europe/Paris", conditions=[FIRST_MONDAY])
    assert evaluate(trigger, "2021-08-02T10:00:00Z") == {
        "date": "2021-08-02T12:00:00+02:00", "next": "2021-09-06T12:00:00+02:00", "previous": "2021-07-05T12:00:00+02:00",
    }  # fmt: skip
    assert evaluate(trigger, "2021-08-09T10:00:00Z") is None


def test_a_neighbour_that_does_not_exist_is_absent() -> None:
    before = {"type": f"{CONDITION}.DateTimeBetween", "before": "2021-08-03T00:00:00Z"}
    trigger = schedule("0 12 * * 1", conditions=[before])
    found = evaluate(trigger, "2021-08-02T12:00:00Z", now=from_iso("2021-08-02T12:00:01Z"))
    assert found == {"date": "2021-08-02T12:00:00Z", "previous": "2021-07-26T12:00:00Z"}


def test_conditions_see_the_date_in_the_zone_of_the_trigger() -> None:
    monday = {"type": f"{CONDITION}.DayWeek", "dayOfWeek": "MONDAY"}
    trigger = schedule("0 0 * * *", timezone="Europe/Paris", conditions=[monday])
    assert evaluate(trigger, "2025-01-12T23:00:00Z")["date"] == "2025-01-13T00:00:00+01:00"  # type: ignore[index]


@pytest.mark.parametrize(
    ("cron", "base", "now", "wanted"),
    [
        ("0 0 * * *", None, "2025-01-15T10:17:00Z", "2025-01-16T00:00:00Z"),
        ("0 0 * * *", "2020-01-01T00:00:00Z", "2025-01-15T10:17:00Z", "2020-01-02T00:00:00Z"),
        ("0 0 30 2 *", "2020-01-01T00:00:00Z", "2025-01-15T10:17:00Z", None),
    ],
)
def test_next_date(cron: str, base: str | None, now: str, wanted: str | None) -> None:
    assert following(schedule(cron), base, now=now) == wanted


def test_next_date_walks_to_the_conditions() -> None:
    trigger = schedule("0 0 * * *", timezone="Europe/Paris", conditions=[FIRST_MONDAY])
    dates = ["2021-09-05T22:00:00Z"]
    for _ in range(4):
        dates.append(following(trigger, dates[-1], now="2021-09-06T00:00:00Z") or "")
    assert dates[-1] == "2022-01-02T23:00:00Z"


def test_conditions_that_never_hold_fall_back_to_the_plain_next_date() -> None:
    trigger = schedule(
        "0 0 1 1 *", conditions=[{"type": f"{CONDITION}.Expression", "expression": "false"}]
    )
    assert (
        following(trigger, "2025-01-01T00:00:00Z", now="2025-01-01T00:00:00Z")
        == "2026-01-01T00:00:00Z"
    )


def test_late_occurrences_are_skipped_except_in_a_backfill() -> None:
    trigger = schedule("* * * * *", lateMaximumDelay="PT5M")
    now, base = "2025-01-15T10:15:30Z", "2025-01-15T10:00:30Z"
    assert following(trigger, base, now=now) == "2025-01-15T10:11:00Z"
    assert following(trigger, base, now=now, backfill=True) == "2025-01-15T10:01:00Z"
    assert trigger.is_too_late(from_iso("2025-01-15T10:10:00Z"), now=from_iso(now))
    assert not trigger.is_too_late(from_iso("2025-01-15T10:11:00Z"), now=from_iso(now))
    assert not schedule("* * * * *").is_too_late(
        from_iso("2020-01-15T10:11:00Z"), now=from_iso(now)
    )


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("ALL", "2025-01-15T08:00:00Z"),
        ("LAST", "2025-01-15T10:00:00Z"),
        ("NONE", "2025-01-15T11:00:00Z"),
    ],
)
def test_recovery_of_missed_occurrences(policy: str, wanted: str) -> None:
    found = schedule("0 * * * *").recovered(
        RecoverMissedSchedules(policy),
        row_date=from_iso("2025-01-15T07:00:00Z"),
        row_next=from_iso("2025-01-15T08:00:00Z"),
        now=from_iso("2025-01-15T10:17:00Z"),
        zone=UTC,
    )
    assert to_iso(found or 0) == wanted


def test_nothing_is_recovered_when_nothing_was_missed() -> None:
    row_next = from_iso("2025-01-15T11:00:00Z")
    for policy in RecoverMissedSchedules:
        found = schedule("0 * * * *").recovered(
            policy, row_date=None, row_next=row_next, now=from_iso("2025-01-15T10:17:00Z"), zone=UTC
        )
        assert found == row_next


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"cron": "99 9 * * *"}, "invalid cron expression '99 9 \\* \\* \\*'"),
        ({"cron": "0 0 9 * * *"}, "invalid cron expression"),
        ({"withSeconds": True}, "invalid cron expression"),
        (
            {"timezone": "Europe/Atlantis"},
            "timezone '\\(Europe/Atlantis\\)' is not a valid time-zone ID",
        ),
        ({"timezone": "EST"}, "time-zone ID"),
        ({"scheduleConditions": [{"type": f"{CONDITION}.Weekend"}]}, "use `conditions`"),
        ({"recoverMissedSchedules": "SOME"}, "recoverMissedSchedules"),
        ({"lateMaximumDelay": "10 s"}, "duration"),
        ({"interval": "PT5M"}, "interval"),
    ],
)
def test_definitions_are_checked(properties: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Schedule.model_validate({"id": "t", "type": TYPE, "cron": "0 9 * * *", **properties})


@pytest.mark.parametrize("zone", ["+02:00", "GMT+2", "UTC", "Z", "CET", "US/Eastern", "Etc/GMT-3"])
def test_zones_that_are_known(zone: str) -> None:
    trigger = schedule(
        "@daily",
        timezone=zone,
        scheduleConditions=[],
        backfill={"start": "x"},
        lateMaximumDelay="PT10S",
    )
    assert isinstance(trigger.zone(UTC), Zone)
    assert schedule("@daily").zone(find_zone("Asia/Tokyo")).id == "Asia/Tokyo"
