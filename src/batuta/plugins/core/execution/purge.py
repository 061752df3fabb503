"""`core.execution.PurgeExecutions`."""

from pydantic import Field
from typing_extensions import override

from batuta.model.state import State
from batuta.plugins.core.date import read_instant, read_optional
from batuta.sdk import Output, Placement, Property, PropertyError, RunContext, Task


class PurgeOutput(Output, frozen=True, kw_only=True):
    executions_count: int = 0
    logs_count: int = 0
    storages_count: int = 0
    metrics_count: int = 0


class PurgeExecutions(
    Task,
    type="io.kestra.plugin.core.execution.PurgeExecutions",
    aliases=("io.kestra.core.tasks.storages.Purge", "io.kestra.plugin.core.storage.Purge"),
    placement=Placement.SERVER,
):
    """Delete old executions.

    # What it does
    Deletes executions that started up to a date, with their logs, metrics and files, some at a time.

    # Example
    ```yaml
    - id: old_runs
      type: io.kestra.plugin.core.execution.PurgeExecutions
      endDate: "{{ now() | dateAdd(-6, 'MONTHS') }}"
      states: [SUCCESS, WARNING]
      purgeLog: false
    ```

    # Outputs
    `executionsCount`, `logsCount`, `storagesCount` and `metricsCount`: how much is gone.

    # Notes
    An execution that has not ended is left alone unless `states` names its state. The execution that purges is never
    deleted.
    """

    end_date: Property[str] = Field(
        description="The last date-time of a start, with `Z` or an offset."
    )
    start_date: Property[str] | None = Field(
        default=None, description="The first date-time of a start."
    )
    namespace: Property[str] | None = Field(
        default=None,
        description="Only of this namespace and, without `flowId`, of its children.",
    )
    flow_id: Property[str] | None = Field(default=None, description="Only of this flow.")
    states: Property[list[State]] | None = Field(
        default=None, description="Only in these states; in any that is final when absent."
    )
    purge_execution: Property[bool] = Field(
        default=True, description="Whether the executions are deleted."
    )
    purge_log: Property[bool] = Field(default=True, description="Whether their logs are.")
    purge_metric: Property[bool] = Field(default=True, description="Whether their metrics are.")
    purge_storage: Property[bool] = Field(default=True, description="Whether their files are.")
    batch_size: Property[int] = Field(
        default=100, description="How many executions are deleted at once."
    )

    @override
    async def run(self, ctx: RunContext) -> PurgeOutput:
        if self.batch_size < 1:
            raise PropertyError("batchSize", f"must be positive, got `{self.batch_size}`")
        counts = await ctx.ask(
            "executions.purge",
            {
                "end": read_instant("endDate", self.end_date),
                "start": read_optional("startDate", self.start_date),
                "namespace": self.namespace,
                "flowId": self.flow_id,
                "states": [state.value for state in self.states or ()],
                "executions": self.purge_execution,
                "logs": self.purge_log,
                "metrics": self.purge_metric,
                "files": self.purge_storage,
                "batch": self.batch_size,
            },
        )
        return PurgeOutput(
            executions_count=counts["executions"],
            logs_count=counts["logs"],
            storages_count=counts["files"],
            metrics_count=counts["metrics"],
        )
