"""Builders through which control tasks describe themselves as nodes of the engine (08 §12)."""

from collections.abc import Sequence
from typing import Any, Protocol

from batuta.engine.plan import (
    AnyNode,
    Choice,
    Dag,
    Each,
    EachItem,
    FlowOutput,
    Iterations,
    Leaf,
    Loop,
    Parallel,
    Pause,
    Retry,
    Subflow,
    WorkDir,
    WorkerGroup,
)
from batuta.engine.plan import Sequence as SequenceNode
from batuta.model.ids import TaskId

__all__ = [
    "AnyNode",
    "Choice",
    "Dag",
    "Each",
    "EachItem",
    "FlowOutput",
    "Iterations",
    "Leaf",
    "Loop",
    "NodeBuilder",
    "Parallel",
    "Pause",
    "Retry",
    "SequenceNode",
    "Subflow",
    "TaskId",
    "WorkDir",
    "WorkerGroup",
]


class NodeBuilder(Protocol):
    """Compiles what is inside a control task."""

    def branch(self, tasks: Sequence[Any] | None) -> tuple[TaskId, ...]:
        """Compile a list of tasks and return the ids of those that are enabled."""
        ...

    def detached(self, task: Any) -> TaskId | None:
        """Compile a task that runs without a parent; None when it is disabled."""
        ...

    def common(self, task: Any) -> dict[str, Any]:
        """The arguments that every node has, from the properties that every task has."""
        ...

    def control(self, task: Any, main: Sequence[Any] | None) -> dict[str, Any]:
        """`common`, and the `errors` and `finally` branches; `main` tells whether all its tasks are disabled."""
        ...

    def spec(self, task: Any, *, without: Sequence[str] = ()) -> dict[str, Any]:
        """The properties of a task as plain data, for the worker."""
        ...

    def outputs_read(self, task: Any, *, without: Sequence[str] = ()) -> frozenset[str] | None:
        """Ids of the tasks whose outputs a task's templates name; None when that cannot be known."""
        ...

    def worker_group(self, task: Any) -> WorkerGroup | None:
        """The group that must run it: its own, else that of the flow."""
        ...

    def whole_number(self, value: Any) -> int | str:
        """A number, literal or text; the expression itself when the author wrote one."""
        ...

    def template(self, task: Any, *, namespace: str, template_id: str, args: Any) -> AnyNode:
        """The tasks of a template in place of a task; a node that fails where that cannot be."""
        ...

    def leaf(self, task_id: str, type_name: str, spec: dict[str, Any]) -> TaskId:
        """Add a leaf that the author did not write (the parts of ForEachItem)."""
        ...
