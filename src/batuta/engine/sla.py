"""Service level agreements: a maximal duration, and assertions on the execution (01 §7.2)."""

import msgspec

from batuta.engine.commands import Render
from batuta.engine.ending import rouse, stop
from batuta.engine.events import Rendered
from batuta.engine.execution import Ended, Execution, Phase
from batuta.engine.plan import Sla
from batuta.engine.turn import Turn
from batuta.engine.values import is_truthy, to_text
from batuta.model.duration import format_duration
from batuta.model.instant import Instant
from batuta.model.label import merge_labels
from batuta.model.state import State, followed

_STATES = {"FAIL": State.FAILED, "CANCEL": State.CANCELLED}
_OVER = frozenset({Phase.AFTER, Phase.ENDED})


def overdue(turn: Turn, sla_id: str) -> None:
    """The timer of a maximal duration fired."""
    if turn.course.phase in _OVER or turn.course.ending is not None:
        return
    for sla in turn.plan.sla:
        if sla.id == sla_id and sla.duration is not None and sla_id not in turn.course.overdue:
            turn.remember(overdue=(*turn.course.overdue, sla_id))
            took = format_duration(turn.at - start_of(turn.execution))
            limit = format_duration(sla.duration)
            reason = f"execution duration of {took} exceed the maximum duration of {limit}."
            _violated(turn, sla, reason)
            return


def start_of(execution: Execution) -> Instant:
    """From when a maximal duration counts: a time spent in the queue belongs to it, the wait for a date does not."""
    created = execution.histories[0].at
    return max(created, execution.schedule_date or created)


def hold(turn: Turn) -> bool:
    """Have the assertions rendered before anything is scheduled; whether scheduling must wait for it."""
    assertions = [sla for sla in turn.plan.sla if sla.assertion is not None]
    quiet = turn.course.phase is not Phase.RUNNING or turn.course.ending is not None
    if not assertions or turn.asserted or quiet:
        return False
    number = turn.course.assertions + 1
    turn.remember(asserting=True, assertions=number)
    values = {str(index): sla.assertion for index, sla in enumerate(assertions)}
    turn.emit(Render(request_id=f"sla/{number}", values=values))
    return True


def rendered(turn: Turn, event: Rendered) -> None:
    """Judge the assertions: the first one that is violated counts; one that cannot be rendered fails the execution."""
    memory = turn.course
    if not memory.asserting or event.request_id != f"sla/{memory.assertions}":
        return
    turn.remember(asserting=False)
    turn.asserted = True
    if event.problem is not None:
        turn.log("ERROR", event.problem)
        _mark_last(turn, State.FAILED)
        stop(turn, State.FAILED, hard=True)
        return
    assertions = [sla for sla in turn.plan.sla if sla.assertion is not None]
    for index, sla in enumerate(assertions):
        if not is_truthy(event.values.get(str(index))):
            _mark_last(turn, _STATES.get(sla.behavior))
            _violated(turn, sla, f"assertion is false: {to_text(sla.assertion)}.")
            return


def _violated(turn: Turn, sla: Sla, reason: str) -> None:
    message = f"SLA '{sla.id}' violated: {reason}"
    turn.log("WARN", message)
    labels = merge_labels(turn.execution.labels, sla.labels)
    if labels != turn.execution.labels:
        turn.change(labels=labels)
    if sla.behavior in _STATES:
        if sla.behavior == "FAIL":
            turn.log("ERROR", f"Execution failed due to {message}")
        rouse(turn)
        stop(turn, _STATES[sla.behavior], hard=True)


def _mark_last(turn: Turn, state: State | None) -> None:
    """A task run that has just ended gets the state of the execution as well (01 §7.2)."""
    last = turn.course.agenda[-1] if turn.course.agenda else None
    if isinstance(last, Ended) and state is not None:
        run = last.run
        changed = followed(run.histories, state, turn.at)
        turn.save(msgspec.structs.replace(run, histories=changed))
