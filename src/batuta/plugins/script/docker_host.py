"""Where the Docker daemon is, and whether it answers."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from batuta.model.instant import SECOND, Instant

_SOCKETS = (Path("/var/run/docker.sock"), Path("/dind/docker.sock"))
_PROBE_SECONDS = 3.0
_REMEMBERED = 5 * SECOND
"""How long an answer counts: a daemon may come and go."""
_TLS_PORT, _PORT = 2376, 2375

_probes: dict[str, tuple[Instant, bool]] = {}


def find_host(host: str | None) -> str:
    """The address of the daemon: the given one, that of DOCKER_HOST, or a usual socket."""
    address = host or os.environ.get("DOCKER_HOST")
    if address:
        return address
    found = next((path for path in _SOCKETS if path.exists()), _SOCKETS[0])
    return f"unix://{found}"


async def is_reachable(host: str, now: Instant) -> bool:
    """Whether something answers there; asked again after some seconds."""
    known = _probes.get(host)
    if known is not None and 0 <= now - known[0] < _REMEMBERED:
        return known[1]
    answers = False
    with suppress(OSError, TimeoutError, ValueError):
        async with asyncio.timeout(_PROBE_SECONDS):
            answers = await _answers(host)
    _probes[host] = (now, answers)
    return answers


async def _answers(host: str) -> bool:
    """A connection is enough for TCP, which may want TLS; a socket file may outlive its daemon and must say OK."""
    url = urlsplit(host)
    if url.scheme != "unix":
        port = url.port or (_TLS_PORT if url.scheme == "https" else _PORT)
        _, writer = await asyncio.open_connection(url.hostname or "localhost", port)
        writer.close()
        return True
    reader, writer = await asyncio.open_unix_connection(url.path)
    try:
        writer.write(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        return b" 200 " in await reader.readline()
    finally:
        writer.close()
