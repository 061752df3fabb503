"""Answers as bytes."""

from typing import Any

from starlette.responses import Response

from batuta.model import codec


def json_response(
    body: Any, *, status: int = 200, media_type: str = "application/json"
) -> Response:
    return Response(codec.encode(body), status_code=status, media_type=media_type)


def encoded(body: bytes) -> Response:
    """JSON that is encoded already."""
    return Response(body, media_type="application/json")


def empty(status: int = 200) -> Response:
    return Response(status_code=status)


def page(results: list[Any], total: int) -> Response:
    return json_response({"results": results, "total": total})


def attachment(content: bytes, name: str, media_type: str = "application/octet-stream") -> Response:
    """A download. `name` is reduced to characters that are safe inside a header."""
    safe = (
        "".join(c if (c.isascii() and c.isalnum()) or c in "._- " else "_" for c in name) or "file"
    )
    headers = {"content-disposition": f'attachment; filename="{safe}"'}
    return Response(content, media_type=media_type, headers=headers)
