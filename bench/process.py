"""Memory and requests of a running server, measured from outside."""

import asyncio
import base64
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.batuta_server import API, PASSWORD, USER, Server, descendants

MIB = 1024.0
KEY = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@contextmanager
def fresh_server(environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server on a folder of its own that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="batuta-bench-"))
    server = Server(folder, environment=environment)
    try:
        server.start()
        yield server
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def memory_mib(server: Server) -> float:
    """Proportional set size of the server and all processes below it."""
    return sum(_pss_kib(pid) for pid in [server.pid, *descendants(server.pid)]) / MIB


def _pss_kib(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    match = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(match[1]) if match else 0


def seconds_of(execution: dict[str, object]) -> float:
    """From CREATED to the end, as the server wrote it down."""
    state = execution["state"]
    assert isinstance(state, dict)
    dates = [_seconds(entry["date"]) for entry in state["histories"]]
    return dates[-1] - dates[0]


def _seconds(date: str) -> float:
    whole, _, fraction = date.removesuffix("Z").partition(".")
    return time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{fraction or 0}")


async def post_many(server: Server, path: str, *, count: int, connections: int) -> None:
    """Send the same request `count` times over kept-alive connections, at little cost to this machine."""
    request = (
        f"POST {API}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {KEY}\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()
    left = iter(range(count))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in left:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 200 " in head.partition(b"\r\n")[0], head
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            assert length is not None
            await reader.readexactly(int(length[1]))
        writer.close()
        await writer.wait_closed()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(client())
