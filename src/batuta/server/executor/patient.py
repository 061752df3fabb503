"""Renderers whose look-ups wait for their answers: for use on threads only."""

from collections.abc import Mapping
from typing import Any

from batuta.engine.execution import TaskRun
from batuta.server.executor.inline import frame_info
from batuta.server.executor.live import Live
from batuta.server.executor.rendering import Rendering
from batuta.server.executor.snapshot import snapshot
from batuta.server.protocol import Job
from batuta.server.worker.host import LookUpHost
from batuta.server.worker.render import JobRenderer
from batuta.server.worker.workplace import Workplace


class PatientRendering:
    """`place` is set when the roles are put together."""

    def __init__(self, rendering: Rendering, *, lazy_variables: bool) -> None:
        self._rendering = rendering
        self._lazy = lazy_variables
        self.place: Workplace | None = None

    def here(self) -> Workplace:
        if self.place is None:
            raise RuntimeError("the roles are not put together yet")
        return self.place

    async def renderer(
        self,
        live: Live,
        run: TaskRun | None,
        *,
        items: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> JobRenderer:
        """Over a snapshot of the execution's variables, `extra` over them."""
        variables = await snapshot(self._rendering, live, run, items=items)
        job = Job(info=frame_info(live, run), spec={}, variables={})
        host = LookUpHost(job, self.here(), mask=live.masks.add)
        return JobRenderer({**variables, **(extra or {})}, host, lazy_variables=self._lazy)
