"""`core.templating.TemplatedTask`."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.sdk import Property, Registry, RunContext, Task, TaskError
from batuta.sdk.rendering import render_definition

TYPE = "io.kestra.plugin.core.templating.TemplatedTask"


class TemplatedTask(Task, type=TYPE, aliases=("io.kestra.core.tasks.templating.TemplatedTask",)):
    """Run a task whose type or properties are only known at run time.

    # What it does
    Renders `spec`, reads it as the YAML of one task, and runs that in its place.

    # Example
    ```yaml
    - id: any
      type: io.kestra.plugin.core.templating.TemplatedTask
      spec: |
        type: {{ inputs.task_type }}
        message: "hello"
    ```

    # Outputs
    Those of the inner task.

    # Notes
    Only runnable tasks. `retry` and `timeout` of the inner task are ignored: those of this task apply.
    """

    spec_: Property[str] = Field(alias="spec", description="The YAML of a task.")

    @override
    async def run(self, ctx: RunContext) -> Any:
        spec = await ctx.ask("parse_yaml", {"text": self.spec_})
        if not isinstance(spec, Mapping) or not isinstance(spec.get("type"), str):
            raise TaskError("spec must be the YAML of one task with a `type`")
        registry = _registry()
        kind = registry.get(spec["type"])
        if kind.TYPE == TYPE:
            raise TaskError("The templated task cannot be a TemplatedTask")
        if not issubclass(kind, Task):
            raise TaskError(f"The templated task must be a runnable task, not {kind.TYPE}")
        task = render_definition(
            kind, {"id": self.id, **spec}, render=ctx.render, registry=registry
        )
        return await task.run(ctx)


@lru_cache(maxsize=1)
def _registry() -> Registry:
    return Registry.installed()
