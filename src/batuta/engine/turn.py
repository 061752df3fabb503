"""The working copy of an execution during one `step`: changes are collected here, the input stays as it was.

Children are told apart from what they do: `spawn` only creates a task run and puts it on the agenda; the
dispatcher lets it begin after everything that was created before it, so that task runs are created level by level.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from batuta.engine.commands import (
    Announce,
    AnyCommand,
    Change,
    Logged,
    OutputsSaved,
    RunSaved,
    RunsRemoved,
    RunTask,
    SetTimer,
    Step,
)
from batuta.engine.execution import (
    Advance,
    Attempt,
    Course,
    Ended,
    Enter,
    Execution,
    Item,
    Progress,
    TaskRun,
)
from batuta.engine.live import LiveRuns, live_runs
from batuta.engine.plan import Plan
from batuta.model.ids import TaskId, TaskRunId, derived_id
from batuta.model.instant import Instant
from batuta.model.state import History, State, followed

Scope = TaskRun | None
"""A control task's run, or None for the flow itself."""

WINDOW = 1_000
"""Loops without limit keep the task runs that have not ended near this number; each loop may always have one."""

_replace = msgspec.structs.replace


class Turn:
    """`at` is the instant of the event, or a later one that what it is about has seen; histories carry it."""

    __slots__ = (
        "_drafted",
        "_removed",
        "_rest",
        "_touched",
        "agenda",
        "asserted",
        "at",
        "commands",
        "execution",
        "plan",
        "runs",
    )

    def __init__(self, plan: Plan, execution: Execution, at: Instant) -> None:
        self.plan = plan
        self.at = at
        self.execution = execution
        self.runs = live_runs(execution.runs)
        self.commands: list[AnyCommand] = []
        self.agenda: deque[Item] = deque()
        self.asserted = False
        """Whether the SLA assertions have been judged in this turn."""
        self._drafted = False
        self._touched: dict[TaskRunId, TaskRun] = {}
        self._removed: list[RunsRemoved] = []
        self._rest: list[Change] = []

    # -- the execution as a whole -------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self.execution.histories[-1].state

    @property
    def root(self) -> Progress:
        return self.execution.progress or Progress()

    @property
    def course(self) -> Course:
        return self.root.course or Course()

    def change(self, **fields: Any) -> None:
        """Set fields of the execution's header."""
        self.execution = _replace(self.execution, **fields)

    def remember(self, **fields: Any) -> None:
        """Set fields of the execution's `Course`."""
        self.change(progress=_replace(self.root, course=_replace(self.course, **fields)))

    def become(self, state: State, /) -> None:
        """Append a state to the execution's histories, unless it is in it."""
        if state is not self.state:
            self.change(histories=followed(self.execution.histories, state, self.at))

    # -- task runs ----------------------------------------------------------------------------------------

    def progress(self, scope: Scope) -> Progress:
        """The memory of a scope as it is now, whatever became of it since `scope` was looked up."""
        if scope is None:
            return self.root
        return self.runs.get(scope.id, scope).progress or Progress()

    def note(self, scope: Scope, **fields: Any) -> Progress:
        """Set fields of a scope's memory."""
        progress = _replace(self.progress(scope), **fields)
        if scope is None:
            self.change(progress=progress)
        else:
            self.put(_replace(self.runs.get(scope.id, scope), progress=progress))
        return progress

    def put(self, run: TaskRun) -> TaskRun:
        """Take in the new value of a task run that has not ended."""
        self._draft().put(run.id, run)
        self._touched[run.id] = run
        return run

    def mark(self, run: TaskRun, /, *states: State, **fields: Any) -> TaskRun:
        """Append states to the histories of a task run, and set fields."""
        at = max(self.at, run.histories[-1].at)
        added = tuple(History(state, at) for state in states)
        return self.put(_replace(run, histories=run.histories + added, **fields))

    def spawn(
        self,
        task_id: TaskId,
        parent: Scope,
        *,
        value: str | None = None,
        iteration: int | None = None,
    ) -> TaskRun:
        """Create a task run, to begin later in this turn. The parent's counters are the caller's affair."""
        run = self.create(task_id, parent, value=value, iteration=iteration)
        self.put(run)
        self.agenda.append(Enter(run.id))
        return run

    def create(self, task_id: TaskId, parent: Scope, **fields: Any) -> TaskRun:
        """A new task run with the next ordinal, not taken in yet."""
        ordinal = self.execution.created_runs
        self.change(created_runs=ordinal + 1)
        value = fields.get("value")
        path = () if parent is None else parent.path
        fields.setdefault("histories", (History(State.CREATED, self.at),))
        return TaskRun(
            id=derived_id(self.execution.id, ordinal),
            task_id=task_id,
            ordinal=ordinal,
            parent_id=None if parent is None else parent.id,
            path=path if value is None else (*path, value),
            **fields,
        )

    def end(self, run: TaskRun, /, *states: State, **fields: Any) -> TaskRun:
        """The last state of a task run; it leaves the live ones and its parent will be told."""
        run = self.mark(run, *states, **fields)
        self._drop(run.id)
        self.agenda.append(Ended(run))
        return run

    def save(self, run: TaskRun) -> None:
        """The row of a task run that is not, or no more, a live one."""
        self._touched[run.id] = run

    def advance(self, scope: Scope) -> None:
        self.agenda.append(Advance(None if scope is None else scope.id))

    # -- what is told to the outside ----------------------------------------------------------------------

    def emit(self, command: AnyCommand) -> None:
        self.commands.append(command)

    def outputs(self, run: TaskRun, outputs: Mapping[str, Any]) -> None:
        self._rest.append(OutputsSaved(run, outputs))

    def remove(self, run_ids: Iterable[TaskRunId], *, parent: TaskRun) -> None:
        removed = tuple(run_ids)
        self._removed.append(RunsRemoved(removed, parent))
        for run_id in removed:
            self._touched.pop(run_id, None)

    def log(self, level: str, message: str, run: TaskRun | None = None) -> None:
        self._rest.append(Logged(at=self.at, level=level, message=message, task_run=run))

    def result(self, before: Execution) -> Step:
        """What came of the turn; the object that came in when nothing changed."""
        execution = self.execution
        if self._drafted:
            execution = _replace(execution, runs=self.runs.settled())
        changed = execution is not before
        if not changed and not self.commands and not self._rest and not self._touched:
            return Step(before)
        runs, rest = _in_order(self.commands)
        announced = [] if execution.state is before.state else [Announce(state=execution.state)]
        commands = (*announced, *runs, *rest)
        changes: list[Change] = []
        changes.extend(self._removed)
        changes.extend(map(RunSaved, self._touched.values()))
        changes.extend(self._rest)
        return Step(execution, tuple(changes), commands)

    def _drop(self, run_id: TaskRunId) -> None:
        """Take a task run out of the live ones."""
        self._draft().put(run_id, None)

    def _draft(self) -> LiveRuns:
        if not self._drafted:
            self.runs, self._drafted = self.runs.draft(), True
        return self.runs


