"""The store in memory, for tests, simulation and throw-away runs."""

from batuta.store.memory.store import MemoryStore

__all__ = ["MemoryStore"]
