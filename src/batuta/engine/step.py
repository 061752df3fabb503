"""One step of an execution: something happened, this is what follows.

`step` is total and deterministic: whatever the event and the state, there is an answer, and an event that is stale,
repeated or impossible gives back the very same execution, without changes and commands.
"""

from typing import assert_never

from batuta.engine import branch, course, ending, operation, sla
from batuta.engine.commands import Render, Step
from batuta.engine.events import (
    Answers,
    AnyEvent,
    AttemptLost,
    AttemptRefused,
    BreakpointResumed,
    ChildEnded,
    ChildPaused,
    ChildStarted,
    Counted,
    Created,
    Gathered,
    KillRequested,
    Labelled,
    MarkRequested,
    PauseRequested,
    Rendered,
    Restarted,
    RestartRequested,
    Resumed,
    SlotDenied,
    SlotGranted,
    StatusForced,
    TaskFinished,
    TaskStarted,
    TimerFired,
)
from batuta.engine.execution import (
    Advance,
    Ended,
    Enter,
    Execution,
    Item,
    Phase,
    Stop,
    TaskRun,
)
from batuta.engine.kind import Kind
from batuta.engine.nodes import kind_of, leaf
from batuta.engine.plan import AnyNode, Plan
from batuta.engine.rollup import forgiven
from batuta.engine.turn import Scope, Turn, follow, reach
from batuta.engine.values import is_template, is_truthy
from batuta.model.ids import TaskRunId
from batuta.model.state import State

Place = tuple[Kind, AnyNode, TaskRun]
"""A live task run, and how it is moved."""


def step(plan: Plan, execution: Execution, event: AnyEvent) -> Step:
    """What an event makes of an execution. Answers to `Render` and `RequestSlot` arrive as further events."""
    turn = Turn(plan, execution, event.at)
    follow(turn, None)
    _take_in(turn, event)
    _work(turn)
    return turn.result(execution)


def _take_in(turn: Turn, event: AnyEvent) -> None:
    match event:
        case TaskStarted() | TaskFinished() | AttemptLost() | AttemptRefused():
            _about_attempt(turn, event)
        case ChildStarted() | ChildEnded():
            _about_child(turn, event)
        case ChildPaused() | Counted() | Gathered():
            _about_loop(turn, event)
        case TimerFired():
            _timer(turn, event)
        case Rendered() | Answers():
            _answered(turn, event)
        case Created():
            course.created(turn)
        case SlotGranted():
            course.slot_granted(turn)
        case SlotDenied():
            course.slot_denied(turn, event)
        case _:
            _asked(turn, event)


def _asked(
    turn: Turn,
    event: Resumed
    | PauseRequested
    | KillRequested
    | Restarted
    | RestartRequested
    | MarkRequested
    | Labelled
    | StatusForced
    | BreakpointResumed,
) -> None:
    """What people ask for (01 §8)."""
    match event:
        case Resumed():
            operation.resume(turn, event)
        case PauseRequested():
            operation.pause(turn)
        case KillRequested():
            operation.kill(turn, event)
        case Restarted():
            operation.restarted(turn)
        case RestartRequested() | MarkRequested():
            pass  # of no use without all rows: `surgery` edits them, and `Restarted` follows
        case Labelled():
            operation.label(turn, event)
        case StatusForced():
            operation.force(turn, event)
        case BreakpointResumed():
            operation.leave_breakpoint(turn, event)
        case _:
            assert_never(event)


def _about_attempt(
    turn: Turn, event: TaskStarted | TaskFinished | AttemptLost | AttemptRefused
) -> None:
    found = _find(turn, event.task_run_id)
    if found is None:
        return
    kind, node, run = found
    match event:
        case TaskStarted():
            kind.started(turn, node, run, event=event)
        case TaskFinished():
            kind.finished(turn, node, run, event=event)
        case AttemptLost():
            kind.lost(turn, node, run, event=event)
        case _:
            kind.refused(turn, node, run, event=event)


def _about_child(turn: Turn, event: ChildStarted | ChildEnded) -> None:
    found = _find(turn, event.task_run_id)
    if found is None:
        return
    kind, node, run = found
    if isinstance(event, ChildStarted):
        kind.child_started(turn, node, run, event=event)
    else:
        kind.child_ended(turn, node, run, event=event)


