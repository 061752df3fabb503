"""When schedules fire: pure decisions over a trigger's row (04 §5 to §7)."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from batuta.expr.temporal import Zone
from batuta.flow.definition import Flow
from batuta.model.ids import FlowKey
from batuta.model.instant import Instant
from batuta.plugins.core.trigger.schedule import (
    Holds,
    Occurrence,
    RecoverMissedSchedules,
    Schedule,
)
from batuta.server.lock import MISSED
from batuta.store.rows import TriggerKey, TriggerRow

_replace = msgspec.structs.replace


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What evaluation depends on beside the row. `zone` is the server's."""

    now: Instant
    zone: Zone
    recover: RecoverMissedSchedules = RecoverMissedSchedules.ALL
    """The server's policy, for schedules that name none."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The row from now on, and the occurrence that fires."""

    row: TriggerRow
    fires: Occurrence | None = None


def schedules_of(flow: Flow) -> Sequence[Schedule]:
    """The schedules of a flow that may fire."""
    if flow.disabled:
        return ()
    triggers = flow.triggers or ()
    return [each for each in triggers if isinstance(each, Schedule) and not each.disabled]


def new_row(key: FlowKey, schedule: Schedule, setting: Setting) -> TriggerRow:
    """The row of a schedule that has none: it fires from now on (04 §6.1)."""
    return TriggerRow(
        key=TriggerKey(key, schedule.id),
        date=setting.now,
        next_date=schedule.next_fire(None, now=setting.now, zone=schedule.zone(setting.zone)),
        stop_after=tuple(schedule.stop_after or ()),
        memory=fingerprint(schedule),
        updated=setting.now,
    )


def edited_row(row: TriggerRow, schedule: Schedule, setting: Setting) -> TriggerRow:
    """A changed definition starts anew; only the switch of the row is kept (04 §6.2)."""
    return _replace(new_row(row.key.flow, schedule, setting), disabled=row.disabled)


def fingerprint(schedule: Schedule) -> Mapping[str, Any]:
    """What a definition says, to see whether it was edited."""
    return {"definition": schedule.model_dump_json(by_alias=True, exclude_none=True)}


def is_edited(row: TriggerRow, schedule: Schedule) -> bool:
    former = (row.memory or {}).get("definition")
    return bool(former != fingerprint(schedule)["definition"])


def recovered_row(
    row: TriggerRow, schedule: Schedule, setting: Setting, *, holds: Holds | None
) -> TriggerRow:
    """After a time without a scheduler, or in which the execution ran past occurrences (04 §7.7)."""
    next_date = schedule.recovered(
        schedule.recover_missed_schedules or setting.recover,
        row_date=row.date,
        row_next=row.next_date,
        now=setting.now,
        zone=schedule.zone(setting.zone),
        holds=holds,
    )
    memory = {name: value for name, value in (row.memory or {}).items() if name != MISSED}
    if next_date == row.next_date and memory == row.memory:
        return row
    return _replace(row, next_date=next_date, memory=memory)


def decide(
    row: TriggerRow, schedule: Schedule, setting: Setting, *, holds: Holds | None
) -> Decision:
    """What a due row does. Conditions that fail raise what they raise."""
    zone = schedule.zone(setting.zone)
    date = row.next_date if row.next_date is not None else setting.now
    late = schedule.is_too_late(date, now=setting.now)
    fires = None
    if not late:
        fires = schedule.evaluate(date, now=setting.now, zone=zone, holds=holds)
    base = fires.date if fires is not None else date
    return Decision(row=advanced(row, schedule, setting, base=base, holds=holds), fires=fires)


def advanced(
    row: TriggerRow,
    schedule: Schedule,
    setting: Setting,
    *,
    base: Instant,
    holds: Holds | None = None,
) -> TriggerRow:
    """The row after the occurrence `base`."""
    zone = schedule.zone(setting.zone)
    return _replace(
        row,
        date=base,
        next_date=schedule.next_fire(base, now=setting.now, zone=zone, holds=holds),
        stop_after=tuple(schedule.stop_after or ()),
        memory=fingerprint(schedule),
        updated=setting.now,
    )
