"""What answers before anything else is loaded: health, sign-in, and the address of the rest."""

from collections.abc import Mapping
from importlib.metadata import version

import msgspec
from starlette.responses import PlainTextResponse, Response

from batuta.operations import health
from batuta.operations.account import AccountKeeper
from batuta.operations.settings import Settings
from batuta.operations.system import Clock
from batuta.store.contract import Store
from batuta.web.respond import json_response

_WORDS = {True: "UP", False: "DOWN"}


class Front(msgspec.Struct, frozen=True, kw_only=True):
    """Needs nothing of flows, expressions or plugins, whose import takes most of the start of a server."""

    store: Store
    clock: Clock
    settings: Settings
    keeper: AccountKeeper

    async def answer(self, path: str, *, running: Mapping[str, bool]) -> Response | None:
        """The answer to a path outside the API, or None for one that is unknown.

        `running`: which other parts of the server work by now; without all of them it is alive and not ready.
        """
        match path:
            case "/":
                return self._index()
            case "/ping":
                return PlainTextResponse("pong")
            case "/health" | "/health/liveness":
                return await self._health({})
            case "/health/readiness":
                return await self._health(running)
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

    async def _health(self, running: Mapping[str, bool]) -> Response:
        report = await health.check(self.store)
        parts = {**report.parts, **running}
        is_up = all(parts.values())
        return json_response(
            {
                "status": _WORDS[is_up],
                "details": {name: {"status": _WORDS[up]} for name, up in parts.items()},
            },
            status=200 if is_up else 503,
        )
