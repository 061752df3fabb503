"""Time and ids that a test holds in its hand."""

import pytest

from batuta.model.instant import SECOND, from_iso
from batuta.testing.clock import FakeClock, SeededIds


def test_the_clock_moves_only_when_told() -> None:
    clock = FakeClock(from_iso("2025-03-30T00:59:59Z"))
    assert clock.now() == clock.now()
    clock.advance(2 * SECOND)
    assert clock.now() == from_iso("2025-03-30T01:00:01Z")
    assert clock.monotonic() == 2.0
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-1)


def test_ids_are_a_function_of_the_seed() -> None:
    first, again, other = SeededIds(1), SeededIds(1), SeededIds(2)
    made = [first.execution_id(), first.token(), first.execution_id()]
    assert made == [again.execution_id(), again.token(), again.execution_id()]
    assert len(set(made)) == 3
    assert other.execution_id() not in made
    assert len(first.entropy(5)) == 5
