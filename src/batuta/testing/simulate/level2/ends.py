"""What executions came to, when the world is quiet: each is what its tasks make of it (01 §4.6), without the engine."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from batuta.engine.execution import Execution, TaskRun
from batuta.engine.iteration import iteration_plans
from batuta.engine.plan import Each, Leaf, Plan
from batuta.model.ids import ExecutionId, FlowKey, TaskRunId
from batuta.model.state import State
from batuta.store.memory.tables import Tables
from batuta.testing.simulate.oracle import wrong_end
from batuta.testing.simulate.transitions import told

_EXIT = "execution.Exit"


def wrong_ends(
    tables: Tables, plans: Mapping[FlowKey, Plan], *, led: Collection[ExecutionId]
) -> Iterator[str]:
    """`led`: people gave them another course than that of their flow."""
    for id_, row in tables.executions.items():
        execution = row.execution
        runs = tuple(run for run in tables.runs.get(id_, {}).values())
        plan = plans.get(execution.flow)
        if plan is not None and row.link is not None and row.link.item is not None:
            plan = _iteration(tables, plan, row.link.execution_id, row.link.task_run_id)
        for run in runs:
            if plan is not None and isinstance(plan.nodes.get(run.task_id), Leaf):
                yield from _open_attempts(run)
        if plan is None or id_ in led or _is_led(plan, execution, runs):
            continue
        for wrong in wrong_end(plan, execution, runs, values=_values(plan, runs)):
            yield f"{execution.flow.id} {id_} {told(execution.histories)}: {wrong}"


def _open_attempts(run: TaskRun) -> Iterator[str]:
    """Every attempt has ended, was repeated or was declared lost."""
    if not run.state.is_terminal or any(
        not attempt.state.is_terminal for attempt in run.attempts or ()
    ):
        yield f"{run.task_id} {told(run.histories)}: an attempt has not ended"


def _iteration(  # noqa: PLR0917 - one place
    tables: Tables, plan: Plan, loop: ExecutionId, task_run_id: TaskRunId
) -> Plan | None:
    runs = tables.runs.get(loop, {}).values()
    name = next((run.task_id for run in runs if run.id == task_run_id), None)
    return None if name is None else iteration_plans(plan).get(name)


def _is_led(plan: Plan, execution: Execution, runs: Collection[TaskRun]) -> bool:
    exits = any(
        run.task_id in plan.nodes and plan.nodes[run.task_id].type.endswith(_EXIT) for run in runs
    )
    asserted = any(sla.assertion is not None for sla in plan.sla)
    return exits or asserted or not execution.state.is_terminal or State.KILLED is execution.state


def _values(plan: Plan, runs: Collection[TaskRun]) -> Mapping[TaskRunId, Any]:
    """Of loops over a list that stands in the flow."""
    found = {}
    for run in runs:
        node = plan.nodes.get(run.task_id)
        if isinstance(node, Each) and isinstance(node.values, list):
            found[run.id] = node.values
    return found
