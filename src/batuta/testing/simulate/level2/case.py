"""A world as text: what is printed when a seed breaks, and kept as a regression."""

from collections.abc import Sequence

from batuta.testing.simulate.level2.happening import Happening
from batuta.testing.simulate.level2.world import World

_BETWEEN = "---\n"


def write_case(
    seed: int, breach: str, *, sources: Sequence[str], happenings: Sequence[Happening]
) -> str:
    """The first line tells the seed and what broke; then come the flows, and one line for each happening."""
    happened = "".join(f"{each}\n" for each in happenings)
    return _BETWEEN.join((f"seed {seed}: {breach}\n", *sources, happened))


def read_case(text: str) -> World:
    first, *sources, happened = text.split(_BETWEEN)
    seed = int(first.partition(":")[0].removeprefix("seed "))
    return World(
        seed,
        [Happening.of_line(line) for line in happened.splitlines()],
        sources=sources,
    )
