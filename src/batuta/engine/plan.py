"""What the engine knows of a flow: a frozen graph of nodes, compiled once for each revision (09 §4).

Templates are opaque here: an `Expression` is a text, list, map or scalar that the executor renders on request.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from batuta.model.ids import FlowKey, TaskId
from batuta.model.instant import Micros
from batuta.model.label import Labels

Expression = Any
"""Plain data whose texts may be templates; rendered by the executor, never looked into by the engine."""


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """01 §5.3. `interval` is the minimum of a random retry, `max_interval` its maximum; microseconds."""

    kind: str
    interval: Micros
    max_interval: Micros | None = None
    delay_factor: float = 2.0
    max_attempts: int | None = None
    max_duration: Micros | None = None
    warning_on_retry: bool = False
    new_execution: bool = False
    own: bool = True
    """Whether the task itself declares it; false when inherited from an ancestor or the flow."""


class WorkerGroup(msgspec.Struct, frozen=True):
    """Which workers may run a task, and what becomes of it when there are none: WAIT, FAIL or CANCEL."""

    key: Expression
    fallback: str = "WAIT"


class Node(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """What all kinds of task have in common (01 §5.1)."""

    id: TaskId
    type: str
    run_if: Expression | None = None
    """None when the task always runs."""
    retry: Retry | None = None
    """The retry that applies: its own, the nearest ancestor's, or the flow's."""
    allow_failure: bool = False
    allow_warning: bool = False
    log_level: str | None = None


class Leaf(Node, frozen=True, kw_only=True):
    """A runnable or execution-updating task."""

    inline: bool = False
    """Run by the executor inside the commit, never by a worker."""
    updates_execution: bool = False
    """Labels, SetVariables, Exit and the like (01 §5.4): never SUBMITTED, and never RUNNING when they fail."""
    placement: str = "worker"
    """`inline`, `server` or `worker`; only `inline` matters to the engine."""
    timeout: Expression | None = None
    """Renders to a duration in ISO-8601; covers one attempt."""
    spec: Mapping[str, Any] = {}
    """The task's properties with plugin defaults merged, as plain data; opaque to the engine."""
    outputs_read: frozenset[str] | None = None
    """Ids of the tasks whose outputs its templates name, or None when that cannot be known."""
    worker_group: WorkerGroup | None = None


class Control(Node, frozen=True, kw_only=True):
    """A task that only moves other tasks. Branches hold the ids of enabled tasks."""

    errors: tuple[TaskId, ...] = ()
    finally_: tuple[TaskId, ...] = ()
    has_disabled: bool = False
    """Whether a main branch was written with tasks that are all disabled (01 §4.7: SUCCESS)."""


class Sequence(Control, frozen=True, kw_only=True):
    tasks: tuple[TaskId, ...] = ()
    failure_is_warning: bool = False
    """AllowFailure (01 §6.11)."""
    args: Mapping[str, Expression] | None = None
    """Of a Template: put out before the first task, which reads them as `parent.outputs.args` (01 §6.14)."""


class Parallel(Control, frozen=True, kw_only=True):
    tasks: tuple[TaskId, ...] = ()
    concurrent: Expression = 0
    """Renders to how many tasks may be in progress at once; 0 means all."""


class Dag(Control, frozen=True, kw_only=True):
    tasks: tuple[TaskId, ...] = ()
    depends_on: Mapping[TaskId, tuple[TaskId, ...]] = {}
    concurrent: Expression = 0
    places: Mapping[TaskId, int] = {}
    """Position of each task; this and what follows is made of the above, and never given."""
    needs: Mapping[TaskId, str] = {}
    """What each task depends on as a set of positions: hexadecimal digits. A disabled task is no obstacle."""
    dependents: Mapping[TaskId, tuple[TaskId, ...]] = {}

    def __post_init__(self) -> None:
        places = {task_id: place for place, task_id in enumerate(self.tasks)}
        needs: dict[TaskId, str] = {}
        dependents: dict[TaskId, list[TaskId]] = {}
        for task_id in self.tasks:
            others = {one for one in self.depends_on.get(task_id, ()) if one in places}
            if others:
                needs[task_id] = f"{sum(1 << places[one] for one in others):x}"
            for one in others:
                dependents.setdefault(one, []).append(task_id)
        force_setattr(self, "places", places)
        force_setattr(self, "needs", needs)
        force_setattr(self, "dependents", {one: tuple(rest) for one, rest in dependents.items()})


class Choice(Control, frozen=True, kw_only=True):
    """If and Switch: a rendered text chooses one branch.

    If: `cases` has the keys `true` and `false`, and the text is judged by truthiness (01, head).
    Switch: the exact text, else `defaults`; without either the task fails.
    """

    value: Expression
    is_condition: bool = False
    cases: Mapping[str, tuple[TaskId, ...]] = {}
    defaults: tuple[TaskId, ...] | None = None


