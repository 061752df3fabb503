"""What the row of a schedule becomes (04 §5 to §7)."""

import msgspec
import pytest

from batuta.engine.execution import Execution
from batuta.expr.temporal import UTC
from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import Instant, from_iso, to_iso
from batuta.model.state import History, State
from batuta.plugins.core.trigger.schedule import RecoverMissedSchedules, Schedule
from batuta.server.lock import released_row
from batuta.server.scheduler.schedule import (
    Setting,
    decide,
    edited_row,
    fingerprint,
    new_row,
    recovered_row,
)
from batuta.store.rows import TriggerKey, TriggerRow

FLOW = FlowKey("main", "acme", "nightly")


def hourly(**properties: object) -> Schedule:
    return Schedule.model_validate(
        {"id": "t", "type": Schedule.TYPE, "cron": "0 * * * *", **properties}
    )


def at(time: str, recover: RecoverMissedSchedules = RecoverMissedSchedules.ALL) -> Setting:
    return Setting(now=from_iso(f"2026-03-01T{time}:00Z"), zone=UTC, recover=recover)


def row(next_time: str, **fields: object) -> TriggerRow:
    made = TriggerRow(
        key=TriggerKey(FLOW, "t"),
        date=from_iso("2026-03-01T06:00:00Z"),
        next_date=from_iso(f"2026-03-01T{next_time}:00Z"),
    )
    return msgspec.structs.replace(made, **fields)


def next_of(found: TriggerRow) -> str | None:
    return None if found.next_date is None else to_iso(found.next_date)[11:16]


def test_a_new_schedule_fires_from_now_on() -> None:
    assert next_of(new_row(FLOW, hourly(), at("09:30"))) == "10:00"


def test_an_edited_schedule_starts_anew_and_keeps_its_switch() -> None:
    former = row("07:00", disabled=True, execution_id=ExecutionId("x"))
    edited = edited_row(former, hourly(), at("09:30"))
    assert next_of(edited) == "10:00"
    assert edited.disabled
    assert edited.execution_id is None
    assert edited.memory == fingerprint(hourly())


def test_a_due_row_fires_its_own_date_and_moves_on() -> None:
    decision = decide(row("09:00"), hourly(), at("09:30"), holds=None)
    assert decision.fires is not None
    assert to_iso(decision.fires.date) == "2026-03-01T09:00:00Z"
    assert next_of(decision.row) == "10:00"


def test_missed_dates_are_made_up_one_after_another() -> None:
    fired = []
    current = row("07:00")
    while (current.next_date or Instant(0)) <= at("09:30").now:
        decision = decide(current, hourly(), at("09:30"), holds=None)
        assert decision.fires is not None
        fired.append(to_iso(decision.fires.date)[11:16])
        current = decision.row
    assert fired == ["07:00", "08:00", "09:00"]


@pytest.mark.parametrize(
    ("policy", "expected"), [("ALL", "07:00"), ("LAST", "09:00"), ("NONE", "10:00")]
)
def test_after_a_downtime_the_policy_decides(policy: str, expected: str) -> None:
    setting = at("09:30", RecoverMissedSchedules(policy))
    assert next_of(recovered_row(row("07:00"), hourly(), setting, holds=None)) == expected


def test_the_policy_of_the_schedule_counts_more_than_that_of_the_server() -> None:
    schedule = hourly(recoverMissedSchedules="NONE")
    assert next_of(recovered_row(row("07:00"), schedule, at("09:30"), holds=None)) == "10:00"


def test_a_condition_that_does_not_hold_skips_the_date() -> None:
    def at_ten(variables: object) -> bool:
        return "T10:" in str(variables)

    decision = decide(row("09:00"), hourly(), at("09:30"), holds=at_ten)
    assert decision.fires is None
    assert next_of(decision.row) == "10:00"


def test_an_occurrence_that_is_too_late_is_skipped() -> None:
    schedule = hourly(lateMaximumDelay="PT10M")
    decision = decide(row("09:00"), schedule, at("09:30"), holds=None)
    assert decision.fires is None
    assert next_of(decision.row) == "10:00"


@pytest.mark.parametrize(("state", "disabled"), [(State.FAILED, True), (State.SUCCESS, False)])
def test_stop_after_switches_the_row_off(state: State, *, disabled: bool) -> None:
    held = row("09:00", execution_id=ExecutionId("x"), stop_after=(State.FAILED,))
    now = at("09:30").now
    ended = Execution(id=ExecutionId("x"), flow=FLOW, revision=1, histories=(History(state, now),))
    free = released_row(held, ended, now=now)
    assert free.execution_id is None
    assert free.disabled is disabled
