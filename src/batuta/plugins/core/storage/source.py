"""Files of internal storage as local files, and their lines."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from batuta.sdk import RunContext, TaskError

_BLOCK = 1 << 16
_SCHEME = "kestra://"


def is_internal(uri: str) -> bool:
    return uri.startswith(_SCHEME)


def check_internal(uri: str) -> None:
    """05 §3.4: these tasks read internal storage only."""
    if not is_internal(uri):
        raise TaskError(f"Invalid internal storage URI `{uri}`: it must start with `kestra://`")


async def local_copy(uri: str, ctx: RunContext) -> Path:
    """A local file with the content, not to be changed. Raises `TaskError` when there is none."""
    check_internal(uri)
    path = ctx.files.local_path(uri)
    if path is not None and path.is_file():
        return path
    try:
        return await ctx.files.fetch(uri, ctx.workdir / ctx.token())
    except FileNotFoundError as error:
        raise TaskError(f"Unable to find file '{uri}'") from error


def extension_of(uri: str, default: str = "") -> str:
    """With its dot."""
    return PurePosixPath(uri).suffix or default


def dotted(extension: str) -> str:
    """05 §3.7: a missing leading dot is added."""
    return extension if not extension or extension.startswith(".") else f".{extension}"


def lines_of(path: Path) -> Iterator[bytes]:
    """Without their ends."""
    with path.open("rb") as file:
        for line in file:
            yield line.rstrip(b"\n").removesuffix(b"\r")


def reversed_lines(path: Path) -> Iterator[bytes]:
    """Last to first, without their ends, for encodings in which a line ends with a single byte."""
    with path.open("rb") as file:
        position = file.seek(0, 2)
        rest = b""
        at_end = True
        while position > 0:
            size = min(_BLOCK, position)
            position -= size
            file.seek(position)
            block = file.read(size) + rest
            if at_end:
                block = block.removesuffix(b"\n")
                at_end = False
            rest, *lines = block.split(b"\n")
            for line in reversed(lines):
                yield line.removesuffix(b"\r")
        if not at_end:
            yield rest.removesuffix(b"\r")
