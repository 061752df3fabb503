"""`core.http.Request`."""

from typing import Any

import httpx2
from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.http.exchange import count_body, exchange, headers_of
from batuta.plugins.core.http.options import HttpProperties, LogPart
from batuta.plugins.core.level import Level
from batuta.sdk import Output, Property, RunContext, Task, TaskError

_WITHOUT_BODY = frozenset({204, 205, 304})


class RequestOutput(Output, frozen=True, kw_only=True):
    uri: str
    code: int
    headers: dict[str, list[str]]
    body: str | None = None
    encrypted_body: Any = None
    form_data: dict[str, Any] | None = None


class Request(
    HttpProperties,
    Task,
    type="io.kestra.plugin.core.http.Request",
    aliases=("io.kestra.plugin.fs.http.Request",),
):
    """Send an HTTP request and keep the answer.

    # What it does
    Sends one request and offers status, headers and body. Status codes from 400 on are failures unless
    `options.allowFailed` is set.

    # Example
    ```yaml
    - id: create_ticket
      type: io.kestra.plugin.core.http.Request
      uri: https://desk.example.com/api/tickets
      method: POST
      body: |
        {{ {"title": inputs.title} | toJson }}
      options:
        auth:
          type: BEARER
          token: "{{ secret('DESK_TOKEN') }}"
        timeout:
          readIdleTimeout: PT30S
    ```

    # Outputs
    `uri`: the final address; `code`: the status; `headers`: name → list of values; `body`: the text, null when there
    is none; `encryptedBody`: the encrypted text instead of `body`, with `encryptBody`.

    # Notes
    Requests that may change something (all but GET, HEAD, OPTIONS and TRACE) carry `Idempotency-Key`:
    `execution/task run/attempt`, unless `headers` has one of its own.

    The body is read as UTF-8: use Download for anything that is not text. Metrics: counters `request.count`,
    `request.bytes`, `response.count`, `response.bytes`, `response.length`. The server's setting
    `kestra.http.block-private-addresses` keeps requests out of the operator's network.
    """

    encrypt_body: Property[bool] = Field(
        default=False, description="Whether the body is kept encrypted."
    )

    @override
    async def run(self, ctx: RunContext) -> RequestOutput:
        async with exchange(self, ctx) as response:
            body = _text(await response.aread(), response)
            count_body(response, response.num_bytes_downloaded, ctx)
            if body and LogPart.RESPONSE_BODY in self.options.logged and not self.encrypt_body:
                ctx.log.write(Level.TRACE, body)
            encrypted = None
            if self.encrypt_body and body is not None:
                encrypted = await ctx.ask("encrypt", {"text": body})
                if isinstance(encrypted, str):
                    ctx.log.write(
                        Level.WARN,
                        "The body is kept in clear: `kestra.encryption.secret-key` is not set",
                    )
            return RequestOutput(
                uri=str(response.url),
                code=response.status_code,
                headers=headers_of(response),
                body=None if self.encrypt_body else body,
                encrypted_body=encrypted,
            )


def _text(content: bytes, response: httpx2.Response) -> str | None:
    if response.request.method == "HEAD" or response.status_code in _WITHOUT_BODY:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TaskError(
            "The body of the response is no UTF-8 text: use the Download task, which keeps any content"
        ) from error
