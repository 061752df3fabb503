"""Sends a request and judges the answer (05 §10.2 to §10.4)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx2
from typing_extensions import override

from batuta.plugins.core.http.guard import SETTING, GuardedTransport
from batuta.plugins.core.http.options import HttpProperties, LogPart, ProxyType
from batuta.plugins.core.http.outgoing import Outgoing, outgoing
from batuta.plugins.core.level import Level
from batuta.sdk import RunContext, TaskError

FIRST_FAILURE = 400
RETRY_SECONDS = 1.0
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_BUSY = frozenset({429, 503})
_BROKEN = (httpx2.ReadError, httpx2.WriteError, httpx2.RemoteProtocolError)
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})


@asynccontextmanager
async def exchange(task: HttpProperties, ctx: RunContext) -> AsyncIterator[httpx2.Response]:
    """The answer, its body still to be read, once its status is acceptable. Raises `TaskError`."""
    request = await outgoing(task, ctx)
    try:
        async with _client(task, ctx) as client:
            response = await _sent_twice(client, request, task=task, ctx=ctx)
            try:
                _report(request, response, ctx)
                await _judge(response, task, ctx)
                yield response
            finally:
                await response.aclose()
    except httpx2.HTTPError as error:
        raise TaskError(f"{request.method} {_shown(request.url)}: {_reason(error)}") from error


def _client(task: HttpProperties, ctx: RunContext) -> httpx2.AsyncClient:
    options = task.options
    verify = not task.trusts_all
    proxy = _proxy(task, ctx)
    transport: httpx2.AsyncBaseTransport = httpx2.AsyncHTTPTransport(
        verify=verify, proxy=proxy, trust_env=False
    )
    if ctx.setting(SETTING, False) in {True, "true"}:
        transport = GuardedTransport(transport)
    return httpx2.AsyncClient(
        transport=transport,
        auth=_auth(task, ctx),
        timeout=httpx2.Timeout(options.read_seconds, connect=options.connect_seconds),
        follow_redirects=options.follow_redirects,
        trust_env=False,
        event_hooks={"request": [_request_log(task, ctx)], "response": [_response_log(task, ctx)]},
    )


def _auth(task: HttpProperties, ctx: RunContext) -> httpx2.Auth | None:
    basic, bearer = task.options.basic, task.options.bearer
    if basic is not None:
        if basic[1]:
            ctx.mask(basic[1])
        return httpx2.BasicAuth(*basic)
    if bearer is None:
        return None
    ctx.mask(bearer)
    return _Bearer(bearer)


class _Bearer(httpx2.Auth):
    def __init__(self, token: str) -> None:
        self._value = f"Bearer {token}"

    @override
    def auth_flow(self, request: httpx2.Request) -> Any:
        request.headers["Authorization"] = self._value
        yield request


def _proxy(task: HttpProperties, ctx: RunContext) -> httpx2.Proxy | None:
    proxy = task.options.any_proxy
    if proxy is None:
        return None
    scheme = "http" if proxy.type is ProxyType.HTTP else "socks5"
    auth = (proxy.username, proxy.password) if proxy.username and proxy.password else None
    if auth is not None:
        ctx.mask(auth[1])
    return httpx2.Proxy(f"{scheme}://{proxy.address}:{proxy.port}", auth=auth)


async def _sent_twice(
    client: httpx2.AsyncClient, request: Outgoing, *, task: HttpProperties, ctx: RunContext
) -> httpx2.Response:
    """05 §10.3: one more try, a second later, for methods that may be repeated."""
    if request.method not in _REPEATABLE:
        return await _send(client, request)
    try:
        response = await _send(client, request)
    except _BROKEN as error:
        ctx.log.write(Level.DEBUG, f"The connection broke ({_reason(error)}), one more try")
    else:
        if response.status_code not in _BUSY or not task.accepts_failures:
            return response
        await response.aclose()
    await asyncio.sleep(RETRY_SECONDS)
    return await _send(client, request)


async def _send(client: httpx2.AsyncClient, request: Outgoing) -> httpx2.Response:
    with ExitStack() as files:
        made = client.build_request(
            request.method, request.url, headers=request.headers, **request.body(files)
        )
        return await client.send(made, stream=True)


async def _judge(response: httpx2.Response, task: HttpProperties, ctx: RunContext) -> None:
    options = task.options
    allowed = options.allowed_response_codes
    answers = [*response.history, response]
    refused = allowed is not None and any(each.status_code not in allowed for each in answers)
    failed = response.status_code >= FIRST_FAILURE and not task.accepts_failures
    if not refused and not failed:
        return
    code = next(
        (
            each.status_code
            for each in answers
            if allowed is not None and each.status_code not in allowed
        ),
        response.status_code,
    )
    body = (await response.aread()).decode("utf-8", "replace")
    if LogPart.RESPONSE_BODY in options.logged:
        ctx.log.write(Level.TRACE, body)
    more = f" and body:\n{body}" if body else ""
    raise TaskError(f"Failed http request with response code '{code}'{more}")


def headers_of(response: httpx2.Response) -> dict[str, list[str]]:
    """Names as they were received; each with all its values."""
    found: dict[str, list[str]] = {}
    for name, value in response.headers.raw:
        found.setdefault(name.decode("latin-1"), []).append(value.decode("utf-8", "replace"))
    return found


def tags_of(response: httpx2.Response) -> Mapping[str, str]:
    """05 §10.4."""
    return {
        "request.method": response.request.method,
        "request.scheme": response.request.url.scheme,
        "request.hostname": response.request.url.host,
        "response.code": str(response.status_code),
    }


def count_body(response: httpx2.Response, received: int, ctx: RunContext) -> None:
    """Metrics that are known once the body was read."""
    length = response.headers.get("content-length", "")
    ctx.metrics.counter("response.bytes", received, tags_of(response))
    ctx.metrics.counter(
        "response.length", int(length) if length.isdigit() else -1, tags_of(response)
    )


def _report(request: Outgoing, response: httpx2.Response, ctx: RunContext) -> None:
    tags = tags_of(response)
    ctx.metrics.counter("request.count", 1, tags)
    ctx.metrics.counter("request.bytes", request.length, tags)
    ctx.metrics.counter("response.count", 1, tags)
    stream = response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream is not None else None
    place = f" from '{peer[0]}:{peer[1]}'" if isinstance(peer, tuple) else ""
    ctx.log.write(
        Level.DEBUG,
        f"Request '{_shown(response.url)}'{place} with the response code '{response.status_code}'",
    )


def _request_log(task: HttpProperties, ctx: RunContext) -> Any:
    logged = task.options.logged

    async def log(request: httpx2.Request) -> None:
        if LogPart.REQUEST_HEADERS in logged:
            ctx.log.write(
                Level.DEBUG, f"{request.method} {_shown(request.url)}\n{_headers(request.headers)}"
            )
        if LogPart.REQUEST_BODY in logged and task.body is not None and not task.form_data:
            ctx.log.write(Level.TRACE, task.body)

    return log


def _response_log(task: HttpProperties, ctx: RunContext) -> Any:
    async def log(response: httpx2.Response) -> None:
        if LogPart.RESPONSE_HEADERS in task.options.logged:
            ctx.log.write(Level.DEBUG, f"{response.status_code}\n{_headers(response.headers)}")

    return log


def _headers(headers: httpx2.Headers) -> str:
    return "\n".join(
        f"{name}: {'******' if name.lower() in _SECRET_HEADERS else value}"
        for name, value in headers.items()
    )


def _shown(url: httpx2.URL) -> str:
    """Without user and password."""
    return str(url.copy_with(userinfo=b"")) if url.userinfo else str(url)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
