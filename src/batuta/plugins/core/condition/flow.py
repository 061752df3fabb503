"""Conditions on the flow that listens; deprecated."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.condition.subject import Render, flow_of
from batuta.sdk import Condition


class FlowCondition(
    Condition,
    type="io.kestra.plugin.core.condition.FlowCondition",
    aliases=("io.kestra.core.models.conditions.types.FlowCondition",),
    deprecated=True,
):
    """True when the listening flow itself is the given one. Deprecated.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.FlowCondition
      namespace: company.data
      flowId: load
    ```
    """

    namespace: str = Field(description="The namespace of the listening flow.")
    flow_id: str = Field(description="Its id.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        flow = flow_of(variables)
        return flow.get("namespace") == self.namespace and flow.get("id") == self.flow_id


class FlowNamespaceCondition(
    Condition,
    type="io.kestra.plugin.core.condition.FlowNamespaceCondition",
    aliases=("io.kestra.core.models.conditions.types.FlowNamespaceCondition",),
    deprecated=True,
):
    """True when the listening flow is in the given namespace. Deprecated.

    # Example
    ```yaml
    - type: io.kestra.plugin.core.condition.FlowNamespaceCondition
      namespace: company
      prefix: true
    ```
    """

    namespace: str = Field(description="The namespace of the listening flow.")
    prefix: bool = Field(default=False, description="Whether the namespace may go on.")

    @override
    def test(self, variables: Mapping[str, Any], render: Render) -> bool:
        namespace = str(flow_of(variables).get("namespace"))
        return namespace.startswith(self.namespace) if self.prefix else namespace == self.namespace
