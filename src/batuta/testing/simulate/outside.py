"""What is outside of the engine in a simulated world: executor, workers, timers, other executions."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never

import msgspec

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.execution import TaskRun
from batuta.engine.plan import Leaf, Plan, WorkDir
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import SECOND, Instant, Micros
from batuta.model.label import Label
from batuta.model.state import State
from batuta.testing.simulate.check import NO_DATE
from batuta.testing.simulate.dice import Dice
from batuta.testing.simulate.generate import DATE

_RESULTS = (State.SUCCESS,) * 6 + (State.FAILED,) * 3 + (State.WARNING,)
_CHILD_STATES = (
    State.SUCCESS,
    State.SUCCESS,
    State.SUCCESS,
    State.FAILED,
    State.WARNING,
    State.CANCELLED,
    State.KILLED,
)
_EXITS = (State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.CANCELLED)
_VALUES = (
    "kestra:///x",
    '["p", "q"]',
    "[]",
    '["1", 2, {"k": "v"}, "4", "5"]',
    "[null]",
    "nonsense",
)
_WORDS = ("true", "false", "b", "", "0", "PT1S", "2")


class Outside:
    """Obeys the engine's commands: at once, by a message that comes later, or not at all."""

    def __init__(self, plan: Plan, dice: Dice, now: Instant) -> None:
        self.plan = plan
        self.dice = dice
        self.now = now
        self.runs: Mapping[TaskRunId, TaskRun] = {}
        self.mail: list[tuple[Instant, e.AnyEvent]] = []
        self.timers: dict[str, Instant] = {}
        self.children: dict[ExecutionId, tuple[c.StartChild, bool]] = {}
        self.queued = False
        """The execution waits for a slot."""
        self.silenced: list[TaskRunId] = []
        """Their workers were told to stop, and say nothing any more."""

    def forget(self) -> None:
        """Another execution begins."""
        self.mail.clear()
        self.timers.clear()
        self.children.clear()

    def post(self, event: e.AnyEvent, latest: Micros) -> None:
        self.mail.append((Instant(self.now + self.dice.below(latest + 1)), event))

    def obey(self, command: c.AnyCommand) -> Iterator[e.AnyEvent]:
        match command:
            case c.Render():
                yield from self._render(command)
            case c.RunTask():
                yield from self._run(command)
            case c.KillTask(task_run_id=run_id):
                self._stop(run_id)
            case c.SetTimer(timer_id=timer_id, due=due):
                self.timers[timer_id] = due
            case c.ClearTimer(timer_id=timer_id):
                self.timers.pop(timer_id, None)
            case c.RequestSlot():
                yield from self._slot()
            case c.ReleaseSlot(held=held):
                self.queued = self.queued and held
            case c.End():
                self.timers.clear()
            case c.Announce() | c.NewExecution():
                pass
            case _:
                self._child_command(command)

    def _child_command(
        self,
        command: c.StartChild
        | c.KillChild
        | c.KillChildren
        | c.RestartChildren
        | c.CountRows
        | c.StartIterations
        | c.RestartIterations
        | c.Gather,
    ) -> None:
        match command:
            case c.StartChild():
                self._start_child(command)
            case c.KillChild(execution_id=child_id):
                self._kill_child(child_id)
            case c.KillChildren(task_run_id=run_id):
                for child_id, (started, over) in list(self.children.items()):
                    if started.task_run.id == run_id and not over:
                        self._kill_child(child_id)
            case c.RestartChildren(task_run_id=run_id):
                self._restart_children(run_id)
            case c.StartIterations(first=first, count=count):
                self._iterate(command.task_run, command.attempt, range(first, first + count))
            case c.RestartIterations(indexes=indexes):
                self._iterate(command.task_run, command.attempt, indexes)
            case c.CountRows() | c.Gather():
                self._answer_loop(command)
            case _:
                assert_never(command)

    def _iterate(self, run: TaskRun, attempt: int, indexes: Iterable[int]) -> None:
        """Iterations of a Loop end some time, some after a pause; some cannot be made."""
        for index in indexes:
            stands_for = c.StartChild(
                task_run=run, attempt=attempt, namespace="sim", flow_id="loop", index=index
            )
            name = ExecutionId(f"child{len(self.children)}")
            if self.dice.chance(5):
                problem = "The value cannot be read"
                told = e.ChildStarted(
                    at=self.now, task_run_id=run.id, attempt=attempt, index=index, problem=problem
                )
                self.post(told, SECOND)
                continue
            self.children[name] = (stands_for, False)
            if self.dice.chance(15):
                for paused in (True, False):
                    event = e.ChildPaused(
                        at=self.now, task_run_id=run.id, index=index, paused=paused
                    )
                    self.post(event, 2 * SECOND)
            self._end_child(name, stands_for, self.dice.pick(_CHILD_STATES))

    def _answer_loop(self, command: c.CountRows | c.Gather) -> None:
        problem = "the storage is gone" if self.dice.chance(8) else None
        run_id, attempt = command.task_run_id, command.attempt
        answer: e.AnyEvent
        if isinstance(command, c.CountRows):
            answer = e.Counted(
                at=self.now,
                task_run_id=run_id,
                attempt=attempt,
                uri=command.uri,
                total=self.dice.below(6),
                problem=problem,
            )
        else:
            answer = e.Gathered(
                at=self.now,
                task_run_id=run_id,
                attempt=attempt,
                outputs={"uri": "kestra:///all"} if command.store else {"outputs": []},
                problem=problem,
            )
        self.post(answer, 2 * SECOND)

    def _render(self, command: c.Render) -> Iterator[e.AnyEvent]:
        name = command.request_id
        problem = "no such variable" if self.dice.chance(4) else None
        values = (
            {}
            if problem
            else {key: self._rendered(key, value) for key, value in command.values.items()}
        )
        event = e.Rendered(at=self.now, request_id=name, values=values, problem=problem)
        if self.dice.chance(10):
            self.post(event, SECOND)
        else:
            yield event

    def _rendered(self, key: str, value: Any) -> Any:
        match key:
            case "values":
                return self.dice.pick(_VALUES)
            case "splits":
                return "\n".join(f"file{n}" for n in range(self.dice.below(4)))
            case "condition" | "runIf" | "value":
                return self.dice.pick(_WORDS)
            case "inputs" | "labels" | "behavior" | "maxIterations" | "maxDuration":
                return value
            case _:
                return self._time(key, value)

    def _time(self, key: str, value: Any) -> Any:
        match key:
            case "interval" | "duration" | "timeout":
                return self.dice.pick(("PT1S", "2", "soon")) if self.dice.chance(30) else "PT1S"
            case "scheduleDate":
                return self.dice.pick((DATE, DATE, "", NO_DATE)) if value is not None else None
            case _:
                return self.dice.pick(("true", "true", "true", "false"))

    def _run(self, command: c.RunTask) -> Iterator[e.AnyEvent]:
        run, attempt = command.task_run, command.attempt
        node = self.plan.nodes[run.task_id]
        finished = self._result(run, attempt)
        if isinstance(node, Leaf) and node.inline:
            yield finished
            return
        group = getattr(node, "worker_group", None)
        if group is not None and self.dice.chance(50):
            place = {"task_run_id": run.id, "attempt": attempt, "group": group.key}
            self.post(e.AttemptRefused(at=self.now, **place), SECOND)
            return
        self.post(e.TaskStarted(at=self.now, task_run_id=run.id, attempt=attempt), SECOND)
        if self.dice.chance(5):
            again = self.dice.chance(60)
            lost = e.AttemptLost(at=self.now, task_run_id=run.id, attempt=attempt, resubmit=again)
            self.post(lost, 3 * SECOND)
        else:
            self.post(finished, 4 * SECOND)

    def _result(self, run: TaskRun, attempt: int) -> e.TaskFinished:
        dice, node = self.dice, self.plan.nodes[run.task_id]
        state = dice.pick(_RESULTS)
        event = e.TaskFinished(at=self.now, task_run_id=run.id, attempt=attempt, state=state)
        if isinstance(node, WorkDir):
            return self._workdir_result(node, event)
        updates = isinstance(node, Leaf) and node.updates_execution
        if updates and dice.chance(15) and state is State.SUCCESS:
            chosen = dice.pick(_EXITS)
            return msgspec.structs.replace(event, state=chosen, exit_state=chosen)
        if updates and dice.chance(40):
            label = (Label("k", str(attempt)),)
            return msgspec.structs.replace(event, labels=label, variables={"v": attempt})
        if dice.chance(5):
            return msgspec.structs.replace(event, children=(self._child_run("dbt", dynamic=True),))
        return msgspec.structs.replace(event, outputs={"n": attempt} if dice.chance(40) else None)

    def _workdir_result(self, node: WorkDir, event: e.TaskFinished) -> e.TaskFinished:
        children = []
        for task_id in node.tasks:
            child = self._child_run(task_id)
            children.append(child)
            if child.state is State.FAILED and not self.plan.nodes[task_id].allow_failure:
                return msgspec.structs.replace(event, state=State.FAILED, children=tuple(children))
        state = State.FAILED if self.dice.chance(10) else State.SUCCESS
        return msgspec.structs.replace(event, state=state, children=tuple(children))

    def _child_run(self, task_id: str, *, dynamic: bool = False) -> e.ChildRun:
        state = self.dice.pick((*_RESULTS, State.SKIPPED))
        return e.ChildRun(
            task_id=task_id,
            state=state,
            started=self.now,
            ended=self.now,
            outputs={"n": 1} if self.dice.chance(30) else None,
            dynamic=dynamic,
        )

    def _stop(self, run_id: TaskRunId) -> None:
        """A worker is told to stop a task: most do, some finish, some are never heard of again."""
        run = self.runs.get(run_id)
        attempt = run.progress.attempt if run is not None and run.progress is not None else 1
        deaf = self.dice.chance(25)
        if deaf:
            self.mail = [mail for mail in self.mail if not _is_about(mail[1], run_id)]
            self.silenced.append(run_id)
        if not deaf:
            killed = e.TaskFinished(
                at=self.now, task_run_id=run_id, attempt=attempt, state=State.KILLED
            )
            self.post(killed, 2 * SECOND)

    def _slot(self) -> Iterator[e.AnyEvent]:
        if self.dice.chance(50):
            yield e.SlotGranted(at=self.now)
            return
        behavior = self.dice.pick(("QUEUE", "QUEUE", "CANCEL", "FAIL"))
        self.queued = behavior == "QUEUE"
        yield e.SlotDenied(at=self.now, running=1, limit=1, behavior=behavior)

    def _start_child(self, command: c.StartChild) -> None:
        problem = "Unable to find flow" if self.dice.chance(8) else None
        child_id = None if problem else ExecutionId(f"child{len(self.children)}")
        started = e.ChildStarted(
            at=self.now,
            task_run_id=command.task_run.id,
            attempt=command.attempt,
            execution_id=child_id,
            index=command.index,
            problem=problem,
        )
        self.post(started, SECOND)
        if child_id is not None:
            self.children[child_id] = (command, False)

    def begin_child(self, event: e.ChildStarted) -> None:
        """A child ends after its start was told, never before."""
        known = self.children.get(event.execution_id or ExecutionId(""))
        if known is not None and event.execution_id is not None and not known[1]:
            state = self.dice.pick(_CHILD_STATES)
            self._end_child(event.execution_id, known[0], state)

    def _end_child(self, child_id: ExecutionId, command: c.StartChild, state: State) -> None:
        ended = e.ChildEnded(
            at=self.now,
            task_run_id=command.task_run.id,
            execution_id=child_id,
            state=state,
            outputs={"r": 1} if self.dice.chance(30) else None,
            index=command.index,
            problem="no such output" if self.dice.chance(5) else None,
        )
        self.mail.append((Instant(self.now + 2 * SECOND), ended))

    def _kill_child(self, child_id: ExecutionId) -> None:
        command, _ = self.children[child_id]
        self.children[child_id] = (command, True)
        self._end_child(child_id, command, State.KILLED)

    def _restart_children(self, run_id: TaskRunId) -> None:
        """Every batch might have been the failed one; the engine counts those that it waits for."""
        for child_id, (command, _) in list(self.children.items()):
            if command.task_run.id == run_id:
                self._end_child(child_id, command, State.SUCCESS)


def _is_about(event: e.AnyEvent, run_id: TaskRunId) -> bool:
    return isinstance(event, e.TaskFinished) and event.task_run_id == run_id
