"""`core.trigger.Toggle`."""

from pydantic import Field
from typing_extensions import override

from batuta.sdk import Placement, Property, RunContext, Task


class Toggle(
    Task,
    type="io.kestra.plugin.core.trigger.Toggle",
    aliases=("io.kestra.core.tasks.trigger.Toggle",),
    placement=Placement.SERVER,
):
    """Switch a trigger on or off.

    # What it does
    Sets the switch of the trigger's state, as the switch in the list of triggers does; the flow stays as it is. A
    schedule that is switched on goes on from now.

    # Example
    ```yaml
    - id: stop_polling
      type: io.kestra.plugin.core.trigger.Toggle
      flowId: ingest
      trigger: nightly
      enabled: false
    ```

    # Outputs
    None.

    # Notes
    Fails when there is no such flow, or when its trigger has no state: Flow and Webhook triggers have none.
    """

    trigger: Property[str] = Field(description="The id of the trigger.")
    flow_id: Property[str] | None = Field(
        default=None, description="The flow of the trigger; this one when absent."
    )
    namespace: Property[str] | None = Field(
        default=None, description="The namespace of the flow; this one when absent."
    )
    enabled: bool = Field(default=False, description="Whether the trigger is on from now on.")

    @override
    async def run(self, ctx: RunContext) -> None:
        await ctx.ask(
            "triggers.toggle",
            {
                "namespace": self.namespace or ctx.info.namespace,
                "flowId": self.flow_id or ctx.info.flow_id,
                "trigger": self.trigger,
                "enabled": self.enabled,
            },
        )
