"""Which flows listen to others, and the executions they start.

Everything happens in the turn in which the other execution changes its state: an event starts one execution for each
trigger that it satisfies, whatever is killed when.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from msgspec.structs import replace

from batuta.engine.events import Created
from batuta.engine.execution import TaskRun
from batuta.expr import ExpressionError
from batuta.expr.host import Settings as ExprSettings
from batuta.model import codec
from batuta.model.ids import FlowKey
from batuta.model.label import CORRELATION_ID, Label, Labels, merge_labels
from batuta.model.state import State
from batuta.operations import start
from batuta.operations.caller import SYSTEM
from batuta.operations.errors import InvalidEntityError, OperationError
from batuta.operations.plans import Compiled
from batuta.operations.services import Services
from batuta.plugins.core.condition.execution import HasRetryAttempt
from batuta.plugins.core.condition.group import MultipleCondition
from batuta.plugins.core.trigger.flow import Flow as FlowTrigger
from batuta.sdk.definition import Condition
from batuta.sdk.errors import PluginError
from batuta.server.executor.draft import Draft
from batuta.server.executor.live import Live
from batuta.server.listening.ear import WORDS
from batuta.server.listening.judge import (
    Memories,
    Verdict,
    facts_of,
    judge,
    trigger_variables,
)
from batuta.server.listening.preconditions import Memory
from batuta.server.sources import flows_that_say
from batuta.server.worker.render import JobRenderer
from batuta.store.rows import Committed, ExecutionRow, LogRow, Mail, TriggerKey, TriggerRow

MEMORY_PREFIX = "preconditions:"
"""Ids of the rows that hold what preconditions remember; they are no triggers of their own."""
TRIGGER_ERRORS = (ExpressionError, PluginError, OperationError, ValueError, LookupError, TypeError)
"""What conditions and templates of a trigger can do wrong; it counts as not fulfilled."""


class Listeners:
    def __init__(self, services: Services, *, settings: ExprSettings) -> None:
        self._services = services
        self._zone = settings.zone
        self._listening: dict[FlowKey, Sequence[FlowTrigger]] | None = None
        self._edited: set[FlowKey] = set()
        self._judging = asyncio.Lock()
        self._uncommitted: dict[TriggerKey, Memories] = {}
        """What turns under way remember; anything else is read, for other processes remember, too."""

    def note(self, committed: Committed) -> None:
        """Flows that changed are read again before the next event."""
        self._edited.update(committed.flows)
        for row in committed.triggers:
            known = self._uncommitted.get(row.key)
            if known is not None and codec.to_plain(known) == row.memory:
                del self._uncommitted[row.key]

    def forget(self, places: Iterable[TriggerKey]) -> None:
        """A turn failed: what is remembered there is what the rows say."""
        for place in places:
            self._uncommitted.pop(place, None)

    async def interested(self, live: Live, state: State) -> Sequence[tuple[FlowKey, FlowTrigger]]:
        """The triggers that look at this state of other flows' executions."""
        listening = await self._refreshed()
        if live.execution.kind is not None:
            return ()
        own = live.execution.flow
        return [
            (key, trigger)
            for key, triggers in listening.items()
            for trigger in triggers
            if state in trigger.states and (key.namespace, key.id) != (own.namespace, own.id)
        ]

    async def hear(
        self, live: Live, key: FlowKey, trigger: FlowTrigger, *, renderer: JobRenderer, draft: Draft
    ) -> None:
        """Judge the event, and start the listening flow where the trigger is satisfied.

        `renderer` knows the other execution, and the listening flow as `flow`.
        """
        try:
            facts = facts_of(
                live.execution,
                listener={"id": key.id, "namespace": key.namespace},
                runs=await self._runs(live, draft) if _looks_at_runs(trigger.conditions) else (),
            )
            verdict = await self._judged(
                live, key, trigger, facts=facts, renderer=renderer, draft=draft
            )
            for problem in verdict.problems:
                self._warn(problem, key, trigger, draft=draft)
            if verdict.fires:
                await self._start(
                    live, key, trigger, verdict=verdict, renderer=renderer, draft=draft
                )
        except TRIGGER_ERRORS as error:
            self._warn(str(error), key, trigger, draft=draft)

    async def _judged(
        self,
        live: Live,
        key: FlowKey,
        trigger: FlowTrigger,
        *,
        facts: Mapping[str, Any],
        renderer: JobRenderer,
        draft: Draft,
    ) -> Verdict:
        place = TriggerKey(key, f"{MEMORY_PREFIX}{trigger.id}")
        # Turns move side by side, but one after another reads and remembers.
        async with self._judging if _remembers(trigger) else nullcontext():
            verdict = await asyncio.to_thread(
                partial(
                    judge,
                    trigger,
                    live.execution,
                    await self._memory(place, trigger),
                    at=self._services.clock.now(),
                    zone=self._zone,
                    facts=facts,
                    renderer=renderer,
                )
            )
            if verdict.memories is not None:
                self._remember(place, verdict.memories, draft)
        return verdict

    def _warn(self, message: str, key: FlowKey, trigger: FlowTrigger, *, draft: Draft) -> None:
        at = self._services.clock.now()
        row = LogRow(at=at, level="WARN", message=message, flow=key, trigger_id=trigger.id)
        draft.logs.append(row)

    async def _start(
        self,
        live: Live,
        key: FlowKey,
        trigger: FlowTrigger,
        *,
        verdict: Verdict,
        renderer: JobRenderer,
        draft: Draft,
    ) -> None:
        variables = trigger_variables(live.execution)
        if verdict.outputs:
            variables["outputs"] = verdict.outputs
        inputs, labels, problems = await asyncio.to_thread(_rendered, trigger, renderer, variables)
        for problem in problems:
            self._warn(problem, key, trigger, draft=draft)
        own = [label for label in live.execution.labels if label.key == CORRELATION_ID]
        wanted = start.Wanted(
            inputs=inputs,
            labels=merge_labels(labels, own),
            trigger={"id": trigger.id, "type": trigger.type, "variables": variables},
        )
        compiled = await start.startable(SYSTEM, self._services, key)
        at = self._services.clock.now()
        try:
            row = await start.prepare(SYSTEM, self._services, compiled, wanted=wanted)
        except InvalidEntityError as error:
            row = await self._untyped(compiled, wanted)
            draft.logs.append(_untyped_log(row, error))
        draft.created.append(row)
        draft.inbox.append(Mail(row.execution.id, Created(at=at)))

    async def _untyped(self, compiled: Compiled, wanted: start.Wanted) -> ExecutionRow:
        """Inputs that do not fit their types are kept as they were rendered (01 §8.7)."""
        open_flow = compiled.flow.model_copy(update={"inputs": None})
        bare = replace(compiled, flow=open_flow)
        row = await start.prepare(SYSTEM, self._services, bare, wanted=replace(wanted, inputs={}))
        return replace(row, execution=replace(row.execution, inputs=wanted.inputs))

    # -- which flows listen --------------------------------------------------------------------------------

    async def _refreshed(self) -> Mapping[FlowKey, Sequence[FlowTrigger]]:
        if self._listening is None:
            self._listening = {}
            async for row in flows_that_say(self._services.store.flows, *WORDS):
                self._edited.add(row.key)
        edited, self._edited = self._edited, set()
        for key in edited:
            triggers = _triggers(await self._services.plans.latest(key))
            if triggers:
                self._listening[key] = triggers
            else:
                self._listening.pop(key, None)
        return self._listening

    # -- what preconditions remember -----------------------------------------------------------------------

    async def _memory(self, place: TriggerKey, trigger: FlowTrigger) -> Memories:
        if not _remembers(trigger):
            return {}
        known = self._uncommitted.get(place)
        if known is not None:
            return known
        row = await self._services.store.triggers.get(place)
        return {} if row is None else codec.convert(row.memory or {}, dict[str, Memory])

    def _remember(self, place: TriggerKey, memories: Memories, draft: Draft) -> None:
        """Long turns are written late: with all that turns that began after them remember."""
        self._uncommitted[place] = memories
        draft.remembered[place] = partial(self._row, place)

    def _row(self, place: TriggerKey) -> TriggerRow | None:
        memories = self._uncommitted.get(place)
        if memories is None:
            return None
        return TriggerRow(key=place, disabled=True, memory=codec.to_plain(memories))

    async def _runs(self, live: Live, draft: Draft) -> Iterable[TaskRun]:
        """All task runs of the execution, as they are with what this turn changes."""
        rows = await self._services.store.executions.task_runs(live.execution.id)
        runs = {row.run.id: row.run for row in rows}
        changed = {run.id: run for owner, run in draft.runs.values() if owner is live}
        return {**runs, **changed}.values()


