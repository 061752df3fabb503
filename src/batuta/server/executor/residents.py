"""The executions in memory, and how they come back from their rows."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable

import structlog
from msgspec.structs import replace

from batuta.engine.events import ChildEnded
from batuta.engine.execution import Course, Execution, Phase, Progress, Slot
from batuta.engine.plan import Leaf, Plan
from batuta.model.ids import ExecutionId, FlowKey, TaskRunId
from batuta.model.state import State, followed
from batuta.operations.order import is_granted
from batuta.operations.services import Services
from batuta.server.context.secrets import Cipher
from batuta.server.executor.draft import Draft
from batuta.server.executor.live import Live, names_states
from batuta.server.executor.rendering import stored_outputs
from batuta.store.rows import ExecutionRow, LogRow, Mail, ParentLink, SlotRelease, TaskRunRow

log = structlog.get_logger()

MAX_RESIDENTS = 4_000
"""Beyond it the one untouched longest is forgotten; it comes back from its rows."""
MAX_FACTS = 1_000
MAX_OUTER = 64
_TO_BE_ADMITTED = frozenset({State.CREATED, State.RESTARTED})


class Residents:
    def __init__(self, services: Services, *, cipher: Cipher | None) -> None:
        self._services = services
        self._cipher = cipher
        self._lives: OrderedDict[ExecutionId, Live] = OrderedDict()
        self._created: dict[ExecutionId, ExecutionRow] = {}
        self._reading: dict[ExecutionId, list[object]] = {}
        """Who reads an execution now. What was read is old once another has it, or it was forgotten meanwhile."""
        self._states: dict[tuple[FlowKey, int, tuple[Hashable, ...]], bool] = {}
        self._outer: OrderedDict[tuple[ExecutionId, TaskRunId], Live] = OrderedDict()
        """Executions around iterations, by the Loop's task run. Only read, and of what was before the loop began."""

    async def get(self, execution_id: ExecutionId) -> Live | None:
        """The execution, from memory or rows; None where it was deleted or cannot be read."""
        while (live := self._lives.get(execution_id)) is None:
            reading = object()
            self._reading.setdefault(execution_id, []).append(reading)
            try:
                live = await self._read(execution_id)
            except BaseException:
                self._reading.pop(execution_id, None)  # the others read once more
                raise
            if reading in self._reading.get(execution_id, ()):
                del self._reading[execution_id]
                if live is not None:
                    self._lives[execution_id] = live
                return live
        self._lives.move_to_end(execution_id)
        return live

    async def _read(self, execution_id: ExecutionId) -> Live | None:
        row = self._created.pop(execution_id, None)
        if row is not None:
            return await self._revive(row, fresh=True)
        try:
            row = await self._services.store.executions.get(execution_id, live=True)
        except ValueError as error:
            # 01 §11.13, 151: written by another version; nothing is done for it, and nobody else is hindered.
            log.error("execution.unreadable", execution=execution_id, error=str(error))  # noqa: TRY400 - the trace tells nothing more
            return None
        return None if row is None else await self._revive(row, fresh=False)

    async def failed(self, execution_id: ExecutionId, reason: str) -> Draft:
        """The rows of an execution that cannot go on: its flow is gone or unreadable, or a fault of ours."""
        draft = Draft({})
        row = await self._services.store.executions.get(execution_id, live=True)
        if row is None:
            return draft
        slot = await self._give_back(row.execution, draft)
        if row.execution.state.is_terminal:
            if slot is not _course(row.execution).slot:
                draft.executions.append(_over(row.execution, slot))
            return draft
        now = self._services.clock.now()
        for run in row.execution.runs.values():
            killed = replace(run, histories=followed(run.histories, State.KILLED, now))
            draft.rows.append(TaskRunRow(execution_id=execution_id, run=killed, items_known=True))
            if run.progress is not None and run.progress.attempt:
                draft.kills.append((run.id, run.progress.attempt))
        execution = row.execution
        histories = followed(execution.histories, State.FAILED, now)
        draft.executions.append(replace(_over(execution, slot), histories=histories))
        self._tell(row, draft)
        draft.logs.append(
            LogRow(
                at=now,
                level="ERROR",
                message=reason,
                flow=execution.flow,
                execution_id=execution_id,
            )
        )
        return draft

    async def _give_back(self, execution: Execution, draft: Draft) -> Slot:
        """The slot that it has, or was granted and has not taken, or its place in the queue; what it knows of it then.

        What is granted only later finds that it has LEFT.
        """
        slot = _course(execution).slot
        asked = slot in {Slot.REQUESTED, Slot.LEFT}
        held = execution.holds_slot or (asked and await is_granted(self._services, execution.id))
        if not held and slot is not Slot.REQUESTED:
            return slot
        latest = await self._services.plans.latest(execution.flow)
        limits = latest.plan.concurrency if latest is not None else None
        release = SlotRelease(
            flow=execution.flow,
            execution_id=execution.id,
            limit=limits.limit if limits is not None else None,
            at=self._services.clock.now(),
            held=held,
        )
        draft.slots.append(release)
        return Slot.NONE if held else Slot.LEFT

    def _tell(self, row: ExecutionRow, draft: Draft) -> None:
        """Nobody waits for it, in vain, any more."""
        execution, link = row.execution, row.link
        if link is not None and link.wait:
            told = ChildEnded(
                at=self._services.clock.now(),
                task_run_id=link.task_run_id,
                execution_id=execution.id,
                state=State.FAILED,
                index=link.index,
            )
            draft.inbox.append(Mail(link.execution_id, told))

    async def adopt(self, row: ExecutionRow) -> Live:
        """An execution that is being made in this turn, to be moved at once."""
        live = await self._revive(row, fresh=True)
        self._lives[row.execution.id] = live
        return live

    def peek(self, execution_id: ExecutionId) -> Live | None:
        return self._lives.get(execution_id)

    def note_created(self, rows: Iterable[ExecutionRow]) -> None:
        """Executions that were made in this process just now need not be read."""
        for row in rows:
            if row.execution.id not in self._lives:
                self._created[row.execution.id] = row

    def release(self, live: Live) -> None:
        """The execution is finished and committed."""
        if self._lives.get(live.execution.id) is live:
            self.forget(live.execution.id)

    def forget(self, execution_id: ExecutionId) -> None:
        self._lives.pop(execution_id, None)
        self._created.pop(execution_id, None)
        self._reading.pop(execution_id, None)

    def drop(self, chosen: Callable[[ExecutionId], bool]) -> None:
        known = {*self._lives, *self._created, *self._reading}
        for execution_id in filter(chosen, known):
            self.forget(execution_id)

    def evict(self) -> None:
        """Keep memory bounded; only while no turn is under way."""
        while len(self._lives) > MAX_RESIDENTS:
            self._lives.popitem(last=False)

    async def _revive(self, row: ExecutionRow, *, fresh: bool) -> Live:
        execution = row.execution
        compiled = await self._services.plans.of(execution)
        plan = compiled.plan_of(row.link)
        item = row.link.item if row.link is not None else None
        if item is None and execution.state in _TO_BE_ADMITTED:
            plan = await self._limited(plan)
        loop = None if item is None else item.loop
        keeps_states = self._keeps_states(plan, (*compiled.templates, loop))
        live = Live(
            execution,
            plan,
            declared=compiled.flow.inputs or (),
            link=row.link,
            cipher=self._cipher,
            fresh=fresh,
            keeps_states=keeps_states,
        )
        if item is not None and row.link is not None:
            live.outer = await self._around(row.link)
        if not fresh:
            await self._recall(live)
            live.items_saved.update(
                run.id
                for run in execution.runs.values()
                if run.progress is not None and run.progress.items is not None
            )
            if keeps_states:
                for each in await self._services.store.executions.task_runs(execution.id):
                    live.put_state(each.run)
        return live

    async def _limited(self, plan: Plan) -> Plan:
        """The limit of concurrent executions is that of the latest revision (01 §7.1)."""
        latest = await self._services.plans.latest(plan.flow)
        if latest is None or latest.plan.concurrency == plan.concurrency:
            return plan
        return replace(plan, concurrency=latest.plan.concurrency)

    async def _recall(self, live: Live) -> None:
        """The outputs of control tasks under way: `parent` and `parents` of what is inside them (01 §6.0)."""
        execution = live.execution
        begun = [
            run.id
            for run in execution.runs.values()
            if not isinstance(live.plan.nodes.get(run.task_id), Leaf)
        ]
        if not begun:
            return
        store = self._services.store.executions
        for row in await store.outputs(execution.id, task_run_ids=begun):
            outputs = await stored_outputs(self._services, execution.flow.tenant, row)
            live.put_outputs(execution.runs[row.task_run_id], outputs)

    async def _around(self, link: ParentLink) -> Live | None:
        """The execution that an iteration is part of, to be read from; one whose owner is another is kept apart."""
        live = self._lives.get(link.execution_id)
        key = (link.execution_id, link.task_run_id)
        if live is not None:
            self._outer.pop(key, None)
            return live
        known = self._outer.get(key)
        if known is None:
            row = await self._services.store.executions.get(link.execution_id, live=True)
            if row is None:
                return None
            known = self._outer[key] = await self._revive(row, fresh=False)
            while len(self._outer) > MAX_OUTER:
                self._outer.popitem(last=False)
        self._outer.move_to_end(key)
        return known

    def _keeps_states(self, plan: Plan, variant: tuple[Hashable, ...]) -> bool:
        """`variant`: what tells plans of one revision apart."""
        key = (plan.flow, plan.revision, variant)
        known = self._states.get(key)
        if known is None:
            if len(self._states) >= MAX_FACTS:
                self._states.clear()
            known = self._states[key] = names_states(plan)
        return known


def _course(execution: Execution) -> Course:
    return (execution.progress or Progress()).course or Course()


def _over(execution: Execution, slot: Slot) -> Execution:
    """Without anything that could still happen to it."""
    progress = Progress(course=Course(phase=Phase.ENDED, slot=slot))
    return replace(execution, holds_slot=False, progress=progress, runs={})
