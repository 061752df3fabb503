"""Start a flow when executions of other flows change their state (04 §10)."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from batuta.model.state import TERMINAL, State
from batuta.plugins.core.trigger.window import TimeWindow
from batuta.sdk.definition import Definition, Trigger
from batuta.sdk.property import Lazy

FilterType = Literal[
    "EQUAL_TO",
    "NOT_EQUAL_TO",
    "IN",
    "NOT_IN",
    "IS_TRUE",
    "IS_FALSE",
    "IS_NULL",
    "IS_NOT_NULL",
    "STARTS_WITH",
    "ENDS_WITH",
    "REGEX",
    "CONTAINS",
]
_LISTS = frozenset({"IN", "NOT_IN"})


class Filter(Definition):
    field: Literal["FLOW_ID", "NAMESPACE", "STATE", "EXPRESSION"] = Field(
        description="What is looked at."
    )
    type: FilterType = Field(description="How it is compared.")
    value: str | None = Field(default=None, description="What it is compared with.")
    values: list[str] | None = Field(
        default=None, description="What it is compared with, for IN and NOT_IN."
    )

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        needed, other = ("values", "value") if self.type in _LISTS else ("value", "values")
        if getattr(self, other) is not None:
            raise ValueError(f"`{other}` must be null for type {self.type}")
        if getattr(self, needed) is None:
            raise ValueError(f"`{needed}` cannot be null for type {self.type}")
        return self


class ExecutionFilter(Definition):
    id: str = Field(min_length=1, description="A name for the filter.")
    operand: Literal["AND", "OR"] = Field(
        default="AND", description="Whether all filters must hold, or one."
    )
    filters: list[Filter] = Field(min_length=1, description="What an execution must be like.")


class UpstreamFlow(Definition):
    namespace: str = Field(description="The namespace of the other flow.")
    flow_id: str | None = Field(default=None, description="Its id; any when left out.")
    states: list[State] | None = Field(default=None, description="The states that count.")
    labels: dict[str, Any] | None = Field(
        default=None, description="Labels that its execution must have."
    )


class Preconditions(Definition):
    id: str = Field(
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$",
        min_length=1,
        description="A name, unique in the flow.",
    )
    flows: list[UpstreamFlow] | None = Field(
        default=None, description="Flows that must all have run."
    )
    where: list[ExecutionFilter] | None = Field(
        default=None, description="Filters that must all have been met."
    )
    time_window: TimeWindow = Field(
        default=TimeWindow(), description="In which time all must happen."
    )
    reset_on_success: bool = Field(
        default=True, description="Whether everything must happen again after it has fired."
    )


class Flow(
    Trigger,
    type="io.kestra.plugin.core.trigger.Flow",
    aliases=("io.kestra.core.models.triggers.types.Flow",),
):
    """Start an execution when executions of other flows reach a state.

    # Example
    ```yaml
    - id: after_load
      type: io.kestra.plugin.core.trigger.Flow
      preconditions:
        id: loaded
        flows:
          - namespace: acme.data
            flowId: load_orders
            states: [SUCCESS]
    ```
    """

    inputs: Lazy[dict[str, Any]] | None = Field(
        default=None, description="Inputs of the new execution."
    )
    states: list[State] = Field(
        default=[*(state for state in State if state in TERMINAL), State.PAUSED],
        description="The states of the other execution that count.",
    )
    preconditions: Preconditions | None = Field(
        default=None, description="What must have happened within a time window."
    )
