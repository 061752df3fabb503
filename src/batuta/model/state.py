"""States of executions, task runs and attempts (01 §4.1), and the history of a state (01 §4.2)."""

from enum import StrEnum

import msgspec

from batuta.model.instant import Instant


class State(StrEnum):
    """In the order of declaration that the API sorts by."""

    CREATED = "CREATED"
    SUBMITTED = "SUBMITTED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    RESTARTED = "RESTARTED"
    KILLING = "KILLING"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILED = "FAILED"
    KILLED = "KILLED"
    CANCELLED = "CANCELLED"
    QUEUED = "QUEUED"
    RETRYING = "RETRYING"
    RETRIED = "RETRIED"
    SKIPPED = "SKIPPED"
    BREAKPOINT = "BREAKPOINT"
    RESUBMITTED = "RESUBMITTED"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


TERMINAL = frozenset(
    {
        State.FAILED,
        State.WARNING,
        State.SUCCESS,
        State.KILLED,
        State.CANCELLED,
        State.RETRIED,
        State.SKIPPED,
        State.RESUBMITTED,
    }
)


class History(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry: since `at` the state was `state`."""

    state: State
    at: Instant


Histories = tuple[History, ...]


def followed(histories: Histories, state: State, at: Instant) -> Histories:
    """The same with one more entry. Time never goes back in it, whatever clocks do."""
    return (*histories, History(state, max(at, histories[-1].at)))
