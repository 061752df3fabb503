"""One execution in the memory of the executor that owns it."""

import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from batuta.engine.execution import Execution, TaskRun
from batuta.engine.plan import Plan
from batuta.flow.inputs import secret_ids, visible_inputs
from batuta.model import codec
from batuta.model.ids import TaskId, TaskRunId
from batuta.operations.family import item_variable
from batuta.sdk.input import Input
from batuta.server.context.outputs import OutputTree, Stored
from batuta.server.context.secrets import Cipher, decrypt_inputs, reveal
from batuta.server.context.variables import execution_variables
from batuta.server.worker.log import Masks
from batuta.store.rows import ParentLink

MOST_OUTPUTS = 2_048
"""Outputs inside loops that stay in memory for each execution; the others are read back when they are asked for."""


class Live:
    """The engine's value, and what the executor keeps beside it. Mutable; owned by one executor."""

    __slots__ = (
        "_deferred",
        "_gone",
        "_header",
        "_header_of",
        "_recent",
        "cipher",
        "declared",
        "execution",
        "ignored_groups",
        "is_long",
        "items_saved",
        "link",
        "loaded",
        "masks",
        "outer",
        "output_problem",
        "plan",
        "states",
        "timers",
        "trees",
    )

    def __init__(
        self,
        execution: Execution,
        plan: Plan,
        *,
        declared: Sequence[Input],
        link: ParentLink | None,
        cipher: Cipher | None,
        fresh: bool,
        keeps_states: bool,
    ) -> None:
        self.execution = execution
        self.plan = plan
        self.link = link
        self.outer: Live | None = None
        """The execution that an iteration of a Loop is part of: what templates see besides its own."""
        self.declared = declared
        self.cipher = cipher
        self.is_long = False
        """Whether its last turn was too long to be moved together with others."""
        self.timers: set[str] = set()
        self.trees: dict[str, OutputTree] = {}
        self.loaded: set[str] | None = None if fresh else set()
        """Tasks whose outputs are all in `trees`; None: those of every task."""
        self.items_saved: set[TaskRunId] = set()
        self.output_problem: str | None = None
        """Why the outputs of the flow could not be rendered; told to a parent that waits."""
        self.masks = Masks()
        """Secrets that templates of the execution have met; hidden in all that it logs."""
        self.ignored_groups: set[str] = set()
        """Worker groups of which was said that nobody heeds them."""
        self.states: dict[str, dict[str | None, str]] | None = {} if keeps_states else None
        """State by task and own value, for `tasks` of templates; None where no template names it."""
        self._gone: dict[tuple[TaskId, tuple[str, ...]], int] = {}
        """Task runs whose contents were removed, and the ordinal below which those contents were."""
        self._recent: deque[tuple[Stored, tuple[str, ...], Mapping[str, Any]]] = deque()
        """Outputs inside loops that are in memory, the oldest first."""
        self._deferred = 0
        self._header: dict[str, Any] = {}
        self._header_of: Execution | None = None

    def header_variables(self) -> Mapping[str, Any]:
        """Variables of the execution; computed again only when its header changed."""
        execution = self.execution
        before = self._header_of
        if before is None or _header_differs(before, execution):
            root = self.around[-1].execution
            self._header = execution_variables(self.plan, execution, root=root)
            if self.declared:
                stored = decrypt_inputs(
                    root.inputs, secret_ids(self.declared), self.cipher, found=self.masks
                )
                self._header["inputs"] = visible_inputs(self.declared, stored)
            if self.link is not None and self.link.item is not None:
                self._header["item"] = item_variable(self.link.item)
        self._header_of = execution
        return self._header

    @property
    def around(self) -> "Sequence[Live]":
        """Itself, then the executions whose Loops it is inside of, the nearest first."""
        found = [self]
        while (outer := found[-1].outer) is not None:
            found.append(outer)
        return found

    def keeper(self, task_id: str) -> "Live":
        """The execution whose task runs have the outputs of this task: itself, or one around."""
        if self.outer is None or task_id in self.plan.nodes:
            return self
        found = next((one for one in self.around if task_id in one.plan.nodes), self)
        for secret in found.masks.secrets:
            self.masks.add(secret)
        return found

    @property
    def encrypt(self) -> Callable[[str], str] | None:
        return None if self.cipher is None else self.cipher.encrypt

    def put_outputs(self, run: TaskRun, outputs: Mapping[str, Any]) -> None:
        tree = self.trees.get(run.task_id)
        if tree is None:
            tree = self.trees[run.task_id] = OutputTree()
        shown = reveal(outputs, self.cipher, self.masks)
        tree.put(run.path, shown)
        if run.path:
            self._recent.append(
                (Stored(self.execution.id, run.task_id, run.ordinal), run.path, shown)
            )

    def put_stored(self, run: TaskRun) -> None:
        """The outputs of a task run inside a loop are in the store, and will be read when they are asked for."""
        tree = self.trees.setdefault(run.task_id, OutputTree())
        tree.put(run.path, Stored(self.execution.id, run.task_id, run.ordinal))

    def bring_back(self, stored: Stored, path: tuple[str, ...], outputs: Mapping[str, Any]) -> None:
        """Outputs that were let go are needed again."""
        tree = self.trees.get(stored.task_id)
        if tree is not None:
            shown = reveal(outputs, self.cipher, self.masks)
            if tree.swap(path, stored, shown):
                self._recent.append((stored, path, shown))

    def let_go(self) -> None:
        """Of outputs inside loops only the last ones stay in memory. All have to be in the store."""
        while len(self._recent) > MOST_OUTPUTS:
            stored, path, shown = self._recent.popleft()
            tree = self.trees.get(stored.task_id)
            if tree is not None:
                tree.swap(path, shown, stored)

    def forget_below(self, parent: TaskRun) -> None:
        """The task runs inside this one are gone, with their outputs."""
        self._gone[parent.task_id, parent.path] = self.execution.created_runs
        for task_id, tree in self.trees.items():
            if _is_below(self.plan, TaskId(task_id), parent.task_id):
                tree.remove(parent.path)
        if self.states is not None and not parent.path:
            for task_id in list(self.states):
                if _is_below(self.plan, TaskId(task_id), parent.task_id):
                    del self.states[task_id]

    def is_gone(self, run: TaskRun) -> bool:
        """Whether the run was removed; the store has it until the turn is committed."""
        return any(
            run.ordinal < end
            and run.path[: len(path)] == path
            and _is_below(self.plan, run.task_id, task_id)
            for (task_id, path), end in self._gone.items()
        )

    def forget(self, run: TaskRun) -> None:
        """The task run is gone, with its outputs."""
        tree = self.trees.get(run.task_id)
        if tree is not None:
            tree.remove(run.path)
        if self.states is not None:
            self.states.get(run.task_id, {}).pop(run.value, None)

    def next_deferred(self) -> int:
        """A number for work that leaves the turn, unique while the execution is in memory."""
        self._deferred += 1
        return self._deferred

    def put_state(self, run: TaskRun) -> None:
        if self.states is not None:
            self.states.setdefault(run.task_id, {})[run.value] = run.state.value

    def task_states(self) -> dict[str, Any]:
        """`tasks.<id>.state`, in loops `tasks.<id>[<value>].state` (02 §3)."""
        result: dict[str, Any] = {}
        for task_id, by_value in (self.states or {}).items():
            entry: dict[str, Any] = {}
            for value, state in by_value.items():
                if value is None:
                    entry["state"] = state
                else:
                    entry[value] = {"state": state}
            result[task_id] = entry
        return result

    def is_loaded(self, task_id: str) -> bool:
        return self.loaded is None or task_id in self.loaded


def _is_below(plan: Plan, task_id: TaskId, ancestor: TaskId) -> bool:
    above = plan.parents.get(task_id)
    while above is not None and above != ancestor:
        above = plan.parents.get(above)
    return above is not None


_STATES = re.compile(rb'(?<![".])\btasks\b(?!\\?")|tasksWithState|(?:print|fetch)Context')
"""The word as a name in a template, not as a key of the plan or part of a type."""


def names_states(plan: Plan) -> bool:
    """Whether a template of the flow may read the states of its tasks."""
    return _STATES.search(codec.encode(plan)) is not None


def _header_differs(before: Execution, now: Execution) -> bool:
    return before is not now and not (
        before.histories is now.histories
        and before.inputs is now.inputs
        and before.labels is now.labels
        and before.outputs is now.outputs
        and before.trigger is now.trigger
    )
