"""The scheduler sleeps until some flow has a schedule: a server without any loads nothing of it."""

import asyncio

from batuta.expr.host import Settings as ExprSettings
from batuta.operations.services import Services
from batuta.server.context.variables import Surroundings
from batuta.server.sources import flows_that_say
from batuta.server.worker.workplace import Workplace
from batuta.store.rows import Committed

WORD = ".Schedule"
"""The source of a flow with a schedule holds it."""


class SchedulerRole:
    """`run` until cancelled."""

    def __init__(
        self,
        services: Services,
        *,
        surroundings: Surroundings,
        settings: ExprSettings,
        place: Workplace,
    ) -> None:
        self._services = services
        self._surroundings = surroundings
        self._settings = settings
        self._place = place
        self._changed = asyncio.Event()

    async def run(self) -> None:
        await self._until_needed()
        from batuta.server.scheduler.scheduler import Scheduler

        scheduler = Scheduler(
            self._services,
            surroundings=self._surroundings,
            settings=self._settings,
            place=self._place,
        )
        await scheduler.run()

    async def _until_needed(self) -> None:
        stop = self._services.store.changes(self._on_commit)
        try:
            while not await self._is_needed():
                await self._changed.wait()
                self._changed.clear()
        finally:
            stop()

    async def _is_needed(self) -> bool:
        async for _ in flows_that_say(self._services.store.flows, WORD):
            return True
        return False

    def _on_commit(self, committed: Committed) -> None:
        if committed.flows:
            self._changed.set()
