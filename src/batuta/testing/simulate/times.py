"""Cause and effect have the order of their instants, whatever clocks do."""

from collections.abc import Collection, Iterator

from batuta.engine.execution import TaskRun
from batuta.engine.plan import Plan, WorkDir


def wrong_times(
    plan: Plan, before: Collection[TaskRun], saved: Collection[TaskRun]
) -> Iterator[str]:
    """What is wrong with task runs that a step has saved; `before` are all those that there were.

    What a worker made bears the times of the worker.
    """
    known = {run.id for run in before}
    parents = {run.id: run for run in (*before, *saved)}
    for run in saved:
        parent = parents[run.parent_id] if run.parent_id is not None else None
        if run.dynamic or (parent is not None and isinstance(plan.nodes[parent.task_id], WorkDir)):
            continue
        if parent is not None and run.histories[-1].at < parent.histories[0].at:
            yield f"{run.task_id} is older than {parent.task_id}"
        over = [each for each in before if each.parent_id == run.parent_id and not each.dynamic]
        over = [each for each in over if each.state.is_terminal]
        latest = max((each.histories[-1].at for each in over), default=0)
        if run.id not in known and run.histories[0].at < latest:
            yield f"{run.task_id} was created before what it followed had ended"
        ended = parent is not None and parent.state.is_terminal and run.state.is_terminal
        if parent is not None and ended and parent.histories[-1].at < run.histories[-1].at:
            yield f"{parent.task_id} ended before {run.task_id} in it"
