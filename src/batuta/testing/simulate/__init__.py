"""`python -m batuta.testing simulate [--level 1|2] [--seeds N] [--start SEED]`: seeded worlds (09 §9).

Level 1 is the engine alone, level 2 whole servers; without a level both, of level 2 a twentieth of the seeds. A seed
that breaks an invariant is printed with its flow as YAML and the shortest list of events that shows it.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any, TextIO

from batuta.testing.simulate.case import Case, write_case
from batuta.testing.simulate.check import BreachError
from batuta.testing.simulate.show import events_text, flow_text
from batuta.testing.simulate.shrink import shortest
from batuta.testing.simulate.world import World

ENGINE, SERVERS = 1, 2
"""Levels: the engine alone, whole servers."""
_SERVERS_SHARE = 20
"""A world of servers takes as long as so many of the engine alone."""
_MARKED = 5
"""In each fifth world task runs get another state while they are live."""
_SHOWN = 3
"""Failures that are printed in full."""


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    start, count = options.start, options.seeds
    failed = 0
    if options.level != SERVERS:
        failed = simulate(range(start, start + count), sys.stdout, keep=options.keep)
    if options.level != ENGINE:
        count = count if options.level == SERVERS else max(1, count // _SERVERS_SHARE)
        servers: Any = import_module("batuta.testing.simulate.level2")  # it needs all plugins
        failed |= int(servers.simulate(range(start, start + count), sys.stdout))
    return failed


def simulate(seeds: Sequence[int], out: TextIO, *, keep: Path | None = None) -> int:
    """Run the worlds of these seeds; 1 if any broke an invariant, else 0.

    `keep`: a file that gets a line for each that broke, see `simulate.case`.
    """
    started = perf_counter()
    events = failures = 0
    for seed in seeds:
        world = World(seed, marks=2 if seed % _MARKED == 0 else 0)
        breach = run(world)
        events += len(world.happened)
        if breach is not None:
            failures += 1
            report(world, breach, seed=seed, out=out, full=failures <= _SHOWN)
            if keep is not None:
                _keep(world, f"seed-{seed}", keep)
    seconds = max(perf_counter() - started, 1e-9)
    rate = f"{events} events, {events / seconds:,.0f} a second"
    out.write(f"level 1: {len(seeds)} seeds, {rate}; {failures} failed\n")
    return 1 if failures else 0


def run(world: World) -> str | None:
    """Run a world to its end; what went wrong, or None."""
    try:
        world.run()
    except BreachError as error:
        return str(error)
    except Exception as error:
        return repr(error)
    return None


def report(world: World, breach: str, *, seed: int, out: TextIO, full: bool) -> None:
    out.write(f"# seed {seed}: {breach}\n")
    if full:
        happened = shortest(world.plan, world.start, world.happened)
        out.write(f"{flow_text(world.plan)}\n\n{events_text(world.start.id, happened)}\n\n")


def _keep(world: World, name: str, file: Path) -> None:
    happened = tuple(shortest(world.plan, world.start, world.happened))
    case = Case(name=name, plan=world.plan, start=world.start, happened=happened)
    with file.open("a") as lines:
        lines.write(f"{write_case(case)}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m batuta.testing simulate", description=__doc__)
    parser.add_argument("--level", type=int, choices=(ENGINE, SERVERS), help="what runs")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many worlds")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--keep", type=Path, help="a file for what broke at level 1, to try again")
    return parser
