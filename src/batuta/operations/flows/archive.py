"""Flows as files: import of YAML and zip, export as zip (03 §7.11)."""

import io
import zipfile
from collections.abc import Sequence

from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalArgumentError
from batuta.operations.flows.change import Imported, import_source
from batuta.operations.services import Services
from batuta.store.rows import FlowRow

MAX_ENTRIES = 10_000
MAX_UNPACKED_BYTES = 256 << 20
_YAML = (".yml", ".yaml")
_FIRST_INSTANT = (1980, 1, 1, 0, 0, 0)
"""The same flows give the same bytes."""


async def import_file(caller: Caller, services: Services, name: str, *, content: bytes) -> Imported:
    """Raises `IllegalArgumentError` for a file that is neither YAML nor zip."""
    if name.lower().endswith(_YAML):
        return await import_source(caller, services, _text(name, content))
    if name.lower().endswith(".zip"):
        return await _import_zip(caller, services, content)
    raise _foreign(name)


def entries_of(name: str, content: bytes) -> Sequence[tuple[str, str]]:
    """Names and texts of the YAML files in a file. Raises `IllegalArgumentError` for one that is neither YAML nor zip."""
    if name.lower().endswith(_YAML):
        return [(name, _text(name, content))]
    if name.lower().endswith(".zip"):
        return [(entry, _text(entry, data)) for entry, data in _entries(content)]
    raise _foreign(name)


def _foreign(name: str) -> IllegalArgumentError:
    return IllegalArgumentError(f"Cannot import file of type {name.rpartition('.')[2]}")


def export(rows: Sequence[FlowRow], *, separator: str) -> bytes:
    """One entry for each flow: its source under namespace and id."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows:
            entry = zipfile.ZipInfo(
                f"{row.key.namespace}{separator}{row.key.id}.yml", _FIRST_INSTANT
            )
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, row.source)
    return buffer.getvalue()


async def _import_zip(caller: Caller, services: Services, content: bytes) -> Imported:
    failed = []
    for name, data in _entries(content):
        try:
            result = await import_source(caller, services, _text(name, data))
        except IllegalArgumentError:
            failed.append(name)
            continue
        if result.failed:
            failed.append(name)
    return Imported(tuple(failed))


def _entries(content: bytes) -> Sequence[tuple[str, bytes]]:
    """Names and contents of the YAML files; bounded, whatever the archive claims about itself."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            chosen = [info for info in archive.infolist() if info.filename.lower().endswith(_YAML)]
            size = sum(info.file_size for info in chosen)
            if len(chosen) > MAX_ENTRIES or size > MAX_UNPACKED_BYTES:
                raise IllegalArgumentError(
                    f"The archive holds more than {MAX_ENTRIES} flows or {MAX_UNPACKED_BYTES} bytes"
                )
            return [(info.filename, archive.read(info)) for info in chosen]
    except (zipfile.BadZipFile, RuntimeError) as error:
        raise IllegalArgumentError(f"The archive cannot be read: {error}") from None


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise IllegalArgumentError(f"{name} is not UTF-8") from None
