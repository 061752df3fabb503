"""Tasks that run their children one after another or side by side."""

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import NO_TASKS, Flowable, Tasks
from batuta.sdk import control
from batuta.sdk.control import AnyNode, NodeBuilder
from batuta.sdk.property import Property


class Sequential(
    Flowable,
    type="io.kestra.plugin.core.flow.Sequential",
    aliases=("io.kestra.core.tasks.flows.Sequential",),
):
    """Run tasks one after another.

    # What it does
    Starts each task when the one before it ended without failing; a failed task ends the sequence.

    # Example
    ```yaml
    - id: prepare
      type: io.kestra.plugin.core.flow.Sequential
      tasks:
        - id: first
          type: io.kestra.plugin.core.log.Log
          message: "{{ task.id }}"
    ```
    """

    tasks: Tasks = Field(
        min_length=1,
        description="The tasks, in their order.",
        json_schema_extra={"message": NO_TASKS},
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        return control.SequenceNode(
            **build.control(self, self.tasks), tasks=build.branch(self.tasks)
        )


class AllowFailure(
    Flowable,
    type="io.kestra.plugin.core.flow.AllowFailure",
    aliases=("io.kestra.core.tasks.flows.AllowFailure",),
):
    """Run tasks one after another and go on when one fails.

    # What it does
    A failed task ends the sequence, its `errors` run, and this task ends WARNING instead of FAILED.

    # Example
    ```yaml
    - id: optional
      type: io.kestra.plugin.core.flow.AllowFailure
      tasks:
        - id: may_fail
          type: io.kestra.plugin.core.execution.Fail
    ```
    """

    tasks: Tasks = Field(
        min_length=1,
        description="The tasks, in their order.",
        json_schema_extra={"message": NO_TASKS},
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        return control.SequenceNode(
            **build.control(self, self.tasks),
            tasks=build.branch(self.tasks),
            failure_is_warning=True,
        )


class Parallel(
    Flowable,
    type="io.kestra.plugin.core.flow.Parallel",
    aliases=("io.kestra.core.tasks.flows.Parallel",),
):
    """Run tasks side by side.

    # What it does
    Starts the tasks in their order, as many at once as `concurrent` allows.

    # Example
    ```yaml
    - id: together
      type: io.kestra.plugin.core.flow.Parallel
      concurrent: 2
      tasks:
        - id: one
          type: io.kestra.plugin.core.log.Log
          message: one
        - id: two
          type: io.kestra.plugin.core.log.Log
          message: two
    ```
    """

    tasks: Tasks = Field(min_length=1, description="The tasks to run side by side.")
    concurrent: Property[int] = Field(
        default=0, description="How many tasks run at once; 0 means all."
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        return control.Parallel(
            **build.control(self, self.tasks),
            tasks=build.branch(self.tasks),
            concurrent=build.whole_number(self.concurrent),
        )
