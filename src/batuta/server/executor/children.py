"""Executions that an execution starts: subflows, batches of ForEachItem, and its own next attempt."""

from collections.abc import Sequence

from batuta.engine.commands import StartChild
from batuta.engine.events import AnyEvent, ChildStarted, Created, KillRequested
from batuta.model.ids import FlowKey, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Label, Labels, is_system, merge_labels
from batuta.model.state import State
from batuta.operations import restart, start
from batuta.operations.caller import Caller
from batuta.operations.errors import OperationError
from batuta.operations.services import Services
from batuta.server.executor.draft import Draft
from batuta.server.executor.live import Live
from batuta.store.rows import ExecutionRow, Mail, ParentLink


class Children:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def start(self, live: Live, command: StartChild, draft: Draft) -> AnyEvent:
        """Create the child in the same turn; what is wrong with it is a problem in the answer."""
        child_id = None
        problem = None
        try:
            if command.restart is not None:
                child_id = command.restart
                await self._restart(live, command, draft)
            else:
                row = await self._new(live, command)
                child_id = row.execution.id
                draft.created.append(row)
                draft.inbox.append(Mail(child_id, Created(at=self._services.clock.now())))
        except OperationError as error:
            child_id, problem = None, error.message
        return ChildStarted(
            at=self._services.clock.now(),
            task_run_id=command.task_run.id,
            attempt=command.attempt,
            execution_id=child_id,
            index=command.index,
            problem=problem,
        )

    async def renew(self, live: Live, due: Instant, draft: Draft) -> None:
        """The next attempt of the whole execution: a replay from the start (01 §5.3)."""
        row = start.replay_of(live.execution, self._services, schedule_date=due)
        draft.created.append(row)
        draft.inbox.append(Mail(row.execution.id, Created(at=self._services.clock.now())))

    async def kill_all(self, live: Live, run_id: TaskRunId, draft: Draft) -> None:
        event = KillRequested(at=self._services.clock.now())
        for row in await self._of_run(live, run_id):
            if not row.execution.state.is_terminal:
                draft.inbox.append(Mail(row.execution.id, event))

    async def restart_failed(self, live: Live, run_id: TaskRunId, draft: Draft) -> None:
        for row in await self._of_run(live, run_id):
            if row.execution.state is State.FAILED:
                await restart.into(self._services, row.execution.id, draft)

    async def _of_run(self, live: Live, run_id: TaskRunId) -> Sequence[ExecutionRow]:
        rows = await self._services.store.executions.children(live.execution.id)
        return [row for row in rows if row.link is not None and row.link.task_run_id == run_id]

    async def _new(self, live: Live, command: StartChild) -> ExecutionRow:
        parent = live.execution
        flow = FlowKey(parent.flow.tenant, command.namespace, command.flow_id)
        caller = Caller(user=f"flow {parent.flow}", tenant=parent.flow.tenant)
        compiled = await start.startable(caller, self._services, flow, revision=command.revision)
        return await start.prepare(
            caller,
            self._services,
            compiled,
            start.Wanted(
                inputs=command.inputs,
                labels=_labels(live, command),
                trigger=_trigger(live, command),
                schedule_date=command.schedule_date,
                kind=parent.kind,
                link=ParentLink(
                    execution_id=parent.id,
                    task_run_id=command.task_run.id,
                    attempt=command.attempt,
                    index=command.index,
                    wait=command.wait,
                ),
            ),
        )
