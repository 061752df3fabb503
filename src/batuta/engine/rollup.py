"""A parent's state from the states of its children (01 §4.6)."""

from batuta.model.state import State

_SEVERITY = {State.WARNING: 1, State.FAILED: 2, State.KILLED: 3}
"""All other states of children count as SUCCESS."""

STOPPING = frozenset({State.FAILED, State.KILLED})
"""A main child that ends so keeps the other main children from being started."""


def worse(known: State, other: State) -> State:
    """The more severe of the result so far and the state of one more child."""
    return other if _SEVERITY.get(other, 0) > _SEVERITY.get(known, 0) else known


def forgiven(state: State, *, allow_failure: bool, allow_warning: bool) -> State:
    """What `allowFailure` and `allowWarning` make of a state (01 §5.2)."""
    if state is State.FAILED and allow_failure:
        state = State.WARNING
    if state is State.WARNING and allow_warning:
        state = State.SUCCESS
    return state
