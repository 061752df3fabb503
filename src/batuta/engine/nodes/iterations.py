"""Loop of Kestra 2: each value in an execution of its own, which sees the loop's tasks only.

The loop's task run counts iterations and never holds them, so its memory does not grow with their number; what they
put out is gathered from their rows when all have ended.
"""

from typing import Any

import msgspec

from batuta.engine.commands import (
    CountRows,
    Gather,
    KillChildren,
    Render,
    RestartIterations,
    StartIterations,
)
from batuta.engine.events import (
    ChildEnded,
    ChildPaused,
    ChildStarted,
    Counted,
    Gathered,
    Rendered,
)
from batuta.engine.execution import Iterated, TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import leaf
from batuta.engine.nodes.loop import has_paused
from batuta.engine.nodes.subflow import link
from batuta.engine.plan import Iterations
from batuta.engine.rollup import STOPPING, forgiven
from batuta.engine.turn import WINDOW, Turn, begun, closed
from batuta.engine.values import is_template, is_truthy, to_entries
from batuta.model.ids import ExecutionId
from batuta.model.state import State

FILE = "kestra://"
_ROWS, _GATHER = "rows", "gather"
_ACTIVE = frozenset({State.RUNNING, State.PAUSED})


def enter(turn: Turn, node: Iterations, run: TaskRun) -> None:
    number = leaf.next_number(turn, run)
    run = turn.mark(run, State.RUNNING, attempts=begun(run, turn.at))
    turn.note(run, attempt=number, given=number)
    if turn.progress(run).iterated is not None:
        _again(turn, node, run)
    elif is_template(node.values):
        turn.note(run, waiting="values")
        values = {"values": node.values}
        turn.emit(Render(request_id=f"{run.id}/values", values=values, frame=turn.runs[run.id]))
    else:
        _begin(turn, node, run, values=node.values)


def _again(turn: Turn, node: Iterations, run: TaskRun) -> None:
    """After a restart: those that failed are run again, those that were not begun follow.

    Of those that are not known to have ended, because the loop was declared to be over, the executor knows.
    """
    known = _iterated(turn, run)
    failed = known.failed
    unknown = (number for number in range(known.ended.below, known.asked))
    left = (*failed, *(number for number in unknown if number not in known.ended))
    counts = {state: n for state, n in known.counts.items() if not failed or state not in STOPPING}
    ended = known.ended.less(failed)
    _keep(turn, run, ended=ended, counts=counts, failed=(), judging=(), spoiled=False)
    if left:
        number = turn.progress(run).attempt
        turn.emit(RestartIterations(task_run=turn.runs[run.id], attempt=number, indexes=left))
    if known.paused:
        _follow_pause(turn, run)
    turn.advance(run)


