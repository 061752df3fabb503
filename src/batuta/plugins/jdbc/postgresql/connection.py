"""How PostgreSQL is reached: documented properties, TLS, and the opened connection."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from batuta.plugins.jdbc.properties import ConnectionProperties
from batuta.plugins.jdbc.run import hidden
from batuta.plugins.jdbc.url import Address, postgres_address
from batuta.sdk import Property, PropertyError, RunContext, TaskError

if TYPE_CHECKING:
    from asyncpg import Connection

APPLICATION = "Batuta"
CONNECT_SECONDS = 30
CANCEL_SECONDS = 5


class SslMode(StrEnum):
    DISABLE = "DISABLE"
    ALLOW = "ALLOW"
    PREFER = "PREFER"
    REQUIRE = "REQUIRE"
    VERIFY_CA = "VERIFY_CA"
    VERIFY_FULL = "VERIFY_FULL"


class PostgresProperties(ConnectionProperties):
    """What the tasks on PostgreSQL have in common."""

    url: Property[str] = Field(description="`jdbc:postgresql://host:5432/database`.")
    ssl: Property[bool] = Field(
        default=False, description="Whether TLS is demanded and the server verified."
    )
    ssl_mode: Property[SslMode] | None = Field(
        default=None,
        description="How much TLS is demanded; as `ssl` says when absent, else PREFER.",
    )
    ssl_root_cert: Property[str] | None = Field(
        default=None, description="Certificates that are trusted, as PEM text."
    )
    ssl_cert: Property[str] | None = Field(
        default=None, description="The client's certificate, as PEM text."
    )
    ssl_key: Property[str] | None = Field(
        default=None, description="The client's key, as PEM text."
    )
    ssl_key_password: Property[str] | None = Field(
        default=None, description="Password of the client's key."
    )


@asynccontextmanager
async def connection(
    task: PostgresProperties, ctx: RunContext, *, zone: str | None = None
) -> AsyncIterator["Connection[Any]"]:
    """An open connection. Raises `TaskError` when the server cannot be reached or refuses.

    A cancelled statement is cancelled on the server, too; the connection is then dropped.
    """
    try:
        import asyncpg
    except ImportError as error:
        raise TaskError(
            "PostgreSQL's driver is not installed: install `batuta[postgres]`"
        ) from error
    address = postgres_address(task.url)
    password = task.password if task.password is not None else address.options.get("password")
    if password:
        ctx.mask(password)
    arguments = _arguments(task, address, ctx, password=password, zone=zone)
    try:
        opened = await asyncpg.connect(**arguments)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        places = ", ".join(f"{host}:{port}" for host, port in address.hosts)
        reason = hidden(str(error) or type(error).__name__, password)
        raise TaskError(f"Cannot connect to PostgreSQL at {places}: {reason}") from error
    try:
        yield opened
        await opened.close()
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):  # the server is told before the connection is dropped
            await opened.close(timeout=CANCEL_SECONDS)
        raise
    finally:
        opened.terminate()


def _arguments(
    task: PostgresProperties,
    address: Address,
    ctx: RunContext,
    *,
    password: str | None,
    zone: str | None,
) -> dict[str, Any]:
    options = address.options
    settings = {"application_name": options.get("ApplicationName", APPLICATION)}
    if "currentSchema" in options:
        settings["search_path"] = options["currentSchema"]
    if zone is not None:
        settings["timezone"] = zone
    hosts = [host for host, _ in address.hosts]
    user = task.username if task.username is not None else options.get("user")
    return {
        "host": hosts[0] if len(hosts) == 1 else hosts,
        "port": address.hosts[0][1] if len(hosts) == 1 else [port for _, port in address.hosts],
        "user": user,
        "password": password,
        "database": address.database or user,
        "ssl": _tls(task, options, ctx),
        "server_settings": settings,
        "statement_cache_size": 0,  # works behind poolers, too
        "timeout": float(options.get("connectTimeout") or CONNECT_SECONDS),
        "passfile": "",
    }


def _tls(task: PostgresProperties, options: dict[str, str], ctx: RunContext) -> Any:
    """A mode that the driver knows, or a context made of the certificates of the task."""
    mode = _mode(task, options)
    has_certificates = task.ssl_root_cert or task.ssl_cert
    if mode in {SslMode.DISABLE, SslMode.ALLOW} or not has_certificates:
        return mode.value.lower().replace("_", "-")
    try:
        context = ssl.create_default_context(cadata=task.ssl_root_cert or None)
    except ssl.SSLError as error:
        raise PropertyError("sslRootCert", f"no certificate: {error}") from error
    context.check_hostname = mode is SslMode.VERIFY_FULL
    if mode in {SslMode.PREFER, SslMode.REQUIRE} and not task.ssl_root_cert:
        context.verify_mode = ssl.CERT_NONE
    if task.ssl_cert:
        _load_client_certificate(context, task, ctx.workdir)
    return context


def _mode(task: PostgresProperties, options: dict[str, str]) -> SslMode:
    if task.ssl_mode is not None:
        return task.ssl_mode
    written = options.get("sslmode")
    if written is not None:
        try:
            return SslMode(written.upper().replace("-", "_"))
        except ValueError as error:
            raise PropertyError("url", f"`{written}` is no sslmode") from error
    demanded = task.ssl or options.get("ssl", "").lower() == "true"
    return SslMode.VERIFY_FULL if demanded else SslMode.PREFER


def _load_client_certificate(
    context: ssl.SSLContext, task: PostgresProperties, folder: Path
) -> None:
    """The library reads certificate and key from files only; they exist for that moment."""
    certificate, key = folder / ".client.crt", folder / ".client.key"
    try:
        for path, text in ((certificate, task.ssl_cert), (key, task.ssl_key)):
            path.touch(mode=0o600)
            path.write_text(text or "")
        context.load_cert_chain(
            certificate, key if task.ssl_key else None, task.ssl_key_password or ""
        )
    except (ssl.SSLError, OSError) as error:
        raise PropertyError("sslCert", f"certificate or key cannot be used: {error}") from error
    finally:
        for path in (certificate, key):
            with contextlib.suppress(OSError):
                path.unlink()
