"""`core.templating.TemplatedTask`."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.sdk import Outcome, Property, Registry, RunContext, Task, TaskError
from batuta.sdk.rendering import render_definition

TYPE = "io.kestra.plugin.core.templating.TemplatedTask"
NOT_RUNNABLE = "The templated task must be a runnable task"


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
    Only runnable tasks: none that holds others or edits the execution, such as `core.execution.Labels`. `retry` and
    `timeout` of the inner task are ignored: those of this task apply.
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
            raise TaskError(f"The templated task cannot be of type '{TYPE}'")
        if not issubclass(kind, Task):
            raise TaskError(NOT_RUNNABLE)
        task = render_definition(
            kind, {"id": self.id, **spec}, render=ctx.render, registry=registry
        )
        result = await task.run(ctx)
        if isinstance(result, Outcome) and _edits_execution(result):
            raise TaskError(NOT_RUNNABLE)
        return result


def _edits_execution(outcome: Outcome) -> bool:
    """Only the executor itself edits the execution: Labels, SetVariables, Exit and their like run nowhere else."""
    edits = (outcome.labels, outcome.variables, outcome.exit_state)
    return any(edit is not None for edit in edits)


@lru_cache(maxsize=1)
def _registry() -> Registry:
    return Registry.installed()
