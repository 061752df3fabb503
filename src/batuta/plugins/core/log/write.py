"""`core.log.Log`."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.model import codec
from batuta.plugins.core.level import Level
from batuta.plugins.core.truth import as_text
from batuta.sdk import Lazy, Placement, Property, RunContext, Task, TaskError


class Log(
    Task,
    type="io.kestra.plugin.core.log.Log",
    aliases=("io.kestra.core.tasks.log.Log",),
    placement=Placement.INLINE,
):
    """Write text to the log of the execution.

    # What it does
    Logs one message, or each message of a list in order. A text of several lines stays one entry.

    # Example
    ```yaml
    - id: hello
      type: io.kestra.plugin.core.log.Log
      level: WARN
      message:
        - "Hello {{ inputs.name }}"
        - "from {{ flow.id }}"
    ```

    # Outputs
    None.
    """

    message: Lazy[str | list[str]] = Field(
        description="A text, or a list of texts: one entry for each."
    )
    level: Property[Level] = Field(default=Level.INFO, description="The level of the entries.")

    @override
    async def run(self, ctx: RunContext) -> None:
        for entry in _entries(self.message):
            ctx.log.write(self.level, _text(ctx.render(entry)))


def _entries(message: Any) -> list[Any]:
    if isinstance(message, str):
        return [message]
    if isinstance(message, list):
        return message
    raise TaskError(f"Invalid message type '{type(message).__name__}'")


def _text(rendered: Any) -> str:
    if isinstance(rendered, Mapping | list):
        return codec.encode_text(rendered)
    return as_text(rendered) or ""
