"""What a native function of jq is given besides its input."""

from collections.abc import Callable
from typing import NamedTuple


class Spend(NamedTuple):
    """`steps` takes from the budget; `now` is the time in seconds."""

    steps: Callable[[int], None]
    now: float
