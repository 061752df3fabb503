"""States of triggers, as people and tasks change them."""

from batuta.operations.triggers.look import (
    FoundTrigger,
    keys_of_query,
    of_flow,
    search,
    unlock,
    unlock_many,
)
from batuta.operations.triggers.switch import set_disabled, set_many_disabled

__all__ = [
    "FoundTrigger",
    "keys_of_query",
    "of_flow",
    "search",
    "set_disabled",
    "set_many_disabled",
    "unlock",
    "unlock_many",
]
