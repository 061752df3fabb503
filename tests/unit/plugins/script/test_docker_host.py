"""Finding the daemon."""

import asyncio
from pathlib import Path

import pytest

from batuta.model.instant import SECOND, Instant
from batuta.plugins.script import docker_host
from batuta.plugins.script.docker_host import find_host, is_reachable


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_host, "_probes", {})


async def daemon(socket: Path, answer: bytes) -> asyncio.Server:
    """Answers every request the same way."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(serve, socket)


def test_the_property_wins_over_the_environment_and_that_over_the_sockets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker:2375")
    assert find_host("unix:///own.sock") == "unix:///own.sock"
    assert find_host(None) == "tcp://docker:2375"
    monkeypatch.delenv("DOCKER_HOST")
    second = tmp_path / "second.sock"
    monkeypatch.setattr(docker_host, "_SOCKETS", (tmp_path / "first.sock", second))
    assert find_host(None) == f"unix://{tmp_path}/first.sock"
    second.touch()
    assert find_host(None) == f"unix://{second}"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(b"HTTP/1.0 200 OK\r\n\r\nOK", True), (b"HTTP/1.0 500 No\r\n\r\n", False), (b"", False)],
)
async def test_a_daemon_must_say_that_it_is_well(
    tmp_path: Path, answer: bytes, expected: bool
) -> None:
    server = await daemon(tmp_path / "d.sock", answer)
    async with server:
        assert await is_reachable(f"unix://{tmp_path}/d.sock", Instant(0)) is expected


@pytest.mark.parametrize(
    "host", ["unix:///no/such.sock", "tcp://127.0.0.1:1", "tcp://127.0.0.1:99999", "nonsense"]
)
async def test_where_nothing_listens_nothing_is_reached(host: str) -> None:
    assert await is_reachable(host, Instant(0)) is False


async def test_an_answer_is_remembered_for_some_seconds(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/d.sock"
    assert await is_reachable(host, Instant(0)) is False
    server = await daemon(tmp_path / "d.sock", b"HTTP/1.0 200 OK\r\n\r\n")
    async with server:
        assert await is_reachable(host, Instant(SECOND)) is False
        assert await is_reachable(host, Instant(10 * SECOND)) is True
