"""Conditions made of conditions."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.condition.subject import Render
from batuta.plugins.core.trigger.window import TimeWindow
from batuta.sdk import Condition
from batuta.sdk.definition import DurationText


class Not(
    Condition,
    type="io.kestra.plugin.core.condition.Not",
    aliases=(
        "io.kestra.core.models.conditions.types.NotCondition",
        "io.kestra.plugin.core.condition.NotCondition",
    ),
):
    """True when none of the conditions holds.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.Not
      conditions:
        - type: io.kestra.plugin.core.condition.Weekend
    ```
    """

    conditions: list[Condition] = Field(
        min_length=1, description="Conditions, none of which may hold."
    )

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        return not any(condition.test(variables, render) for condition in self.conditions)


class Or(
    Condition,
    type="io.kestra.plugin.core.condition.Or",
    aliases=(
        "io.kestra.core.models.conditions.types.OrCondition",
        "io.kestra.plugin.core.condition.OrCondition",
    ),
):
    """True when at least one of the conditions holds.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.Or
      conditions:
        - type: io.kestra.plugin.core.condition.DayWeek
          dayOfWeek: MONDAY
        - type: io.kestra.plugin.core.condition.DayWeek
          dayOfWeek: THURSDAY
    ```
    """

    conditions: list[Condition] = Field(
        min_length=1, description="Conditions, one of which must hold."
    )

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        return any(condition.test(variables, render) for condition in self.conditions)


class MultipleCondition(
    Condition,
    type="io.kestra.plugin.core.condition.MultipleCondition",
    aliases=("io.kestra.core.models.conditions.types.MultipleCondition",),
    deprecated=True,
):
    """Several executions within a time window. Deprecated: use `preconditions` of the flow trigger.

    # What it does
    Each named condition is a requirement of its own; those that held are remembered within the window, and the trigger
    fires when all have.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.MultipleCondition
      id: both
      window: PT12H
      conditions:
        orders:
          type: io.kestra.plugin.core.condition.ExecutionFlow
          namespace: company.data
          flowId: load_orders
        prices:
          type: io.kestra.plugin.core.condition.ExecutionFlow
          namespace: company.data
          flowId: load_prices
    ```

    # Notes
    Only on flow triggers, whose evaluation keeps the window.
    """

    id: str = Field(
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_-]*\Z",
        min_length=1,
        description="A name, unique in the flow.",
    )
    conditions: dict[str, Condition] = Field(min_length=1, description="Conditions by name.")
    time_window: TimeWindow = Field(
        default=TimeWindow(), description="In which time all must have held."
    )
    window: DurationText | None = Field(
        default=None, description="Use `timeWindow`.", json_schema_extra={"deprecated": True}
    )
    window_advance: DurationText | None = Field(
        default=None, description="Use `timeWindow`.", json_schema_extra={"deprecated": True}
    )
    reset_on_success: bool = Field(
        default=True, description="Whether all must hold again after it fired."
    )

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        """Whether one execution alone fulfils everything."""
        return all(each.test(variables, render) for each in self.conditions.values())
