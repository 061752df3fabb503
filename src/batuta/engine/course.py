"""The way of an execution as a whole: admission, beginning, end, flow outputs, `afterExecution` (01 §4.3, §4.5)."""

from typing import Any

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.commands import (
    ClearTimer,
    End,
    NewExecution,
    ReleaseSlot,
    Render,
    RequestSlot,
    SetTimer,
)
from batuta.engine.ending import stop
from batuta.engine.events import Rendered, SlotDenied
from batuta.engine.execution import Branch, Phase, Slot
from batuta.engine.plan import Plan
from batuta.engine.sla import start_of
from batuta.engine.turn import Scope, Turn
from batuta.model.instant import Instant
from batuta.model.state import State

OUTPUTS = "outputs"
"""The request for the required outputs of the flow."""
_OUTPUT = "output/"
_WITH_OUTPUTS = frozenset({State.SUCCESS, State.WARNING, State.FAILED})


def created(turn: Turn) -> None:
    if turn.course.phase is not Phase.NEW or turn.state is not State.CREATED:
        return
    due = turn.execution.schedule_date
    if due is not None and due > turn.at:
        turn.remember(phase=Phase.SCHEDULED)
        turn.emit(SetTimer(timer_id="schedule", due=due))
    else:
        admit(turn)


def admit(turn: Turn) -> None:
    """The execution may be begun as soon as the flow's concurrency limit allows it (01 §7.1)."""
    _watch(turn)
    if turn.plan.concurrency is None or turn.execution.holds_slot:
        begin(turn)
    else:
        turn.remember(phase=Phase.ADMISSION, slot=Slot.REQUESTED)
        turn.emit(RequestSlot())


def _watch(turn: Turn) -> None:
    start = start_of(turn.execution)
    for sla in turn.plan.sla:
        if sla.duration is not None:
            turn.emit(SetTimer(timer_id=f"sla/{sla.id}", due=Instant(start + sla.duration)))


def begin(turn: Turn) -> None:
    """Start, or after a restart go on with, the tasks."""
    turn.remember(phase=Phase.RUNNING)
    if turn.plan.tasks or turn.plan.finally_ or turn.root.live:
        turn.become(State.RUNNING)
    turn.advance(None)


def slot_granted(turn: Turn) -> None:
    match turn.course.slot:
        case Slot.REQUESTED:
            turn.change(holds_slot=True)
            turn.remember(slot=Slot.HELD)
            if turn.course.phase is Phase.ADMISSION:  # else somebody made it run meanwhile
                begin(turn)
        case Slot.LEFT:
            turn.remember(slot=Slot.NONE)
            turn.emit(ReleaseSlot(held=True))
        case _:
            pass


def slot_denied(turn: Turn, event: SlotDenied) -> None:
    if turn.course.slot is not Slot.REQUESTED or turn.state is State.QUEUED:
        return
    if turn.course.phase is not Phase.ADMISSION:  # somebody made it run meanwhile
        if event.behavior != "QUEUE":
            turn.remember(slot=Slot.NONE)
        return
    match event.behavior:
        case "CANCEL":
            turn.remember(slot=Slot.NONE)
            stop(turn, State.CANCELLED, hard=True)
        case "FAIL":
            turn.remember(slot=Slot.NONE)
            turn.log("ERROR", "Execution is FAILED due to concurrency limit exceeded")
            stop(turn, State.FAILED, hard=True)
        case _:
            turn.become(State.QUEUED)
            running = f"{event.running} running(s)"
            turn.log("INFO", f"Flow is queued due to concurrency limit exceeded, {running}")


def schedule_main(turn: Turn, node: Plan, scope: Scope) -> bool:
    return branch.schedule_in_order(turn, scope, node.tasks)


def finished(turn: Turn, _node: Plan, _scope: Scope) -> None:
    """The list that the flow worked on is done, and nothing runs."""
    if turn.root.branch is Branch.AFTER:
        _close(turn)
        return
    state = turn.root.worst
    if turn.plan.outputs and state in _WITH_OUTPUTS:
        _render_outputs(turn, state)
    else:
        finish(turn, state)


FLOW = Flowing(schedule_main, finished)


def finish(turn: Turn, state: State) -> None:
    """The execution has its last state; what `afterExecution` does comes after it."""
    turn.become(state)
    for sla in turn.plan.sla:
        if sla.duration is not None:
            turn.emit(ClearTimer(timer_id=f"sla/{sla.id}"))
    if turn.course.bounded:
        turn.emit(ClearTimer(timer_id="kill"))
    if turn.course.slot is Slot.REQUESTED:
        leave_queue(turn)
    if turn.course.renew is not None:
        turn.emit(NewExecution(due=turn.course.renew))
    _forget(turn)
    turn.note(None, branch=Branch.AFTER, cursor=0, live=0, side=0)
    turn.advance(None)


def leave_queue(turn: Turn) -> None:
    turn.remember(slot=Slot.LEFT)
    turn.emit(ReleaseSlot(held=False))


def _forget(turn: Turn) -> None:
    turn.remember(
        phase=Phase.AFTER,
        agenda=(),
        held=False,
        asserting=False,
        retrying=None,
        ending=None,
        hard=False,
        bounded=False,
        final=None,
        pending=(),
        outputs={},
        renew=None,
    )


def settle(turn: Turn, state: State) -> None:
    """What was stopped has ended: the tasks, or `afterExecution`."""
    if turn.course.phase is not Phase.AFTER:
        finish(turn, state)
        return
    if turn.course.bounded:
        turn.emit(ClearTimer(timer_id="kill"))
    turn.remember(agenda=(), ending=None, hard=False, bounded=False)
    _close(turn)


def _close(turn: Turn) -> None:
    """01 §7.1: the slot is held until the execution is completely finished."""
    if turn.execution.holds_slot:
        turn.change(holds_slot=False)
        turn.remember(slot=Slot.NONE)
        turn.emit(ReleaseSlot(held=True))
    turn.remember(phase=Phase.ENDED)
    turn.emit(End())


def _render_outputs(turn: Turn, state: State) -> None:
    """Required outputs stand or fall together; each other one is on its own (01 §3)."""
    required = [output for output in turn.plan.outputs if output.required]
    requests = [(OUTPUTS, required)] if required else []
    requests += [
        (f"{_OUTPUT}{output.id}", [output]) for output in turn.plan.outputs if not output.required
    ]
    for request_id, outputs in requests:
        turn.emit(
            Render(
                request_id=request_id,
                values={output.id: output.value for output in outputs},
                typed=True,
                types={output.id: output.type for output in outputs},
            )
        )
    pending = tuple(request_id for request_id, _ in requests)
    turn.remember(phase=Phase.OUTPUTS, final=state, pending=pending, outputs={})


def outputs_rendered(turn: Turn, event: Rendered) -> None:
    course = turn.course
    if event.request_id not in course.pending:
        return
    pending = tuple(name for name in course.pending if name != event.request_id)
    final = course.final or State.SUCCESS
    if event.problem is None:
        turn.remember(pending=pending, outputs={**course.outputs, **event.values})
    elif event.request_id == OUTPUTS:
        turn.log("ERROR", f"Failed to render output values: {event.problem}")
        turn.become(final)
        finish(turn, State.FAILED)
        return
    else:
        name = event.request_id.removeprefix(_OUTPUT)
        turn.log("WARN", f"Failed to render optional flow output '{name}'. Output is ignored.")
        turn.remember(pending=pending)
    if not pending:
        outputs: dict[str, Any] = dict(turn.course.outputs)
        turn.change(outputs=outputs)
        finish(turn, final)
