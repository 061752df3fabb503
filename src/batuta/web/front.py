"""What answers before anything else is loaded: health, sign-in, and the address of the rest."""

from importlib.metadata import version

import msgspec
from starlette.responses import PlainTextResponse, Response

from batuta.operations import health
from batuta.operations.account import AccountKeeper
from batuta.operations.settings import Settings
from batuta.operations.system import Clock
from batuta.store.contract import Store
from batuta.web.respond import json_response


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """Needs nothing of flows, expressions or plugins, whose import takes most of the start of a server."""

    store: Store
    clock: Clock
    settings: Settings
    keeper: AccountKeeper

    async def answer(self, path: str) -> Response | None:
        """The answer to a path outside the API, or None for one that is unknown."""
        match path:
            case "/":
                return self._index()
            case "/ping":
                return PlainTextResponse("pong")
            case "/health" | "/health/liveness" | "/health/readiness":
                return await self._health()
            case _:
                return None

    def _index(self) -> Response:
        prefix = self.settings.context_path
        return json_response(
            {
                "name": "batuta",
                "version": version("batuta"),
                "api": f"{prefix}/api/v1/main",
                "health": f"{prefix}/health",
            }
        )

    async def _health(self) -> Response:
        report = await health.check(self.store)
        parts = {name: {"status": "UP" if up else "DOWN"} for name, up in report.parts.items()}
        return json_response(
            {"status": "UP" if report.is_up else "DOWN", "details": parts},
            status=200 if report.is_up else 503,
        )
