"""What a task gives back."""

from typing import Any

import msgspec

from batuta.model.state import State


class Output(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of output types. Fields are camelCase in `outputs.<task>.<field>`; a None field is present as null."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs together with a final state other than SUCCESS (05 §2), or with edits of the execution.

    `labels` are merged into those of the execution, `variables` replace its variables, `exit_state` ends it.
    """

    outputs: Any = None
    state: State = State.SUCCESS
    labels: dict[str, str] | None = None
    variables: dict[str, Any] | None = None
    exit_state: State | None = None
