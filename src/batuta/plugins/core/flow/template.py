"""Templates, which the original has switched off for long."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import Flowable
from batuta.sdk.control import AnyNode, NodeBuilder
from batuta.sdk.errors import PluginError
from batuta.sdk.property import Lazy

DISABLED = "Templates are disabled, please check your configuration"


class Template(
    Flowable,
    type="io.kestra.plugin.core.flow.Template",
    aliases=("io.kestra.core.tasks.flows.Template",),
    deprecated=True,
):
    """Run the tasks of a template. Deprecated and switched off: use Subflow.

    # Example
    ```yaml
    - id: shared
      type: io.kestra.plugin.core.flow.Template
      namespace: acme
      templateId: cleanup
    ```
    """

    namespace: str = Field(description="The namespace of the template.")
    template_id: str = Field(description="The id of the template.")
    tenant_id: str | None = Field(default=None, description="The tenant of the template.")
    args: Lazy[dict[str, Any]] | None = Field(
        default=None, description="Values for the template, read as `parent.outputs.args`."
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        raise PluginError(DISABLED)
