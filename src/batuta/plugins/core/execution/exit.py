"""`core.execution.Exit`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field, field_validator
from typing_extensions import override

from batuta.model.state import State
from batuta.sdk import Outcome, Placement, Property, RunContext, Task


class ExitState(StrEnum):
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    KILLED = "KILLED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    CANCELLED = "CANCELLED"


_STATES: Mapping[ExitState, State] = {
    ExitState.SUCCESS: State.SUCCESS,
    ExitState.WARNING: State.WARNING,
    ExitState.KILLED: State.KILLED,
    ExitState.FAILED: State.FAILED,
    ExitState.CANCELED: State.CANCELLED,
    ExitState.CANCELLED: State.CANCELLED,
}


class Exit(Task, type="io.kestra.plugin.core.execution.Exit", placement=Placement.INLINE):
    """End the execution now, in a state.

    # What it does
    The task run, its parents and the execution take the state; no further task is started.

    # Example
    ```yaml
    - id: nothing_to_do
      type: io.kestra.plugin.core.execution.Exit
      runIf: "{{ outputs.list.size == 0 }}"
      state: WARNING
    ```

    # Outputs
    None.

    # Notes
    Tasks of parallel branches that already run go on, unless the state is KILLED. FAILED does not run `errors`,
    SUCCESS does not run `finally`. `CANCELED` and `CANCELLED` mean the same.
    """

    state: Property[ExitState] = Field(
        default=ExitState.SUCCESS, description="The state to end in."
    )

    @field_validator("state", mode="before")
    @classmethod
    def _known_state(cls, value: Any) -> Any:
        """A literal that is no state is refused before anything runs (01 §6.17)."""
        if isinstance(value, str) and "{" not in value:
            return ExitState(value)
        return value

    @override
    async def run(self, ctx: RunContext) -> Outcome:
        return Outcome(exit_state=_STATES[self.state])
