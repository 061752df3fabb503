"""Run tasks once for each of any number of values, each time in an execution of its own."""

from typing import Any, Literal

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import NO_TASKS, Flowable, Tasks
from batuta.sdk import control
from batuta.sdk.control import AnyNode, NodeBuilder
from batuta.sdk.input import Output
from batuta.sdk.property import Lazy


class Loop(Flowable, type="io.kestra.plugin.core.flow.Loop"):
    """Run tasks once for each value, each time in an execution of its own. For large loops; from Kestra 2.

    # What it does
    Starts an execution of kind LOOP for each value of `values`: a list, a map, JSON text of one, or the URI of a
    file, of which each line is a value. Inside, `{{ item.value }}` is the value as a text (objects are JSON),
    `{{ item.index }}` its number from 0, `{{ item.key }}` its key in a map, `{{ item.parent }}` the item of the loop
    around and `{{ item.parents[1] }}` that of the next one. Inputs, variables, labels, the trigger and the outputs of
    tasks that ended before can be read as outside; outputs of tasks inside the loop are those of the same iteration.

    # Notes
    `errors` and `finally` run inside each iteration; a `retry` is that of the tasks inside. A restart runs the
    iterations that failed again and goes on with those that had not begun. Iterations are not counted by the flow's
    `concurrency`, do not start flow triggers, and are left out of searches unless the kind LOOP is asked for; they
    are killed and deleted with their execution.

    # Example
    ```yaml
    - id: loop
      type: io.kestra.plugin.core.flow.Loop
      values: ["a", "b", "c"]
      concurrencyLimit: 2
      outputs:
        - id: text
          type: STRING
          value: "{{ outputs.make.value }}"
      tasks:
        - id: make
          type: io.kestra.plugin.core.debug.Return
          format: "{{ item.index }}: {{ item.value }}"
    - id: all
      type: io.kestra.plugin.core.log.Log
      message: "{{ loopOutputs(outputs.loop.outputs, 'text') }}"
    ```

    # Outputs
    `iterationCount`, `runningIterations`, and `terminatedIterations`, a number for each state; at the end `outputs`,
    a list of `item` (`value`, `iteration`, `key`) and `outputs`, or `uri`, a file with one such row for each
    iteration.
    """

    values: Lazy[str | list[Any] | dict[str, Any]] = Field(
        description="A list, a map, an expression that gives one as JSON, or the URI of a file of internal storage."
    )
    concurrency_limit: int = Field(
        default=1, ge=0, description="How many iterations run at once; 0 means as many as can."
    )
    transmit_failed: bool = Field(
        default=True,
        description="Whether an iteration that fails or is killed ends the loop, which then fails too.",
    )
    outputs: list[Output] | None = Field(
        default=None, description="What each iteration puts out; like outputs of a flow."
    )
    fetch_type: Literal["AUTO", "FETCH", "STORE"] = Field(
        default="AUTO",
        description=(
            "FETCH: outputs are a list; STORE: they are rows of a file, for many iterations;"
            " AUTO: STORE when the values come from a file."
        ),
    )
    break_when: Lazy[str] | None = Field(
        default=None,
        description=(
            "An expression, evaluated after each iteration with `item` and `iteration.executionId`,"
            " `iteration.state`, `iteration.outputs`; when it holds, no other iteration begins."
        ),
    )
    tasks: Tasks = Field(
        min_length=1,
        description="The tasks to run for each value, one after another.",
        json_schema_extra={"message": NO_TASKS},
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        return control.Iterations(
            **build.control(self, self.tasks),
            values=self.values,
            tasks=build.branch(self.tasks),
            concurrency=self.concurrency_limit,
            transmit_failed=self.transmit_failed,
            outputs=tuple(
                control.FlowOutput(
                    id=each.id, type=each.type.value, value=each.value, required=each.required
                )
                for each in self.outputs or ()
            ),
            fetch=self.fetch_type,
            break_when=self.break_when,
        )
