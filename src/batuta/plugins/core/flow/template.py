"""Templates: tasks that are kept apart from flows and run in place (01 §6.14)."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import Flowable
from batuta.sdk.control import AnyNode, NodeBuilder
from batuta.sdk.property import Lazy


class Template(
    Flowable,
    type="io.kestra.plugin.core.flow.Template",
    aliases=("io.kestra.core.tasks.flows.Template",),
    deprecated=True,
):
    """Run the tasks of a template in place. Deprecated, and off unless `kestra.templates.enabled` is true: use Subflow.

    A new execution takes the template as it is; one that has begun keeps it. The ids of its tasks must not be in use in
    the flow. The output `args` holds the arguments.

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
        return build.template(
            self, namespace=self.namespace, template_id=self.template_id, args=self.args or {}
        )
