"""The fewest happenings, and the smallest flows, with which a world still breaks, if not in the same words."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Any

from batuta.flow.read import read_flow
from batuta.flow.yaml import read_yaml_literally
from batuta.flow.yaml.emit import block
from batuta.testing.simulate.level2.happening import Happening
from batuta.testing.simulate.level2.world import World, installed

MOST_TRIES = 80
_NEEDED = frozenset({"id", "namespace", "type", "tasks", "task", "then", "condition", "values"})

Path = tuple[str | int, ...]


def fewest(world: World) -> list[Happening]:
    kept = list(world.happenings)
    for happening in world.happenings:
        tried = [each for each in kept if each is not happening]
        if World(world.seed, tried, sources=world.sources).run() is not None:
            kept = tried
    return kept


def smallest(world: World, happenings: Sequence[Happening]) -> tuple[str, ...]:
    """The flows without what can be left out of them."""
    sources = list(world.sources)
    tries = 0
    for number in range(len(sources)):
        refused: set[Path] = set()
        while tries < MOST_TRIES:
            flow = read_yaml_literally(sources[number])
            path = next((each for each in _paths(flow) if each not in refused), None)
            if path is None:
                break
            tries += 1
            tried = [*sources]
            tried[number] = block(_without(flow, path), 0) + "\n"
            if _is_flow(tried[number]) and _breaks(world, happenings, tried):
                sources = tried
            else:
                refused.add(path)
    return tuple(sources)


def _breaks(world: World, happenings: Sequence[Happening], sources: Sequence[str]) -> bool:
    return World(world.seed, happenings, sources=sources).run() is not None


def _is_flow(source: str) -> bool:
    return read_flow(source, installed()).flow is not None


def _paths(value: Any, above: Path = ()) -> Iterator[Path]:
    """Of all that may be left out, the outer before the inner."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    places = [(key, each) for key, each in inside if isinstance(value, dict | list)]
    for key, _ in places:
        if key not in _NEEDED and (isinstance(key, str) or len(places) > 1):
            yield (*above, key)
    for key, each in places:
        if isinstance(each, dict | list):
            yield from _paths(each, (*above, key))


def _without(flow: Any, path: Path) -> Any:
    found = inside = deepcopy(flow)
    for key in path[:-1]:
        inside = inside[key]
    del inside[path[-1]]
    return found
