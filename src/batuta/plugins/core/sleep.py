"""`core.flow.Sleep`."""

import asyncio

from pydantic import Field
from typing_extensions import override

from batuta.model.duration import format_duration
from batuta.model.instant import SECOND
from batuta.plugins.core.level import Level
from batuta.sdk import Placement, Property, RunContext, Task
from batuta.sdk.types import Duration


class Sleep(Task, type="io.kestra.plugin.core.flow.Sleep", placement=Placement.SERVER):
    """Wait.

    # What it does
    Waits for a length of time and succeeds. A kill or a timeout ends the wait at once.

    # Example
    ```yaml
    - id: wait
      type: io.kestra.plugin.core.flow.Sleep
      duration: PT30S
    ```

    # Outputs
    None.

    # Notes
    Use `core.flow.Pause` for long waits: those outlive a restart of the server.
    """

    duration: Property[Duration] = Field(
        description="How long to wait: ISO-8601, or a number of seconds."
    )

    @override
    async def run(self, ctx: RunContext) -> None:
        ctx.log.write(Level.INFO, f"Waiting for {format_duration(self.duration)}")
        await asyncio.sleep(max(self.duration, 0) / SECOND)
