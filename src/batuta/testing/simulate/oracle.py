"""The end of an execution, computed anew from its task runs: 01 §4.6 and §4.7, without any code of the engine.

It holds for executions that came to their end by themselves. Kill, Exit, SLA, CANCEL and people end them otherwise.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from batuta.engine import plan as p
from batuta.engine.execution import Execution, TaskRun
from batuta.model.ids import TaskId, TaskRunId
from batuta.model.state import State

_WORST_FIRST = (State.KILLED, State.FAILED, State.WARNING)
_BY_ITSELF = frozenset({State.SUCCESS, State.WARNING, State.FAILED})
_MAY_FAIL = (p.Choice, p.Each, p.Loop, p.Pause, p.WorkDir)
"""Kinds of task that fail without a child that failed."""

Children = Mapping[TaskRunId | None, Sequence[TaskRun]]


def wrong_end(
    plan: p.Plan,
    execution: Execution,
    runs: Collection[TaskRun],
    *,
    values: Mapping[TaskRunId, Any] | None,
) -> Iterator[str]:
    """What is not as it has to be; nothing when the oracle does not know this kind of end.

    `values`: what the values of loops were rendered to, where that is known. None for a replay, which has of a loop
    what comes after the task run that it began with (01 §8.2), and does not know why a Pause had failed.
    """
    yield from _wrong_after(plan, runs)
    if not ends_by_itself(plan, execution, runs):
        return
    children: dict[TaskRunId | None, list[TaskRun]] = {}
    for run in runs:
        if not run.dynamic:
            children.setdefault(run.parent_id, []).append(run)
    yield from _wrong_root(plan, execution, children.get(None, ()))
    for run in runs:
        node = plan.nodes.get(run.task_id)
        if node is not None and _main(node) is not None:
            for wrong in _wrong_run(node, run, children.get(run.id, ()), values=values):
                yield f"{run.task_id}: {wrong}"


def ends_by_itself(plan: p.Plan, execution: Execution, runs: Collection[TaskRun]) -> bool:
    states = {entry.state for entry in execution.histories}
    cut = states & {State.KILLING, State.CANCELLED, State.KILLED, State.RETRIED}
    acting = any(sla.behavior != "NONE" for sla in plan.sla)
    ended = all(run.state in _BY_ITSELF or run.state is State.SKIPPED for run in runs)
    refused = State.RUNNING not in states and execution.state is State.FAILED
    return ended and not cut and not acting and not refused


def _wrong_after(plan: p.Plan, runs: Collection[TaskRun]) -> Iterator[str]:
    counts = Counter(run.task_id for run in runs if run.parent_id is None)
    for task in plan.after:
        if counts[task] != 1:
            yield f"{task} of afterExecution ran {counts[task]} times"


def _wrong_root(plan: p.Plan, execution: Execution, top: Sequence[TaskRun]) -> Iterator[str]:
    main = [run for run in top if run.task_id in plan.tasks]
    worst = worst_of(main)
    last, before = execution.state, execution.histories[-2:-1]
    if before and plan.outputs and last is State.FAILED and before[0].state is worst:
        last = worst  # flow outputs that failed
    if last is not worst:
        yield f"the execution is {last}, its tasks make it {worst}"
    yield from _wrong_lists(plan, top, worst=worst, surely=True)
    yield from _wrong_counts(plan.tasks, main, most=1, all_of_them=worst is not State.FAILED)


def _wrong_run(
    node: p.AnyNode,
    run: TaskRun,
    children: Sequence[TaskRun],
    *,
    values: Mapping[TaskRunId, Any] | None,
) -> Iterator[str]:
    if run.state is State.SKIPPED:
        return
    if all(entry.state is not State.RUNNING for entry in run.histories):
        if children and not isinstance(node, p.WorkDir):  # whose failed attempt is not shown
            yield "there are tasks inside, and it was never begun"
        return
    tasks = _main(node) or ()
    main = [child for child in children if child.task_id in tasks]
    worst = worst_of(main)
    shown = _shown(node, worst)
    itself = isinstance(node, _MAY_FAIL) and run.state in {
        State.FAILED,  # a property that means nothing: whatever the task allows (01 §6.21)
        _shown(node, State.FAILED),
        _shown(node, State.WARNING),
    }
    if run.state is not shown and not itself:
        yield f"it is {run.state}, what is inside makes it {shown}"
    surely = run.state is shown and not isinstance(node, _MAY_FAIL)
    yield from _wrong_lists(node, children, worst=worst, surely=surely)
    known = not isinstance(node, _MAY_FAIL) or (values is not None and not itself)
    if run.state is shown and worst is not State.FAILED and known:
        yield from _wrong_work(node, run, main, values=values or {})


def _wrong_work(
    node: p.AnyNode, run: TaskRun, main: Sequence[TaskRun], *, values: Mapping[TaskRunId, Any]
) -> Iterator[str]:
    """Each task that the flow asks for ran once, and nothing else."""
    match node:
        case p.Each():
            given = values.get(run.id)
            if given is not None:
                for value in (wanted := loop_values(given)):
                    inside = [child for child in main if child.value == value]
                    yield from _wrong_counts(node.tasks, inside, most=1, all_of_them=True)
                if len(main) != len(wanted) * len(node.tasks):
                    yield f"{len(main)} task runs for {len(wanted)} values"
        case p.Choice():
            names = {child.task_id for child in main}
            lists = (*node.cases.values(), node.defaults or ())
            if names and not any(names == set(tasks) for tasks in lists):
                yield f"{sorted(names)} are the tasks of no case"
        case _:
            yield from _wrong_counts(_main(node) or (), main, most=1, all_of_them=True)


def _wrong_lists(
    node: Any, children: Sequence[TaskRun], *, worst: State, surely: bool
) -> Iterator[str]:
    """`errors` ran if, and only if, a main task failed; `finally` in any case."""
    counts = Counter(child.task_id for child in children)
    failed = worst is State.FAILED
    for name, tasks, least, most in (
        ("errors", node.errors, int(failed), int(failed or not surely)),
        ("finally", node.finally_, int(surely or failed), 1),
    ):
        for task in tasks:
            if not least <= counts[task] <= most:
                yield f"{task} of {name} ran {counts[task]} times"


def _wrong_counts(
    tasks: Sequence[TaskId], main: Sequence[TaskRun], *, most: int, all_of_them: bool
) -> Iterator[str]:
    counts = Counter(child.task_id for child in main)
    for task in tasks:
        if counts[task] > most or (all_of_them and not counts[task]):
            yield f"{task} ran {counts[task]} times"


def worst_of(children: Collection[TaskRun]) -> State:
    states = {child.state for child in children}
    return next((state for state in _WORST_FIRST if state in states), State.SUCCESS)


def _shown(node: Any, state: State) -> State:
    if state is State.FAILED and (node.allow_failure or getattr(node, "failure_is_warning", False)):
        state = State.WARNING
    return State.SUCCESS if state is State.WARNING and node.allow_warning else state


def _main(node: p.AnyNode) -> tuple[TaskId, ...] | None:
    """The main tasks of a control task."""
    match node:
        case p.Leaf() | p.Subflow() | p.Iterations():
            return None
        case p.EachItem():
            return (node.split, node.items, node.merge)
        case p.Choice():
            lists = (*node.cases.values(), node.defaults or ())
            return tuple(task for tasks in lists for task in tasks)
        case _:
            return node.tasks


def loop_values(given: Any) -> Sequence[str]:
    """01 §6.6: a list or its JSON, without duplicates; what is no text is its compact JSON."""
    listed = json.loads(given) if isinstance(given, str) else given
    texts = [
        each if isinstance(each, str) else json.dumps(each, separators=(",", ":"))
        for each in listed
    ]
    return list(dict.fromkeys(texts))
