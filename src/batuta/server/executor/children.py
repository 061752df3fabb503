"""Executions that an execution starts: subflows, batches of ForEachItem, and its own next attempt."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from batuta.engine.commands import RestartChildren, StartChild
from batuta.engine.events import AnyEvent, ChildEnded, ChildStarted, Created, KillRequested
from batuta.engine.plan import Subflow
from batuta.engine.values import is_truthy
from batuta.expr import ExpressionError
from batuta.model.ids import ExecutionId, FlowKey, TaskRunId
from batuta.model.ion import write_row
from batuta.model.label import Labels, is_system, merge_labels
from batuta.model.state import State
from batuta.operations import start
from batuta.operations.caller import Caller
from batuta.operations.errors import IllegalStateError, NotFoundError, OperationError
from batuta.operations.family import NOT_ENDED, children_of
from batuta.operations.order import is_over
from batuta.operations.plans import Compiled, InvalidFlowError
from batuta.operations.repeat import restart_turn
from batuta.operations.services import Services
from batuta.server.executor.draft import Draft
from batuta.server.executor.live import Live
from batuta.server.executor.patient import PatientRendering
from batuta.server.executor.rendering import Rendering
from batuta.store.query import Filter, Op
from batuta.store.rows import ExecutionRow, Mail, ParentLink

_SUBFLOWS = frozenset(
    f"io.kestra.{name}"
    for name in ("plugin.core.flow.Subflow", "plugin.core.flow.Flow", "core.tasks.flows.Flow")
)
_FAILED = Filter("state", Op.EQUALS, State.FAILED.value)


class Children:
    def __init__(
        self, services: Services, *, rendering: Rendering, patient: PatientRendering
    ) -> None:
        self._services = services
        self._rendering = rendering
        self._patient = patient

    async def start(self, live: Live, command: StartChild, draft: Draft) -> AnyEvent:
        """Create the child in the same turn; what is wrong with it is a problem in the answer."""
        child_id = None
        problem = None
        try:
            if command.restart is not None:
                child_id = command.restart
                if not await self._restart(child_id, draft):
                    await self._report(live, command, child_id, draft=draft)
            else:
                row = await self._new(live, command)
                child_id = row.execution.id
                draft.create(row, Created(at=self._services.clock.now()))
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

    async def renew(self, execution_id: ExecutionId, draft: Draft) -> None:
        """The next attempt of a whole execution: a replay from the start (01 §5.3)."""
        found = await self._services.store.executions.get(execution_id)
        if found is None:
            return
        row = start.replay_of(found.execution, self._services)
        draft.created.append(row)
        draft.inbox.append(Mail(row.execution.id, Created(at=self._services.clock.now())))

    async def ended(self, live: Live, link: ParentLink) -> ChildEnded:
        """What a parent that waits is told."""
        execution = live.execution
        outputs, problem = execution.outputs, live.output_problem
        if link.item is not None:  # the Loop gathers outputs when all its iterations have ended
            outputs = problem = None
        elif not live.plan.outputs:
            outputs, problem = await self._extracted(live, link)
        if link.index is not None and outputs:
            await self._write_outputs(live, outputs)
        return ChildEnded(
            at=self._services.clock.now(),
            task_run_id=link.task_run_id,
            execution_id=execution.id,
            state=execution.state,
            outputs=outputs,
            index=link.index,
            problem=problem,
        )

    async def _extracted(
        self, live: Live, link: ParentLink
    ) -> tuple[Mapping[str, Any] | None, str | None]:
        """The deprecated `outputs` of the Subflow task, rendered with what the child knows (01 §6.13)."""
        parent = await self._services.store.executions.get(link.execution_id)
        runs = await self._services.store.executions.task_runs(
            link.execution_id, ids=[link.task_run_id]
        )
        if parent is None or not runs:
            return None, None
        compiled = await self._services.plans.of(parent.execution)
        node = compiled.plan.nodes.get(runs[0].run.task_id)
        wanted = node.outputs if isinstance(node, Subflow) else None
        if not wanted or not _outputs_enabled(self._services.settings.plugin_configurations):
            return None, None
        try:
            renderer = await self._patient.renderer(live, None)
            return await asyncio.to_thread(renderer.render, wanted), None
        except ExpressionError as error:
            return None, str(error)

    async def _write_outputs(self, live: Live, outputs: Mapping[str, Any]) -> None:
        """One Ion row beside those of the other batches; `<id>_merge` joins them (01 §6.8)."""
        variables = (live.execution.trigger or {}).get("variables") or {}
        place = (variables.get("taskRunOutputs") or {}).get("uri")
        if isinstance(place, str):
            tenant = live.plan.flow.tenant
            await self._services.storage.put(tenant, f"kestra:{place}", write_row(outputs))

    async def kill_all(self, live: Live, run_id: TaskRunId, draft: Draft) -> None:
        event = KillRequested(at=self._services.clock.now())
        draft.inbox.extend(
            Mail(row.execution.id, event)
            for row in draft.created  # in this turn: they cannot be read yet
            if _is_of(row, run_id)
        )
        async for row in children_of(self._services, live.execution.id, NOT_ENDED):
            if _is_of(row, run_id):
                draft.inbox.append(Mail(row.execution.id, event))

    async def restart_failed(
        self, live: Live, command: RestartChildren, draft: Draft
    ) -> AnyEvent | None:
        """All failed children go on, or the answer says why they do not."""
        failed = [
            row
            async for row in children_of(self._services, live.execution.id, _FAILED)
            if _is_of(row, command.task_run_id)
        ]
        done = [await self._restart(row.execution.id, draft) for row in failed]
        if done and all(done):
            return None
        return ChildStarted(
            at=self._services.clock.now(),
            task_run_id=command.task_run_id,
            attempt=command.attempt,
            problem="The executions that failed cannot be restarted",
        )

    async def kill_unwatched(self, live: Live, draft: Draft) -> None:
        """A kill that cascades reaches children, too, that nobody waits for, or no longer (01 §4.9)."""
        event = KillRequested(at=self._services.clock.now())
        async for row in children_of(self._services, live.execution.id, NOT_ENDED):
            link = row.link
            if link is None or not link.wait or link.task_run_id not in live.execution.runs:
                draft.inbox.append(Mail(row.execution.id, event))

    async def _report(
        self, live: Live, command: StartChild, child_id: ExecutionId, *, draft: Draft
    ) -> None:
        """The child did not fail: its end is told once more (01 §6.13), or will be when it moves again."""
        row = await self._services.store.executions.get(child_id, live=True)
        if row is not None and not is_over(row.execution):
            return
        event = ChildEnded(
            at=self._services.clock.now(),
            task_run_id=command.task_run.id,
            execution_id=child_id,
            state=row.execution.state if row is not None else State.FAILED,
            outputs=row.execution.outputs if row is not None else None,
            index=command.index,
        )
        draft.inbox.append(Mail(live.execution.id, event))

    async def _new(self, live: Live, command: StartChild) -> ExecutionRow:
        parent = live.execution
        flow = FlowKey(parent.flow.tenant, command.namespace, command.flow_id)
        caller = Caller(user=f"flow {parent.flow}", tenant=parent.flow.tenant)
        compiled = await self._startable(caller, flow, command.revision)
        return await start.prepare(
            caller,
            self._services,
            compiled,
            wanted=start.Wanted(
                inputs=command.inputs,
                labels=_labels(compiled, live, command),
                trigger=_trigger(
                    live,
                    command,
                    outputs=command.told
                    or await self._rendering.outputs_of(live, command.task_run),
                ),
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

    async def _startable(self, caller: Caller, flow: FlowKey, revision: int | None) -> Compiled:
        """Refusals in the words of 01 §6.13."""
        try:
            return await start.startable(caller, self._services, flow, revision=revision)
        except NotFoundError as error:
            raise NotFoundError(
                f"Unable to find flow '{flow.namespace}'.'{flow.id}' with revision '{revision or 0}'"
            ) from error
        except InvalidFlowError as error:
            raise IllegalStateError(f"Cannot execute an invalid flow: {error.message}") from error
        except IllegalStateError as error:
            raise IllegalStateError("Cannot execute a flow which is disabled") from error

    async def _restart(self, execution_id: ExecutionId, draft: Draft) -> bool:
        """A failed child goes on in the same turn (01 §6.13); false when it did not fail."""
        turn = await restart_turn(self._services, execution_id)
        if turn is None:
            return False
        draft.take_over(turn)
        return True


def _is_of(row: ExecutionRow, run_id: TaskRunId) -> bool:
    return row.link is not None and row.link.task_run_id == run_id


def _outputs_enabled(configurations: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the server allows the deprecated `outputs` of Subflow tasks (01 §10.4)."""
    for each in configurations:
        if each.get("type") in _SUBFLOWS:
            values = each.get("values") or {}
            found = values.get("outputs.enabled", (values.get("outputs") or {}).get("enabled"))
            if found is not None:
                return is_truthy(found)
    return True


def _labels(compiled: Compiled, live: Live, command: StartChild) -> Labels:
    """Of the parent all labels that the child's flow does not define, or the system's only; then the task's own."""
    own = {label.key for label in compiled.flow.label_list}
    inherited = [
        label
        for label in live.execution.labels
        if is_system(label) or (command.inherit_labels and label.key not in own)
    ]
    return merge_labels(inherited, command.labels)


def _trigger(
    live: Live, command: StartChild, *, outputs: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The `trigger` object of a child (01 §6.13)."""
    run = command.task_run
    execution = live.execution
    variables: dict[str, Any] = {
        "executionId": execution.id,
        "namespace": execution.flow.namespace,
        "flowId": execution.flow.id,
        "flowRevision": execution.revision,
        "taskRunId": run.id,
        "taskId": run.task_id,
    }
    if run.value is not None:
        variables["taskRunValue"] = run.value
    if run.iteration is not None:
        variables["taskRunIteration"] = run.iteration
    if outputs:
        variables["taskRunOutputs"] = outputs
    node = live.plan.nodes[run.task_id]
    return {"id": run.task_id, "type": node.type, "variables": variables}
