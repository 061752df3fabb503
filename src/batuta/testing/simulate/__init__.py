"""`python -m batuta.testing simulate [--level 1|2] [--seeds N] [--start SEED]`: seeded worlds (09 §9).

Level 1 is the engine alone, level 2 whole servers. A seed that breaks an invariant is printed with its flow and the shortest list of events that shows it.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from time import perf_counter
from typing import Any, TextIO

from batuta.testing.simulate.check import BreachError
from batuta.testing.simulate.show import events_text, flow_text
from batuta.testing.simulate.shrink import shortest
from batuta.testing.simulate.world import World

SERVERS = 2
"""The level at which whole servers run."""
_SHOWN = 3
"""Failures that are printed in full."""


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    if options.level == SERVERS:
        servers: Any = import_module("batuta.testing.simulate.level2")  # it needs all plugins
        seeds = range(options.start, options.start + options.seeds)
        return int(servers.simulate(seeds, sys.stdout))
    started = perf_counter()
    events = failures = 0
    for seed in range(options.start, options.start + options.seeds):
        world = World(seed)
        breach = run(world)
        events += len(world.happened)
        if breach is not None:
            failures += 1
            report(world, breach, seed=seed, out=sys.stdout, full=failures <= _SHOWN)
    seconds = max(perf_counter() - started, 1e-9)
    rate = f"{events} events, {events / seconds:,.0f} a second"
    sys.stdout.write(f"{options.seeds} seeds, {rate}; {failures} failed\n")
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m batuta.testing simulate", description=__doc__)
    parser.add_argument("--level", type=int, choices=(1, SERVERS), default=1, help="what runs")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many worlds")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    return parser
