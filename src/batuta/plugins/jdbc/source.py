"""Files that SQL works on: copies inside the working directory, and addresses of internal storage inside SQL."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from batuta.model import codec
from batuta.sdk import PropertyError, RunContext, TaskError

_SCHEMES = ("kestra://", "file://", "nsfile://")
_LITERAL = re.compile(r"'(kestra:///[^'\n]+)'")
_READER = re.compile(
    r"(?:(?:\b(?:FROM|JOIN|ATTACH|DATABASE)\s*)|(?:\b(?:read_\w+|\w+_scan|sniff_\w+|parquet_\w+|glob|st_read)\s*\(\s*\[?\s*))\Z",
    re.IGNORECASE,
)
_LIST = re.compile(r"(?:'[^'\n]*'\s*,\s*)+\Z")
_LOOK_BACK = 4000


async def fetched(uri: str, target: Path, ctx: RunContext, *, name: str) -> Path:
    """A copy of a stored file. Raises `TaskError` when there is none, `PropertyError` for another scheme."""
    if not uri.startswith(_SCHEMES):
        raise PropertyError(name, f"`{uri}` is no URI of internal storage")
    try:
        return await ctx.files.fetch(uri, target)
    except FileNotFoundError as error:
        raise TaskError(f"Unable to find file '{uri}'") from error


async def place_files(files: Any, folder: Path, ctx: RunContext) -> None:
    """Write `inputFiles` into the folder: texts, or copies of files (05 §6.3)."""
    for name, value in _file_map(files).items():
        target = inside(folder, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, str) and value.startswith(_SCHEMES):
            await fetched(value, target, ctx, name=f"inputFiles.{name}")
        else:
            text = value if isinstance(value, str) else codec.encode_text(value)
            target.write_bytes(b"" if value is None else text.encode())


def _file_map(files: Any) -> Mapping[str, Any]:
    if isinstance(files, str):
        try:
            files = codec.decode(files)
        except ValueError as error:
            raise PropertyError("inputFiles", f"no JSON map: {error}") from error
    if files is None:
        return {}
    if not isinstance(files, Mapping):
        raise PropertyError(
            "inputFiles", "Invalid files properties: expected a map of names and contents"
        )
    return files


def inside(folder: Path, name: str) -> Path:
    """A path below the folder. Raises `PropertyError` for one that leaves it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise PropertyError("inputFiles", f"`{name}` is no path inside the working directory")
    return folder / path


async def with_local_paths(sql: str, ctx: RunContext) -> str:
    """The SQL with local paths where a reading function or FROM names a file of internal storage.

    Only places that read are touched: the same text as a value stays what it is. Files that do not exist stay, too.
    """
    parts: list[str] = []
    position = 0
    for match in _LITERAL.finditer(sql):
        parts.append(sql[position : match.start()])
        position = match.end()
        path = await _local(match[1], ctx) if _is_read(sql[: match.start()]) else None
        parts.append(match[0] if path is None else f"'{quoted(path)}'")
    parts.append(sql[position:])
    return "".join(parts)


def _is_read(before: str) -> bool:
    before = _LIST.sub("", before[-_LOOK_BACK:])
    return _READER.search(before) is not None


async def _local(uri: str, ctx: RunContext) -> Path | None:
    path = ctx.files.local_path(uri)
    if path is not None and path.is_file():
        return path
    name = PurePosixPath(uri).name
    try:
        return await ctx.files.fetch(uri, ctx.workdir / f"{ctx.token()}-{name}")
    except FileNotFoundError:
        return None


def quoted(path: Path) -> str:
    """For use between single quotes."""
    return str(path).replace("'", "''")
