"""States of triggers, as people and tasks change them."""

from batuta.operations.triggers.switch import set_disabled

__all__ = ["set_disabled"]