def reach(turn: Turn, at: Instant) -> None:
    """What happens from here on is not earlier than this. Clocks of several machines differ, results wait."""
    turn.at = max(turn.at, at)


def follow(turn: Turn, scope: Scope) -> None:
    """What happens from here on is not earlier than what a task run, or the flow, and its children have seen."""
    seen = turn.execution if scope is None else turn.runs.get(scope.id, scope)
    reach(turn, seen.histories[-1].at)
    if seen.progress is not None:
        reach(turn, seen.progress.latest)


def _in_order(commands: Iterable[AnyCommand]) -> tuple[list[RunTask], list[AnyCommand]]:
    """What is run goes before what is rendered: task runs are created in the order of the recorded cases.

    Timers of one turn that are due together are set apart, to fire in the order in which they were set.
    """
    runs: list[RunTask] = []
    rest: list[AnyCommand] = []
    taken: set[Instant] = set()
    for command in commands:
        if isinstance(command, RunTask):
            runs.append(command)
        elif isinstance(command, SetTimer):
            due = command.due
            while due in taken:
                due = Instant(due + 1)
            taken.add(due)
            rest.append(SetTimer(timer_id=command.timer_id, due=due))
        else:
            rest.append(command)
    return runs, rest


def begun(run: TaskRun, at: Instant) -> tuple[Attempt, ...]:
    """The attempts of a task run with one more that is running."""
    attempt = Attempt((History(State.CREATED, at), History(State.RUNNING, at)))
    return (*(run.attempts or ()), attempt)


def closed(run: TaskRun, state: State, at: Instant) -> tuple[Attempt, ...] | None:
    """The attempts of a control task, the last one ended; a restart goes on with it."""
    if not run.attempts or run.attempts[-1].state is state:
        return run.attempts
    last = run.attempts[-1]
    ended = _replace(last, histories=followed(last.histories, state, at))
    return (*run.attempts[:-1], ended)
