"""Opening a SQLite file: settings, the check that it is ours and usable, migrations."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from batuta.store._generated import sqlite as sql
from batuta.store.errors import QueryError, StoreUnavailableError
from batuta.store.migration import load, pending
from batuta.store.query import matches
from batuta.store.sqlite.presence import Presence

MIN_VERSION = (3, 35)
BUSY_MILLISECONDS = 10_000
_STATEMENTS = 512
_FUNCTION_FAILED = "user-defined function raised exception"
_MIGRATIONS = (
    "CREATE TABLE IF NOT EXISTS migration"
    " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)"
)


def prepare(path: Path) -> Presence:
    """Make the file or bring it up to date. Raises `StoreUnavailableError`.

    Leases of a process that was killed are given up when nobody else has the file open.
    """
    _check_version(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            f"the folder cannot be made: {error.strerror}", location=str(path.parent)
        ) from None
    presence = Presence.enter(path)
    try:
        with explained(path), closing(connect(path, writes=True)) as connection:
            _migrate(connection, path)
            if presence.alone:
                connection.execute(sql.LEASE_FORGET.text)
            presence.share()
    except BaseException:
        presence.leave()
        raise
    return presence


def _check_version(path: Path) -> None:
    if sqlite3.sqlite_version_info < MIN_VERSION:
        wanted = ".".join(map(str, MIN_VERSION))
        raise StoreUnavailableError(
            f"needs SQLite {wanted} or later, Python is linked with {sqlite3.sqlite_version}",
            location=str(path),
        )


def connect(path: Path, *, writes: bool) -> sqlite3.Connection:
    """A connection that any one thread at a time may use. Statements commit by themselves unless BEGIN is run."""
    connection = sqlite3.connect(
        path,
        timeout=BUSY_MILLISECONDS / 1000,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_STATEMENTS,
    )
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    if writes:
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            connection.close()
            raise StoreUnavailableError(
                "the file system has no shared memory for SQLite's write-ahead log:"
                " choose a folder on a local disk",
                location=str(path),
            )
        connection.execute("PRAGMA synchronous = FULL")
        # Checkpoints are made beside the writing: see `checkpoint`.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        connection.execute("PRAGMA cache_size = -8000")
    else:
        connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.create_function("regexp", 2, matches, deterministic=True)
    return connection


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's own errors as `StoreUnavailableError` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        if _FUNCTION_FAILED in str(error):
            raise QueryError("the regular expression takes too long", field="") from None
        raise StoreUnavailableError(_reason(error), location=str(path)) from error


def _reason(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "")
    match name.split("_")[:2]:
        case ["SQLITE", "NOTADB"] | ["SQLITE", "CORRUPT"]:
            return f"the file is damaged or no SQLite database ({error}): restore it from a backup"
        case ["SQLITE", "READONLY"] | ["SQLITE", "CANTOPEN"] | ["SQLITE", "PERM"]:
            return (
                f"the file or its folder cannot be written ({error}): check owner and permissions"
            )
        case ["SQLITE", "FULL"]:
            return "the disk is full"
        case ["SQLITE", "BUSY"]:
            return f"another process keeps the file locked ({error})"
    return f"{error}"


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    # The lock is taken first, so of two programs that start together one finds the work done.
    connection.execute("BEGIN IMMEDIATE")
    _check_owner(connection, path)
    connection.execute(_MIGRATIONS)
    applied = dict(connection.execute("SELECT number, checksum FROM migration").fetchall())
    for migration in pending(load("sqlite"), applied, location=str(path)):
        for statement in migration.statements:
            connection.execute(statement)
        connection.execute(
            "INSERT INTO migration (number, name, checksum) VALUES (?, ?, ?)",
            (migration.number, migration.name, migration.checksum),
        )
    connection.execute("COMMIT")


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if names and "migration" not in names:
        raise StoreUnavailableError(
            "this SQLite file belongs to another program", location=str(path)
        )
