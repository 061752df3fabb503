"""The shortest list of happenings that still breaks the invariant which a world broke."""

from collections.abc import Sequence

from batuta.engine.execution import Execution
from batuta.engine.plan import Plan
from batuta.testing.simulate.check import BreachError, Rows
from batuta.testing.simulate.happening import Happening, Operation, Silence


def breach_of(plan: Plan, start: Execution, happened: Sequence[Happening]) -> str | None:
    """What breaks when this happens; None when nothing does."""
    rows = Rows(plan, start)
    try:
        for happening in happened:
            if isinstance(happening, Operation):
                rows = happening.apply(rows) or rows
            elif isinstance(happening, Silence):
                rows.silence(happening.task_run_id)
            else:
                rows.take(happening)
    except BreachError as error:
        return str(error)
    except Exception as error:
        return repr(error)
    return None


def shortest(plan: Plan, start: Execution, happened: Sequence[Happening]) -> list[Happening]:
    """Leave out what can be left out, first in big pieces. Unchanged when the breach needs the world itself."""
    kept = list(happened)
    breach = breach_of(plan, start, kept)
    if breach is None:
        return kept
    size = max(1, len(kept) // 2)
    while True:
        kept, smaller = _without_pieces(plan, start, kept, breach=breach, size=size)
        if size == 1 and not smaller:
            return kept
        size = max(1, size // 2) if not smaller else size


def _without_pieces(
    plan: Plan, start: Execution, kept: list[Happening], *, breach: str, size: int
) -> tuple[list[Happening], bool]:
    smaller = False
    place = 0
    while place < len(kept):
        tried = kept[:place] + kept[place + size :]
        if breach_of(plan, start, tried) == breach:
            kept, smaller = tried, True
        else:
            place += size
    return kept, smaller
