"""Run another flow for the parts of a file."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import Flowable
from batuta.sdk import control
from batuta.sdk.control import AnyNode, NodeBuilder, TaskId
from batuta.sdk.definition import DateTime, Definition
from batuta.sdk.input import RestartBehavior
from batuta.sdk.property import Lazy, Property

TYPE = "io.kestra.plugin.core.flow.ForEachItem"


class Batch(Definition):
    """How the file is cut; `bytes` wins over `partitions`, and that over `rows`."""

    rows: Property[int] | None = Field(default=1, description="How many lines a part has.")
    partitions: Property[int] | None = Field(
        default=None, description="Into how many parts the lines are dealt."
    )
    bytes: Property[str] | None = Field(
        default=None, description="How large a part is at least, such as `10MB`."
    )
    separator: Property[str] = Field(default="\n", description="What stands behind each line.")


class ForEachItem(
    Flowable,
    type=TYPE,
    aliases=("io.kestra.core.tasks.flows.ForEachItem",),
):
    """Cut a file into parts and start an execution of another flow for each.

    # Example
    ```yaml
    - id: each_order
      type: io.kestra.plugin.core.flow.ForEachItem
      items: "{{ outputs.read.uri }}"
      batch:
        rows: 100
      namespace: acme.data
      flowId: order
      inputs:
        file: "{{ taskrun.items }}"
    ```

    # Outputs
    those of its three parts: `<id>_split.splits`, `<id>_items.iterations` and `numberOfBatches`,
    `<id>_merge.subflowOutputs`.
    """

    items: Lazy[str] = Field(min_length=1, description="The URI of a file of internal storage.")
    batch: Batch = Field(default=Batch(), description="How the file is cut.")
    namespace: Lazy[str] = Field(min_length=1, description="The namespace of the other flow.")
    flow_id: Lazy[str] = Field(min_length=1, description="The id of the other flow.")
    revision: int | None = Field(
        default=None, description="Its revision; the latest when left out."
    )
    inputs: Lazy[dict[str, Any]] | None = Field(
        default=None, description="Its inputs; `taskrun.items` is the URI of the part."
    )
    labels: Lazy[list[Any] | dict[str, Any]] | None = Field(
        default=None, description="Labels for its executions."
    )
    inherit_labels: bool = Field(
        default=False, description="Whether they get the labels of this execution too."
    )
    wait: bool = Field(default=True, description="Whether to wait until all have ended.")
    transmit_failed: bool = Field(default=True, description="Whether this task ends as they do.")
    schedule_date: Lazy[DateTime] | None = Field(
        default=None, description="When they are to start."
    )
    restart_behavior: RestartBehavior = Field(
        default="RETRY_FAILED",
        description="Whether a restart restarts the failed executions or makes new ones.",
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        items = TaskId(f"{self.id}_items")
        common = build.control(self, None)
        common.pop("has_disabled", None)
        batch = self.spec.get("batch") or {}
        return control.EachItem(
            **common,
            split=build.leaf(
                f"{self.id}_split",
                f"{TYPE}$ForEachItemSplit",
                {"items": self.items, "batch": batch},
            ),
            items=items,
            merge=build.leaf(
                f"{self.id}_merge",
                f"{TYPE}$ForEachItemMergeOutputs",
                {
                    "base": _of_items(items, "subflowOutputsBaseUri", "''"),
                    "batches": _of_items(items, "numberOfBatches", "0"),
                },
            ),
            call=control.Subflow(
                **{
                    **build.common(self),
                    "id": items,
                    "type": f"{TYPE}$ForEachItemExecutable",
                    "run_if": None,
                },
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
            ),
        )


def _of_items(items: TaskId, name: str, default: str) -> str:
    """A template that reads an output of `<id>_items`; without batches there is none (01 §6.8)."""
    return f"{{{{ currentEachOutput(outputs['{items}'] ?? {{}}).{name} ?? {default} }}}}"
