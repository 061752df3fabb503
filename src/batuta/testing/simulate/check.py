"""What must be true after every step, whatever happened (09 §9). A breach raises `BreachError`."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from batuta.engine.commands import (
    End,
    OutputsSaved,
    ReleaseSlot,
    RequestSlot,
    RunSaved,
    RunsRemoved,
    RunTask,
    Step,
)
from batuta.engine.events import AnyEvent, BreakpointResumed, Resumed, SlotDenied, StatusForced
from batuta.engine.execution import Branch, Ended, Execution, Progress, TaskRun
from batuta.engine.plan import Each, Leaf, Parallel, Plan, Subflow
from batuta.engine.step import step
from batuta.engine.surgery import Edited
from batuta.model import codec
from batuta.model.ids import TaskRunId

_ASKED = (Resumed, BreakpointResumed, StatusForced)
"""Asked for without saying of what: twice may mean two things."""


class BreachError(Exception):
    """An invariant does not hold."""


class Rows:
    """What the store would hold of one execution, and the checks on every change of it."""

    def __init__(self, plan: Plan, execution: Execution) -> None:
        self.plan = plan
        self.execution = execution
        self.runs: dict[TaskRunId, TaskRun] = {}
        self.given_out: set[tuple[TaskRunId, int]] = set()
        self.ended = False
        self.slots = 0
        self._edited = False
        self._below: Counter[TaskRunId | None] = Counter()

    def take(self, event: AnyEvent) -> Step:
        """Step, check, and keep what came of it."""
        before = self.execution
        result = step(self.plan, before, event)
        self._check_idle(before, result)
        self._keep(result, event)
        self._check_live()
        self._check_commands(result)
        if (
            isinstance(event, SlotDenied)
            and event.behavior != "QUEUE"
            and self.execution is not before
        ):
            self.slots -= 1  # nothing was given, nothing is queued
        if not isinstance(event, _ASKED):
            self._check_again(event)
        return result

    def edit(self, edited: Edited) -> None:
        """A restart, replay or mark changed the rows."""
        self.remove(edited.removed)
        for run in edited.saved:
            self.runs[run.id] = run
        self.ended = self.ended and edited.execution is self.execution
        self.execution = edited.execution
        self._edited = True
        self._check_live()

    def reload(self) -> None:
        """Forget everything but the rows."""
        live = {run.id: run for run in self.runs.values() if not run.state.is_terminal}
        data = codec.encode(msgspec.structs.replace(self.execution, runs=live))
        again = codec.decode_as(Execution, data)
        _require(again == self.execution, "the execution is not what its JSON says")
        self.execution = again
        _require(dict(self.execution.runs) == live, "the live task runs are not those of the rows")

    def _check_idle(self, before: Execution, result: Step) -> None:
        if result.execution is before:
            _require(not result.changes, "changes without a new execution")

    def _keep(self, result: Step, event: AnyEvent) -> None:
        before = self.execution.state
        after = result.execution.state
        if before.is_terminal and after is not before:
            _require(
                isinstance(event, StatusForced), f"the execution went from {before} to {after}"
            )
        self.execution = result.execution
        for change in result.changes:
            match change:
                case RunsRemoved(task_run_ids=gone):
                    self.remove(gone)
                case RunSaved(task_run=run):
                    self._save(run)
                case OutputsSaved(task_run=run):
                    _require(run.id in self.runs, f"outputs of {run.task_id} without task run")
                case _:
                    pass

    def _save(self, run: TaskRun) -> None:
        known = self.runs.get(run.id)
        asserted = any(sla.assertion is not None for sla in self.plan.sla)
        if known is not None and known.state.is_terminal and not asserted:
            _require(
                known.state is run.state, f"{run.task_id} went from {known.state} to {run.state}"
            )
        if known is None and run.parent_id is not None:
            _require(run.parent_id in self.runs, f"{run.task_id} has no parent")
        self.runs[run.id] = run

    def remove(self, gone: tuple[TaskRunId, ...]) -> None:
        for run_id in gone:
            self.runs.pop(run_id, None)
            below = tuple(run.id for run in self.runs.values() if run.parent_id == run_id)
            self.remove(below)

    def _check_live(self) -> None:
        live: Counter[TaskRunId | None] = Counter()
        for run in self.runs.values():
            if not run.state.is_terminal:
                live[run.parent_id] += 1
                _require(self.execution.runs.get(run.id) == run, f"{run.task_id} is not live")
        _require(sum(live.values()) == len(self.execution.runs), "a task run is live without row")
        for run in self.runs.values():
            if run.state.is_terminal:
                _require(not live[run.id], f"{run.task_id} ended before its children")
        self._check_counters(live)

    def _check_counters(self, live: Mapping[TaskRunId | None, int]) -> None:
        root = self.execution.progress or Progress()
        held: Counter[TaskRunId | None] = Counter()
        for item in root.course.agenda if root.course is not None else ():
            if isinstance(item, Ended):
                held[item.run.parent_id] += 1
        _require(root.live == live[None] + held[None], "the flow does not know its children")
        for run in self.execution.runs.values():
            progress = run.progress or Progress()
            known = live[run.id] + held[run.id]
            _require(progress.live == known, f"{run.task_id} does not know its children")
            self._check_limit(run, progress)

    def _check_limit(self, run: TaskRun, progress: Progress) -> None:
        node = self.plan.nodes.get(run.task_id)
        limit = 0
        if isinstance(node, Parallel):
            limit = node.concurrent
        elif isinstance(node, Each):
            limit = node.concurrency
        # 01 §8.1: a restart opens every failed task run again, those beside each other too.
        if limit and not self._edited and progress.branch is Branch.TASKS:
            _require(progress.live <= limit, f"{run.task_id} exceeds its limit of {limit}")

    def _check_commands(self, result: Step) -> None:
        for command in result.commands:
            match command:
                case RunTask(task_run=run, attempt=attempt):
                    place = (run.id, attempt)
                    _require(
                        place not in self.given_out, f"{run.task_id}/{attempt} given out twice"
                    )
                    self.given_out.add(place)
                case RequestSlot():
                    self.slots += 1
                case ReleaseSlot():
                    self.slots -= 1
                    _require(self.slots >= 0, "a slot given back twice")
                case End():
                    self._check_end()
                case _:
                    pass

    def _check_end(self) -> None:
        _require(not self.ended, "the execution ended twice")
        self.ended = True
        _require(self.execution.state.is_terminal, "the end before the last state")
        _require(not self.execution.runs, "the end before the tasks")
        _require(not self.execution.holds_slot, "the slot was kept")
        for run in self.runs.values():
            self._check_attempts(run)

    def _check_attempts(self, run: TaskRun) -> None:
        """Every attempt that was given out ended, was repeated, or was never begun."""
        if isinstance(self.plan.nodes.get(run.task_id), (Leaf, Subflow)):
            for attempt in run.attempts or ():
                _require(attempt.state.is_terminal, f"an attempt of {run.task_id} never ended")

    def _check_again(self, event: AnyEvent) -> None:
        again = step(self.plan, self.execution, event)
        _require(again.execution is self.execution, f"{type(event).__name__} counts twice")
        _require(not again.commands, f"{type(event).__name__} gives orders twice")

    def check_quiet(self) -> None:
        """Nothing is left to happen."""
        _require(self.ended, f"stuck in {self.execution.state}")
        _require(self.slots == 0, "a slot was not given back")


def _require(holds: bool, breach: str) -> None:
    if not holds:
        raise BreachError(breach)
