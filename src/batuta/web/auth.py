"""Who asks: basic authentication in a cookie or a header (03 §2), with a limit on wrong guesses."""

import base64
import binascii
from collections import OrderedDict
from urllib.parse import unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from batuta.operations.account import AccountKeeper
from batuta.operations.caller import Caller
from batuta.operations.system import Clock

COOKIE = "BASIC_AUTH"
_PROTECTED = "/api/v1/"
_OPEN = frozenset({"/api/v1/configs"})
# Kestra opens every path that ends so; a flow named `configs` would be readable by anybody.
_SETUP = frozenset(
    {"/api/v1/basicAuth", "/api/v1/main/basicAuth", "/api/v1/basicAuthValidationErrors"}
)


class GuessLimit:
    """A bucket of wrong guesses for each client; it refills with time. Holds the latest clients only."""

    BURST = 20
    REFILL_SECONDS = 3.0
    CLIENTS = 10_000

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def is_exhausted(self, client: str) -> bool:
        return self._level(client) < 1

    def count(self, client: str) -> None:
        level = max(self._level(client) - 1, 0.0)
        self._buckets[client] = (level, self._clock.monotonic())
        self._buckets.move_to_end(client)
        while len(self._buckets) > self.CLIENTS:
            self._buckets.popitem(last=False)

    def _level(self, client: str) -> float:
        level, since = self._buckets.get(client, (float(self.BURST), 0.0))
        refill = (self._clock.monotonic() - since) / self.REFILL_SECONDS
        return min(level + refill, float(self.BURST))


class Credentials(msgspec.Struct, frozen=True):
    username: str
    password: str


class Authenticator:
    def __init__(self, keeper: AccountKeeper, *, open_urls: tuple[str, ...], clock: Clock) -> None:
        self.keeper = keeper
        self._open_urls = open_urls
        self._limit = GuessLimit(clock)

    async def identify(self, request: Request, path: str) -> Caller | Response:
        """The caller, or the refusal. `path` is without the context path of the server."""
        if not path.startswith(_PROTECTED) or self._is_open(path):
            return Caller()
        credentials = _credentials(request)
        if credentials is None:
            return unauthorised(request)
        name, password = credentials.username, credentials.password
        if self.keeper.is_proven(name, password):
            return Caller(user=name)
        client = request.client.host if request.client else ""
        if self._limit.is_exhausted(client):
            return _too_many()
        if await self.keeper.verify(name, password):
            return Caller(user=name)
        self._limit.count(client)
        return unauthorised(request)

    def _is_open(self, path: str) -> bool:
        if path.rstrip("/") in _OPEN:
            return True
        if not self.keeper.is_initialised and path.rstrip("/") in _SETUP:
            return True
        return any(path.startswith(prefix) for prefix in self._open_urls)


def unauthorised(request: Request) -> Response:
    """401 without a body; no prompt of the browser when the page for signing in asked (03 §2.3)."""
    response = Response(status_code=401)
    referer = request.headers.get("referer", "").partition("?")[0]
    if not referer.endswith("/login"):
        response.headers["www-authenticate"] = "Basic"
    return response


def _too_many() -> Response:
    return Response(status_code=429, headers={"retry-after": str(int(GuessLimit.REFILL_SECONDS))})


def _credentials(request: Request) -> Credentials | None:
    """From the cookie if there is one, right or wrong; else from the header (03 §2.1)."""
    cookie = request.cookies.get(COOKIE)
    if cookie is not None:
        return _decode(unquote(cookie))
    scheme, _, payload = request.headers.get("authorization", "").partition(" ")
    return _decode(payload.strip()) if scheme.lower() == "basic" else None


def _decode(payload: str) -> Credentials | None:
    try:
        text = base64.b64decode(payload, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    name, colon, password = text.partition(":")
    return Credentials(name, password) if colon else None
