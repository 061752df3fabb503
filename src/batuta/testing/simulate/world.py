"""One integer makes a world: a random flow, and workers, timers, people and messages that behave badly (09 §9).

Level 1: the engine alone. The world stands for the executor, the store, the workers and other executions. Messages
are late, reordered and repeated; workers fail, die, and answer orders to stop late or never; people kill, pause and
resume at any time; the execution is thrown away and read back from its rows.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, assert_never

import msgspec

from batuta.engine import commands as c
from batuta.engine import events as e
from batuta.engine.execution import Execution, TaskRun
from batuta.engine.plan import Leaf, Plan, WorkDir
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import SECOND, Instant, Micros
from batuta.model.label import Label
from batuta.model.state import History, State
from batuta.testing.simulate.check import BreachError, Rows
from batuta.testing.simulate.dice import Dice
from batuta.testing.simulate.generate import FLOW, random_plan
from batuta.testing.simulate.happening import Happening, Operation

_MOST_EVENTS = 4_000
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
_VALUES = ('["p", "q"]', "[]", '["1", 2, {"k": "v"}, "4", "5"]', "[null]", "nonsense")
_WORDS = ("true", "false", "b", "", "0", "PT1S", "2")


class World:
    """Everything that happens follows from the seed. `happened` is what came to the engine, in order."""

    def __init__(self, seed: int) -> None:
        self.dice = Dice(seed)
        self.plan: Plan = random_plan(self.dice)
        self.now = Instant(1_000 * SECOND)
        self.rows = Rows(self.plan, self._new_execution())
        self.happened: list[Happening] = []
        self.start = self.rows.execution
        self._mail: list[tuple[Instant, e.AnyEvent]] = []
        self._timers: dict[str, Instant] = {}
        self._children: dict[ExecutionId, tuple[c.StartChild, bool]] = {}
        self._queued = False
        self._restarts = 2
        self._unrest = self.dice.pick((0, 2, 5, 20))
        self._helped = 0

    def _new_execution(self) -> Execution:
        date = Instant(self.now + SECOND) if self.dice.chance(8) else None
        tasks = sorted(self.plan.nodes)
        breakpoints = ((self.dice.pick(tasks), None),) if self.dice.chance(8) else ()
        return Execution(
            id=ExecutionId("sim"),
            flow=FLOW,
            revision=1,
            histories=(History(State.CREATED, self.now),),
            schedule_date=date,
            breakpoints=breakpoints,
        )

    # -- the course of things -----------------------------------------------------------------------------

    def run(self) -> None:
        """Until the world is quiet. Raises `BreachError`."""
        self._take(e.Created(at=self.now))
        while len(self.happened) < _MOST_EVENTS:
            if self.dice.chance(4):
                self.rows.reload()
            if self.dice.chance(self._unrest):
                self._meddle()
            if not self._deliver() and not self._fire() and not self._help():
                break
        else:
            raise BreachError("the world never becomes quiet")
        self.rows.check_quiet()

    def _take(self, event: e.AnyEvent) -> None:
        """Give an event to the engine; what can be answered at once is answered, as the executor does."""
        queue = deque([event])
        while queue:
            self.happened.append(queue[0])
            result = self.rows.take(queue.popleft())
            for command in result.commands:
                queue.extend(self._obey(command))

    def _deliver(self) -> bool:
        """One message, not always the oldest; sometimes it comes again later."""
        if not self._mail:
            return False
        self._mail.sort(key=lambda mail: mail[0])
        number = self.dice.below(min(3, len(self._mail))) if self.dice.chance(30) else 0
        due, event = self._mail.pop(number)
        soonest = min(self._timers.values(), default=due)
        if soonest < due and self.dice.chance(60):
            self._mail.append((due, event))
            return self._fire()
        self._pass(due)
        if self.dice.chance(10):
            self._post(event, 5 * SECOND)
        self._take(msgspec.structs.replace(event, at=self.now))
        if isinstance(event, e.ChildStarted):
            self._begin_child(event)
        return True

    def _fire(self) -> bool:
        if not self._timers:
            return False
        timer_id = min(self._timers, key=lambda name: (self._timers[name], name))
        self._pass(self._timers.pop(timer_id))
        if self.dice.chance(5):
            self._post(e.TimerFired(at=self.now, timer_id=timer_id), SECOND)
        self._take(e.TimerFired(at=self.now, timer_id=timer_id))
        return True

    def _pass(self, until: Instant) -> None:
        self.now = max(self.now, until)

    def _post(self, event: e.AnyEvent, latest: Micros) -> None:
        self._mail.append((Instant(self.now + self.dice.below(latest + 1)), event))

    # -- people -------------------------------------------------------------------------------------------

    def _meddle(self) -> None:
        """Somebody does something, sensible or not."""
        run_ids = sorted(self.rows.runs)
        at = self.now
        match self.dice.below(9):
            case 0 | 1:
                self._take(e.KillRequested(at=at, cascade=self.dice.chance(70)))
            case 2:
                self._take(e.PauseRequested(at=at))
            case 3:
                self._take(e.Resumed(at=at, by="ann" if self.dice.chance(50) else None))
            case 4:
                self._take(
                    e.StatusForced(at=at, state=self.dice.pick((State.RUNNING, State.CANCELLED)))
                )
            case 5:
                self._take(e.BreakpointResumed(at=at))
            case 6 if run_ids:
                run_id = self.dice.pick(run_ids)
                number = self.dice.below(3)
                self._take(e.AttemptLost(at=at, task_run_id=run_id, attempt=number))
            case 7 if run_ids:
                run_id = self.dice.pick(run_ids)
                event = e.TaskFinished(at=at, task_run_id=run_id, attempt=9, state=State.SUCCESS)
                self._take(event)
            case _:
                self._take(
                    e.SlotGranted(at=at) if self._queued else e.TimerFired(at=at, timer_id="x/y/z")
                )

    def _help(self) -> bool:
        """Nothing happens by itself: let go what waits for a person or for a slot, or restart what is over."""
        self._helped += 1
        if self._helped > 200:  # noqa: PLR2004
            return False
        if self._queued:
            self._queued = False
            self._take(e.SlotGranted(at=self.now))
            return True
        if self.rows.ended:
            return self._operate()
        if self.rows.execution.state is State.BREAKPOINT:
            self._take(e.BreakpointResumed(at=self.now))
            return True
        before = self.rows.execution
        self._take(e.Resumed(at=self.now))
        return self.rows.execution is not before

    def _operate(self) -> bool:
        """Restart, replay or mark, a few times in each world."""
        if self._restarts == 0 or self.dice.chance(50):
            return False
        self._restarts -= 1
        run_ids = sorted(self.rows.runs)
        kind = self.dice.pick(("restart", "mark", "replay"))
        operation = Operation(
            kind=kind,
            at=self.now,
            task_run_id=self.dice.pick((None, *run_ids)) if kind == "replay" or run_ids else None,
            state=self.dice.pick((State.SUCCESS, State.FAILED, State.RUNNING)),
            new_id=ExecutionId(f"sim{self._restarts}"),
        )
        self.happened.append(operation)
        rows = operation.apply(self.rows)
        if rows is None:
            return True
        if rows is not self.rows:
            self._forget()
            self.rows = rows
        first = rows.execution.state is State.CREATED
        self._take(e.Created(at=self.now) if first else e.Restarted(at=self.now))
        return True

    def _forget(self) -> None:
        self._mail.clear()
        self._timers.clear()
        self._children.clear()

    # -- executor, workers, other executions --------------------------------------------------------------

    def _obey(self, command: c.AnyCommand) -> Iterator[e.AnyEvent]:
        match command:
            case c.Render():
                yield from self._render(command)
            case c.RunTask():
                yield from self._run(command)
            case c.KillTask(task_run_id=run_id):
                self._stop(run_id)
            case c.SetTimer(timer_id=timer_id, due=due):
                self._timers[timer_id] = due
            case c.ClearTimer(timer_id=timer_id):
                self._timers.pop(timer_id, None)
            case c.RequestSlot():
                yield from self._slot()
            case c.ReleaseSlot(held=held):
                self._queued = self._queued and held
            case c.End():
                self._timers.clear()
            case c.Announce() | c.NewExecution():
                pass
            case _:
                self._child_command(command)

    def _child_command(
        self, command: c.StartChild | c.KillChild | c.KillChildren | c.RestartChildren
    ) -> None:
        match command:
            case c.StartChild():
                self._start_child(command)
            case c.KillChild(execution_id=child_id):
                self._kill_child(child_id)
            case c.KillChildren(task_run_id=run_id):
                for child_id, (started, over) in list(self._children.items()):
                    if started.task_run.id == run_id and not over:
                        self._kill_child(child_id)
            case c.RestartChildren(task_run_id=run_id):
                self._restart_children(run_id)
            case _:
                assert_never(command)

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
            self._post(event, SECOND)
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
            case "interval" | "duration" | "timeout":
                return self.dice.pick(("PT1S", "2", "soon")) if self.dice.chance(30) else "PT1S"
            case (
                "inputs" | "labels" | "behavior" | "scheduleDate" | "maxIterations" | "maxDuration"
            ):
                return value
            case _:
                return self.dice.pick(("true", "true", "true", "false"))

    def _run(self, command: c.RunTask) -> Iterator[e.AnyEvent]:
        run, attempt = command.task_run, command.attempt
        node = self.plan.nodes[run.task_id]
        finished = self._result(run, attempt)
        if isinstance(node, Leaf) and node.inline:
            yield finished
            return
        self._post(e.TaskStarted(at=self.now, task_run_id=run.id, attempt=attempt), SECOND)
        if self.dice.chance(5):
            again = self.dice.chance(60)
            lost = e.AttemptLost(at=self.now, task_run_id=run.id, attempt=attempt, resubmit=again)
            self._post(lost, 3 * SECOND)
        else:
            self._post(finished, 4 * SECOND)

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
        run = self.rows.runs.get(run_id)
        attempt = run.progress.attempt if run is not None and run.progress is not None else 1
        deaf = self.dice.chance(10)
        self._mail = [mail for mail in self._mail if not (deaf and _is_about(mail[1], run_id))]
        if not deaf:
            killed = e.TaskFinished(
                at=self.now, task_run_id=run_id, attempt=attempt, state=State.KILLED
            )
            self._post(killed, 2 * SECOND)

    def _slot(self) -> Iterator[e.AnyEvent]:
        if self.dice.chance(50):
            yield e.SlotGranted(at=self.now)
            return
        behavior = self.dice.pick(("QUEUE", "QUEUE", "CANCEL", "FAIL"))
        self._queued = behavior == "QUEUE"
        yield e.SlotDenied(at=self.now, running=1, limit=1, behavior=behavior)

    def _start_child(self, command: c.StartChild) -> None:
        problem = "Unable to find flow" if self.dice.chance(8) else None
        child_id = None if problem else ExecutionId(f"child{len(self._children)}")
        started = e.ChildStarted(
            at=self.now,
            task_run_id=command.task_run.id,
            attempt=command.attempt,
            execution_id=child_id,
            index=command.index,
            problem=problem,
        )
        self._post(started, SECOND)
        if child_id is not None:
            self._children[child_id] = (command, False)

    def _begin_child(self, event: e.ChildStarted) -> None:
        """A child ends after its start was told, never before."""
        known = self._children.get(event.execution_id or ExecutionId(""))
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
        self._mail.append((Instant(self.now + 2 * SECOND), ended))

    def _kill_child(self, child_id: ExecutionId) -> None:
        command, _ = self._children[child_id]
        self._children[child_id] = (command, True)
        self._end_child(child_id, command, State.KILLED)

    def _restart_children(self, run_id: TaskRunId) -> None:
        """Every batch might have been the failed one; the engine counts those that it waits for."""
        for child_id, (command, _) in list(self._children.items()):
            if command.task_run.id == run_id:
                self._end_child(child_id, command, State.SUCCESS)


def _is_about(event: e.AnyEvent, run_id: TaskRunId) -> bool:
    return isinstance(event, e.TaskFinished) and event.task_run_id == run_id
