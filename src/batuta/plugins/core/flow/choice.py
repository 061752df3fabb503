"""Tasks that run one of several branches."""

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import Flowable, Tasks
from batuta.sdk import control
from batuta.sdk.control import AnyNode, NodeBuilder
from batuta.sdk.property import Lazy


class If(
    Flowable,
    type="io.kestra.plugin.core.flow.If",
    aliases=("io.kestra.core.tasks.flows.If",),
):
    """Run one branch or the other.

    # What it does
    Renders `condition` once; null, the empty text, blanks, `false`, `0` and `-0` choose `else`, anything
    else chooses `then`.

    # Example
    ```yaml
    - id: check
      type: io.kestra.plugin.core.flow.If
      condition: "{{ inputs.count > 3 }}"
      then:
        - id: many
          type: io.kestra.plugin.core.log.Log
          message: many
    ```

    # Outputs
    `evaluationResult`, the boolean.
    """

    condition: Lazy[str] | None = Field(default=None, description="The expression to judge.")
    then: Tasks = Field(min_length=1, description="Tasks to run when the condition holds.")
    else_: Tasks | None = Field(
        default=None, alias="else", description="Tasks to run when it does not."
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        return control.Choice(
            **build.control(self, [*self.then, *(self.else_ or ())]),
            value=self.condition,
            is_condition=True,
            cases={"true": build.branch(self.then), "false": build.branch(self.else_)},
        )


class Switch(
    Flowable,
    type="io.kestra.plugin.core.flow.Switch",
    aliases=("io.kestra.core.tasks.flows.Switch",),
):
    """Run the branch whose name a value has.

    # What it does
    Renders `value` and runs the tasks of the case with exactly that text, else `defaults`; without either
    it fails.

    # Example
    ```yaml
    - id: by_kind
      type: io.kestra.plugin.core.flow.Switch
      value: "{{ inputs.kind }}"
      cases:
        csv:
          - id: read_csv
            type: io.kestra.plugin.core.log.Log
            message: csv
    ```

    # Outputs
    `value`, the rendered text; `defaults`, whether no case had it.
    """

    value: Lazy[str] = Field(description="The expression whose text is looked up in `cases`.")
    cases: dict[str, Tasks] | None = Field(default=None, description="Branches by text.")
    defaults: Tasks | None = Field(
        default=None, description="Tasks to run when no case has the text."
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        cases = self.cases or {}
        everything = [task for tasks in cases.values() for task in tasks]
        return control.Choice(
            **build.control(self, [*everything, *(self.defaults or ())]),
            value=self.value,
            cases={key: build.branch(tasks) for key, tasks in cases.items()},
            defaults=build.branch(self.defaults) if self.defaults else None,
        )
