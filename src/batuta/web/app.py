"""The ASGI application: prefixes, sign-in, routes, errors.

/health, /ping, /     open
/api/v1/main/…        the API of the one tenant (03 §1.2)
/api/v1/…             the same without the tenant (03 §1.3), and what has no tenant
"""

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from batuta.operations.account import AccountKeeper
from batuta.operations.caller import MAIN_TENANT
from batuta.operations.errors import BadRequestError, OperationError
from batuta.operations.services import Services
from batuta.web.auth import Authenticator
from batuta.web.cors import Cors
from batuta.web.error import error_response, not_found, unexpected, wrong_method
from batuta.web.request import Ask, BodyTooLargeError
from batuta.web.route import Match, RouteTable
from batuta.web.routes import execution, flow, misc
from batuta.web.routes import log as log_routes

_API = "/api/v1"

_log = structlog.get_logger("web")


class Application:
    """One per process; holds no state of requests."""

    def __init__(self, services: Services, keeper: AccountKeeper) -> None:
        settings = services.settings
        self._services = services
        self._keeper = keeper
        self._cors = Cors(settings.cors_origins)
        self._authenticator = Authenticator(
            keeper, open_urls=settings.open_urls, clock=services.clock
        )
        tenanted = (*flow.ROUTES, *execution.ROUTES, *log_routes.ROUTES, *misc.ROUTES)
        self._outside = RouteTable(misc.OUTSIDE)
        self._tenanted = RouteTable(tenanted)
        self._untenanted = RouteTable(misc.UNTENANTED)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _no_such_protocol(scope, receive, send)
            return
        request = Request(scope, receive)
        response = await self._respond(request)
        self._cors.decorate(request, response)
        try:
            await response(scope, receive, send)
        except ClientDisconnect:
            _log.debug("request.client_left", path=scope["path"])

    async def _respond(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except OperationError as error:
            return error_response(request, error)
        except Exception:
            _log.exception("request.failed", method=request.method, path=request.url.path)
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
        self._check_length(request)
        match = self._find(request.method, path)
        if not isinstance(match, Match):
            return wrong_method(request, match) if match else not_found(request)
        ask = Ask(
            request,
            caller=identity,
            services=self._services,
            keeper=self._keeper,
            parameters=match.parameters,
        )
        return await match.handler(ask)

    def _local_path(self, path: str) -> str | None:
        """The path without the server's context path, or None when it is not below that."""
        prefix = self._services.settings.context_path
        if not path.startswith(prefix):
            return None
        local = path[len(prefix) :]
        if local and not local.startswith("/"):
            return None
        return local.rstrip("/") or "/"

    def _check_length(self, request: Request) -> None:
        length = request.headers.get("content-length", "")
        limit = self._services.settings.max_request_bytes
        if length.isdigit() and int(length) > limit:
            raise BodyTooLargeError(f"The body is larger than {limit} bytes")

    def _find(self, method: str, path: str) -> Match | frozenset[str]:
        method = "GET" if method == "HEAD" else method
        if path != _API and not path.startswith(f"{_API}/"):
            return self._outside.find(method, path)
        local = path[len(_API) :]
        if local == f"/{MAIN_TENANT}" or local.startswith(f"/{MAIN_TENANT}/"):
            return self._tenanted.find(method, local[len(MAIN_TENANT) + 1 :])
        found = self._untenanted.find(method, local)
        if not found:
            found = self._tenanted.find(method, local)
        if not found:
            self._refuse_tenant(method, local)
        return found

    def _refuse_tenant(self, method: str, local: str) -> None:
        """A known path below another tenant (03 §1.2)."""
        _, _, rest = local.lstrip("/").partition("/")
        if rest and self._tenanted.find(method, rest):
            raise BadRequestError("Tenant must be 'main' for OSS version")


async def _no_such_protocol(scope: Scope, receive: Receive, send: Send) -> None:
    """The server starts and stops its roles itself; web sockets are not offered."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "websocket.close", "code": 1000})
