"""A world as YAML that `batuta run` takes: what is printed when a seed breaks, and kept as a regression."""

from collections.abc import Sequence

from batuta.testing.simulate.level2.happening import Happening
from batuta.testing.simulate.level2.world import World

_BETWEEN = "---\n"
_SEED = "# seed "


def write_case(
    seed: int, breach: str, *, sources: Sequence[str], happenings: Sequence[Happening]
) -> str:
    """The flows; a comment before them tells the seed and what broke, one behind them each happening."""
    happened = "".join(f"# {each}\n" for each in happenings)
    return f"{_SEED}{seed}: {breach}\n{_BETWEEN.join(sources)}{happened}"


def read_case(text: str) -> World:
    first, *lines = text.splitlines(keepends=True)
    seed = int(first.partition(":")[0].removeprefix(_SEED))
    flows = "".join(line for line in lines if not line.startswith("#"))
    happened = [Happening.of_line(line[1:]) for line in lines if line.startswith("#")]
    return World(seed, happened, sources=flows.split(_BETWEEN))
