"""Files and flows of a namespace as one zip (03 §13). The archive is on disk, never in memory as a whole."""

import re
import tempfile
import zipfile
from collections.abc import AsyncIterator
from typing import IO

from batuta.operations import flows
from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalArgumentError
from batuta.operations.files import Upload
from batuta.operations.namespaces.files import FLOWS, open_file, paths, relative, write
from batuta.operations.services import Services

MAX_ENTRIES = 10_000
MAX_UNPACKED_BYTES = 4 << 30
MAX_FLOW_BYTES = 1 << 20
_CHUNK = 256 * 1024
_FIRST_INSTANT = (1980, 1, 1, 0, 0, 0)
"""The same files give the same bytes."""
_NAMESPACE = re.compile(r"^namespace:[^\n]*$", re.MULTILINE)
_FLOW_NAME = re.compile(r"[^/]+\.ya?ml")


async def upload(
    caller: Caller, services: Services, namespace: str, *, path: str, file: Upload
) -> None:
    """A zip is unpacked at the root, whatever the path; a file in `_flows` is saved as a flow."""
    if file.file_name.lower().endswith(".zip"):
        with tempfile.TemporaryFile() as copy:
            async for chunk in file.open():
                copy.write(chunk)
            await _unpack(caller, services, namespace, content=copy)
    elif _is_flow(path):
        if file.size > MAX_FLOW_BYTES:
            raise IllegalArgumentError(f"The flow {path} is too large")
        source = b"".join([chunk async for chunk in file.open()])
        await _save_flow(caller, services, namespace, path=path, source=source)
    else:
        await write(caller, services, namespace, path=path, content=file.open())


async def export(caller: Caller, services: Services, namespace: str) -> AsyncIterator[bytes]:
    """All files, and the flows of the namespace as `_flows/<id>.yml`."""
    found = await paths(caller, services, namespace)
    rows = await flows.of_namespace(caller, services, namespace)
    with tempfile.TemporaryFile() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in found:
                opened = await open_file(caller, services, namespace, path=path)
                await _pack(archive, path.lstrip("/"), opened.chunks)
            for row in rows:
                archive.writestr(_entry(f"{FLOWS}/{row.key.id}.yml"), row.source)
        target.seek(0)
        while chunk := target.read(_CHUNK):
            yield chunk


async def _pack(archive: zipfile.ZipFile, name: str, chunks: AsyncIterator[bytes]) -> None:
    with archive.open(_entry(name), "w", force_zip64=True) as entry:
        async for chunk in chunks:
            entry.write(chunk)


async def _unpack(
    caller: Caller, services: Services, namespace: str, *, content: IO[bytes]
) -> None:
    """Every name is looked at before the first file is written."""
    try:
        archive = zipfile.ZipFile(content)
    except zipfile.BadZipFile:
        raise IllegalArgumentError("The file is no zip archive") from None
    with archive:
        entries = [info for info in archive.infolist() if not info.is_dir()]
        if len(entries) > MAX_ENTRIES or sum(i.file_size for i in entries) > MAX_UNPACKED_BYTES:
            raise IllegalArgumentError(
                f"The archive holds more than {MAX_ENTRIES} files or {MAX_UNPACKED_BYTES} bytes"
            )
        chosen = [(info, _is_flow(info.filename)) for info in entries]
        for info, is_flow in chosen:
            if not is_flow:
                relative(info.filename)
        for info, is_flow in chosen:
            if is_flow:
                source = archive.read(info) if info.file_size <= MAX_FLOW_BYTES else b""
                await _save_flow(caller, services, namespace, path=info.filename, source=source)
            else:
                content_of = _chunks(archive, info)
                await write(caller, services, namespace, path=info.filename, content=content_of)


async def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> AsyncIterator[bytes]:
    """Never more than the archive says: reading stops there whatever it holds."""
    try:
        with archive.open(info) as entry:
            while chunk := entry.read(_CHUNK):
                yield chunk
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise IllegalArgumentError(f"{info.filename} cannot be unpacked: {error}") from None


def _is_flow(path: str) -> bool:
    """Whether the path is one of a flow. Raises `IllegalArgumentError` for anything else below that folder."""
    parts = [part for part in path.split("/") if part]
    if not parts or parts[0] != FLOWS:
        return False
    if len(parts) != len((FLOWS, "name")) or not _FLOW_NAME.fullmatch(parts[1]):
        raise IllegalArgumentError(f"Invalid flow file path: {path}")
    return True


async def _save_flow(
    caller: Caller, services: Services, namespace: str, *, path: str, source: bytes
) -> None:
    try:
        text = source.decode()
    except UnicodeDecodeError:
        raise IllegalArgumentError(f"The flow {path} is not UTF-8") from None
    line = f"namespace: {namespace}"
    await flows.upsert(caller, services, _NAMESPACE.sub(lambda _: line, text, count=1))


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIRST_INSTANT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
