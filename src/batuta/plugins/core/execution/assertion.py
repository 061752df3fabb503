"""`core.execution.Assert`."""

from pydantic import Field
from typing_extensions import override

from batuta.expr.errors import ExpressionError
from batuta.plugins.core.level import Level
from batuta.plugins.core.truth import is_truthy
from batuta.sdk import Lazy, Placement, Property, RunContext, Task, TaskError


class Assert(Task, type="io.kestra.plugin.core.execution.Assert", placement=Placement.INLINE):
    """Check that conditions hold.

    # What it does
    Renders every condition, logs those that are false or cannot be rendered, and fails when there is one.

    # Example
    ```yaml
    - id: check
      type: io.kestra.plugin.core.execution.Assert
      errorMessage: "The file looks wrong"
      conditions:
        - "{{ outputs.download.code == 200 }}"
        - "{{ outputs.download.length > 0 }}"
    ```

    # Outputs
    None.

    # Notes
    Metrics: counters `success` and `failed`.
    """

    conditions: Lazy[list[str]] = Field(description="Expressions that must be true.")
    error_message: Property[str] | None = Field(
        default=None, description="Added to the message of the failure."
    )

    @override
    async def run(self, ctx: RunContext) -> None:
        failed = sum(not self._holds(condition, ctx) for condition in self.conditions)
        ctx.metrics.counter("success", len(self.conditions) - failed)
        ctx.metrics.counter("failed", failed)
        if failed:
            reason = f"\n{self.error_message}" if self.error_message else ""
            raise TaskError(f"{failed} assertion{'s' if failed > 1 else ''} failed!{reason}")

    def _holds(self, condition: str, ctx: RunContext) -> bool:
        try:
            if is_truthy(ctx.render(condition)):
                return True
        except ExpressionError as error:
            ctx.log.write(Level.ERROR, f"Assertion `{condition}` failed: {error}")
        else:
            ctx.log.write(Level.ERROR, f"Assertion `{condition}` failed!")
        return False