class Each(Control, frozen=True, kw_only=True):
    """ForEach, EachSequential, EachParallel (01 §6.6, §6.7)."""

    values: Expression
    tasks: tuple[TaskId, ...] = ()
    concurrency: Expression = 1
    """Renders to how many values may be in progress at once; 0 means all."""
    ordered: bool = True
    """Tasks of one value run one after another; false for EachParallel."""


class Loop(Control, frozen=True, kw_only=True):
    """LoopUntil (01 §6.9)."""

    condition: Expression
    tasks: tuple[TaskId, ...] = ()
    interval: Expression = "PT1M"
    max_iterations: Expression | None = None
    max_duration: Expression | None = None
    fail_on_max_reached: Expression = False


class FlowOutput(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: str
    value: Expression
    required: bool = True


class Iterations(Control, frozen=True, kw_only=True):
    """Loop of Kestra 2: each value is an execution of its own, of the branches below this node.

    `errors` and `finally` belong to each iteration. `engine.iteration` makes the plan of one.
    """

    values: Expression
    tasks: tuple[TaskId, ...] = ()
    concurrency: int = 1
    """Iterations in progress at once; 0 for no limit of the author's."""
    transmit_failed: bool = True
    outputs: tuple[FlowOutput, ...] = ()
    """Of each iteration."""
    fetch: str = "AUTO"
    """FETCH: outputs are a list; STORE: the rows of a file; AUTO: STORE where the values come from a file."""
    break_when: Expression | None = None


class Pause(Control, frozen=True, kw_only=True):
    """01 §6.12."""

    duration: Expression | None = None
    timeout: Expression | None = None
    behavior: Expression = "RESUME"
    tasks: tuple[TaskId, ...] = ()
    on_pause: TaskId | None = None
    on_resume: tuple[Mapping[str, Any], ...] = ()
    """Declarations of the inputs asked for; read by operations, opaque here."""


class Subflow(Node, frozen=True, kw_only=True):
    """01 §6.13."""

    namespace: Expression
    flow_id: Expression
    revision: int | None = None
    inputs: Expression = None
    labels: Expression = None
    inherit_labels: Expression = False
    wait: bool = True
    transmit_failed: bool = True
    schedule_date: Expression | None = None
    restart_failed: bool = True
    """RETRY_FAILED: a restart of the parent restarts the failed child; else a new child is made."""
    outputs: Expression = None
    """Deprecated: rendered in the context of the child when that has no outputs."""


class EachItem(Node, frozen=True, kw_only=True):
    """ForEachItem (01 §6.8): the tasks `<id>_split`, `<id>_items`, `<id>_merge` inside one parent."""

    split: TaskId
    items: TaskId
    merge: TaskId
    call: Subflow
    errors: tuple[TaskId, ...] = ()
    finally_: tuple[TaskId, ...] = ()


class WorkDir(Control, frozen=True, kw_only=True):
    """WorkingDirectory (01 §6.10): its children run inside one job of a worker."""

    tasks: tuple[TaskId, ...] = ()
    timeout: Expression | None = None
    spec: Mapping[str, Any] = {}
    outputs_read: frozenset[str] | None = None
    worker_group: WorkerGroup | None = None


AnyNode = (
    Leaf
    | Sequence
    | Parallel
    | Dag
    | Choice
    | Each
    | Loop
    | Iterations
    | Pause
    | Subflow
    | EachItem
    | WorkDir
)


class Concurrency(msgspec.Struct, frozen=True):
    limit: int
    behavior: str = "QUEUE"


class Sla(msgspec.Struct, frozen=True, kw_only=True):
    """01 §7.2. `duration` for MAX_DURATION, `assertion` for EXECUTION_ASSERTION."""

    id: str
    behavior: str
    duration: Micros | None = None
    assertion: Expression | None = None
    labels: Labels = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A flow at one revision. Disabled tasks are absent from `nodes` and from every branch."""

    flow: FlowKey
    revision: int
    nodes: Mapping[TaskId, AnyNode]
    tasks: tuple[TaskId, ...]
    errors: tuple[TaskId, ...] = ()
    finally_: tuple[TaskId, ...] = ()
    after: tuple[TaskId, ...] = ()
    """Tasks of `afterExecution`."""
    concurrency: Concurrency | None = None
    outputs: tuple[FlowOutput, ...] = ()
    sla: tuple[Sla, ...] = ()
    variables: Mapping[str, Any] = {}
    parents: Mapping[TaskId, TaskId] = {}
    """The enclosing control task of every nested task."""
