"""Which flows listen to others, and the executions they start.

Everything happens in the turn in which the other execution changes its state: an event starts one execution for each
trigger that it satisfies, whatever is killed when.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from batuta.engine.events import Created
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
from batuta.plugins.core.trigger.flow import Flow as FlowTrigger
from batuta.sdk.errors import PluginError
from batuta.server.executor.draft import Draft
from batuta.server.executor.live import Live
from batuta.server.listening.ear import WORDS
from batuta.server.listening.judge import Verdict, judge, trigger_variables
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
        self._memories: dict[TriggerKey, Memory] = {}

    def note(self, committed: Committed) -> None:
        """Flows that changed are read again before the next event."""
        self._edited.update(committed.flows)

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
        place = TriggerKey(key, f"{MEMORY_PREFIX}{trigger.id}")
        try:
            verdict = await asyncio.to_thread(
                partial(
                    judge,
                    trigger,
                    live.execution,
                    await self._memory(place, trigger),
                    at=self._services.clock.now(),
                    zone=self._zone,
                    listener={"id": key.id, "namespace": key.namespace},
                    renderer=renderer,
                )
            )
            if verdict.memory is not None:
                self._remember(place, verdict.memory, draft)
            if verdict.fires:
                await self._start(
                    live, key, trigger, verdict=verdict, renderer=renderer, draft=draft
                )
        except TRIGGER_ERRORS as error:
            at = self._services.clock.now()
            draft.logs.append(
                LogRow(at=at, level="WARN", message=str(error), flow=key, trigger_id=trigger.id)
            )

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
        inputs, labels = await asyncio.to_thread(_rendered, trigger, renderer, variables)
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

    async def _memory(self, place: TriggerKey, trigger: FlowTrigger) -> Memory:
        if trigger.preconditions is None:
            return Memory()
        known = self._memories.get(place)
        if known is None:
            row = await self._services.store.triggers.get(place)
            known = Memory() if row is None else codec.convert(row.memory, Memory)
            self._memories[place] = known
        return known

    def _remember(self, place: TriggerKey, memory: Memory, draft: Draft) -> None:
        self._memories[place] = memory
        plain = codec.to_plain(memory)
        draft.triggers.append(TriggerRow(key=place, disabled=True, memory=plain))


def _triggers(compiled: Compiled | None) -> Sequence[FlowTrigger]:
    if compiled is None or compiled.flow.disabled:
        return ()
    triggers = compiled.flow.triggers or ()
    return [each for each in triggers if isinstance(each, FlowTrigger) and not each.disabled]


def _rendered(
    trigger: FlowTrigger, renderer: JobRenderer, variables: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Labels]:
    extra = {"trigger": variables}
    inputs = renderer.render(trigger.inputs, extra) if trigger.inputs else {}
    labels = []
    for label in trigger_labels(trigger.labels):
        value = renderer.render(label.value, extra)
        if value:
            labels.append(Label(label.key, str(value)))
    return inputs, tuple(labels)


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
