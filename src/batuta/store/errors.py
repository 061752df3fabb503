"""What can go wrong in a store.

StoreError
├── FencedError           another executor owns the partition now: forget the execution, nothing was written
├── ConflictError         somebody else was first: an id, revision, version or fire time exists already
├── GoneError             the execution that a turn changes was deleted
├── ChangedError          the execution that a turn changes is not as it was when it was read: read and decide again
├── QueryError            a search names an unknown field, or an operator that the field does not have
└── StoreUnavailableError the database cannot be opened or written: path, permissions, corruption, version, disk
"""


class StoreError(Exception):
    """The store refused or failed; nothing of the call was written."""


class FencedError(StoreError):
    """A fence of the turn is not the partition's epoch any more."""

    def __init__(self, fences: dict[int, int]) -> None:
        super().__init__(f"the lease of partition {', '.join(map(str, fences))} was lost")
        self.fences = fences


class ConflictError(StoreError):
    """The row exists already, or is not at the revision that the caller expected."""

    def __init__(self, message: str, *, table: str) -> None:
        super().__init__(message)
        self.table = table


class GoneError(StoreError):
    """A turn changes an execution that does not exist (any more)."""


class ChangedError(StoreError):
    """Somebody else changed an execution after the caller had read it."""


class QueryError(StoreError):
    """A filter or sort that the resource does not have."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class StoreUnavailableError(StoreError):
    """The store cannot be opened, read or written."""

    def __init__(self, message: str, *, location: str) -> None:
        super().__init__(f"{location}: {message}")
        self.location = location
