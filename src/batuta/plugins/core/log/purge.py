"""`core.log.PurgeLogs`."""

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.date import read_instant, read_optional
from batuta.plugins.core.level import Level
from batuta.sdk import Output, Placement, Property, RunContext, Task


class PurgeOutput(Output, frozen=True, kw_only=True):
    count: int = 0


class PurgeLogs(Task, type="io.kestra.plugin.core.log.PurgeLogs", placement=Placement.SERVER):
    """Delete old log entries.

    # What it does
    Deletes entries of executions and of triggers that were written up to a date.

    # Example
    ```yaml
    - id: old_logs
      type: io.kestra.plugin.core.log.PurgeLogs
      endDate: "{{ now() | dateAdd(-1, 'MONTHS') }}"
      logLevels: [TRACE, DEBUG]
    ```

    # Outputs
    `count`: how many entries are gone.

    # Notes
    `namespace` means exactly this one, not its children. Without it, entries of all namespaces are deleted.
    """

    end_date: Property[str] = Field(
        description="The date-time up to which entries are deleted, with `Z` or an offset."
    )
    start_date: Property[str] | None = Field(
        default=None, description="The date-time from which on they are."
    )
    namespace: Property[str] | None = Field(default=None, description="Only of this namespace.")
    flow_id: Property[str] | None = Field(default=None, description="Only of this flow.")
    execution_id: Property[str] | None = Field(default=None, description="Only of this execution.")
    log_levels: Property[list[Level]] | None = Field(
        default=None, description="Only of these levels; all when absent."
    )

    @override
    async def run(self, ctx: RunContext) -> PurgeOutput:
        count = await ctx.ask(
            "logs.purge",
            {
                "end": read_instant("endDate", self.end_date),
                "start": read_optional("startDate", self.start_date),
                "namespace": self.namespace,
                "flowId": self.flow_id,
                "executionId": self.execution_id,
                "levels": [level.value for level in self.log_levels or ()],
            },
        )
        return PurgeOutput(count=count)