def _about_loop(turn: Turn, event: ChildPaused | Counted | Gathered) -> None:
    found = _find(turn, event.task_run_id)
    if found is None:
        return
    kind, node, run = found
    match event:
        case ChildPaused():
            kind.child_paused(turn, node, run, event=event)
        case Counted():
            kind.counted(turn, node, run, event=event)
        case _:
            kind.gathered(turn, node, run, event=event)


def _find(turn: Turn, run_id: str) -> Place | None:
    """Where a task run stands. What is done with it is not earlier than what was."""
    run = turn.runs.get(TaskRunId(run_id))
    place = None if run is None else kind_of(turn, run)
    if run is None or place is None:
        return None
    follow(turn, run)
    return (*place, run)


def _timer(turn: Turn, event: TimerFired) -> None:
    name, _, rest = event.timer_id.partition("/")
    match name:
        case "schedule":
            if turn.course.phase is Phase.SCHEDULED:
                course.admit(turn)
        case "kill":
            _abandon(turn)
        case "sla":
            sla.overdue(turn, rest)
        case _:
            run_id, _, number = rest.partition("/")
            found = _find(turn, run_id)
            if found is not None and turn.course.ending is None:
                kind, node, run = found
                kind.fired(turn, node, run, name=name, number=number)


def _answered(turn: Turn, event: Rendered | Answers) -> None:
    for answer in event.rendered if isinstance(event, Answers) else (event,):
        _rendered(turn, answer)


def _rendered(turn: Turn, event: Rendered) -> None:
    owner, _, purpose = event.request_id.partition("/")
    if owner == "sla":
        sla.rendered(turn, event)
        return
    if owner in {"outputs", "output"}:
        course.outputs_rendered(turn, event)
        return
    found = _find(turn, owner)
    if found is None or turn.course.ending is not None:
        return
    kind, node, run = found
    if _is_one_of_many(turn, run, purpose):
        kind.rendered(turn, node, run, event=event, purpose=purpose)
    elif run.progress is not None and run.progress.waiting == purpose:
        turn.note(run, waiting=None)
        run = turn.runs[run.id]
        if purpose.startswith("runIf"):
            _run_if_rendered(turn, (kind, node, run), event)
        else:
            kind.rendered(turn, node, run, event=event, purpose=purpose)


def _is_one_of_many(turn: Turn, run: TaskRun, purpose: str) -> bool:
    """Whether the task run may have asked for several values at once."""
    progress = turn.progress(run)
    if purpose.startswith("batch"):
        return progress.batches is not None
    return purpose.startswith("break") and progress.iterated is not None


def _work(turn: Turn) -> None:
    """Do what is on the agenda, in order, unless scheduling is withheld; then it is kept for later."""
    if turn.course.agenda and not _is_withheld(turn):
        turn.agenda.extendleft(reversed(turn.course.agenda))
        turn.remember(agenda=())
    if turn.agenda and not _is_withheld(turn) and not sla.hold(turn):
        while turn.agenda and not _is_withheld(turn):
            _do(turn, turn.agenda.popleft())
    if turn.agenda:
        turn.remember(agenda=(*turn.course.agenda, *turn.agenda))


def _is_withheld(turn: Turn) -> bool:
    memory = turn.course
    if memory.ending is not None:
        return False
    waits = memory.phase in {Phase.NEW, Phase.SCHEDULED, Phase.ADMISSION}
    return waits or memory.held or bool(memory.asserting) or turn.state is State.BREAKPOINT


def _do(turn: Turn, item: Item) -> None:
    match item:
        case Enter(id=run_id):
            _enter(turn, run_id)
        case Ended(run=run):
            _ended(turn, run)
        case Advance(id=None):
            _advance(turn, None)
        case Advance(id=run_id):
            scope = turn.runs.get(TaskRunId(run_id or ""))
            if scope is not None:
                _advance(turn, scope)
        case Stop(cascade=cascade):
            _stop(turn, cascade=cascade)
        case _:
            assert_never(item)


