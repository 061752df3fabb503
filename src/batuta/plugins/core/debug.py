"""`core.debug.Return` and `core.debug.Echo`."""

from pydantic import Field
from typing_extensions import override

from batuta.model.instant import SECOND
from batuta.plugins.core.level import Level
from batuta.sdk import Output, Placement, Property, RunContext, Task


class ReturnOutput(Output, frozen=True, kw_only=True):
    value: str | None = None


class Return(
    Task,
    type="io.kestra.plugin.core.debug.Return",
    aliases=("io.kestra.core.tasks.debugs.Return",),
    placement=Placement.INLINE,
):
    """Give back a rendered text.

    # What it does
    Renders `format` and offers the result as an output; useful to try expressions and to hand values on.

    # Example
    ```yaml
    - id: day
      type: io.kestra.plugin.core.debug.Return
      format: "{{ execution.startDate | date('yyyy-MM-dd') }}"
    ```

    # Outputs
    `value`: the text, null when `format` is absent. It is always text, also for `{{ 1 + 1 }}`.

    # Notes
    Metrics: counter `length` (of the text), timer `duration`.
    """

    format: Property[str] | None = Field(default=None, description="The text to render.")

    @override
    async def run(self, ctx: RunContext) -> ReturnOutput:
        start = ctx.now()
        ctx.log.write(Level.DEBUG, f"{self.format}")
        ctx.metrics.counter("length", len(self.format or ""))
        ctx.metrics.timer("duration", (ctx.now() - start) / SECOND)
        return ReturnOutput(value=self.format)


class Echo(
    Task,
    type="io.kestra.plugin.core.debug.Echo",
    aliases=("io.kestra.core.tasks.debugs.Echo",),
    deprecated=True,
    placement=Placement.INLINE,
):
    """Write a text to the log. Deprecated: use `core.log.Log`.

    # Example
    ```yaml
    - id: say
      type: io.kestra.plugin.core.debug.Echo
      format: "{{ taskrun.startDate }}"
    ```

    # Outputs
    None.
    """

    format: Property[str] | None = Field(default=None, description="The text to log.")
    level: Property[Level] = Field(default=Level.INFO, description="The level of the entry.")

    @override
    async def run(self, ctx: RunContext) -> None:
        ctx.log.write(self.level, self.format if self.format is not None else "null")
