"""`core.output.OutputValues`."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.sdk import Output, Placement, Property, RunContext, Task


class ValuesOutput(Output, frozen=True, kw_only=True):
    values: dict[str, Any]


class OutputValues(
    Task, type="io.kestra.plugin.core.output.OutputValues", placement=Placement.INLINE
):
    """Offer values to later tasks.

    # What it does
    Renders the texts inside `values` and gives the map back. Numbers, booleans, lists and maps keep their type;
    a rendered text stays text.

    # Example
    ```yaml
    - id: settings
      type: io.kestra.plugin.core.output.OutputValues
      values:
        day: "{{ trigger.date ?? execution.startDate | date('yyyy-MM-dd') }}"
        retries: 3
    ```

    # Outputs
    `values`: the map, read as `{{ outputs.settings.values.day }}`.
    """

    values: Property[dict[str, Any]] = Field(default={}, description="Names and values.")

    @override
    async def run(self, ctx: RunContext) -> ValuesOutput:
        return ValuesOutput(values=self.values)
