"""Internal storage in memory, for tests, simulation and throw-away runs."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from batuta.model.instant import Instant
from batuta.storage.contract import (
    CHUNK,
    Content,
    FileAttributes,
    FileType,
    InvalidUriError,
)
from batuta.storage.layout import Parts, check_tenant, parse_uri, to_uri

Place = tuple[str, Parts]


class _File(msgspec.Struct, frozen=True):
    data: bytes
    modified: Instant
    created: Instant
    metadata: Mapping[str, str]


class MemoryStorage:
    """`now` gives the times that files carry."""

    def __init__(self, now: Callable[[], Instant] = lambda: Instant(0)) -> None:
        self._now = now
        self._files: dict[Place, _File] = {}
        self._directories: dict[Place, Instant] = {}

    async def put(
        self,
        tenant: str,
        uri: str,
        content: Content,
        *,
        metadata: Mapping[str, str] | None = None,
        move: bool = False,
    ) -> str:
        place = _place(tenant, uri)
        if not place[1]:
            raise InvalidUriError(uri, "it names no file")
        data = await _collect(content)
        if place in self._directories:
            raise IsADirectoryError(errno.EISDIR, "a directory stands there", uri)
        self._make_parents(place, uri)
        former = self._files.get(place)
        now = self._now()
        self._files[place] = _File(data, now, former.created if former else now, metadata or {})
        if move and isinstance(content, Path):
            content.unlink(missing_ok=True)
        return to_uri(place[1])

    async def open(
        self, tenant: str, uri: str, *, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        data = self._file(tenant, uri).data
        end = len(data) if length is None else min(len(data), offset + length)
        for start in range(offset, end, CHUNK):
            yield data[start : min(end, start + CHUNK)]

    async def read(self, tenant: str, uri: str) -> bytes:
        return self._file(tenant, uri).data

    async def fetch(self, tenant: str, uri: str, target: Path) -> Path:
        data = self._file(tenant, uri).data
        await asyncio.to_thread(target.write_bytes, data)
        return target

    def local_path(self, tenant: str, uri: str) -> Path | None:
        _place(tenant, uri)
        return None

    async def exists(self, tenant: str, uri: str) -> bool:
        place = _place(tenant, uri)
        return place in self._files or place in self._directories

    async def attributes(self, tenant: str, uri: str) -> FileAttributes:
        place = _place(tenant, uri)
        if not place[1]:
            self._directories.setdefault(place, self._now())
        found = self._describe(place)
        if found is None:
            raise _missing(uri)
        return found

    async def entries(self, tenant: str, uri: str) -> Sequence[FileAttributes]:
        place = _place(tenant, uri)
        if place[1] and place not in self._directories:
            raise _missing(uri)
        depth = len(place[1]) + 1
        names = [child for child in self._below(place) if len(child[1]) == depth]
        return [plain for child in names if (plain := self._describe(child, metadata=False))]

    async def walk(self, tenant: str, uri: str) -> Sequence[FileAttributes]:
        place = _place(tenant, uri)
        if place not in self._directories:
            return []
        below = [child for child in self._below(place) if child in self._files]
        return [plain for child in below if (plain := self._describe(child, metadata=False))]

    async def delete(self, tenant: str, uri: str) -> bool:
        return bool(await self.delete_by_prefix(tenant, uri))

    async def delete_by_prefix(self, tenant: str, uri: str) -> Sequence[str]:
        place = _place(tenant, uri)
        gone: list[str] = []
        for child in _bottom_up([*self._below(place), place]):
            file = self._files.pop(child, None)
            directory = self._directories.pop(child, None)
            if file is not None or directory is not None:
                gone.append(to_uri(child[1]))
        return gone

    async def move(self, tenant: str, source: str, target: str) -> str:
        old, new = _place(tenant, source), _place(tenant, target)
        if not old[1] or not new[1]:
            raise InvalidUriError(target if old[1] else source, "it names no file")
        if new[1][: len(old[1])] == old[1] and old != new:
            raise InvalidUriError(target, "a directory cannot be moved into itself")
        if not await self.exists(tenant, source):
            raise _missing(source)
        self._make_parents(new, target)
        if old != new:
            self._rename(old, new, uri=target)
        return to_uri(new[1])

    async def create_directory(self, tenant: str, uri: str) -> str:
        place = _place(tenant, uri)
        if place in self._files:
            raise FileExistsError(errno.EEXIST, "a file stands there", uri)
        self._make_parents(place, uri)
        self._directories.setdefault(place, self._now())
        return to_uri(place[1])

    def _rename(self, old: Place, new: Place, *, uri: str) -> None:
        moves_directory = old in self._directories
        replaces_file = new in self._files
        replaces_directory = new in self._directories
        occupied = replaces_directory and (not moves_directory or any(self._below(new)))
        if occupied or (replaces_file and moves_directory):
            raise FileExistsError(errno.EEXIST, "something stands there already", uri)
        for child in [old, *self._below(old)]:
            moved = (new[0], new[1] + child[1][len(old[1]) :])
            if child in self._files:
                self._files[moved] = self._files.pop(child)
            else:
                self._directories[moved] = self._directories.pop(child)

    def _file(self, tenant: str, uri: str) -> _File:
        file = self._files.get(_place(tenant, uri))
        if file is None:
            raise _missing(uri)
        return file

    def _make_parents(self, place: Place, uri: str) -> None:
        tenant, parts = place
        for depth in range(len(parts)):
            parent = (tenant, parts[:depth])
            if parent in self._files:
                raise InvalidUriError(uri, "one of its folders is a file")
            self._directories.setdefault(parent, self._now())

    def _below(self, place: Place) -> list[Place]:
        """Everything inside, in the order of a walk by name."""
        tenant, parts = place
        return sorted(
            other
            for other in (*self._files, *self._directories)
            if other[0] == tenant and len(other[1]) > len(parts) and other[1][: len(parts)] == parts
        )

    def _describe(self, place: Place, *, metadata: bool = True) -> FileAttributes | None:
        file = self._files.get(place)
        if file is None and place not in self._directories:
            return None
        made = self._directories.get(place, Instant(0))
        return FileAttributes(
            uri=to_uri(place[1]),
            name=place[1][-1] if place[1] else "",
            type=FileType.FILE if file else FileType.DIRECTORY,
            size=len(file.data) if file else 0,
            modified=file.modified if file else made,
            created=file.created if file else made,
            metadata=file.metadata if file and metadata else {},
        )


def _place(tenant: str, uri: str) -> Place:
    return check_tenant(tenant), parse_uri(uri)


def _missing(uri: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no such file in internal storage", uri)


def _bottom_up(places: list[Place]) -> list[Place]:
    """Children before their folder, otherwise in order."""
    return sorted(places, key=lambda place: (*place[1], "\U0010ffff"))


async def _collect(content: Content) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, Path):
        return content.read_bytes()
    return b"".join([chunk async for chunk in content])
