"""A flow as its author defines it (01 §1.1)."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from batuta.model.label import Label, Labels
from batuta.sdk.definition import (
    Condition,
    Definition,
    Deprecated,
    DurationText,
    Retry,
    TaskBase,
    Trigger,
    Variant,
    WorkerGroup,
)
from batuta.sdk.input import Input, Output
from batuta.sdk.property import Lazy

FLOW_ID = r"^[a-zA-Z0-9][a-zA-Z0-9._-]*$"
NAMESPACE = r"^[a-z0-9][a-z0-9._-]*$"
UPDATES_EXECUTION = frozenset(
    f"io.kestra.plugin.core.execution.{name}"
    for name in ("Labels", "SetVariables", "UnsetVariables", "Exit")
)
"""Tasks that change the execution itself instead of running (01 §5.4)."""
TENANT = r"^[a-z0-9][a-z0-9_-]*$"


class Concurrency(Definition):
    """How many executions of the flow may run at once (01 §7.1)."""

    limit: int = Field(ge=1)
    behavior: Literal["QUEUE", "CANCEL", "FAIL"] = "QUEUE"


_SLA = {"id": True, "type": True, "behavior": True, "labels": False}


class Sla(Variant):
    """What an execution promises (01 §7.2)."""

    VARIANTS: ClassVar[Mapping[str, Mapping[str, bool]]] = {
        "MAX_DURATION": {**_SLA, "duration": True},
        "EXECUTION_ASSERTION": {**_SLA, "assert": True},
    }

    id: str = Field(min_length=1)
    type: Literal["MAX_DURATION", "EXECUTION_ASSERTION"]
    behavior: Literal["FAIL", "CANCEL", "NONE"]
    labels: Any = None
    duration: DurationText | None = None
    assert_: Lazy[str] | None = Field(default=None, alias="assert")


class PluginDefault(Definition):
    """Values for all tasks of a type or of types that begin alike (01 §1.5)."""

    type: str
    forced: bool = False
    values: dict[str, Any]


class Listener(Definition):
    """Deprecated; read and never run."""

    description: str | None = None
    conditions: list[Condition] | None = None
    tasks: list[TaskBase] = Field(min_length=1)


class Flow(Definition):
    """Everything that a source says, with plugin defaults merged into its tasks and triggers."""

    id: str = Field(pattern=FLOW_ID, min_length=1, max_length=100)
    namespace: str = Field(pattern=NAMESPACE, min_length=1, max_length=150)
    revision: int | None = Field(default=None, ge=1)
    description: str | None = None
    labels: Any = None
    inputs: list[Input] | None = None
    outputs: list[Output] | None = None
    variables: dict[str, Any] | None = None
    tasks: list[TaskBase] = Field(min_length=1)
    errors: list[TaskBase] | None = None
    finally_: list[TaskBase] | None = Field(default=None, alias="finally")
    after_execution: list[TaskBase] | None = None
    listeners: Annotated[list[Listener] | None, Deprecated()] = None
    triggers: list[Trigger] | None = None
    plugin_defaults: list[PluginDefault] | None = None
    concurrency: Concurrency | None = None
    retry: Retry | None = None
    sla: list[Sla] | None = None
    disabled: bool = False
    worker_group: WorkerGroup | None = None
    deleted: bool = False
    tenant_id: str | None = Field(default=None, pattern=TENANT)

    @property
    def label_list(self) -> Labels:
        """Labels in their order, the last value of a key at its first place."""
        return labels_of(self.labels)


def labels_of(value: Any) -> Labels:
    """Labels that were read: a list of `{key, value}` maps."""
    merged: dict[str, Label] = {}
    for entry in value or ():
        merged[entry["key"]] = Label(entry["key"], entry["value"])
    return tuple(merged.values())
