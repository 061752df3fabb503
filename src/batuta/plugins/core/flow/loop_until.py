"""Repeat tasks until a condition holds."""

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import Flowable, Tasks
from batuta.sdk import control
from batuta.sdk.control import AnyNode, NodeBuilder
from batuta.sdk.definition import Definition, DurationText
from batuta.sdk.property import Lazy, Property


class CheckFrequency(Definition):
    interval: Lazy[DurationText] | None = Field(
        default="PT1M", description="How long to wait between two passes."
    )
    max_iterations: Lazy[int] | None = Field(
        default=None, description="After how many passes the loop gives up."
    )
    max_duration: Lazy[DurationText] | None = Field(
        default=None, description="After which time the loop gives up."
    )


class LoopUntil(
    Flowable,
    type="io.kestra.plugin.core.flow.LoopUntil",
    aliases=("io.kestra.plugin.core.flow.WaitFor",),
):
    """Run tasks again and again until a condition holds.

    # What it does
    Runs the tasks, then renders `condition` with their outputs; when it does not hold, waits for the
    interval and runs them again.

    # Example
    ```yaml
    - id: wait
      type: io.kestra.plugin.core.flow.LoopUntil
      condition: "{{ outputs.ask.code == 200 }}"
      checkFrequency:
        interval: PT10S
        maxIterations: 30
      tasks:
        - id: ask
          type: io.kestra.plugin.core.http.Request
          uri: https://example.org/ready
    ```

    # Outputs
    `iterationCount`, the number of the pass, from 1.
    """

    condition: Lazy[str] = Field(description="The expression that ends the loop.")
    tasks: Tasks = Field(description="The tasks of each pass.")
    fail_on_max_reached: Property[bool] = Field(
        default=False, description="Whether to fail, instead of going on, when the loop gives up."
    )
    check_frequency: CheckFrequency = Field(
        default=CheckFrequency(), description="How often to run the tasks, and for how long."
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        frequency = self.check_frequency
        return control.Loop(
            **build.control(self, self.tasks),
            condition=self.condition,
            tasks=build.branch(self.tasks),
            interval=frequency.interval or "PT1M",
            max_iterations=frequency.max_iterations,
            max_duration=frequency.max_duration,
            fail_on_max_reached=self.fail_on_max_reached,
        )