def _advance(turn: Turn, scope: Scope) -> None:
    state = turn.course.ending
    flowing = course.FLOW
    if scope is not None:
        follow(turn, scope)
        place = kind_of(turn, scope)
        if place is not None and place[0].flowing is None:
            place[0].advanced(turn, place[1], scope)
        if place is None or place[0].flowing is None or scope.state is not State.RUNNING:
            return
        flowing = place[0].flowing
    if state is None:
        if scope is not None or turn.course.phase in {Phase.RUNNING, Phase.AFTER}:
            branch.advance(turn, scope, flowing)
    elif turn.progress(scope).live == 0:
        _settle(turn, scope, state)


def _settle(turn: Turn, scope: Scope, last: State) -> None:
    """The execution is ending, and nothing runs below this scope any more."""
    if scope is None:
        course.settle(turn, last)
        return
    progress, node = turn.progress(scope), turn.plan.nodes[scope.task_id]
    if progress.floor is not None:
        state = progress.floor
    elif turn.course.hard:
        state = State.KILLED
    else:
        state = forgiven(
            progress.worst, allow_failure=node.allow_failure, allow_warning=node.allow_warning
        )
    turn.end(turn.runs[scope.id], state)


def _ended(turn: Turn, run: TaskRun) -> None:
    reach(turn, run.histories[-1].at)
    scope: Scope = None
    flowing = course.FLOW
    if run.parent_id is not None:
        scope = turn.runs.get(run.parent_id)
        place = None if scope is None else kind_of(turn, scope)
        if place is None or place[0].flowing is None:
            return
        flowing = place[0].flowing
    branch.child_ended(turn, scope, run, flowing=flowing)
    _advance(turn, None if scope is None else turn.runs[scope.id])


def _stop(turn: Turn, *, cascade: bool) -> None:
    hard = turn.course.hard
    for run in sorted(turn.runs.values(), key=lambda run: run.ordinal, reverse=True):
        found = _find(turn, run.id)
        if found is None:
            turn.end(run, State.KILLED)
        else:
            kind, node, _ = found
            kind.killed(turn, node, run, hard=hard, cascade=cascade)
    turn.advance(None)
    if any(_is_awaited(turn, run) for run in turn.runs.values()):
        ending.bound(turn)


def _is_awaited(turn: Turn, run: TaskRun) -> bool:
    """Whether something outside has to answer before the task run can end."""
    place = kind_of(turn, run)
    return place is None or place[0].flowing is None or bool(turn.progress(run).attempt)


def _abandon(turn: Turn) -> None:
    """01 §4.9: an execution is KILLED even when its tasks do not answer."""
    if turn.course.ending is None or not turn.course.hard:
        return
    for run in list(turn.runs.values()):
        if _is_awaited(turn, run):
            leaf.abandon(turn, run)


def _enter(turn: Turn, run_id: TaskRunId) -> None:
    """A task run begins: breakpoint, then `runIf`, then what its kind does."""
    found = _find(turn, run_id)
    if found is None or turn.course.ending is not None:
        return
    kind, node, run = found
    if operation.is_breakpoint(turn, run):
        if run.state is not State.BREAKPOINT:
            turn.mark(run, State.BREAKPOINT)
        turn.become(State.BREAKPOINT)
    elif node.run_if is None:
        kind.enter(turn, node, run)
    elif is_template(node.run_if):
        purpose = f"runIf{len(run.attempts or ())}"
        turn.note(run, waiting=purpose)
        turn.emit(
            Render(request_id=f"{run.id}/{purpose}", values={"runIf": node.run_if}, frame=run)
        )
    else:
        _decide(turn, found, condition=node.run_if)


def _run_if_rendered(turn: Turn, place: Place, event: Rendered) -> None:
    if event.problem is None:
        _decide(turn, place, condition=event.values.get("runIf"))
        return
    _, _, run = place
    problem = f"Failed to evaluate the runIf condition for task {run.task_id}."
    turn.log("ERROR", f"{problem} Cause: {event.problem}", run)
    turn.end(run, State.FAILED)


def _decide(turn: Turn, place: Place, *, condition: object) -> None:
    kind, node, run = place
    act = kind.enter if is_truthy(condition) else kind.skipped
    act(turn, node, run)
