"""What happens to an installation from outside, decided before it runs, so that any of it can be left out."""

import msgspec
from typing_extensions import override

from batuta.testing.simulate.dice import Dice

SPAN = 120
"""Seconds in which something happens."""

_KINDS = (
    *("start",) * 8,
    *("kill",) * 4,
    *("restart",) * 3,
    "replay",
    "pause",
    *("resume",) * 3,
    "force",
    *("unqueue",) * 3,
    "status",
    "delete",
    "delete",
    "labels",
    "mark",
    "mark",
    "mark",
    "purge",
    "replay-from",
    "replay-from",
    "begin-at-breakpoint",
    "begin-at-breakpoint",
    "begin-later",
    "go-on",
    "copy",
    "switch-off",
    "crowd",
    "crowd",
    "save",
    "crash",
    "crash",
    "stop",
    "steal",
    "rival",
    "rival",
    "step",
    "lose",
    "lose",
    "doubt",
    "doubt",
    "blind",
    "blind",
    "die",
)


class Happening(msgspec.Struct, frozen=True):
    """`at` seconds after the start. `number` chooses which, how or how long, as `kind` needs it."""

    at: float
    kind: str
    number: int

    @classmethod
    def of_line(cls, line: str) -> "Happening":
        at, kind, number = line.split()
        return cls(float(at), kind, int(number))

    @override
    def __str__(self) -> str:
        return f"{self.at:8.3f} {self.kind} {self.number}"


def random_happenings(dice: Dice) -> tuple[Happening, ...]:
    """In the order of time; the first is a start."""
    found = [Happening(0.1, "start", dice.below(1000))]
    crowded = dice.chance(50)
    for _ in range(3 + dice.below(14)):
        span = 10_000 if crowded and dice.chance(70) else SPAN * 1000
        at = (100 + dice.below(span)) / 1000
        found.append(Happening(at, dice.pick(_KINDS), dice.below(1000)))
    return tuple(sorted(found, key=lambda each: each.at))
