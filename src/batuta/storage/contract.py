"""Internal storage: files by `kestra:///…` URI, for each tenant apart (05 §3).

A URI is absolute, has the scheme `kestra`, no authority, and is percent-encoded; it never names the tenant. Every
method raises `InvalidUriError` (a `ValueError`) for a URI that breaks these rules or leaves the tenant's folder, and
`FileNotFoundError` where something must exist and does not.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from batuta.model.instant import Instant

CHUNK = 256 * 1024
"""Bytes handed out at once by `Storage.open`."""

Content = bytes | Path | AsyncIterator[bytes]
"""What can be stored: bytes, a local file, or a stream."""


class InvalidUriError(ValueError):
    """The URI does not name a place in the tenant's internal storage."""

    def __init__(self, uri: str, reason: str) -> None:
        super().__init__(f"Invalid internal storage URI `{uri}`: {reason}")
        self.uri = uri
        self.reason = reason


class FileType(StrEnum):
    FILE = "File"
    DIRECTORY = "Directory"


class FileAttributes(msgspec.Struct, frozen=True, kw_only=True):
    """Of one file or directory. `size` is in bytes, 0 for a directory."""

    uri: str
    name: str
    type: FileType
    size: int
    modified: Instant
    created: Instant
    metadata: Mapping[str, str] = {}
    """What was given to `put`; only filled in by `attributes`."""


class Storage(Protocol):
    async def put(
        self,
        tenant: str,
        uri: str,
        content: Content,
        *,
        metadata: Mapping[str, str] | None = None,
        move: bool = False,
    ) -> str:
        """Write the file, with its parents, in place of what was there; readers see all of it or the former.

        `move`: the local file given as content may be taken away. Returns the URI in its normal form.
        Raises `IsADirectoryError` where a directory stands.
        """
        ...

    def open(
        self, tenant: str, uri: str, *, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The content, or `length` bytes from `offset`, in chunks."""
        ...

    async def read(self, tenant: str, uri: str) -> bytes:
        """The whole content."""
        ...

    async def fetch(self, tenant: str, uri: str, target: Path) -> Path:
        """Copy the content to a local file, whose folder exists; returns `target`."""
        ...

    def local_path(self, tenant: str, uri: str) -> Path | None:
        """A path that can be read in place of the URI, where the storage is on this machine."""
        ...

    async def exists(self, tenant: str, uri: str) -> bool: ...

    async def attributes(self, tenant: str, uri: str) -> FileAttributes: ...

    async def entries(self, tenant: str, uri: str) -> Sequence[FileAttributes]:
        """What is in the directory, one level, by name."""
        ...

    async def walk(self, tenant: str, uri: str) -> Sequence[FileAttributes]:
        """All files below the directory, by path; nothing where there is no such directory."""
        ...

    async def delete(self, tenant: str, uri: str) -> bool:
        """Remove the file, or the directory with all that is in it; whether it was there."""
        ...

    async def delete_by_prefix(self, tenant: str, uri: str) -> Sequence[str]:
        """Remove the tree bottom-up; the URIs that are gone, directories included."""
        ...

    async def move(self, tenant: str, source: str, target: str) -> str:
        """Rename a file or directory, make the target's parents; the new URI.

        Raises `FileExistsError` where a directory stands that is not empty.
        """
        ...

    async def create_directory(self, tenant: str, uri: str) -> str:
        """Make the directory and its parents, where they are missing; the URI in its normal form."""
        ...
