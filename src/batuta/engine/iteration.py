"""The plan of one iteration of a Loop: the loop's branches, as if they were a flow."""

from collections.abc import Iterator

import msgspec

from batuta.engine.plan import AnyNode, Iterations, Pause, Plan
from batuta.model.ids import TaskId

_replace = msgspec.structs.replace


def iteration_plans(plan: Plan) -> dict[TaskId, Plan]:
    """Of every Loop of a flow, nested ones included."""
    return {
        node.id: iteration_plan(plan, node)
        for node in plan.nodes.values()
        if isinstance(node, Iterations)
    }


def iteration_plan(plan: Plan, loop: Iterations) -> Plan:
    """What the flow has for itself (concurrency, SLA, error handlers, afterExecution) is not for its iterations."""
    inside = frozenset(_inside(plan, loop.id))
    inside |= {
        node.on_pause
        for task_id in inside
        if isinstance(node := plan.nodes[task_id], Pause) and node.on_pause is not None
    }
    return Plan(
        flow=plan.flow,
        revision=plan.revision,
        nodes={task_id: _own(node) for task_id, node in plan.nodes.items() if task_id in inside},
        tasks=loop.tasks,
        errors=loop.errors,
        finally_=loop.finally_,
        outputs=loop.outputs,
        variables=plan.variables,
        parents={child: above for child, above in plan.parents.items() if above in inside},
    )


def _inside(plan: Plan, loop: TaskId) -> Iterator[TaskId]:
    for task_id in plan.nodes:
        above = plan.parents.get(task_id)
        while above is not None and above != loop:
            above = plan.parents.get(above)
        if above == loop:
            yield task_id


def _own(node: AnyNode) -> AnyNode:
    """An iteration is never replaced by a new execution: nobody would wait for that one."""
    if node.retry is None or not node.retry.new_execution:
        return node
    return _replace(node, retry=_replace(node.retry, new_execution=False))
