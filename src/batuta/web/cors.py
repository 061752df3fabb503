"""Calls from pages of other origins (03 §3.9): off unless origins are configured."""

from starlette.requests import Request
from starlette.responses import Response

_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD"
_MAX_AGE_SECONDS = 1800


class Cors:
    """Answers preflights before sign-in, which browsers send without credentials."""

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._origins = frozenset(origins)

    def preflight(self, request: Request) -> Response | None:
        origin = self._allowed(request)
        wanted = request.headers.get("access-control-request-method")
        if request.method != "OPTIONS" or origin is None or wanted is None:
            return None
        headers = {
            "access-control-allow-methods": _METHODS,
            "access-control-max-age": str(_MAX_AGE_SECONDS),
        }
        asked = request.headers.get("access-control-request-headers")
        if asked:
            headers["access-control-allow-headers"] = asked
        return Response(status_code=200, headers=headers)

    def decorate(self, request: Request, response: Response) -> None:
        origin = self._allowed(request)
        if origin is not None:
            response.headers["access-control-allow-origin"] = origin
            response.headers.add_vary_header("Origin")
            # Credentials of a named origin only: with `*` any page could act for the user.
            if "*" not in self._origins:
                response.headers["access-control-allow-credentials"] = "true"

    def _allowed(self, request: Request) -> str | None:
        origin = request.headers.get("origin")
        if origin is None or not self._origins:
            return None
        return origin if origin in self._origins or "*" in self._origins else None
