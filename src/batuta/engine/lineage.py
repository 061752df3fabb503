"""Who is above, below, before and after whom among all task runs of an execution; for `surgery`."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise

from batuta.engine.execution import Branch, TaskRun
from batuta.engine.plan import (
    AnyNode,
    Choice,
    Dag,
    Each,
    EachItem,
    Leaf,
    Parallel,
    Plan,
    Subflow,
    WorkDir,
)
from batuta.model.ids import TaskId, TaskRunId

Place = tuple[int, int | None]
"""List of a scope (0 main, 1 errors, 2 finally, 3 after) and position, None where there is no order."""


class Lineage:
    """`rows` are all task runs of one execution, in any order."""

    __slots__ = ("_below", "plan", "runs")

    def __init__(self, plan: Plan, rows: Iterable[TaskRun]) -> None:
        self.plan = plan
        ordered = sorted(rows, key=lambda run: run.ordinal)
        self.runs = {run.id: run for run in ordered}
        self._below: dict[TaskRunId | None, list[TaskRun]] = defaultdict(list)
        for run in ordered:
            self._below[run.parent_id].append(run)

    def children(self, scope: TaskRun | None) -> Sequence[TaskRun]:
        return self._below.get(None if scope is None else scope.id, ())

    def above(self, run: TaskRun) -> Iterator[TaskRun]:
        """The ancestors, nearest first."""
        while run.parent_id is not None and run.parent_id in self.runs:
            run = self.runs[run.parent_id]
            yield run

    def top(self, run: TaskRun) -> TaskRun:
        """The outermost ancestor, or the run itself."""
        return [run, *self.above(run)][-1]

    def whole(self, run: TaskRun) -> TaskRun:
        """A child of a WorkingDirectory stands for the whole of it (01 §6.10)."""
        for above in self.above(run):
            if isinstance(self.plan.nodes.get(above.task_id), WorkDir):
                return above
        return run

    def is_side(self, run: TaskRun) -> bool:
        """Whether the run itself stands in `errors`, `finally` or `afterExecution` of its scope, or beside them."""
        scope = self.plan if run.parent_id is None else self._node(self.runs[run.parent_id])
        if run.parent_id is None and run.task_id not in self.plan.tasks:
            return True
        return _place(scope, run.task_id)[0] > 0

    def fits(self, run: TaskRun) -> bool:
        """Whether the flow still has the task where the run stands, so that it can be run again there."""
        return all(self._is_known(one) for one in (run, *self.above(run)))

    def _is_known(self, run: TaskRun) -> bool:
        if run.parent_id is None:
            return run.task_id in self.plan.nodes
        return self.plan.parents.get(run.task_id) == self.runs[run.parent_id].task_id

    def in_list(self, run: TaskRun, scopes: Collection[TaskRunId] | None = None) -> bool:
        """Whether the run stands in such a list, or below a run that does: of the flow, or of these scopes."""
        return any(
            self.is_side(one)
            and not self.is_on_pause(one)
            and (scopes is None or one.parent_id is None or one.parent_id in scopes)
            for one in (run, *self.above(run))
        )

    def is_on_pause(self, run: TaskRun) -> bool:
        return run.parent_id is None and _place(self.plan, run.task_id)[0] == 0

    def diverge(self, run: TaskRun, target: TaskRun) -> tuple[TaskRun | None, TaskRun, TaskRun]:
        """The innermost common scope of two runs, neither above the other, and their ancestors just below it."""
        chain, line = [run, *self.above(run)], [target, *self.above(target)]
        known = {one.id for one in line}
        scope = next((one for one in chain if one.id in known), None)
        mine = chain[chain.index(scope) - 1] if scope is not None else chain[-1]
        theirs = line[line.index(scope) - 1] if scope is not None else line[-1]
        return scope, mine, theirs

    def in_later_list(self, run: TaskRun, target: TaskRun) -> bool:
        """Whether `errors`, `finally` or `afterExecution` that follow on the target brought the run about."""
        scope, mine, theirs = self.diverge(run, target)
        node = self.plan if scope is None else self._node(scope)
        if self.is_on_pause(mine):
            return False
        return _place(node, mine.task_id)[0] > _place(node, theirs.task_id)[0]

    def list_of(
        self, scope: TaskRun | None, children: Sequence[TaskRun]
    ) -> tuple[Sequence[TaskRun], Branch]:
        """The list that a scope works on, as its children show, and those of them that are in it."""
        node = self.plan if scope is None else self._node(scope)
        errors, ending = (
            [child for child in children if _place(node, child.task_id)[0] == rank]
            for rank in (1, 2)
        )
        if ending:
            return ending, Branch.FINALLY
        return (errors, Branch.ERRORS) if errors else ((), Branch.TASKS)

    def stays(self, run: TaskRun, target: TaskRun) -> bool:
        """Whether a run is kept when an execution is replayed from `target` (01 §8.2).

        What comes after the target goes, and what is inside it. Of the other values of a loop that takes one after
        another, what comes before the target's task stays; those of a concurrent loop stay whole.
        """
        line = [target, *self.above(target)]
        if target in [run, *self.above(run)]:
            return False
        scope, mine, theirs = self.diverge(run, target)
        node = self.plan if scope is None else self._node(scope)
        if isinstance(node, Each) and mine.value != theirs.value:
            parallel = node.concurrency != 1 or not node.ordered
            return _rank(node, mine, theirs) and (parallel or not self._is_later(run, line))
        return not _after(node, mine.task_id, theirs.task_id)

    def _is_later(self, run: TaskRun, line: Sequence[TaskRun]) -> bool:
        """Whether the run's task is the target's, above or below it, or after one of those."""
        tasks = {one.task_id for one in line}
        path = [run.task_id, *(above.task_id for above in self.above(run))]
        if run.task_id in tasks or line[0].task_id in path:
            return True
        return any(
            _after(self._node(above), task, one.task_id)
            for one, above in pairwise(line)
            for task in path
            if task in _main(self._node(above))
        )

    def _node(self, run: TaskRun) -> AnyNode | None:
        return self.plan.nodes.get(run.task_id)


def _rank(node: Each, mine: TaskRun, theirs: TaskRun) -> bool:
    return _place(node, mine.task_id)[0] <= _place(node, theirs.task_id)[0]


def _after(node: AnyNode | Plan | None, one: TaskId, other: TaskId) -> bool:
    """Whether `one` comes after `other` in a scope."""
    if isinstance(node, Dag) and one in node.tasks and other in node.tasks:
        return other in _needs(node, one)
    (rank, position), (other_rank, other_position) = _place(node, one), _place(node, other)
    if rank != other_rank:
        return rank > other_rank
    return position is not None and other_position is not None and position > other_position


def _needs(node: Dag, task: TaskId) -> set[TaskId]:
    found: set[TaskId] = set()
    todo = list(node.depends_on.get(task, ()))
    while todo:
        need = todo.pop()
        if need not in found:
            found.add(need)
            todo.extend(node.depends_on.get(need, ()))
    return found


def _place(node: AnyNode | Plan | None, task: TaskId) -> Place:
    if node is None or isinstance(node, (Leaf, Subflow)):
        return 0, None
    after = node.after if isinstance(node, Plan) else ()
    for rank, tasks in enumerate((node.errors, node.finally_, after), start=1):
        if task in tasks:
            return rank, tasks.index(task)
    ordered = not isinstance(node, Parallel) and not (isinstance(node, Each) and not node.ordered)
    main = _main(node)
    return 0, main.index(task) if ordered and task in main else None


def _main(node: AnyNode | Plan | None) -> tuple[TaskId, ...]:
    match node:
        case Choice():
            lists = (*node.cases.values(), node.defaults or ())
            return (
                next(iter(lists))
                if len(lists) == 1
                else tuple(task for tasks in lists for task in tasks)
            )
        case EachItem():
            return (node.split, node.items, node.merge)
        case _:
            tasks: tuple[TaskId, ...] = getattr(node, "tasks", ())
            return tasks
