"""Keeps requests away from addresses inside the operator's network, where the server is set up so."""

import asyncio
import ipaddress
import socket

import httpx2
from typing_extensions import override

SETTING = "kestra.http.block-private-addresses"


class BlockedAddressError(httpx2.RequestError):
    """The host has an address that requests may not reach."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Resolves the host of every request, redirects included, and connects to the checked address only.

    The name is resolved once, so an answer that changes between check and connection is of no use to an attacker.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        address = await _checked_address(host, request)
        if address != host:
            request.extensions = {**request.extensions, "sni_hostname": host}
            request.url = request.url.copy_with(host=address)
        return await self._inner.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()


async def _checked_address(host: str, request: httpx2.Request) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx2.ConnectError(f"{host}: {error}", request=request) from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not is_public(address):
            raise BlockedAddressError(
                f"{host} has the address {address}, which is not public; the server is set up to refuse it ({SETTING})",
                request=request,
            )
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the Internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    checked = mapped or parsed
    return checked.is_global and not checked.is_multicast
