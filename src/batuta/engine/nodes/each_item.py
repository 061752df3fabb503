"""ForEachItem: a file is split into batches, each is given to an execution of another flow, the outputs are merged (01 §6.8).

The parent runs `<id>_split`, `<id>_items` and `<id>_merge` one after another; split and merge are ordinary leaves.
`<id>_items` is moved by `BATCHES` below: it counts executions, and keeps the addresses of the batches.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.engine import branch
from batuta.engine.branch import Flowing
from batuta.engine.commands import KillChild, KillChildren, Render, RestartChildren
from batuta.engine.events import ChildEnded, ChildStarted, Rendered
from batuta.engine.execution import Batches, Seen, TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import leaf, sequence, subflow
from batuta.engine.plan import EachItem
from batuta.engine.turn import WINDOW, Turn, begun, closed
from batuta.engine.values import is_template
from batuta.model.state import State

_CREATED, _RUNNING, _FAILED = State.CREATED.value, State.RUNNING.value, State.FAILED.value


def enter(turn: Turn, _node: EachItem, run: TaskRun) -> None:
    turn.advance(branch.open_run(turn, run))


def schedule(turn: Turn, node: EachItem, run: TaskRun) -> bool:
    return branch.schedule_in_order(turn, run, (node.split, node.items, node.merge))


KIND = Kind(enter, sequence.killed, Flowing(schedule, branch.conclude))


def _enter_items(turn: Turn, node: EachItem, run: TaskRun) -> None:
    """The list of batches is what the split wrote; after a restart it is known already."""
    number = leaf.next_number(turn, run)
    turn.note(run, attempt=number, given=number)
    if turn.progress(run).items is not None:
        _again(turn, node, turn.runs[run.id])
        return
    turn.note(run, waiting="splits")
    address = f"currentEachOutput(outputs['{node.split}']).splits"
    values = {"splits": f"{{{{ read({address}) }}}}"}
    turn.emit(Render(request_id=f"{run.id}/splits", values=values, frame=turn.runs[run.id]))


def _again(turn: Turn, node: EachItem, run: TaskRun) -> None:
    """01 §6.8: after a failure only the failed children are restarted, or all are made anew."""
    progress = turn.progress(run)
    batches = progress.batches or Batches()
    failed = batches.counts.get(_FAILED, 0)
    if not node.call.restart_failed or not failed:
        _begin(turn, node, run, total=len(progress.items or ()))
        return
    _run(turn, run)
    unmade = batches.unmade
    counts = {**batches.counts, _FAILED: 0, _CREATED: len(unmade), _RUNNING: failed - len(unmade)}
    batches = msgspec.structs.replace(
        batches,
        rendered=batches.rendered.without(unmade),
        started=batches.started.without(unmade),
        ended=Seen(),
        unmade=Seen(),
        again=tuple(unmade),
        counts=counts,
    )
    _keep(turn, run, batches)
    if failed > len(unmade):
        turn.emit(RestartChildren(task_run_id=run.id, attempt=turn.progress(run).attempt))
    _fill(turn, node, run)


def _rendered(turn: Turn, node: EachItem, run: TaskRun, *, event: Rendered, purpose: str) -> None:
    if purpose != "splits":
        _batch_rendered(turn, node, run, event=event)
    elif event.problem is not None:
        turn.log("ERROR", event.problem, run)
        turn.end(run, State.FAILED)
    else:
        lines = str(event.values.get(purpose) or "").splitlines()
        items = tuple(line for line in lines if line.strip())
        if not items:
            turn.end(run, State.SUCCESS)  # without attempt and outputs, as recorded
            return
        turn.note(run, items=items)
        _begin(turn, node, run, total=len(items))


def _begin(turn: Turn, node: EachItem, run: TaskRun, *, total: int) -> None:
    counts = {_CREATED: total, _RUNNING: 0} if node.call.wait else {_RUNNING: total}
    _keep(turn, run, Batches(total=total, counts=counts))
    _fill(turn, node, run)


def _run(turn: Turn, run: TaskRun) -> None:
    """An execution was made, or goes on."""
    run = turn.runs[run.id]
    if run.state is not State.RUNNING:
        turn.mark(run, State.RUNNING, attempts=begun(run, turn.at))


def _fill(turn: Turn, node: EachItem, run: TaskRun) -> None:
    """Ask for the next children: the first alone, which may show that none can be made, then a window of them."""
    items = turn.progress(run).items or ()
    batches = _batches(turn, run)
    width = WINDOW if batches.started else 1
    while _on_the_way(batches) < width and (batches.again or batches.asked < batches.total):
        if batches.again:
            number, *rest = batches.again
            batches = msgspec.structs.replace(batches, again=tuple(rest))
        else:
            number = batches.asked
            batches = msgspec.structs.replace(batches, asked=number + 1)
        _keep(turn, run, batches)
        values = subflow.properties(node.call)
        if any(map(is_template, values.values())):
            frame = msgspec.structs.replace(turn.runs[run.id], iteration=number)
            request = f"{run.id}/batch{number}"
            turn.emit(Render(request_id=request, values=values, frame=frame, items=items[number]))
        else:
            _start(turn, node, run, number=number, values=values)
        batches = _batches(turn, run)


def _on_the_way(batches: Batches) -> int:
    return batches.asked - len(batches.again) - len(batches.started)


def _batch_rendered(turn: Turn, node: EachItem, run: TaskRun, *, event: Rendered) -> None:
    number = int(event.request_id.rpartition("/batch")[2])
    batches = _batches(turn, run)
    if number >= batches.asked or number in batches.rendered:
        return
    _keep(turn, run, msgspec.structs.replace(batches, rendered=batches.rendered.add(number)))
    if event.problem is None:
        _start(turn, node, run, number=number, values=event.values)
    else:
        _failed(turn, node, run, number=number, problem=event.problem)


def _start(
    turn: Turn, node: EachItem, run: TaskRun, *, number: int, values: Mapping[str, Any]
) -> None:
    try:
        command = subflow.start_command(turn, node.call, turn.runs[run.id], values=values)
    except ValueError as error:
        _failed(turn, node, run, number=number, problem=str(error))
    else:
        turn.note(run, link=subflow.flow_link(command))
        batches = _batches(turn, run)
        address = f"//{_base(turn, run)}/{number}/outputs.ion"
        command = msgspec.structs.replace(
            command,
            index=number,
            task_run=msgspec.structs.replace(command.task_run, iteration=number),
            told={"numberOfBatches": batches.total, "uri": address},
        )
        turn.emit(command)


def _failed(turn: Turn, node: EachItem, run: TaskRun, *, number: int, problem: str) -> None:
    """This batch could not be given to an execution. If it is the first, none is: the task fails at once."""
    turn.log("ERROR", problem, run)
    batches = _batches(turn, run)
    if not batches.started:
        turn.note(run, batches=None)
        run = msgspec.structs.replace(turn.runs[run.id], attempts=begun(run, turn.at))
        turn.end(run, State.FAILED, attempts=closed(run, State.FAILED, turn.at))
        return
    started, unmade = batches.started.add(number), batches.unmade.add(number)
    _keep(turn, run, msgspec.structs.replace(batches, started=started, unmade=unmade))
    _count(turn, node, run, number=number, states=(_CREATED, _FAILED))


def _child_started(turn: Turn, node: EachItem, run: TaskRun, *, event: ChildStarted) -> None:
    batches, number = _batches(turn, run), event.index
    if number is None and event.problem is not None:
        _not_restarted(turn, node, run, event=event)
        return
    current = event.attempt == turn.progress(run).attempt
    if not current or number is None or number >= batches.asked or number in batches.started:
        return
    if event.execution_id is None:
        problem = event.problem or "The execution could not be created"
        _failed(turn, node, run, number=number, problem=problem)
        return
    _run(turn, run)
    link = subflow.link(event.execution_id, turn.progress(run).link)
    turn.log("INFO", f"Created new execution {link}", run)
    if turn.course.ending is not None and turn.course.hard:
        turn.emit(KillChild(execution_id=event.execution_id))
    counts = _shifted(batches, _CREATED, _RUNNING) if node.call.wait else batches.counts
    started = batches.started.add(number)
    _keep(turn, run, msgspec.structs.replace(batches, started=started, counts=counts))
    if node.call.wait:
        _publish(turn, run)
        _fill(turn, node, run)
    else:
        _count(turn, node, run, number=number, states=(_RUNNING, State.SUCCESS.value))


def _not_restarted(turn: Turn, node: EachItem, run: TaskRun, *, event: ChildStarted) -> None:
    """The failed executions could not be restarted: they stay failed."""
    counts = dict(_batches(turn, run).counts)
    waits = run.state is State.RUNNING and counts.get(_RUNNING, 0) > 0
    if not waits or event.attempt != turn.progress(run).attempt:
        return
    turn.log("ERROR", event.problem or "", run)
    counts[_FAILED] = counts.get(_FAILED, 0) + counts[_RUNNING]
    counts[_RUNNING] = 0
    _keep(turn, run, msgspec.structs.replace(_batches(turn, run), counts=counts))
    _publish(turn, run)
    if counts.get(_CREATED, 0) == 0:
        _finish(turn, node, run, counts=counts)


def _child_ended(turn: Turn, node: EachItem, run: TaskRun, *, event: ChildEnded) -> None:
    batches, number = _batches(turn, run), event.index
    known = number is not None and number in batches.started and number not in batches.ended
    if not known or number is None or run.state is not State.RUNNING or not node.call.wait:
        return
    state = event.state
    if event.problem is not None:
        turn.log("ERROR", f"Failed to extract outputs with the error: '{event.problem}'", run)
        state = State.FAILED
    _count(turn, node, run, number=number, states=(_RUNNING, state.value))


def _count(
    turn: Turn, node: EachItem, run: TaskRun, *, number: int, states: tuple[str, str]
) -> None:
    """An execution has ended as far as this task is concerned."""
    batches = _batches(turn, run)
    counts = _shifted(batches, *states)
    ended = batches.ended.add(number)
    _keep(turn, run, msgspec.structs.replace(batches, ended=ended, counts=counts))
    _publish(turn, run)
    if counts.get(_CREATED, 0) + counts.get(_RUNNING, 0) == 0:
        _finish(turn, node, run, counts=counts)
    else:
        _fill(turn, node, run)


def _finish(turn: Turn, node: EachItem, run: TaskRun, *, counts: Mapping[str, int]) -> None:
    state = State.SUCCESS
    if node.call.transmit_failed:
        states = (State.FAILED, State.KILLED, State.WARNING)
        state = next((state for state in states if counts.get(state.value)), State.SUCCESS)
    run = turn.runs[run.id]
    turn.end(run, state, attempts=closed(run, state, turn.at))


def _publish(turn: Turn, run: TaskRun) -> None:
    batches = _batches(turn, run)
    outputs = {
        "iterations": dict(batches.counts),
        "numberOfBatches": batches.total,
        "subflowOutputsBaseUri": _base(turn, run),
    }
    turn.outputs(run, outputs)


def _base(turn: Turn, run: TaskRun) -> str:
    """Where the outputs of the executions are written, below the internal storage."""
    flow = turn.plan.flow
    place = "/".join((*flow.namespace.split("."), _slug(flow.id), "executions", turn.execution.id))
    return f"/{place}/tasks/{_slug(run.task_id)}/{run.id}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _shifted(batches: Batches, before: str, after: str, *, by: int = 1) -> dict[str, int]:
    """Executions that went from one state to another. Without `wait` none is counted as CREATED at first."""
    counts = dict(batches.counts)
    if counts.get(before, 0) < by:
        before = _RUNNING if before == _CREATED else _CREATED
    counts[before] = counts.get(before, 0) - by
    counts[after] = counts.get(after, 0) + by
    return counts


def _batches(turn: Turn, run: TaskRun) -> Batches:
    return turn.progress(run).batches or Batches()


def _keep(turn: Turn, run: TaskRun, batches: Batches) -> None:
    turn.note(run, batches=batches)


def _killed(turn: Turn, node: EachItem, run: TaskRun, *, hard: bool, cascade: bool) -> None:
    """No further batch begins. With `cascade` the executions are killed first, and their ends waited for."""
    progress = turn.progress(run)
    if progress.attempt and progress.batches is not None and (cascade or not hard):
        batches = _batches(turn, run)
        templated = any(map(is_template, subflow.properties(node.call).values()))
        begun = len(batches.rendered) if templated else batches.asked - len(batches.again)
        never = batches.total - begun
        counts = _shifted(batches, _CREATED, State.KILLED.value, by=never)
        batches = msgspec.structs.replace(batches, asked=batches.total, again=(), counts=counts)
        _keep(turn, run, batches)
        if hard:
            turn.emit(KillChildren(task_run_id=run.id))
        if counts.get(_CREATED, 0) + counts.get(_RUNNING, 0) == 0:
            _finish(turn, node, run, counts=counts)
    else:
        turn.end(run, State.KILLED, attempts=closed(run, State.KILLED, turn.at))


BATCHES = Kind(
    _enter_items,
    _killed,
    rendered=_rendered,
    child_started=_child_started,
    child_ended=_child_ended,
)
