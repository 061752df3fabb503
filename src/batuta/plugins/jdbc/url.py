"""JDBC addresses. Pure (06 §7.1)."""

from urllib.parse import parse_qsl, unquote

import msgspec

from batuta.sdk import PropertyError

DEFAULT_PORT = 5432


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a PostgreSQL server is; `options` are the parameters of the URL."""

    hosts: tuple[tuple[str, int], ...]
    database: str | None = None
    options: dict[str, str] = {}


def body_of(url: str, scheme: str) -> str:
    """What follows the scheme, such as `jdbc:sqlite:`. Raises `PropertyError` for another scheme."""
    if not url.startswith(scheme):
        raise PropertyError(
            "url", f"URL scheme is invalid. URL should start with `{scheme.removesuffix(':')}`"
        )
    return url.removeprefix(scheme)


def postgres_address(url: str) -> Address:
    """`jdbc:postgresql://host:port,host2/database?key=value`, `jdbc:postgresql:database`. Raises `PropertyError`."""
    body, _, query = body_of(url, "jdbc:postgresql:").partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if not body.startswith("//"):
        return Address(
            hosts=(("localhost", DEFAULT_PORT),), database=unquote(body) or None, options=options
        )
    places, _, database = body[2:].partition("/")
    hosts = tuple(_host(place, url) for place in places.split(","))
    return Address(hosts=hosts, database=unquote(database) or None, options=options)


def _host(place: str, url: str) -> tuple[str, int]:
    name, port = place, ""
    if place.startswith("["):
        name, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    elif ":" in place:
        name, _, port = place.rpartition(":")
    if port and not port.isdigit():
        raise PropertyError("url", f"`{port}` is no port, in `{url.partition('?')[0]}`")
    return name or "localhost", int(port or DEFAULT_PORT)
