"""`core.metric.Publish`."""

from typing import ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from batuta.model.instant import SECOND
from batuta.sdk import Placement, Property, PropertyError, RunContext, Task
from batuta.sdk.definition import Variant
from batuta.sdk.types import read_duration

_FIELDS = {"type": True, "name": True, "value": True, "description": False, "tags": False}


class Metric(Variant):
    """One metric to publish."""

    VARIANTS: ClassVar = dict.fromkeys(("counter", "timer", "gauge"), _FIELDS)

    type: Literal["counter", "timer", "gauge"] = Field(description="`counter`, `timer` or `gauge`.")
    name: Property[str] = Field(description="The metric's name.")
    value: Property[str] = Field(description="A number; of a timer a duration.")
    description: Property[str] | None = Field(
        default=None, description="What the metric says, for readers of the flow."
    )
    tags: Property[dict[str, str]] | None = Field(default=None, description="Tags to group by.")


class Publish(Task, type="io.kestra.plugin.core.metric.Publish", placement=Placement.INLINE):
    """Publish metrics of the execution.

    # What it does
    Emits counters, timers and gauges with the values that the flow computed.

    # Example
    ```yaml
    - id: figures
      type: io.kestra.plugin.core.metric.Publish
      metrics:
        - {type: counter, name: rows, value: "{{ outputs.load.size }}", tags: {table: orders}}
        - {type: timer, name: extract, value: PT12S}
        - {type: gauge, name: lag, value: 0.7}
    ```

    # Outputs
    None.
    """

    metrics: Property[list[Metric]] = Field(default=[], description="The metrics, in order.")

    @override
    async def run(self, ctx: RunContext) -> None:
        for index, metric in enumerate(self.metrics):
            try:
                _publish(metric, ctx)
            except ValueError as error:
                raise PropertyError(f"metrics[{index}].value", str(error)) from error


def _publish(metric: Metric, ctx: RunContext) -> None:
    match metric.type:
        case "counter":
            ctx.metrics.counter(metric.name, float(metric.value), metric.tags)
        case "gauge":
            ctx.metrics.gauge(metric.name, float(metric.value), metric.tags)
        case "timer":
            ctx.metrics.timer(metric.name, read_duration(metric.value) / SECOND, metric.tags)
