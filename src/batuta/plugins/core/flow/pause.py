"""Wait for a person, a call or a time."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import override

from batuta.plugins.core.flow.flowable import Flowable, Tasks
from batuta.sdk import control
from batuta.sdk.control import AnyNode, NodeBuilder
from batuta.sdk.definition import Deprecated, DurationText, TaskBase
from batuta.sdk.input import Input
from batuta.sdk.property import Lazy


class Pause(
    Flowable,
    type="io.kestra.plugin.core.flow.Pause",
    aliases=("io.kestra.core.tasks.flows.Pause",),
):
    """Stop the execution until somebody resumes it, or until a time has passed.

    # What it does
    Without `pauseDuration` it waits for a person or an API call; values asked for in `onResume` are
    checked as inputs are. With `pauseDuration` it ends by itself as `behavior` says.

    # Example
    ```yaml
    - id: approve
      type: io.kestra.plugin.core.flow.Pause
      onResume:
        - id: reason
          type: STRING
    ```

    # Outputs
    `onResume`, the given values; `resumed`, by whom, when and to which state.
    """

    pause_duration: Lazy[DurationText] | None = Field(
        default=None, description="Ends the pause after this time."
    )
    delay: Annotated[Lazy[DurationText] | None, Deprecated()] = Field(
        default=None, description="The older name of `pauseDuration`."
    )
    behavior: Lazy[Literal["RESUME", "WARN", "CANCEL", "FAIL"]] = Field(
        default="RESUME", description="How the pause ends when its duration has passed."
    )
    on_pause: TaskBase | None = Field(
        default=None, description="A task to run when the pause begins."
    )
    on_resume: list[Input] | None = Field(
        default=None, description="Values to ask for when the execution is resumed."
    )
    tasks: Annotated[Tasks | None, Deprecated()] = Field(
        default=None, description="Tasks to run after the pause; write them behind it instead."
    )

    @override
    def compile(self, build: NodeBuilder) -> AnyNode:
        asked = self.spec.get("onResume") or ()
        return control.Pause(
            **build.control(self, self.tasks),
            duration=self.pause_duration if self.pause_duration is not None else self.delay,
            timeout=self.timeout,
            behavior=self.behavior,
            tasks=build.branch(self.tasks),
            on_pause=build.detached(self.on_pause) if self.on_pause is not None else None,
            on_resume=tuple(asked),
        )
