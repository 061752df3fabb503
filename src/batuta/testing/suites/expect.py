"""What the cases of a suite say: equal, true, raises."""

from collections.abc import Awaitable
from typing import TypeVar

Raised = TypeVar("Raised", bound=BaseException)


def equal(actual: object, expected: object) -> None:
    if actual != expected:
        raise AssertionError(f"expected {expected!r}\n     but got {actual!r}")


def true(condition: object, what: str) -> None:
    if not condition:
        raise AssertionError(what)


async def raises(kind: type[Raised], work: Awaitable[object]) -> Raised:
    """The error that awaiting `work` raises, which must be of this kind."""
    try:
        result = await work
    except kind as error:
        return error
    raise AssertionError(f"expected {kind.__name__}, but got {result!r}")
