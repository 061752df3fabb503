"""One module for each kind of task; `kind_of` tells which functions move a task run."""

from collections.abc import Mapping

from batuta.engine.execution import TaskRun
from batuta.engine.kind import Kind
from batuta.engine.nodes import (
    choice,
    dag,
    each,
    each_item,
    iterations,
    leaf,
    loop,
    parallel,
    pause,
    sequence,
    subflow,
    workdir,
)
from batuta.engine.plan import (
    AnyNode,
    Choice,
    Dag,
    Each,
    EachItem,
    Iterations,
    Leaf,
    Loop,
    Node,
    Parallel,
    Pause,
    Sequence,
    Subflow,
    WorkDir,
)
from batuta.engine.turn import Turn

_KINDS: Mapping[type[Node], Kind] = {
    Leaf: leaf.KIND,
    Sequence: sequence.KIND,
    Parallel: parallel.KIND,
    Dag: dag.KIND,
    Choice: choice.KIND,
    Each: each.KIND,
    Loop: loop.KIND,
    Iterations: iterations.KIND,
    Pause: pause.KIND,
    Subflow: subflow.KIND,
    EachItem: each_item.KIND,
    WorkDir: workdir.KIND,
}


def kind_of(turn: Turn, run: TaskRun) -> tuple[Kind, AnyNode] | None:
    """The functions and the node of a task run; None for one that the flow does not know."""
    node = turn.plan.nodes.get(run.task_id)
    parent = turn.runs.get(run.parent_id) if run.parent_id is not None else None
    above = None if parent is None else turn.plan.nodes.get(parent.task_id)
    if isinstance(above, EachItem) and run.task_id == above.items:
        return each_item.BATCHES, above
    return None if node is None else (_KINDS[type(node)], node)