def _triggers(compiled: Compiled | None) -> Sequence[FlowTrigger]:
    if compiled is None or compiled.flow.disabled:
        return ()
    triggers = compiled.flow.triggers or ()
    return [each for each in triggers if isinstance(each, FlowTrigger) and not each.disabled]


def _remembers(trigger: FlowTrigger) -> bool:
    several = any(isinstance(each, MultipleCondition) for each in trigger.conditions or ())
    return several or trigger.preconditions is not None


def _looks_at_runs(conditions: Iterable[Condition] | None) -> bool:
    """Whether one of them, or of those inside, needs the task runs of the execution."""
    for each in conditions or ():
        if isinstance(each, HasRetryAttempt):
            return True
        inner = getattr(each, "conditions", ())
        if _looks_at_runs(inner.values() if isinstance(inner, Mapping) else inner):
            return True
    return False


def _rendered(
    trigger: FlowTrigger, renderer: JobRenderer, variables: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Labels, Sequence[str]]:
    """Inputs, labels, and why labels were left out (04 §2)."""
    extra = {"trigger": variables}
    inputs = renderer.render(trigger.inputs, extra) if trigger.inputs else {}
    labels: list[Label] = []
    problems: list[str] = []
    for label in trigger_labels(trigger.labels):
        try:
            value = renderer.render(label.value, extra)
        except TRIGGER_ERRORS as error:
            problems.append(f"The label '{label.key}' is left out: {error}")
        else:
            labels += [Label(label.key, str(value))] if value else []
    return inputs, tuple(labels), problems


def trigger_labels(labels: Any) -> Labels:
    """Labels of a trigger in either form."""
    if isinstance(labels, Mapping):
        return tuple(Label(str(key), str(value)) for key, value in labels.items())
    return tuple(Label(str(each["key"]), str(each["value"])) for each in labels or ())


def _untyped_log(row: ExecutionRow, error: InvalidEntityError) -> LogRow:
    execution = row.execution
    return LogRow(
        at=execution.histories[0].at,
        level="ERROR",
        message=f"The inputs that the trigger gives do not fit and are kept as rendered: {error.message}",
        flow=execution.flow,
        execution_id=execution.id,
    )
