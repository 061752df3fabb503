"""Whether and when a failed attempt is repeated (01 §5.3)."""

from collections.abc import Sequence

import msgspec

from batuta.engine.commands import SetTimer
from batuta.engine.ending import give_up
from batuta.engine.execution import Attempt, Branch, Enter, Execution, Phase, TaskRun
from batuta.engine.plan import AnyNode, Retry
from batuta.engine.turn import Turn
from batuta.model.ids import TaskRunId, derived_fraction
from batuta.model.instant import Instant, Micros
from batuta.model.state import State, followed

_MILLISECOND: Micros = 1_000


def next_attempt(retry: Retry, run_id: TaskRunId, attempts: Sequence[Attempt]) -> Instant | None:
    """The instant of the next attempt, None for no more. Attempts lost with their worker do not count."""
    made = [attempt for attempt in attempts if attempt.state is not State.RESUBMITTED]
    if not made:
        return None
    if retry.max_attempts is not None and len(made) >= retry.max_attempts:
        return None
    due = Instant(made[-1].histories[-1].at + _delay(retry, run_id, len(made)))
    if retry.max_duration is not None and due > made[0].histories[0].at + retry.max_duration:
        return None
    return due


def next_execution(retry: Retry, execution: Execution, at: Instant) -> Instant | None:
    """The instant at which a new execution replaces this one (CREATE_NEW_EXECUTION)."""
    number = execution.attempt_number
    if retry.max_attempts is not None and number >= retry.max_attempts:
        return None
    due = Instant(at + _delay(retry, execution.id, number))
    created = execution.original_created or execution.histories[0].at
    if retry.max_duration is not None and due > created + retry.max_duration:
        return None
    return due


def _delay(retry: Retry, seed: str, made: int) -> Micros:
    match retry.kind:
        case "exponential":
            # 01 §5.3: growth is linear, and the first repetition comes at once.
            grown = retry.interval * int(retry.delay_factor) * (made - 1)
            return grown if retry.max_interval is None else min(retry.max_interval, grown)
        case "random":
            span = (retry.max_interval or retry.interval) - retry.interval
            part = round(span * derived_fraction(seed, made))
            return retry.interval + part - part % _MILLISECOND
        case _:
            return retry.interval


def repeat(turn: Turn, node: AnyNode, run: TaskRun) -> bool:
    """Arrange that a task run whose last attempt failed is run again; False when it is not."""
    retry = node.retry
    if retry is None or turn.course.ending is not None:
        return False
    if retry.new_execution:
        return _renew(turn, retry, run)
    due = next_attempt(retry, run.id, run.attempts or ())
    if due is None:
        return False
    turn.note(turn.put(run), due=due)
    if turn.course.retrying is None:
        _wait(turn, run)
    return True


def fired(turn: Turn, _node: AnyNode, run: TaskRun, *, name: str, number: str) -> None:
    """The time of a task run that waits for its next attempt has come."""
    if (
        name != "retry"
        or run.state is not State.RETRYING
        or str(turn.progress(run).given) != number
    ):
        return
    turn.note(turn.mark(run, State.CREATED), due=None)
    turn.agenda.append(Enter(run.id))
    turn.remember(retrying=None)
    if turn.state is State.RETRYING:
        turn.become(State.RUNNING)
    _next(turn)


def _renew(turn: Turn, retry: Retry, run: TaskRun) -> bool:
    """The task run, its ancestors and the execution end RETRIED."""
    due = next_execution(retry, turn.execution, turn.at)
    if due is None or turn.course.phase is not Phase.RUNNING:
        return False
    _show_failure(turn, retry, run)
    turn.end(run, State.FAILED, State.RETRIED)
    give_up(turn, run, State.RETRIED, hard=True)
    turn.remember(renew=due)
    return True


def take_up(turn: Turn) -> None:
    """The rows were edited: the task run that the others waited for may be gone."""
    if all(run.state is not State.RETRYING for run in turn.runs.values()):
        _next(turn)


def _next(turn: Turn) -> None:
    """01 §5.3: the execution is RETRYING for one task run at a time; the others wait for their turn."""
    waiting = [run for run in turn.runs.values() if _waits(run)]
    if waiting:
        _wait(turn, min(waiting, key=lambda run: run.ordinal))


def _waits(run: TaskRun) -> bool:
    progress = run.progress
    return progress is not None and progress.due is not None and run.state is not State.RETRYING


def _wait(turn: Turn, run: TaskRun) -> None:
    run = turn.runs[run.id]
    progress = turn.progress(run)
    node = turn.plan.nodes.get(run.task_id)
    _show_failure(turn, None if node is None else node.retry, run)
    failed_at = run.attempts[-1].histories[-1].at if run.attempts else turn.at
    failed = followed(run.histories, State.FAILED, failed_at)
    histories = followed(failed, State.RETRYING, turn.at)
    turn.put(msgspec.structs.replace(run, histories=histories))
    if turn.course.phase is Phase.RUNNING and turn.state in {State.RUNNING, State.FAILED}:
        turn.become(State.RETRYING)
    turn.remember(retrying=run.id)
    due = progress.due or turn.at
    turn.emit(SetTimer(timer_id=f"retry/{run.id}/{progress.given}", due=due))


def _show_failure(turn: Turn, retry: Retry | None, run: TaskRun) -> None:
    """01 §5.3: at top level the histories show FAILED before RETRYING, when nothing else is to come."""
    own = retry is not None and retry.own
    nothing_else = own or not (turn.plan.errors or turn.plan.finally_)
    alone = run.parent_id is None and turn.root.branch is Branch.TASKS and turn.root.live == 1
    if alone and nothing_else and turn.state is State.RUNNING:
        turn.become(State.FAILED)
