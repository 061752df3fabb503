"""`core.execution.Resume`."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.execution.reference import execution_named
from batuta.sdk import Placement, Property, RunContext, Task


class Resume(Task, type="io.kestra.plugin.core.execution.Resume", placement=Placement.SERVER):
    """Let a paused execution go on.

    # What it does
    Ends the first Pause at which the execution waits, with the inputs that it asks for.

    # Example
    ```yaml
    - id: approve
      type: io.kestra.plugin.core.execution.Resume
      executionId: "{{ inputs.waiting }}"
      inputs:
        approved: true
    ```

    # Outputs
    None.

    # Notes
    Fails when there is no such execution or when it is not paused. `namespace` and `flowId` go together and say where
    the execution belongs.
    """

    execution_id: Property[str] | None = Field(
        default=None, description="The execution; this one when absent."
    )
    namespace: Property[str] | None = Field(
        default=None, description="The namespace of that execution."
    )
    flow_id: Property[str] | None = Field(default=None, description="The flow of that execution.")
    inputs: Property[dict[str, Any]] | None = Field(
        default=None, description="Values of the inputs that the Pause declares."
    )

    @override
    async def run(self, ctx: RunContext) -> None:
        named = execution_named(
            ctx,
            execution_id=self.execution_id,
            namespace=self.namespace,
            flow_id=self.flow_id,
        )
        await ctx.ask("executions.resume", {**named, "inputs": self.inputs or {}})
