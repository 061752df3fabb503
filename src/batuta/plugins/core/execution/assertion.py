"""`core.execution.Assert`."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.expr.errors import ExpressionError
from batuta.model import codec
from batuta.plugins.core.level import Level
from batuta.plugins.core.truth import as_text, is_truthy
from batuta.sdk import Lazy, Placement, Property, PropertyError, RunContext, Task, TaskError


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
        conditions = _listed(self.conditions, ctx)
        failed = sum(not _holds(condition, ctx) for condition in conditions)
        ctx.metrics.counter("success", len(conditions) - failed)
        ctx.metrics.counter("failed", failed)
        if failed:
            reason = f"\n{self.error_message}" if self.error_message else ""
            raise TaskError(f"{failed} assertion{'s' if failed > 1 else ''} failed!{reason}")


def _listed(conditions: Any, ctx: RunContext) -> list[Any]:
    """As they are written, or what one expression renders to (05 §1.3)."""
    if isinstance(conditions, str):
        try:
            conditions = codec.decode(ctx.render(conditions) or "[]")
        except ValueError as error:
            raise PropertyError("conditions", f"expected a list: {error}") from error
    if not isinstance(conditions, list):
        raise PropertyError("conditions", "expected a list")
    return conditions


def _holds(condition: Any, ctx: RunContext) -> bool:
    written = as_text(condition)
    try:
        if is_truthy(ctx.render(condition)):
            return True
    except ExpressionError as error:
        ctx.log.write(Level.ERROR, f"Assertion `{written}` failed, failed to render `{error}`")
    else:
        ctx.log.write(Level.ERROR, f"Assertion `{written}` failed!")
    return False
