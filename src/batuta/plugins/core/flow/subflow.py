"""Run another flow."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import override

from batuta.sdk import control
from batuta.sdk.control import AnyNode, NodeBuilder
from batuta.sdk.definition import ControlTask, DateTime, Deprecated
from batuta.sdk.input import RestartBehavior
from batuta.sdk.property import Lazy


class Subflow(
    ControlTask,
    type="io.kestra.plugin.core.flow.Subflow",
    aliases=(
        "io.kestra.core.tasks.flows.Flow",
        "io.kestra.core.tasks.flows.Subflow",
        "io.kestra.plugin.core.flow.Flow",
    ),
):
    """Start an execution of another flow, and wait for it if wanted.

    # Example
    ```yaml
    - id: load
      type: io.kestra.plugin.core.flow.Subflow
      namespace: acme.data
      flowId: load_orders
      inputs:
        day: "{{ trigger.date }}"
    ```

    # Outputs
    `executionId`; when it waits also `state` and `outputs`, the outputs of the other flow.
    """

    ROLE = "executable"

    namespace: Lazy[str] = Field(min_length=1, description="The namespace of the other flow.")
    flow_id: Lazy[str] = Field(description="The id of the other flow.")
    revision: int | None = Field(
        default=None, ge=1, description="The revision to run; the latest when left out."
    )
    inputs: Lazy[dict[str, Any]] | None = Field(default=None, description="Its inputs.")
    labels: Lazy[list[Any] | dict[str, Any]] | None = Field(
        default=None, description="Labels for its execution."
    )
    inherit_labels: Lazy[bool] = Field(
        default=False, description="Whether it gets the labels of this execution too."
    )
    wait: bool = Field(default=True, description="Whether to wait until it has ended.")
    transmit_failed: bool = Field(
        default=True, description="Whether this task ends as the other execution does."
    )
    schedule_date: Lazy[DateTime] | None = Field(
        default=None, description="When the other execution is to start."
    )
    restart_behavior: RestartBehavior = Field(
        default="RETRY_FAILED",
        description="Whether a restart restarts the failed execution or makes a new one.",
    )
    outputs: Annotated[Lazy[dict[str, Any]] | None, Deprecated()] = Field(
        default=None,
        description="Rendered in the other execution; give that flow `outputs` instead.",
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        return control.Subflow(
            **build.common(self),
            namespace=self.namespace,
            flow_id=self.flow_id,
            revision=self.revision,
            inputs=self.inputs,
            labels=self.labels,
            inherit_labels=self.inherit_labels,
            wait=self.wait,
            transmit_failed=self.transmit_failed,
            schedule_date=self.schedule_date,
            restart_failed=self.restart_behavior == "RETRY_FAILED",
            outputs=self.outputs,
        )
