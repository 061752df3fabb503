"""Request and Download against a small local server."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from batuta.plugins.core.http import exchange
from batuta.plugins.core.http.download import file_name
from batuta.plugins.core.http.guard import is_public
from batuta.sdk import PropertyError, Registry, TaskError
from batuta.testing.context import FakeRunContext, fake_context, run_task

CORE = "io.kestra.plugin.core.http"
REGISTRY = Registry(["batuta.plugins.core"])


@pytest.fixture
def ctx(tmp_path: Path) -> FakeRunContext:
    return fake_context(
        tmp_path,
        variables={"inputs": {"name": "Ana"}},
        operations={
            "encrypt": lambda arguments: {"value": arguments["text"][::-1], "type": "cipher"}
        },
    )


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "RETRY_SECONDS", 0)


async def request(ctx: FakeRunContext, uri: str, **properties: Any) -> Any:
    return await run_task(
        {"type": f"{CORE}.Request", "uri": uri, **properties}, ctx, registry=REGISTRY
    )


async def download(ctx: FakeRunContext, uri: str, **properties: Any) -> Any:
    return await run_task(
        {"type": f"{CORE}.Download", "uri": uri, **properties}, ctx, registry=REGISTRY
    )


async def echo(
    ctx: FakeRunContext, server: Any, path: str = "/echo", **properties: Any
) -> dict[str, Any]:
    output = await request(ctx, server.url + path, **properties)
    told: dict[str, Any] = json.loads(output.body)
    return told


async def test_answer_headers_and_metrics(ctx: FakeRunContext, server: Any) -> None:
    output = await request(ctx, server.url + "/echo", method="POST", body="{{ inputs.name }}")
    assert (output.code, output.headers["X-Twice"], output.uri) == (
        200,
        ["a"],
        server.url + "/echo",
    )
    assert ctx.metrics.value("request.count") == ctx.metrics.value("response.count") == 1
    assert ctx.metrics.value("request.bytes") == 3
    assert ctx.metrics.value("response.length") == len(output.body)
    tags = ctx.metrics.entries[0].tags
    assert tags == {
        "request.method": "POST",
        "request.scheme": "http",
        "request.hostname": "127.0.0.1",
        "response.code": "200",
    }
    assert "with the response code '200'" in ctx.log.messages("DEBUG")[-1]


async def test_body_type_and_charset(ctx: FakeRunContext, server: Any) -> None:
    told = await echo(ctx, server, method="POST", body={"name": "{{ inputs.name }}"})
    assert (told["body"], told["headers"]["Content-Type"]) == (
        '{"name":"Ana"}',
        "application/json; charset=UTF-8",
    )
    told = await echo(
        ctx,
        server,
        method="PUT",
        body="é",
        contentType="text/plain",
        options={"defaultCharset": "ISO-8859-1"},
    )
    assert (told["body"], told["headers"]["Content-Type"]) == (
        "é",
        "text/plain; charset=ISO-8859-1",
    )
    assert (await echo(ctx, server, method="PURGE"))["method"] == "PURGE"


async def test_headers_replace_the_type_of_a_request_without_body(
    ctx: FakeRunContext, server: Any
) -> None:
    assert (await echo(ctx, server))["headers"]["Content-Type"] == "application/json"
    headers = (await echo(ctx, server, headers={"X-Name": "{{ inputs.name }}"}))["headers"]
    assert "Content-Type" not in headers
    assert (headers["X-Name"], headers["User-Agent"]) == ("Ana", "Kestra")
    headers = (
        await echo(
            ctx,
            server,
            headers={"user-agent": "me", "content-type": "x/y"},
            body="b",
            method="POST",
        )
    )["headers"]
    assert (headers["user-agent"], headers["content-type"]) == ("me", "x/y")


@pytest.mark.parametrize(
    ("method", "headers", "key"),
    [
        ("POST", {}, True),
        ("post", {}, True),
        ("GET", {}, None),
        ("POST", {"idempotency-key": "mine"}, "mine"),
    ],
)
async def test_what_changes_something_carries_the_key_of_the_attempt(
    ctx: FakeRunContext, server: Any, method: str, headers: Any, key: Any
) -> None:
    told = (await echo(ctx, server, method=method, headers=headers))["headers"]
    sent = {name.lower(): value for name, value in told.items()}.get("idempotency-key")
    assert sent == (ctx.info.key if key is True else key)


async def test_params_are_added_and_encoded(ctx: FakeRunContext, server: Any) -> None:
    told = await echo(ctx, server, "/echo?a=1 2", params={"b": "x&y", "l": ["1", "2"], "a": "z"})
    assert told["query"] == [["a", "1 2"], ["b", "x&y"], ["l", "1"], ["l", "2"], ["a", "z"]]
    with pytest.raises(PropertyError, match=r"params\.n: Unsupported param type"):
        await echo(ctx, server, params={"n": 1})


async def test_form_is_urlencoded_unless_multipart(ctx: FakeRunContext, server: Any) -> None:
    told = await echo(
        ctx, server, method="POST", formData={"a": "x y", "n": 1, "m": {"k": 1}}, body="ignored"
    )
    assert told["headers"]["Content-Type"] == "application/x-www-form-urlencoded"
    assert told["body"] == "a=x+y&n=1&m=%7B%22k%22%3A1%7D"


async def test_multipart_sends_texts_files_and_json(ctx: FakeRunContext, server: Any) -> None:
    uri = await ctx.files.put(b"1,2")
    form = {"t": "text", "plain": uri, "f": {"name": "report.csv", "content": uri}, "j": {"k": [1]}}
    told = await echo(ctx, server, method="POST", contentType="multipart/form-data", formData=form)
    body = told["body"]
    assert told["headers"]["Content-Type"].startswith("multipart/form-data; boundary=")
    assert 'name="f"; filename="report.csv"' in body
    assert body.count("1,2") == 2
    assert 'name="j"\r\nContent-Type: application/json\r\n\r\n{"k":[1]}' in body
    assert 'name="t"\r\nContent-Type: text/plain; charset=UTF-8\r\n\r\ntext' in body


async def test_failures_tell_code_and_body(ctx: FakeRunContext, server: Any) -> None:
    with pytest.raises(
        TaskError, match="Failed http request with response code '500' and body:\nthe reason"
    ):
        await request(ctx, server.url + "/status/500")
    with pytest.raises(TaskError, match=r"code '404'$"):
        await request(ctx, server.url + "/nowhere")


@pytest.mark.parametrize(
    ("status", "options", "passes"),
    [
        (404, {"allowFailed": True}, True),
        (404, {"allowFailed": "{{ true }}"}, True),
        (404, {"allowedResponseCodes": [404]}, False),
        (404, {"allowedResponseCodes": [404], "allowFailed": True}, True),
        (404, {"allowedResponseCodes": [200], "allowFailed": True}, False),
        (201, {"allowedResponseCodes": "{{ [200] }}"}, False),
        (201, {"allowedResponseCodes": [200, 201]}, True),
        (503, {"allowFailed": True}, True),
    ],
)
async def test_which_codes_pass(
    ctx: FakeRunContext, server: Any, status: int, options: dict[str, Any], passes: bool
) -> None:
    if passes:
        assert (await request(ctx, f"{server.url}/status/{status}", options=options)).code == status
    else:
        with pytest.raises(TaskError, match=str(status)):
            await request(ctx, f"{server.url}/status/{status}", options=options)


async def test_deprecated_allow_failed(ctx: FakeRunContext, server: Any) -> None:
    assert (await request(ctx, server.url + "/status/400", allowFailed=True)).body == "the reason"


async def test_redirects(ctx: FakeRunContext, server: Any) -> None:
    told = await echo(ctx, server, "/redirect")
    assert told["query"] == [["from", "redirect"]]
    assert (
        await request(ctx, server.url + "/redirect", options={"followRedirects": False})
    ).code == 302
    with pytest.raises(TaskError, match="302"):
        await request(ctx, server.url + "/redirect", options={"allowedResponseCodes": [200]})


@pytest.mark.parametrize(
    "options",
    [
        {"auth": {"type": "BASIC", "username": "{{ 'ana' }}", "password": "pw"}},
        {"basicAuthUser": "ana", "basicAuthPassword": "pw"},
    ],
)
async def test_basic_authentication_is_sent_at_once(
    ctx: FakeRunContext, server: Any, options: dict[str, Any]
) -> None:
    assert (await request(ctx, server.url + "/secret", options=options)).body == "in"
    assert server.seen == ["GET /secret"]


async def test_other_kinds_of_authentication_are_refused(ctx: FakeRunContext, server: Any) -> None:
    with pytest.raises(PropertyError, match=r"options\.auth\.type"):
        await request(ctx, server.url + "/echo", options={"auth": {"type": "DIGEST"}})
    assert server.seen == []


async def test_bearer_token_is_sent_and_masked(ctx: FakeRunContext, server: Any) -> None:
    options = {
        "auth": {"type": "BEARER", "token": "t0ken"},
        "logs": ["REQUEST_HEADERS", "RESPONSE_HEADERS", "RESPONSE_BODY"],
    }
    assert (await echo(ctx, server, options=options))["headers"]["Authorization"] == "Bearer t0ken"
    assert not any("t0ken" in message for _, message in ctx.log.entries)
    assert ctx.log.messages("TRACE")


async def test_body_that_is_no_text_is_refused_by_request(ctx: FakeRunContext, server: Any) -> None:
    with pytest.raises(TaskError, match="Download"):
        await request(ctx, server.url + "/binary")
    assert (await request(ctx, server.url + "/file", method="HEAD")).body is None


async def test_encrypted_body(ctx: FakeRunContext, server: Any) -> None:
    output = await request(ctx, server.url + "/named", encryptBody=True)
    assert (output.body, output.encrypted_body) == (None, {"value": "x", "type": "cipher"})


async def test_a_broken_connection_is_tried_once_more(ctx: FakeRunContext, server: Any) -> None:
    assert (await request(ctx, server.url + "/flaky")).body == "second try"
    with pytest.raises(TaskError, match="POST"):
        await request(ctx, server.url + "/flaky", method="POST")
    assert server.seen == ["GET /flaky", "GET /flaky", "POST /flaky"]


async def test_nobody_listens(ctx: FakeRunContext, deaf_port: int) -> None:
    with pytest.raises(TaskError, match=rf"GET http://127\.0\.0\.1:{deaf_port}/x: "):
        await request(ctx, f"http://user:pw@127.0.0.1:{deaf_port}/x")


@pytest.mark.parametrize("uri", ["", "no uri", "ftp://x/y", "http://"])
async def test_addresses_are_checked(ctx: FakeRunContext, uri: str) -> None:
    with pytest.raises(PropertyError, match="uri"):
        await request(ctx, uri or "{{ '' }}")


async def test_proxies_must_be_complete(ctx: FakeRunContext, server: Any, deaf_port: int) -> None:
    for proxy, path in (({"address": "p"}, "type"), ({"address": "p", "type": "HTTP"}, "port")):
        with pytest.raises(PropertyError, match=path):
            await request(ctx, server.url + "/echo", options={"proxy": proxy})
    proxy = {"address": "127.0.0.1", "port": server.server_port, "type": "HTTP"}
    output = await request(ctx, "http://far.example/echo", options={"proxy": proxy})
    assert json.loads(output.body)["raw"] == "http://far.example/echo"
    with pytest.raises(TaskError):
        await request(
            ctx,
            "http://far.example/echo",
            options={"proxyType": "SOCKS", "proxyAddress": "127.0.0.1", "proxyPort": deaf_port},
        )


class TestDownload:
    async def test_streams_to_storage(self, ctx: FakeRunContext, server: Any) -> None:
        output = await download(ctx, server.url + "/file/data.csv")
        assert (output.code, output.length, output.uri[-4:]) == (200, 200_000, ".csv")
        assert await ctx.files.size(output.uri) == 200_000
        assert ctx.metrics.value("response.length") == 200_000

    async def test_name_is_that_of_the_header_and_stays_inside(
        self, ctx: FakeRunContext, server: Any
    ) -> None:
        assert (await download(ctx, server.url + "/named")).uri.endswith("/my%20report.csv")

    async def test_compressed_content_is_unpacked(self, ctx: FakeRunContext, server: Any) -> None:
        assert (
            await ctx.files.read((await download(ctx, server.url + "/gzip")).uri) == b"plain text"
        )

    async def test_empty_answers(self, ctx: FakeRunContext, server: Any) -> None:
        with pytest.raises(TaskError, match="No response from server"):
            await download(ctx, server.url + "/empty")
        assert (await download(ctx, server.url + "/empty", failOnEmptyResponse=False)).length == 0
        assert (
            await download(ctx, server.url + "/empty", options={"allowFailed": True})
        ).length == 0
        assert ctx.log.messages("WARN") == ["The response is empty"] * 2

    async def test_cut_off_content_is_refused(self, ctx: FakeRunContext, server: Any) -> None:
        with pytest.raises(TaskError, match="Invalid size, got 5, expected 10"):
            await download(ctx, server.url + "/short")

    async def test_failures_are_told(self, ctx: FakeRunContext, server: Any) -> None:
        with pytest.raises(TaskError, match="503"):
            await download(ctx, server.url + "/status/503")


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("attachment; filename=a.csv", "a.csv"),
        ("attachment; filename*=UTF-8''%e2%82%ac.csv", "%E2%82%AC.csv"),
        ('attachment; filename="dir\\\\x.csv"', "x.csv"),
        ('attachment; filename=".."', None),
        ("inline", None),
    ],
)
def test_names_of_downloads(header: str, name: str | None) -> None:
    response = httpx2.Response(200, headers={"Content-Disposition": header})
    assert file_name(response) == name


async def test_private_addresses_can_be_blocked(tmp_path: Path, server: Any) -> None:
    ctx = fake_context(tmp_path, settings={"kestra.http.block-private-addresses": True})
    for uri in (f"{server.url}/echo", f"http://localhost:{server.server_port}/echo"):
        with pytest.raises(TaskError, match="not public"):
            await request(ctx, uri)
    assert server.seen == []


def test_which_addresses_are_public() -> None:
    private = [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "100.64.0.1",
    ]
    assert not any(map(is_public, private))
    assert all(map(is_public, ["8.8.8.8", "2606:4700::1111"]))
