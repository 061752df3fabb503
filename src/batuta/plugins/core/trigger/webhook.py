"""Start a flow by an HTTP request (04 §11)."""

from typing import Any, Self

from pydantic import Field, model_validator

from batuta.sdk.definition import Trigger
from batuta.sdk.property import Lazy

_WINDOWED = "io.kestra.plugin.core.condition.MultipleCondition"


class Webhook(
    Trigger,
    type="io.kestra.plugin.core.trigger.Webhook",
    aliases=("io.kestra.core.models.triggers.types.Webhook",),
):
    """Start an execution for each request to the flow's webhook address.

    # What it does
    Answers GET, POST and PUT requests to `/api/v1/main/executions/webhook/{namespace}/{flowId}/{key}`.

    # Example
    ```yaml
    - id: hook
      type: io.kestra.plugin.core.trigger.Webhook
      key: "{{ secret('HOOK_KEY') }}"
    ```
    """

    key: Lazy[str] = Field(
        max_length=256, description="The last part of the address; keep it secret."
    )
    inputs: Lazy[dict[str, Any]] | None = Field(
        default=None, description="Inputs of the new execution."
    )
    wait: bool = Field(
        default=False, description="Whether to answer only when the execution has ended."
    )
    return_outputs: bool = Field(
        default=False, description="Whether to answer with the outputs of the flow."
    )

    @model_validator(mode="after")
    def _no_windows(self) -> Self:
        if any(
            _WINDOWED.endswith(f".{each.type.rpartition('.')[2]}") for each in self.conditions or ()
        ):
            raise ValueError(
                "invalid webhook: conditions of type MultipleCondition are not supported"
            )
        return self
