"""Tasks that run their children once for each value."""

from typing import Any

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import NO_TASKS, Flowable, Tasks
from batuta.sdk import control
from batuta.sdk.control import AnyNode, NodeBuilder
from batuta.sdk.property import Lazy, Property


class ForEach(Flowable, type="io.kestra.plugin.core.flow.ForEach"):
    """Run tasks once for each value of a list.

    # What it does
    Renders `values` to a list without duplicates and runs the tasks, one after another, for each value;
    `{{ taskrun.value }}` is the value and `{{ taskrun.iteration }}` its number.

    # Example
    ```yaml
    - id: each
      type: io.kestra.plugin.core.flow.ForEach
      values: ["a", "b"]
      concurrencyLimit: 2
      tasks:
        - id: say
          type: io.kestra.plugin.core.log.Log
          message: "{{ taskrun.value }}"
    ```
    """

    values: Lazy[str | list[Any]] = Field(
        description="A list, or an expression that gives one as JSON."
    )
    concurrency_limit: int = Field(
        default=1, ge=0, description="How many values are in progress at once; 0 means all."
    )
    tasks: Tasks = Field(
        min_length=1,
        description="The tasks to run for each value.",
        json_schema_extra={"message": NO_TASKS},
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        return control.Each(
            **build.control(self, self.tasks),
            values=self.values,
            tasks=build.branch(self.tasks),
            concurrency=self.concurrency_limit,
        )


class EachSequential(
    Flowable,
    type="io.kestra.plugin.core.flow.EachSequential",
    aliases=("io.kestra.core.tasks.flows.EachSequential",),
    deprecated=True,
):
    """Run tasks once for each value, one value after another. Deprecated: use ForEach.

    # Example
    ```yaml
    - id: each
      type: io.kestra.plugin.core.flow.EachSequential
      value: ["a", "b"]
      tasks:
        - id: say
          type: io.kestra.plugin.core.log.Log
          message: "{{ taskrun.value }}"
    ```
    """

    value: Lazy[str | list[Any]] = Field(
        description="A list, or an expression that gives one as JSON."
    )
    tasks: Tasks = Field(
        min_length=1,
        description="The tasks to run for each value.",
        json_schema_extra={"message": NO_TASKS},
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        return control.Each(
            **build.control(self, self.tasks), values=self.value, tasks=build.branch(self.tasks)
        )


class EachParallel(
    Flowable,
    type="io.kestra.plugin.core.flow.EachParallel",
    aliases=("io.kestra.core.tasks.flows.EachParallel",),
    deprecated=True,
):
    """Run tasks for all values at once. Deprecated: use ForEach with a `concurrencyLimit`.

    # Notes
    the tasks of one value start side by side too; put a Sequential around them to order them.

    # Example
    ```yaml
    - id: each
      type: io.kestra.plugin.core.flow.EachParallel
      value: ["a", "b"]
      tasks:
        - id: say
          type: io.kestra.plugin.core.log.Log
          message: "{{ taskrun.value }}"
    ```
    """

    value: Lazy[str | list[Any]] = Field(
        description="A list, or an expression that gives one as JSON."
    )
    concurrent: Property[int] = Field(
        default=0, description="How many tasks run at once; 0 means all."
    )
    tasks: Tasks = Field(
        min_length=1,
        description="The tasks to run for each value.",
        json_schema_extra={"message": NO_TASKS},
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        return control.Each(
            **build.control(self, self.tasks),
            values=self.value,
            tasks=build.branch(self.tasks),
            concurrency=build.whole_number(self.concurrent),
            ordered=False,
        )
