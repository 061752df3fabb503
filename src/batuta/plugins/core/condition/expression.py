"""Conditions that render an expression."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.condition.subject import Render, boolean_of, execution_of, text_of
from batuta.sdk import Condition, Lazy


class Expression(
    Condition,
    type="io.kestra.plugin.core.condition.Expression",
    aliases=(
        "io.kestra.core.models.conditions.types.VariableCondition",
        "io.kestra.plugin.core.condition.ExpressionCondition",
    ),
):
    """True when an expression is.

    # What it does
    Holds when the rendered text is neither blank nor `false`.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.Expression
      expression: "{{ trigger.date | date('dd') == '01' }}"
    ```

    # Notes
    `0` is true here.
    """

    expression: Lazy[str] = Field(description="The expression.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        return text_of(self.expression, render).strip() not in {"", "false"}


class ExecutionOutputs(
    Condition,
    type="io.kestra.plugin.core.condition.ExecutionOutputs",
    aliases=(
        "io.kestra.core.models.conditions.types.ExecutionOutputsCondition",
        "io.kestra.plugin.core.condition.ExecutionOutputsCondition",
    ),
):
    """True when the outputs of the other flow fulfil an expression.

    # What it does
    Renders the expression with `trigger.outputs`; without outputs it is false.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.ExecutionOutputs
      expression: "{{ trigger.outputs.status == 'ok' }}"
    ```
    """

    expression: Lazy[bool] = Field(description="The expression, true or false.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        outputs = execution_of(variables).get("outputs")
        if not outputs:
            return False
        trigger = variables.get("trigger")
        known = trigger if isinstance(trigger, Mapping) else {}
        extra = {"trigger": {**known, "outputs": outputs}}
        return boolean_of(self.expression, lambda template: render(template, extra))
