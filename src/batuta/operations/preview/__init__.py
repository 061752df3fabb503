"""The beginning of a file, as a page shows it (03 §8.13). However large the file is, little of it is read."""

import base64
import codecs
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import Any

import msgspec

from batuta.model.ion import IonError, RowReader, to_json_data
from batuta.operations.errors import IllegalArgumentError
from batuta.operations.files import ExecutionFile
from batuta.operations.settings import Settings

MAX_TEXT_BYTES = 2 << 20
MAX_IMAGE_BYTES = 64 << 20
"""A larger picture or PDF is left out, and said to be cut."""
_IMAGES = frozenset({"jpg", "jpeg", "png", "svg", "gif", "bmp", "webp"})


class Preview(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`type` is LIST, MARKDOWN, IMAGE, PDF or TEXT."""

    extension: str
    type: str
    content: Any
    max_line: int
    truncated: bool


async def preview(
    file: ExecutionFile, settings: Settings, *, max_rows: int | None, encoding: str
) -> Preview:
    """Raises `IllegalArgumentError` for an encoding that nobody knows, or rows that are none."""
    wanted = settings.preview_initial_rows if max_rows is None else max_rows
    limit = max(0, min(wanted, settings.preview_max_rows))
    extension = PurePosixPath(file.name).suffix.removeprefix(".")
    content: Any
    match extension.lower():
        case "ion":
            kind = "LIST"
            content, truncated = await _rows(file, limit)
        case "md":
            kind = "MARKDOWN"
            content, truncated = await _lines(file, limit, "UTF-8")
        case "pdf":
            kind = "PDF"
            content, truncated = await _whole(file)
        case image if image in _IMAGES:
            kind = "IMAGE"
            content, truncated = await _whole(file)
        case _:
            kind = "TEXT"
            content, truncated = await _lines(file, limit, encoding)
    return Preview(
        extension=extension, type=kind, content=content, max_line=limit, truncated=truncated
    )


async def _rows(file: ExecutionFile, limit: int) -> tuple[list[Any], bool]:
    reader = RowReader()
    rows: list[Any] = []
    read = 0
    try:
        async for chunk in file.chunks:
            read += len(chunk)
            for row in reader.feed(chunk):
                if len(rows) == limit:
                    return rows, True
                rows.append(to_json_data(row))
            if read > MAX_TEXT_BYTES and rows:
                return rows, read < file.size
        for row in reader.finish():
            if len(rows) == limit:
                return rows, True
            rows.append(to_json_data(row))
    except IonError as error:
        raise IllegalArgumentError(f"The file holds no rows of Ion: {error}") from None
    return rows, False


async def _lines(file: ExecutionFile, limit: int, encoding: str) -> tuple[str, bool]:
    try:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
    except LookupError:
        raise IllegalArgumentError(f"Unable to preview using encoding '{encoding}'") from None
    text, read = "", 0
    async for chunk in file.chunks:
        part = chunk[: MAX_TEXT_BYTES - read]
        read += len(part)
        text += decoder.decode(part)
        if read >= MAX_TEXT_BYTES or text.count("\n") > limit:
            break
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    shown = [line.removesuffix("\r") for line in lines[:limit]]
    return "\n".join(shown), len(lines) > limit or read < file.size


async def _whole(file: ExecutionFile) -> tuple[str, bool]:
    if file.size > MAX_IMAGE_BYTES:
        return "", True
    return base64.b64encode(await _all(file.chunks)).decode(), False


async def _all(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])
