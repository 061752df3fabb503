"""A whole server in seeded worlds (09 §9, level 2): real executor and scheduler, virtual time, and faults everywhere.

A seed that breaks an invariant is printed with its flows and happenings, as few and small as still show it.
"""

from collections.abc import Sequence
from time import perf_counter
from typing import TextIO

from batuta.testing.simulate.level2.case import write_case
from batuta.testing.simulate.level2.shrink import fewest, smallest
from batuta.testing.simulate.level2.world import World

_SHOWN = 3
"""Failures that are printed in full."""


def simulate(seeds: Sequence[int], out: TextIO) -> int:
    """Run the worlds of these seeds; 1 if any broke an invariant, else 0."""
    started = perf_counter()
    commits = events = failures = 0
    for seed in seeds:
        world = World(seed)
        breach = world.run()
        commits += world.commits
        events += world.events.total()
        if breach is not None:
            failures += 1
            report(world, breach, out=out, full=failures <= _SHOWN)
    seconds = max(perf_counter() - started, 1e-9)
    rate = f"{events} events, {events / seconds:,.0f} a second, {commits} commits"
    out.write(f"level 2: {len(seeds)} seeds, {rate}; {failures} failed\n")
    return 1 if failures else 0


def report(world: World, breach: str, *, out: TextIO, full: bool) -> None:
    if not full:
        out.write(f"# seed {world.seed}: {breach}\n")
        return
    happenings = fewest(world)
    sources = smallest(world, happenings)
    text = write_case(world.seed, breach, sources=sources, happenings=happenings)
    out.write(f"{text}\n")
