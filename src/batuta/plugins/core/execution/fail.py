"""`core.execution.Fail`."""

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.truth import is_truthy
from batuta.sdk import Lazy, Placement, Property, RunContext, Task, TaskError


class Fail(
    Task,
    type="io.kestra.plugin.core.execution.Fail",
    aliases=("io.kestra.core.tasks.executions.Fail",),
    placement=Placement.INLINE,
):
    """Fail on purpose.

    # What it does
    Fails with a message; with `condition`, only when that renders to something true.

    # Example
    ```yaml
    - id: check
      type: io.kestra.plugin.core.execution.Fail
      condition: "{{ outputs.count.value | number < 1 }}"
      errorMessage: "No rows today"
    ```

    # Outputs
    None.

    # Notes
    False are `false`, `0`, `-0`, an empty text, and null.
    """

    condition: Lazy[str] | None = Field(
        default=None, description="When to fail; always when absent."
    )
    error_message: Property[str] = Field(default="Task failure", description="The message.")

    @override
    async def run(self, ctx: RunContext) -> None:
        if self.condition is None:
            raise TaskError(self.error_message)
        if is_truthy(ctx.render(self.condition)):
            ctx.log.error(self.error_message)
            raise TaskError("Fail on a condition")
