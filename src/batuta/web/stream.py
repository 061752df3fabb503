"""Server-sent events (03 §5): an id, one line of data, an empty line; no event names."""

from collections.abc import AsyncIterator
from typing import Any

from starlette.responses import StreamingResponse

from batuta.model import codec

KEEP_ALIVE = b": ping\n\n"


def sse_event(identifier: str, data: Any) -> bytes:
    return sse_line(identifier, codec.encode(data))


def sse_line(identifier: str, data: bytes) -> bytes:
    """`data` is JSON, in one line."""
    return b"id: %s\ndata: %s\n\n" % (identifier.encode(), data)


def event_stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)
