"""The store in one SQLite file."""

from batuta.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
