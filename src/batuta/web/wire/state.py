"""State objects (03 §6.5): durations and dates are computed from the history."""

from typing import Any

from batuta.model.duration import format_duration
from batuta.model.instant import Instant, to_iso
from batuta.model.state import Histories, State


def state_wire(histories: Histories, now: Instant) -> dict[str, Any]:
    first, last = histories[0], histories[-1]
    end = now if len(histories) == 1 else last.at
    dates = [to_iso(entry.at) for entry in histories]
    wire: dict[str, Any] = {
        "current": last.state.value,
        "histories": [
            {"state": entry.state.value, "date": date}
            for entry, date in zip(histories, dates, strict=True)
        ],
        "duration": format_duration(max(end - first.at, 0)),
        "startDate": dates[0],
    }
    if last.state.is_terminal or last.state is State.PAUSED:
        wire["endDate"] = dates[-1]
    return wire
