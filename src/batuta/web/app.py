"""The ASGI application: prefixes, sign-in, routes, errors.

/health, /ping, /     open
/api/v1/main/…        the API of the one tenant (03 §1.2)
/api/v1/…             the same without the tenant (03 §1.3), and what has no tenant
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from batuta.operations.errors import IllegalArgumentError, OperationError, UnavailableError
from batuta.store.errors import QueryError, StoreUnavailableError
from batuta.web.auth import Authenticator
from batuta.web.cors import Cors
from batuta.web.error import error_response, not_found, unexpected, wrong_method
from batuta.web.front import Front
from batuta.web.request import Ask, BodyTooLargeError

if TYPE_CHECKING:
    from batuta.web.api import Api

_API = "/api/v1"
_READING = frozenset({"GET"})


class Application:
    """One per process; holds no state of requests. Requests of the API wait until `open` was called."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._api: asyncio.Future[Api] = asyncio.get_running_loop().create_future()
        self._does_work = False
        self._cors = Cors(front.settings.cors_origins)
        self._authenticator = Authenticator(
            front.keeper, open_urls=front.settings.open_urls, clock=front.clock
        )

    def open(self, api: "Api") -> None:
        """From now on the API answers."""
        self._api.set_result(api)

    def take_up_work(self) -> None:
        """The roles run: from now on the server is ready."""
        self._does_work = True

    def close(self) -> None:
        """The server stops: it is ready no more, live views end."""
        self._does_work = False
        if self._api.done():
            self._api.result().services.feed.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _no_such_protocol(scope, receive, send)
            return
        request = Request(scope, _bounded(receive, self._front.settings.max_request_bytes))
        response = await self._respond(request)
        self._cors.decorate(request, response)
        with suppress(ClientDisconnect):
            await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except OperationError as error:
            return error_response(request, error)
        except QueryError as error:
            return error_response(request, IllegalArgumentError(str(error)))
        except StoreUnavailableError:
            return error_response(request, UnavailableError("The store cannot be reached"))
        except Exception:
            # Imported when there is something to log: it is no part of the way to the first answer.
            import structlog

            structlog.get_logger("web").exception(
                "request.failed", method=request.method, path=request.url.path
            )
            return unexpected(request)

    async def _answer(self, request: Request) -> Response:
        path = self._local_path(request.scope["path"])
        if path is None:
            return not_found(request)
        preflight = self._cors.preflight(request)
        if preflight is not None:
            return preflight
        identity = await self._authenticator.identify(request, path)
        if isinstance(identity, Response):
            return identity
        if path != _API and not path.startswith(f"{_API}/"):
            return await self._outside(request, path)
        self._check_length(request)
        api = await asyncio.shield(self._api)
        match = api.find(_method(request), path[len(_API) :])
        if isinstance(match, frozenset):
            return wrong_method(request, match) if match else not_found(request)
        ask = Ask(
            request,
            caller=identity,
            services=api.services,
            keeper=self._front.keeper,
            parameters=match.parameters,
        )
        return await match.handler(ask)

    async def _outside(self, request: Request, path: str) -> Response:
        running = {"api": self._api.done(), "roles": self._does_work}
        response = await self._front.answer(path, running=running)
        if response is None:
            return not_found(request)
        return response if _method(request) == "GET" else wrong_method(request, _READING)

    def _local_path(self, path: str) -> str | None:
        """The path without the server's context path, or None when it is not below that."""
        prefix = self._front.settings.context_path
        if not path.startswith(prefix):
            return None
        local = path[len(prefix) :]
        if local and not local.startswith("/"):
            return None
        return local.rstrip("/") or "/"

    def _check_length(self, request: Request) -> None:
        length = request.headers.get("content-length", "")
        limit = self._front.settings.max_request_bytes
        if length.isdigit() and int(length) > limit:
            raise BodyTooLargeError(f"The body is larger than {limit} bytes")


def _bounded(receive: Receive, limit: int) -> Receive:
    """The body is counted as it comes: a client need not tell its length."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise BodyTooLargeError(f"The body is larger than {limit} bytes")
        return message

    return counted


def _method(request: Request) -> str:
    return "GET" if request.method == "HEAD" else request.method


async def _no_such_protocol(scope: Scope, receive: Receive, send: Send) -> None:
    """The server starts and stops its roles itself; web sockets are not offered."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "websocket.close", "code": 1000})
