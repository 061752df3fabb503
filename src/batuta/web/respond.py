"""Answers as bytes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from batuta.model import codec

if TYPE_CHECKING:
    # A server answers before the types are loaded that this tells of.
    from batuta.operations.plugins.documents import Document

_BINARY = "application/octet-stream"
_MANY = 200
"""Parts of an answer that are put together while others wait; with more of them it is made on a thread."""


def json_response(
    body: Any, *, status: int = 200, media_type: str = "application/json"
) -> Response:
    return Response(codec.encode(body), status_code=status, media_type=media_type)


async def encoded(make: Callable[[], Any], *, parts: int) -> bytes:
    """JSON of what `make` gives, without keeping others waiting when it has many parts."""
    if parts <= _MANY:
        return codec.encode(make())
    return await asyncio.to_thread(lambda: codec.encode(make()))


async def big_response(make: Callable[[], Any], *, parts: int) -> Response:
    return Response(await encoded(make, parts=parts), media_type="application/json")


def empty(status: int = 200) -> Response:
    return Response(status_code=status)


def page(results: list[Any], total: int) -> Response:
    return json_response({"results": results, "total": total})


def document(request: Request, found: "Document") -> Response:
    """A document that browsers keep for an hour, and then ask whether it changed (03 §3.9)."""
    tag = f'"{found.tag}"'
    headers = {"etag": tag, "cache-control": "public, max-age=3600", "vary": "Accept-Encoding"}
    known = request.headers.get("if-none-match", "")
    if known == "*" or tag in {part.strip().removeprefix("W/") for part in known.split(",")}:
        return Response(status_code=304, headers=headers)
    data = found.data
    if "gzip" in request.headers.get("accept-encoding", ""):
        data, headers["content-encoding"] = found.packed, "gzip"
    return Response(data, media_type="application/json", headers=headers)


def attachment(content: bytes, name: str, media_type: str = _BINARY) -> Response:
    """A download that is in memory."""
    headers = {"content-disposition": _disposition(name)}
    return Response(content, media_type=media_type, headers=headers)


def download(chunks: AsyncIterator[bytes], name: str, *, size: int) -> Response:
    """A download of any size."""
    headers = {"content-disposition": _disposition(name), "content-length": str(size)}
    return StreamingResponse(chunks, media_type=_BINARY, headers=headers)


def streamed(chunks: AsyncIterator[bytes], name: str) -> Response:
    """A download whose size is not known before."""
    headers = {"content-disposition": _disposition(name)}
    return StreamingResponse(chunks, media_type=_BINARY, headers=headers)


def _disposition(name: str) -> str:
    """The name is reduced to characters that are safe inside a header."""
    safe = "".join(c if (c.isascii() and c.isalnum()) or c in "._- " else "_" for c in name)
    return f'attachment; filename="{safe or "file"}"'
