"""Tasks in the order of their dependencies."""

from collections.abc import Collection

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import Flowable
from batuta.sdk import control
from batuta.sdk.control import AnyNode, NodeBuilder, TaskId
from batuta.sdk.definition import Definition, TaskBase
from batuta.sdk.property import Property


class DagTask(Definition):
    task: TaskBase = Field(description="The task.")
    depends_on: list[str] | None = Field(
        default=None, description="Ids of tasks of this Dag that must have ended before."
    )


class Dag(
    Flowable,
    type="io.kestra.plugin.core.flow.Dag",
    aliases=("io.kestra.core.tasks.flows.Dag",),
):
    """Run tasks in the order that their dependencies ask for.

    # What it does
    Starts a task as soon as all tasks that it depends on have ended; independent tasks run side by side. A disabled
    task is left out, and what depends on it waits for what it depends on.

    # Example
    ```yaml
    - id: build
      type: io.kestra.plugin.core.flow.Dag
      tasks:
        - task:
            id: first
            type: io.kestra.plugin.core.log.Log
            message: first
        - task:
            id: second
            type: io.kestra.plugin.core.log.Log
            message: second
          dependsOn: [first]
    ```
    """

    tasks: list[DagTask] = Field(min_length=1, description="The tasks with their dependencies.")
    concurrent: Property[int] = Field(
        default=0, description="How many tasks run at once; 0 means all."
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        children = [entry.task for entry in self.tasks]
        enabled = build.branch(children)
        depends_on = {name: self._needs(name, enabled) for name in enabled}
        return control.Dag(
            **build.control(self, children),
            tasks=enabled,
            depends_on=depends_on,
            concurrent=build.whole_number(self.concurrent),
        )

    def _needs(self, name: str, enabled: Collection[str]) -> tuple[TaskId, ...]:
        """What a task waits for: a disabled one stands for those that it depends on itself."""
        needs = {entry.task.id: entry.depends_on or [] for entry in self.tasks}
        found: dict[str, bool] = {}
        todo = list(reversed(needs[name]))
        while todo:
            other = todo.pop()
            if other not in found:
                found[other] = other in enabled
                todo += [] if found[other] else reversed(needs.get(other, []))
        return tuple(TaskId(other) for other, counts in found.items() if counts)
