"""The live state of one execution: its header, and the task runs that have not ended.

Task runs that ended leave this value; they are rows, and parents keep only counters of them (09 §5). `progress` is
the engine's own memory of a branch or loop, stored beside the row and read by nobody else. A task run is in `runs`
exactly as long as its state is not terminal.
"""

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Labels
from batuta.model.state import Histories, State


class Attempt(msgspec.Struct, frozen=True, gc=False):
    histories: Histories
    log_file: str | None = None
    worker_id: str | None = None

    @property
    def state(self) -> State:
        return self.histories[-1].state


class Branch(StrEnum):
    """The list that a control task, or the flow, is working on (01 §4.7)."""

    TASKS = "tasks"
    ERRORS = "errors"
    FINALLY = "finally"
    AFTER = "after"


class Phase(StrEnum):
    """How far an execution is."""

    NEW = "new"
    SCHEDULED = "scheduled"
    """Waits for its schedule date."""
    ADMISSION = "admission"
    """Asked for a slot of the flow's concurrency limit, or waits for it."""
    RUNNING = "running"
    OUTPUTS = "outputs"
    """The tasks are done, the flow's outputs are being rendered."""
    AFTER = "after"
    """In its last state; `afterExecution` runs."""
    ENDED = "ended"


class Slot(StrEnum):
    """What the execution knows of its place under the concurrency limit."""

    NONE = "none"
    REQUESTED = "requested"
    HELD = "held"
    LEFT = "left"
    """Gave up waiting; a slot that is granted nevertheless is given back."""


class Enter(msgspec.Struct, frozen=True, tag=True):
    """A task run was created and may begin."""

    id: TaskRunId


class Advance(msgspec.Struct, frozen=True, tag=True):
    """A control task, or the flow itself when None, may have something to start."""

    id: TaskRunId | None


class Ended(msgspec.Struct, frozen=True, tag=True):
    """A task run ended; its parent does not know yet."""

    run: "TaskRun"


class Stop(msgspec.Struct, frozen=True, tag=True):
    """The execution is ending: task runs that have not ended are stopped."""

    cascade: bool = True


Item = Enter | Advance | Ended | Stop


