"""`core.execution.Labels`."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.model import codec
from batuta.model.label import SYSTEM_PREFIX
from batuta.plugins.core.truth import as_text
from batuta.sdk import Outcome, Placement, Property, RunContext, Task, TaskError


class Labels(
    Task,
    type="io.kestra.plugin.core.execution.Labels",
    aliases=("io.kestra.core.tasks.executions.Labels",),
    placement=Placement.INLINE,
):
    """Add labels to the execution.

    # What it does
    Renders keys and values and merges them over the labels that the execution has.

    # Example
    ```yaml
    - id: tag
      type: io.kestra.plugin.core.execution.Labels
      labels:
        customer: "{{ inputs.customer }}"
        origin: api
    ```

    # Outputs
    None.

    # Notes
    A map, a list of `{key, value}`, or a text that renders to a JSON map. Numbers and booleans become text; empty
    values and keys that start with `system.` are refused.
    """

    labels: Property[Any] = Field(
        description="Labels: a map, a list of `key` and `value`, or JSON text."
    )

    @override
    async def run(self, ctx: RunContext) -> Outcome:
        return Outcome(labels=read_labels(self.labels))


def read_labels(labels: Any) -> dict[str, str]:
    """Rendered labels by key; later ones win. Raises `TaskError` naming the offending label."""
    if isinstance(labels, str):
        try:
            labels = codec.decode(labels)
        except ValueError as error:
            raise TaskError(f"Unable to parse the labels as JSON: {error}") from error
    if isinstance(labels, Mapping):
        pairs = list(labels.items())
    elif isinstance(labels, list) and all(isinstance(each, Mapping) for each in labels):
        pairs = [(each.get("key"), each.get("value")) for each in labels]
    else:
        raise TaskError(
            "Unknown value type for labels: expected a map, or a list of `key` and `value`"
        )
    return dict(_checked(key, value) for key, value in pairs)


def _checked(key: Any, value: Any) -> tuple[str, str]:
    name = as_text(key) or ""
    text = codec.encode_text(value) if isinstance(value, Mapping | list) else as_text(value)
    if name.startswith(SYSTEM_PREFIX):
        raise TaskError(
            f"System labels can only be set by Kestra itself, offending label: {name}={text}"
        )
    if not name:
        raise TaskError(f"Label keys cannot be empty, offending label: {name}={text}")
    if not text:
        raise TaskError(f"Label values cannot be empty, offending label: {name}")
    return name, text
