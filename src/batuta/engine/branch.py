"""Which list of a control task, or of the flow, goes on: `tasks`, then `errors`, then `finally` (01 §4.7).

Main children are started by the kind of the task; the other lists run one task after another whatever the kind.
`errors` begins as soon as a main child has failed for good, `finally` and the end wait until every child has ended.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from batuta.engine.execution import Branch, Progress, TaskRun
from batuta.engine.rollup import STOPPING, forgiven, worse
from batuta.engine.turn import Scope, Turn, begun, closed, reach
from batuta.model.ids import TaskId
from batuta.model.state import State


@dataclass(frozen=True, slots=True)
class Flowing:
    """How one kind of control task moves its children."""

    schedule: Callable[[Turn, Any, Any], bool]
    """Start the main children that may start now; whether none is left to be started, ever."""
    finished: Callable[[Turn, Any, Any], None]
    """Every list is done and every child has ended."""
    passed: Callable[[Turn, Any, Any], None] | None = None
    """The main children are done, none failed: decide what is next instead of `finally` and the end."""
    counted: Callable[[Turn, Any, TaskRun], None] | None = None
    """Take note of a main child that ended: turn, scope, child."""


def open_run(turn: Turn, run: TaskRun) -> TaskRun:
    """A control task begins: RUNNING, with an attempt."""
    return turn.mark(run, State.RUNNING, attempts=begun(run, turn.at))


def conclude(turn: Turn, node: Any, run: TaskRun) -> None:
    """End a control task in the state that its main children give it."""
    state = turn.progress(run).worst
    if state is State.FAILED and getattr(node, "failure_is_warning", False):
        state = State.WARNING
    close(turn, node, run, state=state)


def close(turn: Turn, node: Any, run: TaskRun, *, state: State) -> None:
    """End a control task, and its attempt, in `state` or in what `allowFailure` makes of it."""
    state = forgiven(state, allow_failure=node.allow_failure, allow_warning=node.allow_warning)
    run = turn.runs[run.id]
    turn.end(run, state, attempts=closed(run, state, turn.at))


def refuse(turn: Turn, run: TaskRun, *, problem: str) -> None:
    """A property of a control task means nothing: it fails, whatever it allows (01 §6.21)."""
    turn.log("ERROR", f"Unable to resolve state from the Flowable task: {problem}", run)
    run = turn.runs[run.id]
    turn.end(run, State.FAILED, attempts=closed(run, State.FAILED, turn.at))


def start(
    turn: Turn,
    scope: Scope,
    task_id: TaskId,
    *,
    value: str | None = None,
    iteration: int | None = None,
    **memory: Any,
) -> None:
    """Create a main child; what else the scope has to remember of it comes in `memory`."""
    turn.note(scope, live=turn.progress(scope).live + 1, **memory)
    turn.spawn(task_id, _current(turn, scope), value=value, iteration=iteration)


def schedule_in_order(turn: Turn, scope: Scope, tasks: tuple[TaskId, ...]) -> bool:
    """One task after another."""
    progress = turn.progress(scope)
    if progress.live:
        return False
    if progress.cursor >= len(tasks):
        return True
    start(turn, scope, tasks[progress.cursor], cursor=progress.cursor + 1)
    return False


def advance(turn: Turn, scope: Scope, flowing: Flowing) -> None:
    """Start what may start in a scope, go on to its next list, or end it."""
    node = _node(turn, scope)
    if turn.progress(scope).branch is not Branch.TASKS:
        _advance_list(turn, scope, flowing)
        return
    if turn.progress(scope).worst is State.FAILED and _list(node, Branch.ERRORS):
        _enter_list(turn, scope, Branch.ERRORS)
        _advance_list(turn, scope, flowing)
        return
    stopped = turn.progress(scope).worst in STOPPING
    if not stopped and not flowing.schedule(turn, node, scope):
        return
    if turn.progress(scope).live > 0:
        return
    if flowing.passed is not None and not stopped:
        flowing.passed(turn, node, scope)
    else:
        _leave_list(turn, scope, flowing)


def leave_tasks(turn: Turn, scope: TaskRun, flowing: Flowing) -> None:
    """What `passed` decided: the main children were the last ones; a failure set meanwhile counts."""
    if turn.progress(scope).worst is State.FAILED and _list(_node(turn, scope), Branch.ERRORS):
        _enter_list(turn, scope, Branch.ERRORS)
        _advance_list(turn, scope, flowing)
    else:
        _leave_list(turn, scope, flowing)


def child_ended(turn: Turn, scope: Scope, child: TaskRun, *, flowing: Flowing) -> None:
    """Count a child that ended by now. Whether the scope advances or settles is decided by the caller."""
    node = _node(turn, scope)
    progress = turn.progress(scope)
    reach(turn, progress.latest)
    live, latest = progress.live - 1, turn.at
    if _is_side(node, progress, child):
        turn.note(scope, live=live, latest=latest, side=progress.side - 1)
    elif scope is None and not _is_main(turn.plan.tasks, progress, child):
        # an onPause task, which has no parent (01 §6.12)
        turn.note(scope, live=live, latest=latest)
    else:
        worst = worse(progress.worst, child.state)
        turn.note(scope, live=live, latest=latest, worst=worst)
        if flowing.counted is not None:
            flowing.counted(turn, scope, child)


def _advance_list(turn: Turn, scope: Scope, flowing: Flowing) -> None:
    progress = turn.progress(scope)
    if progress.side:
        return
    tasks = _list(_node(turn, scope), progress.branch)
    if progress.cursor < len(tasks):
        turn.note(scope, cursor=progress.cursor + 1, live=progress.live + 1, side=progress.side + 1)
        turn.spawn(tasks[progress.cursor], _current(turn, scope))
    elif progress.live == 0:
        _leave_list(turn, scope, flowing)


def _leave_list(turn: Turn, scope: Scope, flowing: Flowing) -> None:
    node = _node(turn, scope)
    progress = turn.progress(scope)
    before_finally = progress.branch in {Branch.TASKS, Branch.ERRORS}
    if before_finally and progress.worst is not State.KILLED and _list(node, Branch.FINALLY):
        _enter_list(turn, scope, Branch.FINALLY)
        _advance_list(turn, scope, flowing)
    else:
        flowing.finished(turn, node, scope)


def _enter_list(turn: Turn, scope: Scope, branch: Branch) -> Progress:
    return turn.note(scope, branch=branch, cursor=0)


def _list(node: Any, branch: Branch) -> tuple[TaskId, ...]:
    match branch:
        case Branch.ERRORS:
            tasks = node.errors
        case Branch.FINALLY:
            tasks = node.finally_
        case _:
            tasks = node.after
    result: tuple[TaskId, ...] = tasks
    return result


def _node(turn: Turn, scope: Scope) -> Any:
    """What has the lists of a scope."""
    return turn.plan if scope is None else turn.plan.nodes[scope.task_id]


def _is_side(node: Any, progress: Progress, child: TaskRun) -> bool:
    """Lists are only searched where the child is not the one that was started last."""
    if not progress.side:
        return False
    if _is_last(_list(node, progress.branch), progress, child):
        return True
    lists: tuple[tuple[TaskId, ...], ...] = (
        node.errors,
        node.finally_,
        getattr(node, "after", ()),
    )
    return any(child.task_id in tasks for tasks in lists)


def _is_main(tasks: tuple[TaskId, ...], progress: Progress, child: TaskRun) -> bool:
    on_tasks = progress.branch is Branch.TASKS
    return (on_tasks and _is_last(tasks, progress, child)) or child.task_id in tasks


def _is_last(tasks: tuple[TaskId, ...], progress: Progress, child: TaskRun) -> bool:
    place = progress.cursor - 1
    return 0 <= place < len(tasks) and tasks[place] == child.task_id


def _current(turn: Turn, scope: Scope) -> Scope:
    return None if scope is None else turn.runs[scope.id]
