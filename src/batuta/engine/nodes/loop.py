"""LoopUntil: the tasks again and again until a condition holds (01 §6.9)."""

from typing import Any

import msgspec

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.commands import ClearTimer, Render, SetTimer
from batuta.engine.events import Rendered
from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind, skip
from batuta.engine.plan import Expression, Loop
from batuta.engine.turn import Turn
from batuta.engine.values import is_template, is_truthy, to_duration, to_int
from batuta.model.instant import Instant
from batuta.model.state import State


def enter(turn: Turn, _node: Loop, run: TaskRun) -> None:
    run = branch.open_run(turn, run)
    turn.note(run, count=1)
    turn.outputs(run, {"iterationCount": 1})
    turn.advance(run)


def skipped(turn: Turn, node: Loop, run: TaskRun) -> None:
    turn.outputs(run, {"iterationCount": 1})
    skip(turn, node, run)


def schedule(turn: Turn, node: Loop, run: TaskRun) -> bool:
    progress = turn.progress(run)
    if progress.live:
        return False
    if progress.cursor >= len(node.tasks):
        return True
    turn.note(run, cursor=progress.cursor + 1)
    task_id = node.tasks[progress.cursor]
    branch.start(turn, run, task_id, iteration=turn.runs[run.id].iteration or 0)
    return False


def counted(turn: Turn, run: TaskRun, child: TaskRun) -> None:
    turn.note(run, children=(*turn.progress(run).children, child.id))


def passed(turn: Turn, node: Loop, run: TaskRun) -> None:
    """A pass is done, and nothing failed."""
    progress = turn.progress(run)
    values = _values(node)
    if not any(map(is_template, values.values())):
        _judge(turn, node, run, values=values)
        return
    purpose = f"pass{progress.count}"
    turn.note(run, waiting=purpose)
    turn.emit(Render(request_id=f"{run.id}/{purpose}", values=values, frame=turn.runs[run.id]))


def _values(node: Loop) -> dict[str, Expression]:
    values = {
        "condition": node.condition,
        "interval": node.interval,
        "maxIterations": node.max_iterations,
        "maxDuration": node.max_duration,
        "failOnMaxReached": node.fail_on_max_reached,
    }
    return {name: value for name, value in values.items() if value is not None}


def rendered(turn: Turn, node: Loop, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    del purpose
    if event.problem is None:
        _judge(turn, node, run, values=event.values)
    else:
        branch.refuse(turn, run, problem=event.problem)


def _judge(turn: Turn, node: Loop, run: TaskRun, *, values: Any) -> None:
    if is_truthy(values.get("condition")):
        branch.leave_tasks(turn, run, FLOWING)
        return
    count = turn.progress(run).count + 1
    turn.note(run, count=count)
    turn.outputs(run, {"iterationCount": count})
    try:
        interval = to_duration(values.get("interval"))
        reached = _limit_reached(turn, run, count, values=values)
    except ValueError as error:
        branch.refuse(turn, run, problem=str(error))
        return
    if reached is None:
        _pause(turn, run, due=Instant(turn.at + interval))
        return
    turn.log("WARN", reached, run)
    if is_truthy(values.get("failOnMaxReached")):
        turn.note(run, worst=State.FAILED)
    branch.leave_tasks(turn, run, FLOWING)


def _limit_reached(turn: Turn, run: TaskRun, count: int, *, values: Any) -> str | None:
    iterations, duration = values.get("maxIterations"), values.get("maxDuration")
    if iterations is not None and count > to_int(iterations):
        return "Max iterations reached"
    if duration is not None and turn.at >= run.histories[0].at + to_duration(duration):
        return "Max duration reached"
    return None


def _pause(turn: Turn, run: TaskRun, *, due: Instant) -> None:
    turn.mark(turn.runs[run.id], State.PAUSED)
    if turn.state is State.RUNNING:
        turn.become(State.PAUSED)
    turn.emit(SetTimer(timer_id=f"loop/{run.id}/{turn.progress(run).count}", due=due))


def fired(turn: Turn, _node: Loop, run: TaskRun, *, name: str, number: str) -> None:
    """The next pass: the children of the last one are removed, the histories start over."""
    progress = turn.progress(run)
    if name != "loop" or run.state is not State.PAUSED or str(progress.count) != number:
        return
    turn.remove(progress.children, parent=run)
    # 01 §6.9: one more than before, also inside another loop, where it starts from that loop's number.
    iteration, first = (run.iteration or 0) + 1, run.histories[:1]
    run = msgspec.structs.replace(run, histories=first, attempts=None, iteration=iteration)
    run = branch.open_run(turn, run)
    turn.note(run, cursor=0, children=(), worst=State.SUCCESS)
    if turn.state is State.PAUSED and not turn.course.held and not has_paused(turn):
        turn.become(State.RUNNING)
    turn.advance(run)


def has_paused(turn: Turn) -> bool:
    return any(run.state is State.PAUSED for run in turn.runs.values())


def killed(turn: Turn, _node: Loop, run: TaskRun, *, hard: bool, cascade: bool) -> None:
    del hard, cascade
    if run.state is State.PAUSED:
        turn.emit(ClearTimer(timer_id=f"loop/{run.id}/{turn.progress(run).count}"))
    if turn.progress(run).live == 0:
        turn.end(run, turn.progress(run).floor or State.KILLED)


FLOWING = Flowing(schedule, branch.conclude, passed, counted)
KIND = Kind(enter, killed, FLOWING, rendered, fired=fired, skipped=skipped)
