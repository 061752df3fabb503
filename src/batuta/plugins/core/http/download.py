"""`core.http.Download`."""

from collections.abc import AsyncIterator
from email.message import Message
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

import httpx2
from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.http.exchange import count_body, exchange, headers_of
from batuta.plugins.core.http.options import HttpProperties
from batuta.plugins.core.level import Level
from batuta.sdk import Output, Property, RunContext, Task, TaskError


class DownloadOutput(Output, frozen=True, kw_only=True):
    uri: str
    code: int
    length: int
    headers: dict[str, list[str]]


class Download(
    HttpProperties,
    Task,
    type="io.kestra.plugin.core.http.Download",
    aliases=("io.kestra.plugin.fs.http.Download",),
):
    """Download a file.

    # What it does
    Sends a request and streams the body of the answer into internal storage.

    # Example
    ```yaml
    - id: extract
      type: io.kestra.plugin.core.http.Download
      uri: https://data.example.com/products.json
    ```

    # Outputs
    `uri`: where the file is; `code`: the status; `length`: bytes written; `headers`: name → list of values.

    # Notes
    The file is named after the header `Content-Disposition`; without one its name is random, with the extension of the
    address. Metrics as of Request.
    """

    fail_on_empty_response: Property[bool] = Field(
        default=True, description="Whether an empty body is a failure."
    )

    @override
    async def run(self, ctx: RunContext) -> DownloadOutput:
        async with exchange(self, ctx) as response:
            content = _Counted(response)
            name = file_name(response)
            suffix = PurePosixPath(response.url.path).suffix
            uri = await ctx.files.put(aiter(content), name=name, suffix=suffix)
            count_body(response, content.length, ctx)
            if content.length == 0:
                await self._empty(uri, ctx)
            return DownloadOutput(
                uri=uri,
                code=response.status_code,
                length=content.length,
                headers=headers_of(response),
            )

    async def _empty(self, uri: str, ctx: RunContext) -> None:
        if self.fail_on_empty_response and not self.accepts_failures:
            await ctx.files.delete(uri)
            raise TaskError("No response from server")
        ctx.log.write(Level.WARN, "The response is empty")


class _Counted:
    """The decoded body; tells how much it was, and fails when less came than was announced."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self.length = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        headers = self._response.headers
        expected = headers.get("content-length", "")
        plain = "content-encoding" not in headers and self._response.request.method != "HEAD"
        try:
            async for chunk in self._response.aiter_bytes():
                self.length += len(chunk)
                yield chunk
        except httpx2.RemoteProtocolError as error:
            if not expected:
                raise
            raise _wrong_size(self._response.num_bytes_downloaded, expected) from error
        if plain and expected.isdigit() and int(expected) != self.length:
            raise _wrong_size(self.length, expected)


def _wrong_size(length: int, expected: str) -> TaskError:
    return TaskError(f"Invalid size, got {length}, expected {expected}")


def file_name(response: httpx2.Response) -> str | None:
    """The name that the server gives the file: its last segment, URL-encoded."""
    disposition = response.headers.get("content-disposition")
    if disposition is None:
        return None
    header = Message()
    header["Content-Disposition"] = disposition
    given = header.get_filename()
    if given is None:
        return None
    name = unquote(given).replace("\\", "/").strip().strip("\"'").rpartition("/")[2]
    return quote(name, safe="") if name not in {"", ".", ".."} else None
