"""Restart, replay and the change of a task run's state, as edits of the header and of all task runs (01 §8.1–8.3).

The result is saved, and then `step` is given `Restarted`. Other operations of 01 §8 are events of their own: kill,
pause, resume, and `StatusForced` for change-status, force-run and unqueue.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from batuta.engine.execution import Attempt, Branch, Course, Execution, Progress, TaskRun
from batuta.engine.lineage import Lineage
from batuta.engine.nodes.each import number_of
from batuta.engine.nodes.places import to_text
from batuta.engine.plan import Dag, Each, Iterations, Leaf, Pause, Plan, Subflow, WorkDir
from batuta.engine.plan import Loop as LoopNode
from batuta.engine.rollup import STOPPING, worse
from batuta.engine.turn import closed
from batuta.model.ids import ExecutionId, TaskRunId, derived_id
from batuta.model.instant import Instant
from batuta.model.label import Label, merge_labels
from batuta.model.state import History, State, followed

_replace = msgspec.structs.replace
_RESTARTED = Label("system.restarted", "true")
_REPLAY = Label("system.replay", "true")


class SurgeryError(Exception):
    """The operation is not possible in the state that the execution is in; the message says why."""


class Edited(msgspec.Struct, frozen=True):
    """The rows to be saved, and the ids of those to be removed with their outputs.

    `copies` tells for a new execution which task run became which, so that outputs can be copied.
    """

    execution: Execution
    saved: tuple[TaskRun, ...] = ()
    removed: tuple[TaskRunId, ...] = ()
    copies: Mapping[TaskRunId, TaskRunId] = {}


def restart(
    plan: Plan,
    execution: Execution,
    rows: Collection[TaskRun],
    *,
    at: Instant,
    new_id: ExecutionId | None = None,
) -> Edited:
    """Run again what failed, and go on where a Pause waits; with `new_id` as a copy on the plan's revision.

    `rows` are all task runs of the execution. Raises `SurgeryError`.
    """
    if not execution.state.is_terminal and execution.state is not State.PAUSED:
        raise SurgeryError(
            f"Execution must be terminated to be restarted, current state is '{execution.state}' !"
        )
    lineage = Lineage(plan, rows)
    chosen = {run.id for run in rows if _to_restart(lineage, run)}
    chosen |= {above.id for run_id in list(chosen) for above in lineage.above(lineage.runs[run_id])}
    if (rows and not chosen) or execution.state is State.KILLED:
        raise SurgeryError("No task found to restart execution from!")
    for run_id in chosen:
        _require(lineage, lineage.runs[run_id])
    again = chosen if new_id is None else chosen | _live(rows)
    kept = [
        _reopened(plan, run, at) if run.id in chosen else run
        for run in rows
        if not lineage.in_list(run, chosen) and not _redone(lineage, run, again)
    ]
    header = _restarted_header(execution, at, labels=(_RESTARTED,))
    if new_id is not None:
        begun = [run if run.state.is_terminal else _reopened(plan, run, at) for run in kept]
        fitting = [run for run in begun if run.state.is_terminal or lineage.fits(run)]
        return _copied(plan, execution, fitting, header=header, new_id=new_id)
    return _edited(plan, header, before=rows, after=kept)


def afresh(execution: Execution, rows: Collection[TaskRun], *, at: Instant) -> Edited:
    """An execution that has ended begins again from the start, under its own id (iterations of a Loop)."""
    header = _restarted_header(execution, at, labels=(_RESTARTED,))
    gone = tuple(run.id for run in rows if run.parent_id is None)
    return Edited(_replace(header, runs={}), removed=gone)


def _live(rows: Iterable[TaskRun]) -> set[TaskRunId]:
    return {run.id for run in rows if not run.state.is_terminal}


def _to_restart(lineage: Lineage, run: TaskRun) -> bool:
    return (
        run.state in {State.FAILED, State.PAUSED} and not lineage.in_list(run) and not run.dynamic
    )


def _require(lineage: Lineage, run: TaskRun) -> None:
    if not lineage.fits(run):
        where = f"revision {lineage.plan.revision} of the flow"
        raise SurgeryError(f"'{run.task_id}' cannot be run again: {where} does not have it there")


def _redone(lineage: Lineage, run: TaskRun, chosen: Collection[TaskRunId]) -> bool:
    """A WorkingDirectory runs again as a whole."""
    return any(
        above.id in chosen and isinstance(lineage.plan.nodes.get(above.task_id), WorkDir)
        for above in lineage.above(run)
    )


def replay(
    plan: Plan,
    execution: Execution,
    rows: Collection[TaskRun],
    *,
    at: Instant,
    new_id: ExecutionId,
    task_run_id: TaskRunId | None = None,
) -> Edited:
    """A new execution, from the start (`Created` follows) or from a task run on (`Restarted` follows).

    Raises `SurgeryError` for a task run that does not exist or belongs to `afterExecution`.
    """
    if task_run_id is None:
        fresh = _replace(
            _restarted_header(execution, at, labels=(_REPLAY,)),
            histories=(History(State.CREATED, at),),
            schedule_date=execution.schedule_date,
            progress=None,
            created_runs=0,
        )
        return Edited(_child(plan, execution, fresh, new_id=new_id))
    lineage = Lineage(plan, rows)
    target = lineage.runs.get(task_run_id)
    if target is None:
        raise SurgeryError(f"Task run '{task_run_id}' does not exist")
    if target.task_id not in plan.nodes:
        raise SurgeryError(f"Task run '{task_run_id}' cannot be run again by itself")
    target = lineage.whole(target)
    _require(lineage, target)
    if lineage.top(target).task_id in plan.after:
        raise SurgeryError(f"'{target.task_id}' belongs to afterExecution: it cannot be replayed")
    above = {run.id for run in lineage.above(target)}
    again = _live(rows) - above
    kept = []
    for run in rows:
        if _redone(lineage, run, again):
            continue
        if run.id == target.id:
            kept.append(_reopened(plan, _forgotten(plan, run), at))
        elif run.id in above:
            kept.append(_going_on(run, at))
        elif lineage.stays(run, target) and (run.state.is_terminal or lineage.fits(run)):
            kept.append(run if run.state.is_terminal else _reopened(plan, run, at))
    header = _restarted_header(execution, at, labels=(_REPLAY,))
    return _copied(plan, execution, kept, header=header, new_id=new_id)


def _forgotten(plan: Plan, run: TaskRun) -> TaskRun:
    """The target of a replay begins anew: what it decided or counted is gone."""
    count = 1 if isinstance(plan.nodes.get(run.task_id), LoopNode) else 0
    return _replace(run, progress=Progress(count=count))


def mark(
    plan: Plan,
    execution: Execution,
    rows: Collection[TaskRun],
    *,
    task_run_id: TaskRunId,
    state: State,
    at: Instant,
) -> Edited:
    """Give a task run, and its last attempt, another state; its ancestors go on (01 §8.3).

    Raises `SurgeryError` for a task run that does not exist or whose ancestors the plan does not have, and while the
    execution is stopped, as by a kill.
    """
    memory = execution.progress
    if memory is not None and memory.course is not None and memory.course.ending is not None:
        raise SurgeryError(f"Execution '{execution.id}' is about to end")
    lineage = Lineage(plan, rows)
    target = lineage.runs.get(task_run_id)
    if target is None:
        raise SurgeryError(f"Task run '{task_run_id}' does not exist")
    for above in lineage.above(target):
        _require(lineage, above)
    after = lineage.top(target).task_id in plan.after
    live = after and not target.state.is_terminal
    if live or (not state.is_terminal and (after or target.task_id not in plan.nodes)):
        raise SurgeryError(f"Task run '{task_run_id}' cannot be run again by itself")
    marked = _marked(plan, target, state=state, at=at)
    if after:
        return Edited(execution, (marked,) if marked != target else ())
    over = execution.state.is_terminal
    changed = (_after_mark(lineage, marked, run, at=at, over=over) for run in rows)
    kept = [run for run in changed if run is not None]
    if execution.state is State.PAUSED and any(run.state is State.PAUSED for run in kept):
        header = _replace(execution, progress=Progress(course=_course(execution)))
    else:
        header = _restarted_header(execution, at, labels=())
    return _edited(plan, header, before=rows, after=kept)


def _after_mark(
    lineage: Lineage, marked: TaskRun, run: TaskRun, *, at: Instant, over: bool
) -> TaskRun | None:
    """What becomes of a task run when another one, or itself, got a new state; None when it goes."""
    if run.id == marked.id:
        return marked
    if any(above.id == run.id for above in lineage.above(marked)):
        return _going_on(run, at)
    if any(above.id == marked.id for above in lineage.above(run)):
        return None if marked.state is State.RESTARTED else _below(marked, run, at)
    return None if over and lineage.in_later_list(run, marked) else run


def _marked(plan: Plan, run: TaskRun, *, state: State, at: Instant) -> TaskRun:
    """A leaf that is to run begins again; a Pause without tasks that is to run is done (01 §8.3)."""
    node = plan.nodes.get(run.task_id)
    if not state.is_terminal:
        if not isinstance(node, Pause) or node.tasks:
            return _reopened(plan, run, at)
        state = State.SUCCESS
    attempts = run.attempts
    if attempts:
        last = _replace(attempts[-1], histories=followed(attempts[-1].histories, state, at))
        attempts = (*attempts[:-1], last)
    return _replace(run, histories=followed(run.histories, state, at), attempts=attempts)


def _below(marked: TaskRun, run: TaskRun, at: Instant) -> TaskRun:
    """What still runs inside a task run that was declared to be over is over too."""
    if run.state.is_terminal or not marked.state.is_terminal:
        return run
    memory = Progress(given=run.progress.given) if run.progress is not None else None
    histories = followed(run.histories, State.KILLED, at)
    return _replace(run, histories=histories, attempts=_given_up(run, at), progress=memory)


def _going_on(run: TaskRun, at: Instant) -> TaskRun:
    """An ancestor of a task run that got another state; also a WorkingDirectory, whose job is not repeated."""
    if run.state is State.RUNNING:
        return run
    return _replace(run, histories=followed(run.histories, State.RUNNING, at))


def _reopened(plan: Plan, run: TaskRun, at: Instant) -> TaskRun:
    """01 §8.1: what a worker or another execution does is RESTARTED, a control task is RUNNING."""
    state = State.RUNNING if _is_control(plan, run) else State.RESTARTED
    if run.state is state:
        return run
    attempts = run.attempts if state is State.RUNNING else _given_up(run, at)
    return _replace(run, histories=followed(run.histories, state, at), attempts=attempts)


def _given_up(run: TaskRun, at: Instant) -> tuple[Attempt, ...] | None:
    """The attempts of a task run; one that still runs is over, its result will not count."""
    if run.attempts and not run.attempts[-1].state.is_terminal:
        return closed(run, State.KILLED, at)
    return run.attempts


def _is_control(plan: Plan, run: TaskRun) -> bool:
    node = plan.nodes.get(run.task_id)
    return node is not None and not isinstance(node, (Leaf, Subflow, Iterations, WorkDir))


def _restarted_header(execution: Execution, at: Instant, *, labels: Iterable[Label]) -> Execution:
    return _replace(
        execution,
        histories=followed(execution.histories, State.RESTARTED, at),
        labels=merge_labels(execution.labels, labels),
        attempt_number=execution.attempt_number + 1,
        outputs=None,
        schedule_date=None,
        progress=Progress(course=_course(execution)),
    )


def _course(execution: Execution) -> Course:
    """A new course; only the place under the concurrency limit is remembered."""
    former = execution.progress.course if execution.progress is not None else None
    return Course() if former is None else Course(slot=former.slot)


def _copied(
    plan: Plan,
    execution: Execution,
    kept: Sequence[TaskRun],
    *,
    header: Execution,
    new_id: ExecutionId,
) -> Edited:
    """The same task runs in a new execution, under new ids."""
    ordered = _rooted(kept)
    ids = {run.id: derived_id(new_id, ordinal) for ordinal, run in enumerate(ordered)}
    rows = [
        _replace(
            run,
            id=ids[run.id],
            ordinal=ordinal,
            parent_id=None if run.parent_id is None else ids[run.parent_id],
            # The executions that the source started are not those of the copy.
            progress=run.progress if _is_control(plan, run) else None,
        )
        for ordinal, run in enumerate(ordered)
    ]
    header = _replace(header, created_runs=len(rows), progress=Progress(), holds_slot=False)
    new = _child(plan, execution, header, new_id=new_id)
    edited = _edited(plan, new, before=(), after=rows)
    return _replace(edited, copies=ids)


def _child(
    plan: Plan, execution: Execution, header: Execution, *, new_id: ExecutionId
) -> Execution:
    return _replace(
        header,
        id=new_id,
        revision=plan.revision,
        parent_id=execution.id,
        original_id=execution.original_id or execution.id,
        original_created=execution.original_created or execution.histories[0].at,
        holds_slot=False,
        runs={},
    )


def _edited(
    plan: Plan, header: Execution, *, before: Iterable[TaskRun], after: Iterable[TaskRun]
) -> Edited:
    """The header with what the engine has to remember, and the rows that changed."""
    former = {run.id: run for run in before}
    lineage = Lineage(plan, _rooted(after))
    rows = {run.id: _remembering(lineage, run) for run in lineage.runs.values()}
    gone = tuple(run_id for run_id in former if run_id not in rows)
    course = header.progress.course if header.progress is not None else None
    root = _counted(lineage, None, Progress(course=course or Course()))
    live = {run.id: run for run in rows.values() if not run.state.is_terminal}
    saved = tuple(run for run in rows.values() if run != former.get(run.id))
    return Edited(_replace(header, runs=live, progress=root), saved, gone)


def _rooted(runs: Iterable[TaskRun]) -> list[TaskRun]:
    """In the order of creation, without those whose parent is gone."""
    found: dict[TaskRunId, TaskRun] = {}
    for run in sorted(runs, key=lambda run: run.ordinal):
        if run.parent_id is None or run.parent_id in found:
            found[run.id] = run
    return list(found.values())


def _remembering(lineage: Lineage, run: TaskRun) -> TaskRun:
    node = lineage.plan.nodes.get(run.task_id)
    if run.state is State.RESTARTED:
        return _replace(run, progress=_begins_again(run.progress or Progress()))
    elsewhere = node is None or isinstance(node, (Leaf, Subflow, Iterations))
    if run.state is not State.RUNNING or elsewhere:
        return run
    if isinstance(node, WorkDir) and run.progress is not None and run.progress.attempt:
        return run  # its job is with a worker
    old = run.progress or Progress()
    memory = Progress(items=old.items, choice=old.choice, count=old.count, given=old.given)
    return _replace(run, progress=_counted(lineage, run, memory))


def _begins_again(old: Progress) -> Progress:
    """Numbers of attempts are not used twice, and executions that were started are still known."""
    return Progress(
        given=old.given,
        child=old.child,
        items=old.items,
        batches=old.batches,
        iterated=old.iterated,
    )


def _counted(lineage: Lineage, scope: TaskRun | None, memory: Progress) -> Progress:
    """What the children that exist tell: counters, and where to go on."""
    children = lineage.children(scope)
    main = [child for child in children if not lineage.is_side(child) and not child.dynamic]
    ended = [child for child in main if child.state.is_terminal]
    gone = [child for child in children if child.state.is_terminal]
    worst = State.SUCCESS
    for child in ended:
        worst = worse(worst, child.state)
    listed, branch = lineage.list_of(scope, children)
    beside = [one for one in children if lineage.is_side(one) and not lineage.is_on_pause(one)]
    memory = _replace(
        memory,
        branch=branch,
        cursor=len(listed) if listed else len(main),
        live=sum(not child.state.is_terminal for child in children),
        side=sum(not child.state.is_terminal for child in beside),
        worst=worst,
        latest=max((child.histories[-1].at for child in gone), default=memory.latest),
    )
    fill = _FILL.get(type(lineage.plan.nodes.get(scope.task_id))) if scope is not None else None
    if fill is None or scope is None:
        return memory
    filled = fill(scope, main, lineage=lineage, memory=memory)
    return filled if branch is Branch.TASKS else _replace(filled, cursor=memory.cursor)


def _fill_dag(
    run: TaskRun, main: Sequence[TaskRun], *, lineage: Lineage, memory: Progress
) -> Progress:
    node = lineage.plan.nodes[run.task_id]
    places = node.places if isinstance(node, Dag) else {}
    known = [child for child in main if child.task_id in places]
    ended = (places[child.task_id] for child in known if child.state.is_terminal)
    begun = (places[child.task_id] for child in known)
    return _replace(memory, begun=to_text(begun), done=to_text(ended))


def _fill_loop(
    _run: TaskRun, main: Sequence[TaskRun], *, lineage: Lineage, memory: Progress
) -> Progress:
    del lineage
    return _replace(memory, children=tuple(child.id for child in main))


def _fill_each(
    run: TaskRun, main: Sequence[TaskRun], *, lineage: Lineage, memory: Progress
) -> Progress:
    """The first value that was never begun, and those that were begun and have nothing running."""
    node = lineage.plan.nodes[run.task_id]
    tasks = node.tasks if isinstance(node, Each) else ()
    main = [child for child in main if child.task_id in tasks]  # an older revision had others
    items = memory.items or ()
    places = [(number_of(child, items), tasks.index(child.task_id)) for child in main]
    if isinstance(node, Each) and not node.ordered:
        flat = [index * len(tasks) + position for index, position in places]
        return _replace(memory, cursor=max(flat, default=-1) + 1)
    last: dict[int, tuple[int, State]] = {}
    for (index, position), child in zip(places, main, strict=True):
        last[index] = max(last.get(index, (-1, State.SUCCESS)), (position, child.state))
    begun = sorted(
        (index, position + 1)
        for index, (position, state) in last.items()
        if state.is_terminal and state not in STOPPING and position + 1 < len(tasks)
    )
    return _replace(memory, cursor=max(last, default=-1) + 1, open=tuple(begun))


_FILL: Mapping[object, Callable[..., Progress]] = {
    Dag: _fill_dag,
    LoopNode: _fill_loop,
    Each: _fill_each,
}
