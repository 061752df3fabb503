"""Pause: wait for a person or for a time, then go on with the tasks inside, if any (01 §6.12)."""

from typing import Any

import msgspec

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.commands import ClearTimer, Render, SetTimer
from batuta.engine.ending import give_up
from batuta.engine.events import Rendered, Resumed
from batuta.engine.execution import Attempt, Phase, TaskRun
from batuta.engine.kind import Kind
from batuta.engine.plan import Expression, Pause
from batuta.engine.rollup import forgiven, worse
from batuta.engine.turn import Turn, begun, closed
from batuta.engine.values import is_template, to_duration
from batuta.model.instant import Instant, Micros, to_iso
from batuta.model.state import History, State

_BEHAVIORS = {
    "RESUME": State.SUCCESS,
    "WARN": State.WARNING,
    "FAIL": State.FAILED,
    "CANCEL": State.CANCELLED,
}


def enter(turn: Turn, node: Pause, run: TaskRun) -> None:
    run = branch.open_run(turn, run)
    values = _values(node)
    if any(map(is_template, values.values())):
        turn.note(run, waiting="times")
        turn.emit(Render(request_id=f"{run.id}/times", values=values, frame=run))
    else:
        _pause(turn, node, run, values=values)


def _values(node: Pause) -> dict[str, Expression]:
    values = {"duration": node.duration, "timeout": node.timeout, "behavior": node.behavior}
    return {name: value for name, value in values.items() if value is not None}


def rendered(turn: Turn, node: Pause, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    del purpose
    if event.problem is None:
        _pause(turn, node, run, values=event.values)
    else:
        branch.refuse(turn, run, problem=event.problem)


def _pause(turn: Turn, node: Pause, run: TaskRun, *, values: Any) -> None:
    try:
        wait, behavior = _time(values)
    except ValueError as error:
        branch.refuse(turn, run, problem=str(error))
        return
    if wait is None and turn.course.phase is Phase.AFTER:
        _leave(turn, node, run, state=State.SUCCESS)  # nobody can resume an execution that is over
        return
    run = turn.mark(turn.runs[run.id], State.PAUSED)
    turn.note(run, behavior=behavior)
    if turn.state in {State.RUNNING, State.RETRYING}:
        turn.become(State.PAUSED)
    if wait is not None:
        turn.emit(SetTimer(timer_id=f"pause/{run.id}/0", due=Instant(turn.at + wait)))
    if node.on_pause is not None:
        # 01 §6.12: a task run without parent; the flow's end waits for it.
        turn.note(None, live=turn.root.live + 1)
        turn.spawn(node.on_pause, None)


def _time(values: Any) -> tuple[Micros | None, State]:
    """How long to wait, and for which state; a duration goes before a timeout. Raises `ValueError`."""
    duration, timeout = values.get("duration"), values.get("timeout")
    name = str(values.get("behavior", "RESUME"))
    if name not in _BEHAVIORS:
        raise ValueError(f"`{name}` is none of {', '.join(_BEHAVIORS)}")
    if duration:
        return to_duration(duration), _BEHAVIORS[name]
    return (to_duration(timeout) if timeout else None), State.FAILED


def is_waiting(turn: Turn, run: TaskRun) -> bool:
    return run.state is State.PAUSED and isinstance(turn.plan.nodes.get(run.task_id), Pause)


def fired(turn: Turn, node: Pause, run: TaskRun, *, name: str, number: str) -> None:
    """The time is over: the behavior counts, or the timeout's failure."""
    del number
    if name != "pause" or run.state is not State.PAUSED:
        return
    state = turn.progress(run).behavior or State.SUCCESS
    state = forgiven(state, allow_failure=node.allow_failure, allow_warning=node.allow_warning)
    turn.outputs(run, {"resumed": {"on": to_iso(turn.at), "to": state.value}})
    if state is State.CANCELLED:
        attempts = closed(run, state, turn.at)
        turn.end(run, state, attempts=attempts)
        give_up(turn, run, state, hard=True)
        return
    _leave(turn, node, run, state=state)


def resumed(turn: Turn, node: Pause, run: TaskRun, *, event: Resumed) -> None:
    """Somebody resumed the execution; the behavior does not count."""
    turn.emit(ClearTimer(timer_id=f"pause/{run.id}/0"))
    told = {"by": event.by} if event.by else {}
    note = {**told, "on": to_iso(turn.at), "to": State.SUCCESS.value}
    turn.outputs(run, {"onResume": dict(event.inputs), "resumed": note})
    _leave(turn, node, run, state=State.SUCCESS)


def _leave(turn: Turn, node: Pause, run: TaskRun, *, state: State) -> None:
    """The execution goes on, unless another Pause keeps it; so does the Pause with what is inside it."""
    if _has_lists(node):
        if run.state is State.PAUSED:
            run = turn.mark(run, State.RUNNING)
        turn.note(run, worst=worse(turn.progress(run).worst, state))
        turn.advance(run)
    else:
        # The attempt of a Pause that just went on stays RUNNING, as recorded.
        attempts = run.attempts if state is State.SUCCESS else closed(run, state, turn.at)
        turn.end(run, state, attempts=attempts)
    if turn.course.phase is Phase.RUNNING:
        turn.change(attempt_number=turn.execution.attempt_number + 1)
    others = any(other.state is State.PAUSED for other in turn.runs.values())
    if turn.state is State.PAUSED and not others and not turn.course.held:
        turn.become(State.RESTARTED)
        turn.become(State.RUNNING)


def _has_lists(node: Pause) -> bool:
    """Whether the Pause is RUNNING again before it ends (01 §6.12)."""
    return bool(node.tasks or node.errors or node.finally_)


def schedule(turn: Turn, node: Pause, run: TaskRun) -> bool:
    return branch.schedule_in_order(turn, run, node.tasks)


def killed(turn: Turn, node: Pause, run: TaskRun, *, hard: bool, cascade: bool) -> None:
    """A Pause that has lists of its own is resumed first, like the execution (01 §4.9)."""
    del hard, cascade
    if run.state is State.PAUSED:
        turn.emit(ClearTimer(timer_id=f"pause/{run.id}/0"))
        turn.outputs(run, {"resumed": {"on": to_iso(turn.at), "to": State.KILLING.value}})
        if _has_lists(node):
            run = turn.mark(run, State.RUNNING)
        else:
            run = turn.put(msgspec.structs.replace(run, attempts=_killing(turn, run)))
    if turn.progress(run).live == 0:
        turn.end(turn.runs[run.id], turn.progress(run).floor or State.KILLED)


def _killing(turn: Turn, run: TaskRun) -> tuple[Attempt, ...]:
    *earlier, last = run.attempts or begun(run, turn.at)
    histories = (*last.histories, History(State.KILLING, turn.at))
    return (*earlier, msgspec.structs.replace(last, histories=histories))


KIND = Kind(enter, killed, Flowing(schedule, branch.conclude), rendered, fired=fired)
