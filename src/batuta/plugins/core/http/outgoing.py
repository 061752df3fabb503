"""The request that a task describes (05 §10.1)."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
from httpx2 import URL, InvalidURL

from batuta.model import codec
from batuta.plugins.core.http.options import HttpProperties
from batuta.plugins.core.storage.source import local_copy
from batuta.sdk import PropertyError, RunContext

MULTIPART = "multipart/form-data"
USER_AGENT = "Kestra"
IDEMPOTENCY_KEY = "Idempotency-Key"
"""Header with the key of the attempt (09 §7), unless the author sets it; a server that knows it does nothing twice."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods that change nothing, and may be repeated without a key."""
_INTERNAL = "kestra://"
_OCTETS = "application/octet-stream"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a multipart form: a text, or a local file with a name."""

    name: str
    media_type: str
    text: str = ""
    file: Path | None = None
    file_name: str | None = None


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is sent. `length` is the size of the body in bytes, 0 for multipart."""

    method: str
    url: URL
    headers: dict[str, str]
    content: bytes | None = None
    form: dict[str, Any] | None = None
    parts: tuple[Part, ...] = ()

    @property
    def length(self) -> int:
        return len(self.content or b"")

    def body(self, stack: ExitStack) -> dict[str, Any]:
        """Arguments for the client; files are opened and closed with the stack."""
        if self.parts:
            return {"files": [_multipart(part, stack) for part in self.parts]}
        if self.form is not None:
            return {"data": self.form}
        return {} if self.content is None else {"content": self.content}


async def outgoing(task: HttpProperties, ctx: RunContext) -> Outgoing:
    """Reads files of internal storage that the form names. Raises `PropertyError`."""
    url = address(task.uri, task.params or {})
    charset = task.options.default_charset
    parts: tuple[Part, ...] = ()
    form: dict[str, Any] | None = None
    content: bytes | None = None
    media_type: str | None = None
    if task.form_data and task.content_type == MULTIPART:
        parts = tuple([await _part(name, value, ctx) for name, value in task.form_data.items()])
    elif task.form_data:
        form = {name: _form_value(value) for name, value in task.form_data.items()}
    elif task.body is not None:
        content = _encoded(task.body, charset)
        media_type = f"{task.content_type}; charset={charset}"
    elif not task.headers:
        media_type = task.content_type
    method = task.method.upper()
    headers = {"User-Agent": USER_AGENT}
    if method not in _SAFE:
        headers[IDEMPOTENCY_KEY] = ctx.info.key
    if media_type is not None:
        headers["Content-Type"] = media_type
    return Outgoing(
        method=method,
        url=url,
        headers=_over(headers, task.headers or {}),
        content=content,
        form=form,
        parts=parts,
    )


def address(uri: str, params: Mapping[str, Any]) -> URL:
    """The URI with parameters added to those it has. Raises `PropertyError`."""
    pairs = []
    for name, value in params.items():
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, str):
                raise PropertyError(
                    f"params.{name}",
                    f"Unsupported param type: {type(each).__name__}; quote the value",
                )
            pairs.append((name, each))
    text = uri.strip().partition("#")[0].replace(" ", "%20")
    if pairs:
        text += ("&" if "?" in text else "?") + urlencode(pairs)
    try:
        url = URL(text)
    except InvalidURL as error:
        raise PropertyError("uri", f"`{uri}` is no URI: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise PropertyError("uri", f"`{uri}` is no absolute http or https URI")
    return url


def _over(lower: Mapping[str, str], upper: Mapping[str, str]) -> dict[str, str]:
    """Headers with those of the author over ours, whatever their case."""
    written = {name.lower() for name in upper}
    kept = {name: value for name, value in lower.items() if name.lower() not in written}
    return {**kept, **upper}


def _encoded(body: str, charset: str) -> bytes:
    try:
        return body.encode(charset)
    except (LookupError, UnicodeEncodeError) as error:
        raise PropertyError("options.defaultCharset", str(error)) from error


def _form_value(value: Any) -> str | list[str]:
    if isinstance(value, list):
        return [_text(each) for each in value]
    return _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else codec.encode_text(value)


async def _part(name: str, value: Any, ctx: RunContext) -> Part:
    if isinstance(value, str) and value.startswith(_INTERNAL):
        path = await local_copy(value, ctx)
        return Part(name=name, media_type=_OCTETS, file=path, file_name=path.name)
    if isinstance(value, str):
        return Part(name=name, media_type="text/plain; charset=UTF-8", text=value)
    if isinstance(value, Mapping) and {"name", "content"} <= value.keys():
        path = await local_copy(str(value["content"]), ctx)
        return Part(name=name, media_type=_OCTETS, file=path, file_name=str(value["name"]))
    return Part(name=name, media_type="application/json", text=codec.encode_text(value))


def _multipart(part: Part, stack: ExitStack) -> tuple[str, tuple[Any, ...]]:
    if part.file is None:
        return part.name, (None, part.text.encode(), part.media_type)
    return part.name, (part.file_name, stack.enter_context(part.file.open("rb")), part.media_type)
