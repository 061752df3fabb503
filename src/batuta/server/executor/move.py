"""Moving one execution: events in, and every command that can be answered at once answered, until it is quiet."""

from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import assert_never

import structlog

from batuta.engine.commands import (
    Announce,
    AnyCommand,
    Change,
    ClearTimer,
    CountRows,
    End,
    Gather,
    KillChild,
    KillChildren,
    KillTask,
    Logged,
    NewExecution,
    OutputsSaved,
    ReleaseSlot,
    Render,
    RequestSlot,
    RestartChildren,
    RestartIterations,
    RunSaved,
    RunsRemoved,
    RunTask,
    SetTimer,
    StartChild,
    StartIterations,
)
from batuta.engine.events import (
    AnyEvent,
    ChildStarted,
    Created,
    KillRequested,
    MarkRequested,
    Restarted,
    RestartRequested,
    together,
)
from batuta.engine.execution import Execution, TaskRun
from batuta.engine.plan import Concurrency, Leaf, Subflow
from batuta.engine.plan import Iterations as LoopNode
from batuta.engine.step import step
from batuta.engine.surgery import SurgeryError
from batuta.model import codec
from batuta.model.ids import ExecutionId, TaskRunId, partition_of
from batuta.model.instant import Instant
from batuta.model.state import State
from batuta.operations.repeat import edit_of
from batuta.operations.services import Services
from batuta.server.executor.children import Children
from batuta.server.executor.draft import Draft
from batuta.server.executor.inline import InlineResult, InlineRunner
from batuta.server.executor.journal import engine_log, log_rows, metric_rows, output_row
from batuta.server.executor.live import Live
from batuta.server.executor.lookup import NeedsLookUpError
from batuta.server.executor.loops.iterations import Iterations, tell_pause
from batuta.server.executor.note import (
    CountNote,
    GatherNote,
    InlineNote,
    Note,
    RenderNote,
    TaskNote,
)
from batuta.server.executor.patient import PatientRendering
from batuta.server.executor.rendering import Rendering, Replies
from batuta.server.executor.residents import Residents
from batuta.server.executor.tags import Tags
from batuta.server.executor.turn.share import Crowd, Share
from batuta.server.listening import Ear
from batuta.server.lock import released_row
from batuta.server.worker.render import JobRenderer
from batuta.store.rows import (
    ExecutionRow,
    JobRow,
    Mail,
    SlotRelease,
    SlotRequest,
    TriggerKey,
)

log = structlog.get_logger()

RENEW_TIMER = "renew"
"""The executor's own: an execution that was given up is created anew (01 §5.3)."""


class Move:
    """What one execution has to do in a turn: events, and the orders that follow from each. Done in small pieces."""

    def __init__(
        self,
        mover: "Mover",
        live: Live,
        events: Iterable[AnyEvent],
        *,
        draft: Draft,
        share: Share | None = None,
    ) -> None:
        self.draft = draft
        """Gathers rows and orders."""
        self.live = live
        self.spent = 0
        """Events and orders so far."""
        self._mover = mover
        self._share = share or mover.crowd.share(now=mover.now())
        self._events = deque(events)
        self._commands: deque[AnyCommand] = deque()
        self._answers: list[AnyEvent] = []
        self._made: AsyncIterator[ExecutionRow | ChildStarted] | None = None
        """Iterations of a Loop that begin."""
        self._iteration: Move | None = None
        draft.touch(live)

    @property
    def is_over(self) -> bool:
        return not (self._commands or self._events) and self._made is None

    async def go_on(self, pieces: int) -> None:
        """At most so many events and orders."""
        while pieces > 0 and not self.is_over:
            pieces -= 1
            self.spent += 1
            if self._made is not None:
                await self._iterate(self._made)
            elif self._commands:
                await self._obey(self._commands.popleft())
            else:
                await self._take_in(self._events.popleft())
            if self._answers and not self._commands and self._made is None:
                self._events.extend(together(self._answers))
                self._answers = []

    async def _take_in(self, event: AnyEvent) -> None:
        if not self._share.take():
            self.draft.inbox.append(Mail(self.live.execution.id, event))
            return
        commands = await self._mover.take_in(self.live, event, self.draft)
        # Task runs are made in the recorded order when tasks are answered before templates.
        self._commands.extend(sorted(commands, key=_is_no_task))

    async def _obey(self, command: AnyCommand) -> None:
        if isinstance(command, StartIterations):
            self._made = self._mover.iterations.begin(self.live, command)
            return
        answer = await self._mover.obey(self.live, command, self.draft)
        if answer is not None:
            self._answers.append(answer)

    async def _iterate(self, made: AsyncIterator[ExecutionRow | ChildStarted]) -> None:
        """New iterations of a Loop. Those that this server owns move at once, as long as the share lasts.

        An iteration that has ended meanwhile is told of in the answer, so that short ones need no turn of their own.
        """
        if self._iteration is not None:
            await self._iteration.go_on(1)
            if self._iteration.is_over:
                self._iteration = None
                self._answers += self.draft.take_mail(self.live.execution.id)
            return
        match await anext(made, None):
            case None:
                self._made = None
            case ChildStarted() as started:
                self._answers.append(started)
            case row:
                created = Created(at=self._mover.now())
                if not self._share or partition_of(row.execution.id) not in self.draft.epochs:
                    self.draft.create(row, created)
                    return
                self.draft.create(row)
                child = await self._mover.adopt(row)
                self._iteration = Move(
                    self._mover, child, [created], draft=self.draft, share=self._share
                )


