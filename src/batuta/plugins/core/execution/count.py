"""`core.execution.Count`."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.model.state import State
from batuta.plugins.core.date import read_instant, read_optional
from batuta.sdk import Lazy, Output, Placement, Property, RunContext, Task, TaskError
from batuta.sdk.definition import Definition


class CountedFlow(Definition):
    namespace: str = Field(description="The namespace of the flow.")
    flow_id: str = Field(description="The id of the flow.")


class CountOutput(Output, frozen=True, kw_only=True):
    results: list[dict[str, Any]]
    total: int


class Count(
    Task,
    type="io.kestra.plugin.core.execution.Count",
    aliases=("io.kestra.core.tasks.executions.Counts",),
    placement=Placement.SERVER,
):
    """Count the executions of flows or namespaces.

    # What it does
    Counts the executions that started between two dates, for each flow and for each namespace, and keeps the counts
    for which `expression` is `true`.

    # Example
    ```yaml
    - id: silent_flows
      type: io.kestra.plugin.core.execution.Count
      flows:
        - namespace: company.sales
          flowId: load_orders
      states: [SUCCESS, WARNING]
      startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"
      expression: "{{ count == 0 }}"
    ```

    # Outputs
    `results`: a list of `namespace`, `flowId` and `count`, without `flowId` for a namespace; `total`: their sum.

    # Notes
    A flow without executions counts 0; a namespace without any is left out. Test runs are not counted.
    """

    flows: list[CountedFlow] | None = Field(default=None, description="Flows to count for.")
    namespaces: Property[list[str]] | None = Field(
        default=None, description="Namespaces to count for, without their children."
    )
    states: Property[list[State]] | None = Field(
        default=None, description="States that count; all when absent."
    )
    start_date: Property[str] = Field(
        description="Executions that started at this date-time or later, with `Z` or an offset."
    )
    end_date: Property[str] | None = Field(
        default=None, description="The last date-time of a start; now when absent."
    )
    expression: Lazy[str] = Field(
        description="A condition over `count`: the result is kept when it gives `true`."
    )

    @override
    async def run(self, ctx: RunContext) -> CountOutput:
        if not self.flows and not self.namespaces:
            raise TaskError("At least one of `flows` and `namespaces` must be set.")
        end = read_optional("endDate", self.end_date)
        window = {
            "states": [state.value for state in self.states or ()],
            "start": read_instant("startDate", self.start_date),
            "end": ctx.now() if end is None else end,
        }
        results: list[dict[str, Any]] = []
        for place in self._places():
            count = await ctx.ask("executions.count", {**window, **place})
            if (count or "flowId" in place) and self._keeps(count, ctx):
                results.append({**place, "count": count})
        return CountOutput(results=results, total=sum(each["count"] for each in results))

    def _places(self) -> Iterable[Mapping[str, str]]:
        for flow in self.flows or ():
            yield {"namespace": flow.namespace, "flowId": flow.flow_id}
        for namespace in self.namespaces or ():
            yield {"namespace": namespace}

    def _keeps(self, count: int, ctx: RunContext) -> bool:
        return bool(ctx.render(self.expression, {"count": count}) == "true")
