"""Recorded cron expressions: valid or not, the next five and the previous two fire times in a zone."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from batuta.expr.temporal.zone import Zone, find_zone
from batuta.model.cron import Cron, next_after, parse_cron, previous_before
from batuta.model.instant import from_iso, to_iso
from batuta.testing.conformance.casefile import load_cases

Step = Callable[[Cron, int, Zone], int | None]


def cases(path: Path) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """Name and check of every case; a check returns the difference, or None."""
    for number, case in enumerate(load_cases(path), 1):
        name = f"{number}: {case['cron']!r} {case.get('timezone', 'UTC')} {case.get('from', '')}"
        yield name, partial(_check, case)


def _check(case: Mapping[str, Any]) -> str | None:
    try:
        cron = parse_cron(str(case["cron"]), with_seconds=bool(case.get("withSeconds")))
        zone = find_zone(str(case.get("timezone", "UTC")))
    except ValueError as error:
        return None if not case["valid"] else f"refused: {error}"
    if not case["valid"]:
        return "accepted, recorded as refused"
    return _difference(case, "next", cron, zone=zone, step=next_after) or _difference(
        case, "previous", cron, zone=zone, step=previous_before
    )


def _difference(
    case: Mapping[str, Any], key: str, cron: Cron, *, zone: Zone, step: Step
) -> str | None:
    wanted = [from_iso(_seconds(text)) for text in case.get(key) or []]
    count = 5 if key == "next" else 2
    found: list[int] = []
    moment: int | None = from_iso(case["from"])
    while len(found) < count and moment is not None:
        moment = step(cron, moment, zone)
        if moment is not None:
            found.append(moment)
    if found == wanted:
        return None
    return f"{key}: expected {[to_iso(each) for each in wanted]}, got {[to_iso(each) for each in found]}"


def _seconds(text: str) -> str:
    """Without the zone in brackets."""
    return text.partition("[")[0]
