"""One integer makes a world: a random flow, and workers, timers, people and messages that behave badly (09 §9).

Level 1: the engine alone. The world stands for the executor, the store, the workers and other executions. Messages
are late, reordered and repeated; workers fail, die, and answer orders to stop late or never; people kill, pause and
resume at any time; the execution is thrown away and read back from its rows.
"""

from collections import deque

import msgspec

from batuta.engine import events as e
from batuta.engine.execution import Execution
from batuta.engine.plan import Plan
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import SECOND, Instant
from batuta.model.label import Label
from batuta.model.state import History, State
from batuta.testing.simulate.check import BreachError, Rows
from batuta.testing.simulate.dice import Dice
from batuta.testing.simulate.generate import FLOW, random_plan
from batuta.testing.simulate.happening import OPERATIONS, Happening, Operation, Silence
from batuta.testing.simulate.outside import Outside

_MOST_EVENTS = 4_000
_MARKER = 10**9
"""Marks have dice of their own, so that a seed is the same world without them."""
_SKEW = 2 * _MARKER
"""So have clocks that differ."""


class World:
    """Everything that happens follows from the seed. `happened` is what came to the engine, in order."""

    def __init__(self, seed: int, *, marks: int = 0) -> None:
        """`marks`: at most so many task runs get another state while the execution is live."""
        self.dice = Dice(seed)
        self._marks = marks
        self._marker = Dice(seed + _MARKER)
        self.plan: Plan = random_plan(self.dice)
        self.now = Instant(1_000 * SECOND)
        self.rows = Rows(self.plan, self._new_execution())
        self.happened: list[Happening] = []
        self.start = self.rows.execution
        self.outside = Outside(self.plan, self.dice, self.now)
        self._skew = Dice(seed + _SKEW)
        self._skewed = self._skew.chance(40)
        """Whether the clocks of those who tell differ."""
        self._restarts = 2
        self._unrest = self.dice.pick((0, 2, 5, 20))
        self._helped = 0

    def _new_execution(self) -> Execution:
        date = Instant(self.now + SECOND) if self.dice.chance(8) else None
        tasks = sorted(self.plan.nodes)
        breakpoints = ((self.dice.pick(tasks), None),) if tasks and self.dice.chance(8) else ()
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
            if self._marks and not self.rows.ended and self._marker.chance(15):
                self._mark()
            if self._restarts and not self.rows.ended and self.dice.chance(1):
                self._operate()
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
            self.outside.runs = self.rows.runs
            answers = [event for each in result.commands for event in self.outside.obey(each)]
            queue.extend(e.together(answers) if self.dice.chance(80) else answers)
        for run_id in self.outside.silenced:
            self.happened.append(Silence(at=self.now, task_run_id=run_id))
            self.rows.silence(run_id)
        self.outside.silenced.clear()

    def _deliver(self) -> bool:
        """One message, not always the oldest; sometimes it comes again later."""
        if not self.outside.mail:
            return False
        self.outside.mail.sort(key=lambda mail: mail[0])
        number = self.dice.below(min(3, len(self.outside.mail))) if self.dice.chance(30) else 0
        due, event = self.outside.mail.pop(number)
        soonest = min(self.outside.timers.values(), default=due)
        if soonest < due and self.dice.chance(60):
            self.outside.mail.append((due, event))
            return self._fire()
        self._advance(due)
        if self.dice.chance(10):
            self.outside.post(event, 5 * SECOND)
        behind = self._skew.below(5 * SECOND) if self._skewed and self._skew.chance(50) else 0
        self._take(msgspec.structs.replace(event, at=Instant(self.now - behind)))
        if isinstance(event, e.ChildStarted):
            self.outside.begin_child(event)
        return True

    def _fire(self) -> bool:
        if not self.outside.timers:
            return False
        timer_id = min(self.outside.timers, key=lambda name: (self.outside.timers[name], name))
        self._advance(self.outside.timers.pop(timer_id))
        if self.dice.chance(5):
            self.outside.post(e.TimerFired(at=self.now, timer_id=timer_id), SECOND)
        self._take(e.TimerFired(at=self.now, timer_id=timer_id))
        return True

    def _advance(self, until: Instant) -> None:
        self.now = self.outside.now = max(self.now, until)

    # -- people -------------------------------------------------------------------------------------------

    def _meddle(self) -> None:
        """Somebody does something, sensible or not."""
        run_ids = sorted(self.rows.runs)
        at = self.now
        match self.dice.below(10):
            case 0 | 1:
                to = State.CANCELLED if self.dice.chance(10) else State.KILLED
                self._take(e.KillRequested(at=at, cascade=self.dice.chance(70), to=to))
            case 2:
                self._take(e.PauseRequested(at=at))
            case 3:
                self._resume(run_ids)
            case 4:
                self._take(
                    e.StatusForced(at=at, state=self.dice.pick((State.RUNNING, State.CANCELLED)))
                )
            case 5:
                self._take(e.BreakpointResumed(at=at))
            case 6:
                self._take(self.dice.pick(self._orders(run_ids)))
            case 7 if run_ids:
                run_id = self.dice.pick(run_ids)
                number = self.dice.below(3)
                self._take(e.AttemptLost(at=at, task_run_id=run_id, attempt=number))
            case 8 if run_ids:
                run_id = self.dice.pick(run_ids)
                event = e.TaskFinished(at=at, task_run_id=run_id, attempt=9, state=State.SUCCESS)
                self._take(event)
            case _:
                self._take(
                    e.SlotGranted(at=at)
                    if self.outside.queued
                    else e.TimerFired(at=at, timer_id="x/y/z")
                )

    def _orders(self, run_ids: list[TaskRunId]) -> list[e.AnyEvent]:
        """Labels, and orders that the executor has refused: those change nothing."""
        labels = (Label("number", str(self.dice.below(3))),)
        orders: list[e.AnyEvent] = [
            e.Labelled(at=self.now, labels=labels),
            e.RestartRequested(at=self.now),
        ]
        if run_ids:
            run_id = self.dice.pick(run_ids)
            orders.append(e.MarkRequested(at=self.now, task_run_id=run_id, state=State.FAILED))
        return orders

    def _resume(self, run_ids: list[TaskRunId]) -> None:
        self._take(
            e.Resumed(
                at=self.now,
                task_run_id=self.dice.pick(run_ids) if run_ids and self.dice.chance(30) else None,
                by="ann" if self.dice.chance(50) else None,
                to=State.KILLING if self.dice.chance(10) else State.RUNNING,
            )
        )

    def _help(self) -> bool:
        """Nothing happens by itself: let go what waits for a person or for a slot, or restart what is over."""
        self._helped += 1
        if self._helped > 200:  # noqa: PLR2004
            return False
        if self.outside.queued:
            self.outside.queued = False
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
        tasks = self.rows.plan.tasks
        operation = Operation(
            kind=self.dice.pick(OPERATIONS),
            at=self.now,
            task_run_id=self.dice.pick((None, *run_ids)),
            state=self.dice.pick((State.SUCCESS, State.FAILED, State.RUNNING)),
            new_id=ExecutionId(f"sim{self._restarts}"),
            without=self.dice.pick(tasks) if tasks and self.dice.chance(20) else None,
        )
        self.happened.append(operation)
        rows = operation.apply(self.rows)
        if rows is None:
            return True
        if rows is not self.rows:
            self.outside.forget()
            self.rows = rows
        first = rows.execution.state is State.CREATED
        self._take(e.Created(at=self.now) if first else e.Restarted(at=self.now))
        return True

    def _mark(self) -> None:
        """Give a task run of the live execution another state."""
        if not self.rows.runs:
            return
        self._marks -= 1
        operation = Operation(
            kind="mark",
            at=self.now,
            task_run_id=self._marker.pick(sorted(self.rows.runs)),
            state=self._marker.pick((State.SUCCESS, State.FAILED, State.RUNNING)),
            new_id=self.rows.execution.id,
        )
        self.happened.append(operation)
        if operation.apply(self.rows) is not None:
            self._take(e.Restarted(at=self.now))
