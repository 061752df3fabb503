"""Numbered SQL files that bring a database from one release to the next (08 §6.1).

`migrations/<dialect>/0001_pre_first.sql`: `pre` files are safe while older programs still run, `post` files need that
none does. Each is applied once, in order, and remembered with a checksum. This module reads and judges; the store of
each database locks, runs and records.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from batuta.store.errors import StoreUnavailableError

FOLDER = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_(pre|post)_([a-z0-9_]+)\.sql")
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)


class Migration(msgspec.Struct, frozen=True):
    number: int
    name: str
    checksum: str
    statements: tuple[str, ...]


def load(dialect: str, folder: Path = FOLDER) -> Sequence[Migration]:
    """All migrations of a database, in order. Raises `ValueError` for a name that does not fit or a number twice."""
    found = [_read(path) for path in sorted((folder / dialect).glob("*.sql"))]
    numbers = [migration.number for migration in found]
    if numbers != list(range(1, len(found) + 1)):
        raise ValueError(f"migrations of {dialect} are not numbered one after another: {numbers}")
    return found


def pending(
    migrations: Sequence[Migration], applied: Mapping[int, str], *, location: str
) -> Sequence[Migration]:
    """What is still to be run. Raises `StoreUnavailableError` for a database that this program cannot use."""
    known = {migration.number: migration for migration in migrations}
    newer = [number for number in applied if number not in known]
    if newer:
        raise StoreUnavailableError(
            f"was written by a newer version (schema {max(newer)}, this program knows"
            f" {len(migrations)}): install that version, or start with another folder",
            location=location,
        )
    for number, checksum in applied.items():
        if known[number].checksum != checksum:
            raise StoreUnavailableError(
                f"schema change {number} was applied in another form than this program's"
                f" `{known[number].name}`",
                location=location,
            )
    return [migration for migration in migrations if migration.number not in applied]


def _read(path: Path) -> Migration:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ValueError(f"{path} is not named like 0001_pre_first.sql")
    text = path.read_text(encoding="utf-8")
    statements = (part.strip() for part in _COMMENT.sub("", text).split(";"))
    return Migration(
        int(match[1]),
        path.stem,
        hashlib.sha256(text.encode()).hexdigest(),
        tuple(part for part in statements if part),
    )