class Mover:
    def __init__(
        self,
        services: Services,
        *,
        rendering: Rendering,
        patient: PatientRendering,
        inline: InlineRunner,
        children: Children,
        residents: Residents,
        listeners: Ear,
    ) -> None:
        self._services = services
        self._rendering = rendering
        self._patient = patient
        self._listeners = listeners
        self._inline = inline
        self._children = children
        self._residents = residents
        self.crowd = Crowd()
        self.iterations = Iterations(services)
        self.replies = Replies(rendering, self.iterations, now=services.clock.now)
        self._tags = Tags(services.settings.worker_groups)

    def now(self) -> Instant:
        return self._services.clock.now()

    async def take_in(self, live: Live, event: AnyEvent, draft: Draft) -> Sequence[AnyCommand]:
        """What follows from an event, in the order in which it is ordered."""
        if isinstance(event, RestartRequested | MarkRequested):
            event = await self._edit(live, event, draft) or event
        elif isinstance(event, KillRequested) and event.cascade:
            await self._children.kill_unwatched(live, draft)
        before = live.execution.state
        result = step(live.plan, live.execution, event)
        live.execution = result.execution
        tell_pause(live, before, draft, at=event.at)
        for change in result.changes:
            await self._record(live, change, draft)
        return result.commands

    async def adopt(self, row: ExecutionRow) -> Live:
        """Have an execution in memory whose row is not written yet."""
        return await self._residents.adopt(row)

    async def renew(self, execution_id: ExecutionId, draft: Draft) -> None:
        """`RENEW_TIMER` fired."""
        await self._children.renew(execution_id, draft)

    async def _edit(
        self, live: Live, event: RestartRequested | MarkRequested, draft: Draft
    ) -> Restarted | None:
        """Change rows and memory as the order wants; None when it is not possible any more (01 §8.1, §8.3)."""
        rows = await self._rows(live, draft)
        before = live.execution
        try:
            edited = edit_of(live.plan, before, rows.values(), event=event)
        except SurgeryError as error:
            log.info("order.refused", execution=before.id, reason=str(error))
            return None
        draft.remove_runs(live, edited.removed)
        for run_id in edited.removed:
            live.forget(rows[run_id])
        for run in edited.saved:
            draft.save_run(live, run)
            live.put_state(run)
        live.execution = edited.execution
        for run in before.runs.values():
            await self._stop(live, run, draft)
        return Restarted(at=event.at)

    async def _stop(self, live: Live, run: TaskRun, draft: Draft) -> None:
        """What was under way for the task run before an edit, as far as the edit took that away."""
        now = live.execution.runs.get(run.id)
        attempt = _attempt(run)
        if attempt and attempt != _attempt(now):
            draft.kills.append((run.id, attempt))
        node = live.plan.nodes.get(run.task_id)
        if isinstance(node, LoopNode) and now is None:  # iterations do not outlive their Loop
            await self._children.kill_all(live, run.id, draft)
        anew = isinstance(node, Subflow) and node.wait and not node.restart_failed
        child = run.progress.child if run.progress is not None else None
        if anew and child is not None and now is not None and now.state is State.RESTARTED:
            event = KillRequested(at=self._services.clock.now())
            draft.inbox.append(Mail(child, event))

    async def _rows(self, live: Live, draft: Draft) -> Mapping[TaskRunId, TaskRun]:
        """All task runs, with what the turn has changed and not written yet."""
        stored = await self._services.store.executions.task_runs(live.execution.id)
        found = {row.run.id: row.run for row in stored}
        for _, run_id in draft.removed:
            found.pop(run_id, None)
        found |= {run.id: run for owner, run in draft.runs.values() if owner is live}
        kept: dict[TaskRunId, TaskRun] = {}
        for run in sorted(found.values(), key=lambda run: run.ordinal):
            if (
                run.parent_id is None or run.parent_id in kept
            ):  # what was removed went with all below
                kept[run.id] = run
        return kept

    async def _record(self, live: Live, change: Change, draft: Draft) -> None:
        match change:
            case RunSaved(task_run=run):
                draft.save_run(live, run)
                live.put_state(run)
            case OutputsSaved(task_run=run, outputs=outputs):
                live.put_outputs(run, outputs)
                draft.save_outputs(await output_row(self._services, live, run, outputs=outputs))
            case RunsRemoved(task_run_ids=ids, parent=parent):
                draft.remove_runs(live, ids)
                live.forget_below(parent)
            case Logged():
                draft.logs.append(engine_log(live, change))
            case _:
                assert_never(change)

    async def obey(self, live: Live, command: AnyCommand, draft: Draft) -> AnyEvent | None:  # noqa: C901, PLR0912 - one arm for each command
        execution_id = live.execution.id
        match command:
            case RunTask():
                return await self._run(live, command, draft)
            case Render():
                return await self._render(live, command, draft)
            case StartChild():
                return await self._children.start(live, command, draft)
            case SetTimer(timer_id=timer_id, due=due):
                live.timers.add(timer_id)
                draft.set_timer(execution_id, timer_id, due)
            case ClearTimer(timer_id=timer_id):
                live.timers.discard(timer_id)
                draft.set_timer(execution_id, timer_id, None)
            case KillTask(task_run_id=run_id, attempt=attempt):
                draft.kills.append((run_id, attempt))
            case KillChildren(task_run_id=run_id):
                await self._children.kill_all(live, run_id, draft)
            case RestartChildren():
                return await self._children.restart_failed(live, command, draft)
            case StartIterations():
                return None  # more than one answer: see `Move`
            case RestartIterations():
                draft.inbox.extend(
                    Mail(execution_id, event)
                    for event in await self.iterations.restart(live, command, draft)
                )
            case CountRows(task_run_id=run_id):
                note: Note = CountNote(command=command)
                add_job(draft, live, run_id, attempt=self._deferred(live), note=note)
            case Gather(task_run_id=run_id):
                note = GatherNote(command=command)
                add_job(draft, live, run_id, attempt=self._deferred(live), note=note)
            case KillChild(execution_id=child_id):
                event = KillRequested(at=self._services.clock.now())
                draft.inbox.append(Mail(child_id, event))
            case RequestSlot():
                draft.slots.append(await self._slot_request(live))
            case ReleaseSlot(held=held):
                draft.slots.append(await self._slot_release(live, held=held))
            case NewExecution(due=due):
                draft.set_timer(execution_id, RENEW_TIMER, due)
            case Announce(state=state):
                await self._announce(live, state, draft)
            case End():
                await self._end(live, draft)
            case _:
                assert_never(command)
        return None

    async def _announce(self, live: Live, state: State, draft: Draft) -> None:
        """Other flows may listen to this one (04 §10), but not to a part of it."""
        if live.link is not None and live.link.item is not None:
            return
        for key, trigger in await self._listeners.interested(live, state):
            listening = {"id": key.id, "namespace": key.namespace, "tenantId": key.tenant}
            renderer = await self._patient.renderer(live, None, extra={"flow": listening})
            await self._listeners.hear(live, key, trigger, renderer=renderer, draft=draft)

    async def _run(self, live: Live, command: RunTask, draft: Draft) -> AnyEvent | None:
        run = live.execution.runs.get(command.task_run.id, command.task_run)
        node = live.plan.nodes[run.task_id]
        warning = self._tags.warning(live, command.group, at=self._services.clock.now())
        if warning is not None:
            draft.logs.append(warning)
        if isinstance(node, Leaf) and node.inline and not self._tags.bind(command.group):
            try:
                result = await self._rendering.attempt(
                    live,
                    run,
                    compute=lambda renderer: self.run_inline(
                        live, run, attempt=command.attempt, renderer=renderer
                    ),
                )
            except NeedsLookUpError:
                add_job(draft, live, run.id, attempt=command.attempt, note=InlineNote())
                return None
            kind = live.execution.kind
            draft.logs += log_rows(result.info, result.logs, kind=kind)
            draft.metrics += metric_rows(result.info, result.metrics, kind=kind)
            return result.event
        note = TaskNote(timeout=command.timeout)
        add_job(draft, live, run.id, attempt=command.attempt, note=note, group=command.group)
        return None

    def run_inline(
        self, live: Live, run: TaskRun, *, attempt: int, renderer: JobRenderer
    ) -> InlineResult:
        return self._inline.run(live, run, attempt=attempt, renderer=renderer)

    async def _render(self, live: Live, command: Render, draft: Draft) -> AnyEvent | None:
        try:
            return await self.replies.at_once(live, command, draft)
        except NeedsLookUpError:
            run_id = TaskRunId(live.execution.id) if command.frame is None else command.frame.id
            note = RenderNote(command=command)
            add_job(draft, live, run_id, attempt=self._deferred(live), note=note)
            return None

    def _deferred(self, live: Live) -> int:
        """Below zero, and never again: a job of an earlier process may still be there."""
        return -self._services.clock.now() - live.next_deferred()

    async def _slot_request(self, live: Live) -> SlotRequest:
        limits = await self._limits(live) or live.plan.concurrency or Concurrency(limit=1)
        return SlotRequest(
            flow=live.plan.flow,
            execution_id=live.execution.id,
            limit=limits.limit,
            behavior=limits.behavior,
            at=self._services.clock.now(),
        )

    async def _slot_release(self, live: Live, *, held: bool) -> SlotRelease:
        limits = await self._limits(live)
        return SlotRelease(
            flow=live.plan.flow,
            execution_id=live.execution.id,
            limit=limits.limit if limits is not None else None,
            at=self._services.clock.now(),
            held=held,
        )

    async def _limits(self, live: Live) -> Concurrency | None:
        """The limit counts as the latest revision has it (01 §7.1)."""
        latest = await self._services.plans.latest(live.plan.flow)
        return latest.plan.concurrency if latest is not None else None

    async def _end(self, live: Live, draft: Draft) -> None:
        execution = live.execution
        link = live.link
        if link is not None and link.wait:
            event = await self._children.ended(live, link)
            draft.inbox.append(Mail(link.execution_id, event))
        if execution.trigger is not None and link is None:
            await self._unlock(execution, draft)
        for timer_id in live.timers:
            draft.set_timer(execution.id, timer_id, None)
        draft.ended.append(live)

    async def _unlock(self, execution: Execution, draft: Draft) -> None:
        """The trigger that started the execution may fire again."""
        trigger_id = (execution.trigger or {}).get("id")
        row = await self._services.store.triggers.get(TriggerKey(execution.flow, str(trigger_id)))
        if row is not None and row.execution_id == execution.id:
            now = self._services.clock.now()
            draft.triggers.append(released_row(row, execution, now=now))


def _attempt(run: TaskRun | None) -> int:
    """The attempt that is given out, 0 for none."""
    return run.progress.attempt if run is not None and run.progress is not None else 0


def _is_no_task(command: AnyCommand) -> bool:
    return not isinstance(command, RunTask)


def add_job(
    draft: Draft,
    live: Live,
    run_id: TaskRunId,
    *,
    attempt: int,
    note: Note,
    group: str | None = None,
) -> None:
    draft.jobs[run_id, attempt] = JobRow(
        execution_id=live.execution.id,
        task_run_id=run_id,
        attempt=attempt,
        payload=codec.encode(note),
        worker_group=group,
    )
