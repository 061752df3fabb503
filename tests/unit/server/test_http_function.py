"""The function `http()` of templates, answered by the server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from batuta.model.state import State
from tests.unit.server.installation import Installation


@pytest.fixture
async def address() -> AsyncIterator[str]:
    """A server that tells the Authorization header it got, and refuses `/no`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        sent = [line for line in head.splitlines() if line.lower().startswith("authorization")]
        status = "404 Not Found" if " /no " in head else "200 OK"
        body = (sent[0].partition(": ")[2] if sent else "nobody").encode()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


async def said(folder: Path, call: str, **settings: object) -> tuple[State, str]:
    """The state of an execution that logs the call, and what the log has last."""
    one = Installation(folder, **settings)
    one.run()
    key = await one.save(f"""
        id: f
        namespace: acme
        tasks: [{{id: say, type: io.kestra.plugin.core.log.Log, message: "{{{{ {call} }}}}"}}]
        """)
    execution_id = await one.start(key)
    state = (await one.ended(execution_id)).row.execution.state
    messages = [row.message for row in await one.logs(execution_id) if row.task_id]
    await one.crash()
    return state, messages[-1]


async def test_options_are_honoured(tmp_path: Path, address: str) -> None:
    options = "{'auth': {'type': 'BEARER', 'token': 'abc'}}"
    assert await said(tmp_path, f"http('{address}/', options={options})") == (
        State.SUCCESS,
        "Bearer abc",
    )
    allowed = "{'allowFailed': true}"
    assert (await said(tmp_path, f"http('{address}/no', options={allowed})"))[1] == "nobody"


@pytest.mark.parametrize(
    ("path", "options", "complaint"),
    [
        ("/no", "{}", "status 404"),
        ("/", "{'proxy': {}}", "The option `proxy` of http"),
        ("/", "{'followRedirects': 'perhaps'}", "The options of http"),
    ],
)
async def test_a_refusal_names_its_reason(
    tmp_path: Path, address: str, path: str, options: str, complaint: str
) -> None:
    state, message = await said(tmp_path, f"http('{address}{path}', options={options})")
    assert state is State.FAILED
    assert complaint in message


async def test_private_addresses_are_refused_where_the_setting_says_so(
    tmp_path: Path, address: str
) -> None:
    setting = {"kestra.http.block-private-addresses": True}
    state, message = await said(tmp_path, f"http('{address}/')", plugin_settings=setting)
    assert state is State.FAILED
    assert "Failed to execute HTTP Request" in message
