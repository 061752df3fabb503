"""What the world still owes an execution. One that waits for nothing and nobody has to be over: else it is stuck."""

from collections.abc import Mapping

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.execution import Execution, TaskRun
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.state import State

_FOR_PEOPLE = frozenset({State.PAUSED, State.BREAKPOINT})


class Debts:
    """Follows from commands and events alone, so that it is the same when a list of happenings is tried again."""

    def __init__(self) -> None:
        self._timers: set[str] = set()
        self._renders: set[str] = set()
        self._attempts: set[tuple[TaskRunId, int]] = set()
        self._starts: set[tuple[TaskRunId, int, int | None]] = set()
        self._children: dict[ExecutionId, TaskRunId] = {}
        self._made: dict[ExecutionId, TaskRunId] = {}
        """All children there ever were."""
        self._iterations: set[tuple[TaskRunId, int]] = set()
        self._asked: set[tuple[TaskRunId, int, type[c.Command]]] = set()
        """Counts of rows and gathered outputs, for Loops."""
        self._slot = False

    def owe(self, command: c.AnyCommand) -> None:
        match command:
            case c.SetTimer(timer_id=timer_id):
                self._timers.add(timer_id)
            case c.ClearTimer(timer_id=timer_id):
                self._timers.discard(timer_id)
            case c.Render(request_id=request_id):
                self._renders.add(request_id)
            case c.RunTask(task_run=run, attempt=attempt):
                self._attempts.add((run.id, attempt))
            case c.StartChild(task_run=run, attempt=attempt, index=index):
                self._starts.add((run.id, attempt, index))
            case c.RestartChildren(task_run_id=run_id):
                made = {child: run for child, run in self._made.items() if run == run_id}
                self._children.update(made)
            case c.RequestSlot():
                self._slot = True
            case c.ReleaseSlot():
                self._slot = False
            case _:
                self._owe_loop(command)

    def _owe_loop(self, command: c.AnyCommand) -> None:
        match command:
            case c.StartIterations(task_run=run, first=first, count=count):
                self._iterations.update((run.id, first + index) for index in range(count))
            case c.RestartIterations(task_run=run, indexes=indexes):
                self._iterations.update((run.id, index) for index in indexes)
            case (
                c.CountRows(task_run_id=run_id, attempt=attempt)
                | c.Gather(task_run_id=run_id, attempt=attempt)
            ):
                self._asked.add((run_id, attempt, type(command)))
            case _:
                pass

    def pay(self, event: e.AnyEvent) -> None:
        match event:
            case e.TimerFired(timer_id=timer_id):
                self._timers.discard(timer_id)
            case e.Rendered(request_id=request_id):
                self._renders.discard(request_id)
            case e.Answers(rendered=rendered):
                self._renders.difference_update(each.request_id for each in rendered)
            case e.TaskFinished() | e.AttemptLost() | e.AttemptRefused():
                self._attempts.discard((event.task_run_id, event.attempt))
            case e.ChildStarted():
                self._pay_start(event)
            case e.ChildEnded(execution_id=child):
                self._children.pop(child, None)
                self._iterations.discard((event.task_run_id, event.index or 0))
            case e.Counted() | e.Gathered():
                self._pay_loop(event)
            case _:
                self._pay_slot(event)

    def _pay_slot(self, event: e.AnyEvent) -> None:
        match event:
            case e.SlotGranted():
                self._slot = False
            case e.SlotDenied(behavior=behavior):
                self._slot = self._slot and behavior == "QUEUE"
            case _:
                pass

    def _pay_loop(self, event: e.Counted | e.Gathered) -> None:
        asked = c.CountRows if isinstance(event, e.Counted) else c.Gather
        self._asked.discard((event.task_run_id, event.attempt, asked))

    def silence(self, run_id: TaskRunId) -> None:
        """Its worker was told to stop, and is never heard of again."""
        self._attempts = {place for place in self._attempts if place[0] != run_id}

    def is_stuck(self, execution: Execution) -> bool:
        """Of an execution that is not over."""
        if execution.state in _FOR_PEOPLE or self._timers or self._slot:
            return False
        return not self._of_runs(execution.runs)

    def _of_runs(self, live: Mapping[TaskRunId, TaskRun]) -> bool:
        if self._renders:
            return True
        owed = (
            *(run_id for run_id, _ in self._attempts),
            *(run_id for run_id, *_ in self._starts),
            *self._children.values(),
            *(run_id for run_id, _ in self._iterations),
            *(run_id for run_id, *_ in self._asked),
        )
        return any(run_id in live for run_id in owed)

    def _pay_start(self, event: e.ChildStarted) -> None:
        self._starts.discard((event.task_run_id, event.attempt, event.index))
        if event.execution_id is None and event.index is not None:
            self._iterations.discard((event.task_run_id, event.index))
        if event.execution_id is not None:
            self._children[event.execution_id] = event.task_run_id
            self._made[event.execution_id] = event.task_run_id
