"""Which state may follow which, from the tables of 01 §4.1, §4.3 and §8; and no history goes back in time."""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise

from batuta.model.state import Histories, State

S = State
_ENDS = frozenset({S.SUCCESS, S.WARNING, S.FAILED, S.KILLED, S.CANCELLED})
_CUT = frozenset({S.KILLING, S.FAILED, S.CANCELLED, S.RETRIED, *_ENDS})
"""Kill, SLA, Exit, and a new execution in place of this one come at any time."""
_MAY_FOLLOW: Mapping[State, frozenset[State]] = {
    S.CREATED: _CUT | {S.RUNNING, S.QUEUED},
    S.QUEUED: _CUT | {S.RUNNING},
    S.RUNNING: _CUT | {S.PAUSED, S.RETRYING, S.BREAKPOINT},
    S.PAUSED: _CUT | {S.RESTARTED, S.RUNNING, S.BREAKPOINT},
    S.RESTARTED: _CUT | {S.RUNNING, S.QUEUED, S.PAUSED},
    S.RETRYING: _CUT | {S.RUNNING, S.PAUSED, S.BREAKPOINT},
    S.BREAKPOINT: _CUT | {S.RUNNING, S.PAUSED},
    S.KILLING: _ENDS,
    S.FAILED: frozenset({S.RETRYING, S.RETRIED}),
    S.SUCCESS: frozenset({S.FAILED}),
    S.WARNING: frozenset({S.FAILED}),
}
"""Of executions, without what people order. FAILED stands before RETRYING (01 §5.3), failed outputs make FAILED."""
_RUN_MAY_FOLLOW: Mapping[State, frozenset[State]] = {
    S.CREATED: _ENDS | {S.SUBMITTED, S.RUNNING, S.SKIPPED, S.BREAKPOINT, S.RETRIED},
    S.SUBMITTED: _ENDS | {S.RUNNING, S.SUBMITTED, S.RETRIED},
    S.RUNNING: _ENDS | {S.PAUSED, S.SUBMITTED, S.RETRIED},
    S.PAUSED: _ENDS | {S.RUNNING, S.RETRIED},
    S.RETRYING: _ENDS | {S.CREATED, S.RETRIED},
    S.BREAKPOINT: _ENDS | {S.CREATED},
    S.RESTARTED: _ENDS | {S.SUBMITTED, S.RUNNING, S.BREAKPOINT, S.SKIPPED, S.RETRIED},
    S.FAILED: frozenset({S.RETRYING, S.RETRIED, S.WARNING, S.SUCCESS}),
}
"""FAILED is followed where an attempt failed (01 §5.3), or a child whose failure does not count (01 §6.13)."""


def wrong_execution(
    known: Histories, now: Histories, *, may: Callable[[State, State], bool]
) -> Iterator[str]:
    """What is wrong with the way from `known` to `now`; `may` allows what people ordered."""
    if now[: len(known)] != known:
        yield f"the past changed: {told(known)} became {told(now)}"
        return
    for before, after in pairwise(now[max(len(known) - 1, 0) :]):
        if after.at < before.at:
            yield f"time went back: {told(now)}"
        if after.state not in _MAY_FOLLOW.get(before.state, ()) and not may(
            before.state, after.state
        ):
            yield f"{before.state} was followed by {after.state}: {told(now)}"


def wrong_run(known: Histories, now: Histories, *, ordered: bool) -> Iterator[str]:
    """The same of a task run; `ordered` when people changed its state."""
    start = len(known) - 1 if now[: len(known)] == known else len(now) - 2
    for before, after in pairwise(now[max(start, 0) :]):
        if after.at < before.at:
            yield f"time went back: {told(now)}"
        begun = after.state is S.RESTARTED
        if after.state not in _RUN_MAY_FOLLOW.get(before.state, ()) and not (ordered or begun):
            yield f"{before.state} was followed by {after.state}: {told(now)}"


def told(histories: Histories) -> str:
    return " ".join(each.state for each in histories)
