"""What must be true after every step, whatever happened (09 §9). A breach raises `BreachError`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from batuta.engine.commands import (
    End,
    OutputsSaved,
    ReleaseSlot,
    RequestSlot,
    RunSaved,
    RunsRemoved,
    RunTask,
    StartChild,
    Step,
)
from batuta.engine.events import (
    Answers,
    AnyEvent,
    AttemptLost,
    AttemptRefused,
    BreakpointResumed,
    ChildStarted,
    KillRequested,
    Rendered,
    Resumed,
    SlotDenied,
    StatusForced,
    TaskFinished,
    TaskStarted,
)
from batuta.engine.execution import Branch, Ended, Execution, Progress, TaskRun
from batuta.engine.plan import (
    Dag,
    Each,
    Iterations,
    Leaf,
    Loop,
    Parallel,
    Pause,
    Plan,
    Subflow,
    WorkDir,
)
from batuta.engine.step import step
from batuta.engine.surgery import Edited
from batuta.model import codec
from batuta.model.ids import TaskRunId
from batuta.model.state import State
from batuta.testing.simulate.debts import Debts
from batuta.testing.simulate.oracle import ends_by_itself, wrong_end
from batuta.testing.simulate.times import wrong_times
from batuta.testing.simulate.transitions import wrong_execution, wrong_run

_ASKED = (Resumed, BreakpointResumed, StatusForced)
"""Asked for without saying of what: twice may mean two things."""
NO_DATE = "soon"
"""A date that cannot be read: the child is not made."""
_BEGIN_AGAIN = (Loop, WorkDir)
"""Their histories may be shortened (01 §6.9, §6.10)."""


class BreachError(Exception):
    """An invariant does not hold."""


class Rows:
    """What the store would hold of one execution, and the checks on every change of it."""

    def __init__(self, plan: Plan, execution: Execution) -> None:
        self.plan = plan
        self.execution = execution
        self.runs: dict[TaskRunId, TaskRun] = {}
        self.given_out: set[tuple[TaskRunId, int]] = set()
        self._last: dict[TaskRunId, int] = {}
        """Number of the attempt that was given out last."""
        self.ended = False
        self.slots = 0
        self.debts = Debts()
        self.values: dict[TaskRunId, Any] = {}
        """What the values of loops were rendered to."""
        self.started: dict[TaskRunId, set[tuple[int, int | None]]] = {}
        """Children that were asked for: attempt and number of the batch."""
        self._batches: dict[TaskRunId, int] = {}
        self._heard: set[tuple[TaskRunId, int | None]] = set()
        """Children that were told of; in old recordings some come before they are asked for."""
        self._unmade: set[str] = set()
        """Requests whose templates could not be rendered."""
        self._edited = False
        self.led = False
        """Somebody or something gave the execution another course than that of its flow."""
        self.is_part = False
        """A replay: of loops there is what comes after the task run that it began with (01 §8.2)."""
        self._killed: State | None = None
        self._former: Execution | None = None

    def take(self, event: AnyEvent) -> Step:
        """Step, check, and keep what came of it."""
        before = self.execution
        result = step(self.plan, before, event)
        self._check_rebuilt(event, result)
        self._check_stale(event, result)
        _require(result.execution is not before or not result.changes, "changes of nothing")
        self._note(event, counts=result.execution is not before)
        self._keep(result, event)
        self._check_live()
        refused = isinstance(event, SlotDenied) and event.behavior != "QUEUE"
        if refused and self.execution is not before:
            self.slots -= 1  # nothing was given, nothing is queued
        self._check_commands(result)
        if not isinstance(event, _ASKED):
            self._check_again(event)
        self._check_stuck()
        return result

    def silence(self, run_id: TaskRunId) -> None:
        """The worker of a task run that was told to stop is never heard of again."""
        self.debts.silence(run_id)
        self._check_stuck()

    def edit(self, edited: Edited, *, marked: bool) -> None:
        """A restart, replay or mark changed the rows."""
        self.led = self.led or marked
        self._former = None
        if edited.execution.id == self.execution.id:
            _none_of(
                wrong_execution(
                    self.execution.histories, edited.execution.histories, may=_by_people
                )
            )
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
        self._former, self.execution = self.execution, again
        _require(dict(self.execution.runs) == live, "the live task runs are not those of the rows")

    def _check_rebuilt(self, event: AnyEvent, result: Step) -> None:
        """What comes of an execution that was read back is what would have come of it before."""
        former, self._former = self._former, None
        if former is not None:
            other = step(self.plan, former, event)
            same = other.execution == result.execution and other.changes == result.changes
            _require(
                same and other.commands == result.commands, "it goes on otherwise after a restart"
            )

    def _check_stale(self, event: AnyEvent, result: Step) -> None:
        """Only the attempt that was given out last is listened to (09 §7)."""
        if isinstance(event, (TaskStarted, TaskFinished, AttemptLost, AttemptRefused)):
            last = self._last.get(event.task_run_id, 0)
            heard = result.execution is not self.execution or bool(result.commands)
            _require(not heard or event.attempt == last, f"a stale {type(event).__name__} counts")

    def _note(self, event: AnyEvent, *, counts: bool) -> None:
        """What the event tells of the world."""
        self.debts.pay(event)
        if not counts:
            return
        match event:
            case Rendered():
                self._note_values(event)
            case Answers(rendered=rendered):
                for each in rendered:
                    self._note_values(each)
            case TaskFinished(exit_state=State()) | StatusForced():
                self.led = True
            case ChildStarted(task_run_id=run_id, index=index):
                self._heard.add((run_id, index))
            case KillRequested(to=to):
                self._killed = self._killed or to
            case Resumed(to=State.KILLING):
                self._killed = self._killed or State.KILLED
            case _:
                pass

    def _note_values(self, event: Rendered) -> None:
        run_id, _, purpose = event.request_id.partition("/")
        if event.problem is not None:
            self.led = self.led or run_id == "sla"  # 01 §7.2
            self._unmade.add(event.request_id)
        elif purpose == "values":
            self.values[TaskRunId(run_id)] = event.values.get(purpose)
        elif event.values.get("scheduleDate") == NO_DATE:
            self._unmade.add(event.request_id)
        elif purpose == "splits":
            lines = str(event.values.get(purpose) or "").splitlines()
            self._batches[TaskRunId(run_id)] = len(lines)

    def _keep(self, result: Step, event: AnyEvent) -> None:
        self._check_course(result.execution, event)
        saved = [change.task_run for change in result.changes if isinstance(change, RunSaved)]
        _none_of(wrong_times(self.plan, tuple(self.runs.values()), saved))
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

    def _check_course(self, execution: Execution, event: AnyEvent) -> None:
        before, after = self.execution.state, execution.state
        if before.is_terminal and after is not before:
            _require(
                isinstance(event, StatusForced), f"the execution went from {before} to {after}"
            )
        killing = before is State.KILLING or (
            after.is_terminal
            and State.KILLING in _states(execution)[len(_states(self.execution)) :]
        )
        if killing and after.is_terminal:
            _require(after is self._killed, f"killed, and it ends {after}")
            self._killed = None
        forced = isinstance(event, StatusForced)
        _none_of(
            wrong_execution(self.execution.histories, execution.histories, may=lambda *_: forced)
        )

    def _save(self, run: TaskRun) -> None:
        known = self.runs.get(run.id)
        asserted = any(sla.assertion is not None for sla in self.plan.sla)
        kept = () if known is None else known.histories
        node = self.plan.nodes.get(run.task_id)
        begins_again = isinstance(node, _BEGIN_AGAIN)
        past = run.histories[: len(kept)] == kept
        _require(past or begins_again, f"the past of {run.task_id} changed")
        for wrong in wrong_run(kept, run.histories, ordered=asserted or isinstance(node, Subflow)):
            raise BreachError(f"{run.task_id}: {wrong}")
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
        _check_pauses(self.plan, self.execution)
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
            # 01 §8.1: a restart opens every failed task run again, those beside each other too.
            _check_limit(self.plan, run, progress, opened=self._edited)

    def _check_commands(self, result: Step) -> None:
        for command in result.commands:
            self.debts.owe(command)
            match command:
                case StartChild():
                    self._check_child(command)
                case RunTask(task_run=run, attempt=attempt):
                    place = (run.id, attempt)
                    _require(
                        place not in self.given_out, f"{run.task_id}/{attempt} given out twice"
                    )
                    self.given_out.add(place)
                    self._last[run.id] = attempt
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
        _require(self.slots == 0, "a slot was not given back")
        for run in self.runs.values():
            _check_attempts(self.plan, run)
            self._check_batches(run)
        if not self.led:
            _none_of(
                wrong_end(
                    self.plan,
                    self.execution,
                    self.runs.values(),
                    values=None if self.is_part else self._values_of_loops(),
                )
            )

    def _values_of_loops(self) -> Mapping[TaskRunId, Any]:
        """Rendered, or as they stand in the flow."""
        found = dict(self.values)
        for run in self.runs.values():
            node = self.plan.nodes.get(run.task_id)
            if isinstance(node, Each) and "{{" not in str(node.values):
                found[run.id] = node.values
        return found

    def _check_child(self, command: StartChild) -> None:
        run = command.task_run
        place = (command.attempt, command.index)
        started = self.started.setdefault(run.id, set())
        _require(place not in started, f"{run.task_id} starts {place} twice")
        started.add(place)

    def _check_batches(self, run: TaskRun) -> None:
        """Each batch of a ForEachItem that went well has had its execution."""
        total = self._batches.get(run.id)
        runs = tuple(self.runs.values())
        plain = not self.led and ends_by_itself(self.plan, self.execution, runs)
        if plain and total is not None and run.state in (State.SUCCESS, State.WARNING):
            made = {index for _, index in self.started.get(run.id, ())}
            made |= {index for run_id, index in self._heard if run_id == run.id}
            wanted = {n for n in range(total) if f"{run.id}/batch{n}" not in self._unmade}
            _require(wanted <= made, f"{run.task_id} has not started {sorted(wanted - made)}")

    def _check_again(self, event: AnyEvent) -> None:
        again = step(self.plan, self.execution, event)
        _require(again.execution is self.execution, f"{type(event).__name__} counts twice")
        _require(not again.commands, f"{type(event).__name__} gives orders twice")

    def _check_stuck(self) -> None:
        stuck = not self.ended and self.debts.is_stuck(self.execution)
        _require(not stuck, f"stuck in {self.execution.state}")

    def check_quiet(self) -> None:
        """Nothing is left to happen."""
        _require(self.ended, f"stuck in {self.execution.state}")


def _check_pauses(plan: Plan, execution: Execution) -> None:
    """01 §6.12, §8.4: only a PAUSED execution can be resumed."""
    waits = any(
        run.state is State.PAUSED and isinstance(plan.nodes.get(run.task_id), Pause)
        for run in execution.runs.values()
    )
    _require(not waits or execution.state is not State.RUNNING, "a Pause waits unseen")


def _check_limit(plan: Plan, run: TaskRun, progress: Progress, *, opened: bool) -> None:
    node = plan.nodes.get(run.task_id)
    limit = 0
    if isinstance(node, Iterations) and progress.iterated is not None and node.concurrency:
        busy = progress.iterated.running + len(progress.iterated.judging)
        _require(busy <= node.concurrency, f"{run.task_id} runs {busy} iterations")
    if isinstance(node, (Parallel, Dag)):
        limit = node.concurrent
    elif isinstance(node, Each):
        limit = node.concurrency
    if limit and not opened and progress.branch is Branch.TASKS:
        _require(progress.live <= limit, f"{run.task_id} exceeds its limit of {limit}")


def _check_attempts(plan: Plan, run: TaskRun) -> None:
    """Every attempt that was given out ended, was repeated, or was never begun."""
    if isinstance(plan.nodes.get(run.task_id), (Leaf, Subflow)):
        for attempt in run.attempts or ():
            _require(attempt.state.is_terminal, f"an attempt of {run.task_id} never ended")


def _states(execution: Execution) -> tuple[State, ...]:
    return tuple(entry.state for entry in execution.histories)


def _by_people(before: State, after: State) -> bool:
    """Restart, replay and mark (01 §8)."""
    return after is State.RESTARTED and before is not State.KILLING


def _none_of(problems: Iterable[str]) -> None:
    for problem in problems:
        raise BreachError(problem)


def _require(holds: bool, breach: str) -> None:
    if not holds:
        raise BreachError(breach)
