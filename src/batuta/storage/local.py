"""Internal storage in a folder of this machine: plain files below `root/tenant` (05 §3.3).

A file is written beside the tenants under `.tmp` and then renamed, so readers never see half of it. Metadata is one
JSON object in `<file>.metadata`, hidden from listings.
"""

import asyncio
import errno
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from batuta.model import codec
from batuta.model.instant import Instant
from batuta.storage.contract import (
    CHUNK,
    Content,
    FileAttributes,
    FileType,
    InvalidUriError,
)
from batuta.storage.layout import METADATA_SUFFIX, Parts, check_tenant, parse_uri, to_uri

_TEMPORARY = ".tmp"


class LocalStorage:
    """`durable`: written files survive a power failure (fsync of file and folder)."""

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        """Raises `OSError` when the folder cannot be made or written."""
        self._root = root.resolve()
        self._temporary = self._root / _TEMPORARY
        self._temporary.mkdir(parents=True, exist_ok=True)
        self._durable = durable

    async def put(
        self,
        tenant: str,
        uri: str,
        content: Content,
        *,
        metadata: Mapping[str, str] | None = None,
        move: bool = False,
    ) -> str:
        parts = _file_parts(uri)
        target = self._resolve(tenant, uri, parts)
        await asyncio.to_thread(_prepare, target, uri)
        temporary = await self._write_temporary(content, move=move)
        await asyncio.to_thread(self._publish, temporary, target, metadata=metadata)
        return to_uri(parts)

    async def open(
        self, tenant: str, uri: str, *, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        file = await asyncio.to_thread(self._open, tenant, uri, offset=offset)
        try:
            left = length
            while left is None or left > 0:
                size = CHUNK if left is None else min(CHUNK, left)
                chunk = await asyncio.to_thread(file.read, size)
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            file.close()

    def _open(self, tenant: str, uri: str, *, offset: int) -> IO[bytes]:
        file = self._existing_file(tenant, uri).open("rb")
        if offset:
            file.seek(offset)
        return file

    async def read(self, tenant: str, uri: str) -> bytes:
        path = self._resolve(tenant, uri, parse_uri(uri))
        try:
            return await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise _missing(uri) from None

    async def fetch(self, tenant: str, uri: str, target: Path) -> Path:
        source = await asyncio.to_thread(self._existing_file, tenant, uri)
        await asyncio.to_thread(shutil.copyfile, source, target)
        return target

    def local_path(self, tenant: str, uri: str) -> Path | None:
        return self._resolve(tenant, uri, parse_uri(uri))

    async def exists(self, tenant: str, uri: str) -> bool:
        path = self._resolve(tenant, uri, parse_uri(uri))
        return await asyncio.to_thread(path.exists)

    async def attributes(self, tenant: str, uri: str) -> FileAttributes:
        return await asyncio.to_thread(self._attributes, tenant, uri)

    def _attributes(self, tenant: str, uri: str) -> FileAttributes:
        parts = parse_uri(uri)
        path = self._resolve(tenant, uri, parts)
        try:
            found = _describe(path, parts, path.stat())
        except FileNotFoundError:
            if parts:
                raise _missing(uri) from None
            path.mkdir(parents=True, exist_ok=True)
            found = _describe(path, parts, path.stat())
        sidecar = _sidecar(path)
        if not sidecar.is_file():
            return found
        metadata = codec.decode_as(dict[str, str], sidecar.read_bytes())
        return FileAttributes(
            uri=found.uri,
            name=found.name,
            type=found.type,
            size=found.size,
            modified=found.modified,
            created=found.created,
            metadata=metadata,
        )

    async def entries(self, tenant: str, uri: str) -> Sequence[FileAttributes]:
        return await asyncio.to_thread(self._entries, tenant, uri)

    def _entries(self, tenant: str, uri: str) -> Sequence[FileAttributes]:
        parts = parse_uri(uri)
        path = self._resolve(tenant, uri, parts)
        if not path.is_dir():
            if parts:
                raise _missing(uri)
            return []
        return _entries(path, parts)

    async def walk(self, tenant: str, uri: str) -> Sequence[FileAttributes]:
        parts = parse_uri(uri)
        path = self._resolve(tenant, uri, parts)
        return await asyncio.to_thread(_walk, path, parts)

    async def delete(self, tenant: str, uri: str) -> bool:
        gone = await self.delete_by_prefix(tenant, uri)
        return bool(gone)

    async def delete_by_prefix(self, tenant: str, uri: str) -> Sequence[str]:
        parts = parse_uri(uri)
        path = self._resolve(tenant, uri, parts)
        return await asyncio.to_thread(_delete_tree, path, parts)

    async def move(self, tenant: str, source: str, target: str) -> str:
        return await asyncio.to_thread(self._move, tenant, source=source, target=target)

    def _move(self, tenant: str, *, source: str, target: str) -> str:
        source_parts, target_parts = _file_parts(source), _file_parts(target)
        if target_parts[: len(source_parts)] == source_parts and source_parts != target_parts:
            raise InvalidUriError(target, "a directory cannot be moved into itself")
        old = self._resolve(tenant, source, source_parts)
        new = self._resolve(tenant, target, target_parts)
        if not old.exists():
            raise _missing(source)
        _make_parent(new, target)
        _rename(old, new, uri=target)
        if _sidecar(old).exists():
            _rename(_sidecar(old), _sidecar(new), uri=target)
        self._sync_folder(new.parent)
        return to_uri(target_parts)

    async def create_directory(self, tenant: str, uri: str) -> str:
        parts = parse_uri(uri)
        path = self._resolve(tenant, uri, parts)
        await asyncio.to_thread(path.mkdir, parents=True, exist_ok=True)
        return to_uri(parts)

    def _resolve(self, tenant: str, uri: str, parts: Parts) -> Path:
        """The path of a URI, which is below the tenant's folder also after symbolic links are followed."""
        base = self._root / check_tenant(tenant)
        path = base.joinpath(*parts)
        real = os.path.realpath(path)
        if real != str(base) and not real.startswith(f"{base}{os.sep}"):
            raise InvalidUriError(uri, "it leads out of the storage")
        return path

    def _existing_file(self, tenant: str, uri: str) -> Path:
        path = self._resolve(tenant, uri, parse_uri(uri))
        if not path.is_file():
            raise _missing(uri)
        return path

    async def _write_temporary(self, content: Content, *, move: bool) -> Path:
        if not isinstance(content, AsyncIterator):
            return await asyncio.to_thread(self._write_now, content, move=move)
        descriptor, name = await asyncio.to_thread(tempfile.mkstemp, dir=self._temporary)
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for chunk in content:
                    await asyncio.to_thread(file.write, chunk)
                await asyncio.to_thread(self._sync, file)
        except BaseException:
            _discard(path)
            raise
        return path

    def _write_now(self, content: bytes | Path, *, move: bool) -> Path:
        descriptor, name = tempfile.mkstemp(dir=self._temporary)
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if isinstance(content, bytes):
                    file.write(content)
                elif not (move and _take(content, path)):
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, file, CHUNK)
            if self._durable:
                with path.open("rb") as written:
                    os.fsync(written.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        if move and isinstance(content, Path):
            content.unlink(missing_ok=True)
        return path

    def _publish(
        self, temporary: Path, target: Path, *, metadata: Mapping[str, str] | None
    ) -> None:
        try:
            temporary.chmod(0o644)
            sidecar = _sidecar(target)
            if metadata is None:
                sidecar.unlink(missing_ok=True)
            else:
                sidecar.write_bytes(codec.encode(dict(metadata)))
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._sync_folder(target.parent)

    def _sync(self, file: IO[bytes]) -> None:
        file.flush()
        if self._durable:
            os.fsync(file.fileno())

    def _sync_folder(self, folder: Path) -> None:
        if not self._durable:
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _missing(uri: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no such file in internal storage", uri)


def _file_parts(uri: str) -> Parts:
    parts = parse_uri(uri)
    if not parts:
        raise InvalidUriError(uri, "it names no file")
    return parts


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + METADATA_SUFFIX)


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)


