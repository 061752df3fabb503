"""Whether anybody listens at all: a server without Flow triggers loads nothing of them and asks nobody."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from batuta.expr.host import Settings as ExprSettings
from batuta.model.ids import FlowKey
from batuta.model.state import State
from batuta.operations.services import Services
from batuta.server.executor.draft import Draft
from batuta.server.executor.live import Live
from batuta.server.sources import flows_that_say
from batuta.server.worker.render import JobRenderer
from batuta.store.rows import Committed, TriggerKey

if TYPE_CHECKING:
    from batuta.plugins.core.trigger.flow import Flow as FlowTrigger
    from batuta.server.listening.listeners import Listeners

WORDS = ("trigger.Flow", "triggers.types.Flow")
"""The source of a flow that listens holds one of these."""


class Ear:
    def __init__(self, services: Services, *, settings: ExprSettings) -> None:
        self._services = services
        self._settings = settings
        self._listeners: Listeners | None = None
        self._flows_changed = True

    def note(self, committed: Committed) -> None:
        """Flows that changed are read again before the next event."""
        if committed.flows:
            self._flows_changed = True
            if self._listeners is not None:
                self._listeners.note(committed)

    def forget(self, places: Iterable[TriggerKey]) -> None:
        """A turn was not written: what it would have remembered did not happen."""
        if self._listeners is not None:
            self._listeners.forget(places)

    async def interested(self, live: Live, state: State) -> "Sequence[tuple[FlowKey, FlowTrigger]]":
        """The triggers that look at this state of other flows' executions."""
        if self._listeners is None and self._flows_changed:
            self._flows_changed = False
            await self._wake()
        return () if self._listeners is None else await self._listeners.interested(live, state)

    async def hear(
        self,
        live: Live,
        key: FlowKey,
        trigger: "FlowTrigger",
        *,
        renderer: JobRenderer,
        draft: Draft,
    ) -> None:
        """Judge the event, and start the listening flow where the trigger is satisfied."""
        if self._listeners is not None:
            await self._listeners.hear(live, key, trigger, renderer=renderer, draft=draft)

    async def _wake(self) -> None:
        async for _ in flows_that_say(self._services.store.flows, *WORDS):
            from batuta.server.listening.listeners import Listeners

            self._listeners = Listeners(self._services, settings=self._settings)
            return
