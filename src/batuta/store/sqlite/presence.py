"""Whether another process has the file open, told by a lock that the system takes back when a process dies.

A process that finds itself alone may take over at once what a killed one had leased, instead of waiting until the
leases run out. The lock is a file of its own: closing a second descriptor of the database would drop SQLite's locks.
"""

import os
import sys
from pathlib import Path

from batuta.store.errors import StoreUnavailableError

if sys.platform != "win32":
    import fcntl


class Presence:
    """Held from `enter` to `leave`. While `alone`, other processes wait in `enter` until `share` is called."""

    def __init__(self, descriptor: int, *, alone: bool) -> None:
        self._descriptor = descriptor
        self.alone = alone

    @classmethod
    def enter(cls, path: Path) -> "Presence":
        """Raises `StoreUnavailableError` when the lock file cannot be made."""
        lock = path.with_name(f"{path.name}.lock")
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreUnavailableError(
                f"the file or its folder cannot be written ({error.strerror}):"
                " check owner and permissions",
                location=str(path),
            ) from None
        return cls(descriptor, alone=_lock(descriptor))

    def share(self) -> None:
        """Let others in. Where the file system has no locks there is nothing to do."""
        if self.alone:
            self.alone = False
            _share(self._descriptor)

    def leave(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lock(descriptor: int) -> bool:
    """Take the lock for ourselves, or with the others; false too where there are no locks: leases then run out."""
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return False
    except OSError:
        return False
    return True


def _share(descriptor: int) -> None:
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_SH)