def rendered(turn: Turn, node: Iterations, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    if purpose.startswith("break"):
        _judged(turn, node, run, event=event, number=int(purpose.removeprefix("break")))
    elif event.problem is None:
        _begin(turn, node, run, values=event.values.get(purpose))
    else:
        _refuse(turn, node, run, problem=event.problem)


def _begin(turn: Turn, node: Iterations, run: TaskRun, *, values: Any) -> None:
    text = values.strip() if isinstance(values, str) else ""
    if text.startswith(FILE):
        turn.note(run, waiting=_ROWS)
        number = turn.progress(run).attempt
        turn.emit(CountRows(task_run_id=run.id, attempt=number, uri=text))
        return
    try:
        items, keyed = to_entries(values)
    except ValueError as error:
        _refuse(turn, node, run, problem=str(error))
        return
    total = len(items) // 2 if keyed else len(items)
    turn.note(run, items=items, iterated=Iterated(total=total, keyed=keyed))
    turn.advance(run)


def counted(turn: Turn, node: Iterations, run: TaskRun, *, event: Counted) -> None:
    progress = turn.progress(run)
    if progress.waiting != _ROWS or event.attempt != progress.attempt:
        return
    turn.note(run, waiting=None)
    if event.problem is not None:
        _refuse(turn, node, run, problem=event.problem)
        return
    turn.note(run, iterated=Iterated(total=event.total, rows=event.uri))
    turn.advance(run)


def _refuse(turn: Turn, node: Iterations, run: TaskRun, *, problem: str) -> None:
    """There is nothing to iterate over."""
    turn.log("ERROR", f"Unable to resolve the values of the loop: {problem}", run)
    _close(turn, node, run, state=State.FAILED)


def advanced(turn: Turn, node: Iterations, run: TaskRun) -> None:
    """Begin what may begin, tell how far the loop is, and end it when nothing is left."""
    progress = turn.progress(run)
    known = progress.iterated
    if known is None or progress.waiting == _GATHER or run.state not in _ACTIVE:
        return
    more = 0 if _is_stopped(turn, node, known) else known.total - known.asked
    room = (node.concurrency or WINDOW) - known.running - len(known.judging)
    count = min(more, room)
    if count > 0:
        first, number = known.asked, turn.progress(run).attempt
        known = _keep(turn, run, asked=first + count)
        turn.emit(
            StartIterations(task_run=turn.runs[run.id], attempt=number, first=first, count=count)
        )
    if known.running or known.judging:
        turn.outputs(run, _outputs(known))
    elif node.outputs and known.asked and turn.course.ending is None:
        turn.outputs(run, _outputs(known))
        turn.note(run, waiting=_GATHER)
        store = node.fetch == "STORE" or (node.fetch == "AUTO" and known.rows is not None)
        number = turn.progress(run).attempt
        turn.emit(Gather(task_run_id=run.id, attempt=number, store=store))
    else:
        turn.outputs(run, _outputs(known))
        _finish(turn, node, run)


def _is_stopped(turn: Turn, node: Iterations, known: Iterated) -> bool:
    failed = node.transmit_failed and bool(known.failed)
    return failed or known.broken or known.spoiled or turn.course.ending is not None


def _outputs(known: Iterated) -> dict[str, Any]:
    return {
        "iterationCount": known.total,
        "runningIterations": known.running,
        "terminatedIterations": dict(known.counts),
    }


def gathered(turn: Turn, node: Iterations, run: TaskRun, *, event: Gathered) -> None:
    progress = turn.progress(run)
    if progress.waiting != _GATHER or event.attempt != progress.attempt:
        return
    turn.note(run, waiting=None)
    if event.problem is not None:
        turn.log("ERROR", f"Failed to gather the outputs of the iterations: {event.problem}", run)
        _keep(turn, run, spoiled=True)
    else:
        turn.outputs(run, {**_outputs(_iterated(turn, run)), **event.outputs})
    _finish(turn, node, run)


def child_started(turn: Turn, node: Iterations, run: TaskRun, *, event: ChildStarted) -> None:
    """Only what could not be made is told."""
    number = event.index
    if event.problem is None or number is None or not _is_running(turn, run, number):
        return
    turn.log("ERROR", event.problem, run)
    _ended(turn, node, run, number=number, state=State.FAILED, execution_id=None)


def child_ended(turn: Turn, node: Iterations, run: TaskRun, *, event: ChildEnded) -> None:
    number = event.index
    if number is None or not _is_running(turn, run, number):
        return
    if event.state in STOPPING and node.transmit_failed:
        told = forgiven(event.state, allow_failure=node.allow_failure, allow_warning=False)
        level = "WARN" if told is State.WARNING else "ERROR"
        flow = turn.plan.flow
        where = link(event.execution_id, f'flowId="{flow.id}" namespace="{flow.namespace}"')
        turn.log(level, f"Iteration {number} {where} ended in {event.state} state", run)
    _ended(turn, node, run, number=number, state=event.state, execution_id=event.execution_id)


def _is_running(turn: Turn, run: TaskRun, number: int) -> bool:
    known = turn.progress(run).iterated
    return known is not None and number < known.asked and number not in known.ended


def _ended(
    turn: Turn,
    node: Iterations,
    run: TaskRun,
    *,
    number: int,
    state: State,
    execution_id: ExecutionId | None,
) -> None:
    known = _iterated(turn, run)
    failed = node.transmit_failed and state in STOPPING
    known = _keep(
        turn,
        run,
        ended=known.ended.add(number),
        counts={**known.counts, state.value: known.counts.get(state.value, 0) + 1},
        failed=(*known.failed, number) if failed else known.failed,
    )
    turn.outputs(run, _outputs(known))
    _note_pause(turn, run, number=number, paused=False)
    if execution_id is not None and node.break_when is not None and known.asked < known.total:
        _judge(turn, node, run, number=number, execution_id=execution_id)
    turn.advance(run)


def _judge(
    turn: Turn, node: Iterations, run: TaskRun, *, number: int, execution_id: ExecutionId
) -> None:
    known = _iterated(turn, run)
    if _is_stopped(turn, node, known):
        return
    if not is_template(node.break_when):
        _keep(turn, run, broken=is_truthy(node.break_when))
        return
    _keep(turn, run, judging=(*known.judging, number))
    turn.emit(
        Render(
            request_id=f"{run.id}/break{number}",
            values={"breakWhen": node.break_when},
            frame=turn.runs[run.id],
            iteration=execution_id,
        )
    )


def _judged(turn: Turn, node: Iterations, run: TaskRun, *, event: Rendered, number: int) -> None:
    known = _iterated(turn, run)
    if number not in known.judging:
        return
    judging = tuple(one for one in known.judging if one != number)
    if event.problem is None:
        holds = is_truthy(event.values.get("breakWhen"))
        _keep(turn, run, judging=judging, broken=known.broken or holds)
    else:
        turn.log("ERROR", f"Unable to evaluate breakWhen: {event.problem}", run)
        _keep(turn, run, judging=judging, spoiled=True)
    turn.advance(run)


def child_paused(turn: Turn, node: Iterations, run: TaskRun, *, event: ChildPaused) -> None:
    del node
    if _is_running(turn, run, event.index):
        _note_pause(turn, run, number=event.index, paused=event.paused)


def _note_pause(turn: Turn, run: TaskRun, *, number: int, paused: bool) -> None:
    known = _iterated(turn, run)
    if (number in known.paused) is not paused:
        rest = tuple(one for one in known.paused if one != number)
        _keep(turn, run, paused=(*rest, number) if paused else rest)
        _follow_pause(turn, run)


def _follow_pause(turn: Turn, run: TaskRun) -> None:
    """The loop, and with it the execution, is PAUSED as long as an iteration is."""
    paused = bool(_iterated(turn, run).paused)
    run = turn.runs[run.id]
    if paused and run.state is State.RUNNING:
        turn.mark(run, State.PAUSED)
        if turn.state is State.RUNNING:
            turn.become(State.PAUSED)
    elif not paused and run.state is State.PAUSED:
        turn.mark(run, State.RUNNING)
        if turn.state is State.PAUSED and not turn.course.held and not has_paused(turn):
            turn.become(State.RUNNING)


def _finish(turn: Turn, node: Iterations, run: TaskRun) -> None:
    known = _iterated(turn, run)
    state = State.SUCCESS
    if turn.course.hard:
        state = State.KILLED
    elif known.spoiled or known.failed:
        state = State.FAILED
    elif node.transmit_failed and known.counts.get(State.WARNING.value):
        state = State.WARNING
    _close(turn, node, run, state=state)


def _close(turn: Turn, node: Iterations, run: TaskRun, *, state: State) -> None:
    state = forgiven(state, allow_failure=node.allow_failure, allow_warning=node.allow_warning)
    run = turn.runs[run.id]
    turn.end(run, state, attempts=closed(run, state, turn.at))


def _iterated(turn: Turn, run: TaskRun) -> Iterated:
    return turn.progress(run).iterated or Iterated()


def _keep(turn: Turn, run: TaskRun, **fields: Any) -> Iterated:
    known = msgspec.structs.replace(_iterated(turn, run), **fields)
    turn.note(run, iterated=known)
    return known


def killed(turn: Turn, node: Iterations, run: TaskRun, *, hard: bool, cascade: bool) -> None:
    """Iterations are part of the execution: a kill stops them, whatever `cascade` says."""
    del cascade
    progress = turn.progress(run)
    known = progress.iterated
    if known is None or run.state not in _ACTIVE:
        _close_killed(turn, run)
        return
    known = _keep(turn, run, judging=())
    if known.running:
        if hard:
            turn.emit(KillChildren(task_run_id=run.id))
    elif hard:
        _close_killed(turn, run)
    elif progress.waiting != _GATHER:
        _finish(turn, node, run)


def _close_killed(turn: Turn, run: TaskRun) -> None:
    run = turn.runs[run.id]
    turn.end(run, State.KILLED, attempts=closed(run, State.KILLED, turn.at))


KIND = Kind(
    enter,
    killed,
    advanced=advanced,
    rendered=rendered,
    child_started=child_started,
    child_ended=child_ended,
    child_paused=child_paused,
    counted=counted,
    gathered=gathered,
)