class Course(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the engine remembers of the execution as a whole."""

    phase: Phase = Phase.NEW
    slot: Slot = Slot.NONE
    held: bool = False
    """Paused by hand: results are taken in, nothing is scheduled."""
    agenda: tuple[Item, ...] = ()
    """What is to be done once scheduling is allowed again."""
    asserting: bool = False
    """The SLA assertions are being rendered; scheduling waits for the answer."""
    assertions: int = 0
    """Times that they were rendered."""
    overdue: tuple[str, ...] = ()
    """SLAs whose maximal duration is over."""
    retrying: TaskRunId | None = None
    """The task run that the execution's state RETRYING is about."""
    ending: State | None = None
    """Nothing starts any more; when all is quiet the execution gets this state."""
    hard: bool = False
    """Whether running tasks are stopped too, as by a kill."""
    bounded: bool = False
    """A timer runs that ends the waiting for stopped tasks."""
    final: State | None = None
    """The state computed from the tasks, while the flow's outputs are rendered."""
    pending: tuple[str, ...] = ()
    """Requests for flow outputs without answer."""
    outputs: Mapping[str, Any] = {}
    renew: Instant | None = None
    """A replay from the start is created at this instant once the execution has ended."""


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """A set of numbers that come roughly in order, in little space: all below `below`, and those in `above`."""

    below: int = 0
    above: tuple[int, ...] = ()

    def __contains__(self, number: int) -> bool:
        return number < self.below or number in self.above

    def add(self, number: int) -> "Seen":
        if number in self:
            return self
        rest, below = {*self.above, number}, self.below
        while below in rest:
            rest.remove(below)
            below += 1
        return Seen(below, tuple(sorted(rest)))

    def __len__(self) -> int:
        return self.below + len(self.above)

    def __iter__(self) -> Iterator[int]:
        yield from range(self.below)
        yield from self.above

    def less(self, numbers: Collection[int]) -> "Seen":
        """Without a few of its numbers, which lie near its end."""
        below = min((*numbers, self.below))
        kept = (*range(below, self.below), *self.above)
        return Seen(below, tuple(number for number in kept if number not in numbers))

    def without(self, others: "Seen") -> "Seen":
        left = sorted(number for number in self if number not in others)
        below = next((place for place, number in enumerate(left) if place != number), len(left))
        return Seen(below, tuple(left[below:]))


class Batches(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The executions that a ForEachItem starts, by the number of their batch."""

    total: int = 0
    asked: int = 0
    """Begun: the inputs are being rendered or the execution is being made."""
    unmade: Seen = Seen()
    """Failed without an execution."""
    again: tuple[int, ...] = ()
    """To be begun once more after a restart."""
    rendered: Seen = Seen()
    started: Seen = Seen()
    ended: Seen = Seen()
    counts: Mapping[str, int] = {}
    """Executions in each state, as `outputs.<id>_items.iterations` shows them."""


class Iterated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The iterations of a Loop by their numbers; they are executions of their own, and only counted here."""

    total: int = 0
    rows: str | None = None
    """The file whose rows are the values; None: `Progress.items` are."""
    keyed: bool = False
    """The items are keys and values in turn."""
    asked: int = 0
    """Those below were begun; they run unless they are in `ended`."""
    ended: Seen = Seen()
    counts: Mapping[str, int] = {}
    """Ended ones in each state."""
    failed: tuple[int, ...] = ()
    """Those that make the loop fail, and are run again by a restart."""
    paused: tuple[int, ...] = ()
    judging: tuple[int, ...] = ()
    """Ended, and `breakWhen` is being rendered for them."""
    broken: bool = False
    """`breakWhen` held: no other iteration begins."""
    spoiled: bool = False
    """The loop itself failed, whatever its iterations do."""

    @property
    def running(self) -> int:
        return self.asked - len(self.ended)


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The engine's memory of a task run or, in `Execution.progress`, of the flow: counters, never lists of children.

    Opaque to every other room, which stores it as JSON beside the row. `items` never changes once it is set; the
    store may keep it apart from the rest, and should when it is long.
    """

    items: tuple[str, ...] | None = None
    """The values of a loop."""
    branch: Branch = Branch.TASKS
    cursor: int = 0
    """Position of the next task of the branch, or of the next value of a loop."""
    live: int = 0
    """Children that have not ended."""
    side: int = 0
    """Those of them that belong to `errors` or `finally`."""
    worst: State = State.SUCCESS
    """Of the main children that have ended (01 §4.6)."""
    latest: Instant = Instant(0)
    """When the last child ended: what follows in this scope is not earlier, whatever clocks do."""
    attempt: int = 0
    """Number of the attempt that is given out and has not ended, 0 for none."""
    given: int = 0
    """Highest number of an attempt so far; none is used twice."""
    waiting: str | None = None
    """Purpose of the rendering that is not answered yet."""
    choice: str | None = None
    """The case that a Switch or If took; of a Template: its arguments were put out."""
    limit: int | None = None
    """How many children may be in progress at once, where that had to be rendered."""
    begun: str = ""
    """Tasks of a Dag that were started, as a set of positions: hexadecimal digits."""
    done: str = ""
    """Tasks of a Dag that have ended."""
    ready: str | None = None
    """Tasks of a Dag that may start and were not started; None: not looked for yet."""
    open: tuple[tuple[int, int], ...] = ()
    """Values of a loop that were begun and have nothing running: number of the value, of its next task."""
    children: tuple[TaskRunId, ...] = ()
    """Children of the present pass of a LoopUntil."""
    count: int = 0
    """Passes of a LoopUntil, times that a Pause began."""
    floor: State | None = None
    """State that the task run has at least, or exactly when the execution is ending."""
    behavior: State | None = None
    """State that a Pause gets when its time is over."""
    due: Instant | None = None
    """The last attempt failed and is to be repeated at this instant."""
    child: ExecutionId | None = None
    """The execution that a Subflow started last."""
    link: str | None = None
    """How log messages refer to the flow of that execution."""
    batches: Batches | None = None
    iterated: Iterated | None = None
    passed: bool = False
    """Went on from its breakpoint."""
    course: Course | None = None


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a task; retries append attempts and keep the id (01 §4.2)."""

    id: TaskRunId
    task_id: TaskId
    ordinal: int
    """Position in the order of creation."""
    histories: Histories
    parent_id: TaskRunId | None = None
    value: str | None = None
    iteration: int | None = None
    path: tuple[str, ...] = ()
    """Values of the enclosing loops, outermost first, then its own: where its outputs stand (01 §6.0)."""
    attempts: tuple[Attempt, ...] | None = None
    dynamic: bool = False
    progress: Progress | None = None

    @property
    def state(self) -> State:
        return self.histories[-1].state

    @property
    def attempt_number(self) -> int:
        """Of the attempt that is under way, else of the next one, from 1; of the last one when it has ended."""
        made = self.attempts or ()
        memory = self.progress or Progress()
        if memory.attempt:
            return memory.attempt
        if self.state.is_terminal or (made and not made[-1].state.is_terminal):
            return max(len(made), 1)
        return max(len(made), memory.given) + 1


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    id: ExecutionId
    flow: FlowKey
    revision: int
    histories: Histories
    inputs: Mapping[str, Any] = {}
    outputs: Mapping[str, Any] | None = None
    variables: Mapping[str, Any] = {}
    labels: Labels = ()
    trigger: Mapping[str, Any] | None = None
    parent_id: ExecutionId | None = None
    original_id: ExecutionId | None = None
    attempt_number: int = 1
    original_created: Instant | None = None
    schedule_date: Instant | None = None
    kind: str | None = None
    breakpoints: tuple[tuple[str, str | None], ...] = ()
    created_runs: int = 0
    """Task runs made so far: the next ordinal."""
    holds_slot: bool = False
    """Counted against the flow's concurrency limit (01 §7.1)."""
    progress: Progress | None = None
    edits: int = 0
    """Times that the rows were edited by an order, beside the executor: a change made from older rows is refused."""
    runs: Mapping[TaskRunId, TaskRun] = {}
    """Task runs that have not ended."""

    @property
    def state(self) -> State:
        return self.histories[-1].state