def _take(source: Path, target: Path) -> bool:
    """Rename a local file over `target`; false when it is on another file system."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise
    return True


def _prepare(target: Path, uri: str) -> None:
    """Before anything is written, so that a file to be moved stays where it is when its place is taken."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a directory stands there", uri)
    _make_parent(target, uri)


def _make_parent(path: Path, uri: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise InvalidUriError(uri, "one of its folders is a file") from None


def _rename(old: Path, new: Path, *, uri: str) -> None:
    try:
        old.replace(new)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR, errno.ENOTDIR}:
            raise FileExistsError(errno.EEXIST, "something stands there already", uri) from None
        raise


def _describe(path: Path, parts: Parts, stat: os.stat_result) -> FileAttributes:
    is_directory = path.is_dir()
    return FileAttributes(
        uri=to_uri(parts),
        name=parts[-1] if parts else "",
        type=FileType.DIRECTORY if is_directory else FileType.FILE,
        size=0 if is_directory else stat.st_size,
        modified=Instant(stat.st_mtime_ns // 1000),
        created=Instant(min(stat.st_ctime_ns, stat.st_mtime_ns) // 1000),
    )


def _entries(path: Path, parts: Parts) -> list[FileAttributes]:
    """Links that lead elsewhere are shown to nobody."""
    return [
        _describe(child, (*parts, child.name), child.stat())
        for child in sorted(path.iterdir(), key=lambda child: child.name)
        if not child.is_symlink() and not child.name.endswith(METADATA_SUFFIX)
    ]


def _walk(path: Path, parts: Parts) -> list[FileAttributes]:
    if not path.is_dir():
        return []
    found: list[FileAttributes] = []
    for entry in _entries(path, parts):
        if entry.type is FileType.DIRECTORY:
            found += _walk(path / entry.name, (*parts, entry.name))
        else:
            found.append(entry)
    return found


def _delete_tree(path: Path, parts: Parts) -> list[str]:
    if not path.is_dir() or path.is_symlink():
        return _delete_file(path, parts)
    gone: list[str] = []
    for child in sorted(path.iterdir(), key=lambda child: child.name):
        gone += _delete_tree(child, (*parts, child.name))
    path.rmdir()
    return [*gone, to_uri(parts)]


def _delete_file(path: Path, parts: Parts) -> list[str]:
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return []
    _sidecar(path).unlink(missing_ok=True)
    return [] if path.name.endswith(METADATA_SUFFIX) else [to_uri(parts)]
