"""Making executions: which flow, which inputs, which labels (01 §1.3, §2.5, §8; 03 §8.2)."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from batuta.engine.events import Created
from batuta.engine.execution import Execution
from batuta.flow.inputs import Resolved, put_nested
from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import Instant, to_iso
from batuta.model.label import CORRELATION_ID, Label, Labels, is_system, merge_labels
from batuta.model.state import History, State
from batuta.operations.caller import Caller
from batuta.operations.errors import (
    IllegalArgumentError,
    IllegalStateError,
    InvalidEntityError,
    NotFoundError,
    Violation,
)
from batuta.operations.files import PlacedFiles, Upload, place_files, store_files
from batuta.operations.plans import Compiled
from batuta.operations.rendering.lookup import resolve_declared
from batuta.operations.services import Services
from batuta.store.rows import ExecutionRow, LogRow, Mail, ParentLink, Turn

Breakpoints = tuple[tuple[str, str | None], ...]
REPLAY_LABEL = Label("system.replay", "true")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The execution that is asked for. `inputs` hold texts, or typed values of subflows and triggers."""

    inputs: Mapping[str, Any] = {}
    uploads: Mapping[str, Upload] = {}
    labels: Labels = ()
    trigger: Mapping[str, Any] | None = None
    schedule_date: Instant | None = None
    breakpoints: Breakpoints = ()
    kind: str | None = None
    link: ParentLink | None = None


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """`undeclared`: names that are no inputs."""

    row: ExecutionRow
    files: PlacedFiles
    undeclared: tuple[str, ...]


class CheckedInputs(msgspec.Struct, frozen=True, kw_only=True):
    """Values that fit what the flow declares, and the files that belong to them."""

    values: Mapping[str, Any]
    files: PlacedFiles
    undeclared: tuple[str, ...]


async def start(
    caller: Caller,
    services: Services,
    flow: FlowKey,
    *,
    wanted: Wanted,
    revision: int | None = None,
) -> Execution:
    """A new execution, durable and in the inbox of the executor on return.

    Raises `NotFoundError`, `IllegalStateError` for a flow that cannot run, `InvalidEntityError` with every wrong input.
    """
    check_system_labels(label for label in wanted.labels if label.key != CORRELATION_ID)
    compiled = await startable(caller, services, flow, revision=revision)
    prepared = await _prepare(caller, services, compiled=compiled, wanted=wanted)
    await store_files(services, flow.tenant, prepared.files)
    execution = prepared.row.execution
    at = execution.histories[0].at
    await services.store.commit(
        Turn(
            created=[prepared.row],
            inbox=[Mail(execution.id, Created(at=at))],
            logs=[_undeclared(execution, name, at) for name in prepared.undeclared],
        )
    )
    return execution


async def startable(
    caller: Caller, services: Services, flow: FlowKey, *, revision: int | None = None
) -> Compiled:
    """The flow, if it may be executed (03 §8.2)."""
    row = await services.plans.latest_row(flow) if caller.may_see(flow.namespace) else None
    if row is None or row.deleted or flow.tenant != caller.tenant:
        raise NotFoundError("Requested Flow is not found.")
    if revision is not None and revision != row.revision:
        row = await services.store.flows.get(flow, revision=revision)
        if row is None:
            raise NotFoundError("Requested Flow is not found.")
    if row.disabled:
        raise IllegalStateError("Requested Flow is disabled.")
    return services.plans.compiled(row)


async def prepare(
    caller: Caller, services: Services, compiled: Compiled, *, wanted: Wanted
) -> ExecutionRow:
    """The row of a new execution, which the caller writes together with its `Created` event."""
    return (await _prepare(caller, services, compiled=compiled, wanted=wanted)).row


async def check_inputs(
    caller: Caller,
    services: Services,
    flow: FlowKey,
    *,
    wanted: Wanted,
    revision: int | None = None,
) -> Resolved:
    """What the inputs would be, and everything that is wrong with them; makes nothing (03 §8.3)."""
    compiled = await startable(caller, services, flow, revision=revision)
    execution_id = services.ids.execution_id()
    return await _resolve(
        caller, services, compiled=compiled, wanted=wanted, execution_id=execution_id
    )


def replay_of(
    source: Execution, services: Services, *, schedule_date: Instant | None = None
) -> ExecutionRow:
    """The same once more from the start: new id, nothing run yet (01 §5.3, §8.2)."""
    now = services.clock.now()
    execution = Execution(
        id=services.ids.execution_id(),
        flow=source.flow,
        revision=source.revision,
        histories=(History(State.CREATED, now),),
        inputs=source.inputs,
        variables=source.variables,
        labels=merge_labels(source.labels, [REPLAY_LABEL]),
        trigger=source.trigger,
        parent_id=source.id,
        original_id=source.original_id or source.id,
        attempt_number=source.attempt_number + 1,
        original_created=source.original_created or source.histories[0].at,
        schedule_date=schedule_date,
        kind=source.kind,
    )
    return ExecutionRow(execution=execution)


def check_system_labels(labels: Iterable[Label]) -> None:
    """Raises `IllegalArgumentError` for the first label that only the system may set (01 §1.3)."""
    for label in labels:
        if is_system(label):
            raise IllegalArgumentError(
                "System labels can only be set by Kestra itself,"
                f" offending label: {label.key}={label.value}"
            )


def read_breakpoints(text: str | None) -> Breakpoints:
    """`taskId` or `taskId.value`, comma separated (01 §8.5)."""
    points = []
    for part in (text or "").split(","):
        task_id, dot, value = part.strip().partition(".")
        if task_id:
            points.append((task_id, value if dot else None))
    return tuple(points)


async def _prepare(
    caller: Caller, services: Services, *, compiled: Compiled, wanted: Wanted
) -> Prepared:
    execution_id = services.ids.execution_id()
    checked = await checked_inputs(
        caller, services, compiled, wanted=wanted, execution_id=execution_id
    )
    now = services.clock.now()
    execution = Execution(
        id=execution_id,
        flow=compiled.plan.flow,
        revision=compiled.plan.revision,
        histories=(History(State.CREATED, now),),
        inputs=checked.values,
        variables=compiled.plan.variables,
        labels=_labels(compiled, wanted.labels, execution_id),
        trigger=wanted.trigger,
        original_id=execution_id,
        original_created=now,
        schedule_date=wanted.schedule_date,
        kind=wanted.kind,
        breakpoints=wanted.breakpoints,
    )
    return Prepared(
        row=ExecutionRow(execution=execution, link=wanted.link),
        files=checked.files,
        undeclared=checked.undeclared,
    )


async def checked_inputs(
    caller: Caller,
    services: Services,
    compiled: Compiled,
    *,
    wanted: Wanted,
    execution_id: ExecutionId,
) -> CheckedInputs:
    """The inputs of an execution that is going to have this id. Raises `InvalidEntityError` with every wrong one."""
    resolved = await _resolve(
        caller, services, compiled=compiled, wanted=wanted, execution_id=execution_id
    )
    if resolved.errors:
        raise InvalidEntityError(
            [Violation(problem.message, problem.id) for problem in resolved.errors]
        )
    enabled = {each.declared.id for each in resolved.inputs if each.enabled}
    return CheckedInputs(
        values=resolved.values,
        files=_placed(compiled, execution_id, wanted).only(enabled),
        undeclared=resolved.undeclared,
    )


def _labels(compiled: Compiled, given: Iterable[Label], execution_id: ExecutionId) -> Labels:
    """Those of the flow, those given, and the correlation id (01 §1.3)."""
    own = [label for label in compiled.row.labels if not is_system(label)]
    labels = merge_labels(own, given)
    if any(label.key == CORRELATION_ID for label in labels):
        return labels
    return (*labels, Label(CORRELATION_ID, execution_id))


async def _resolve(
    caller: Caller,
    services: Services,
    *,
    compiled: Compiled,
    wanted: Wanted,
    execution_id: ExecutionId,
) -> Resolved:
    declared = compiled.flow.inputs
    placed = _placed(compiled, execution_id, wanted).values
    strangers = {name: name for name in wanted.uploads if name not in placed}
    given = {**wanted.inputs, **placed, **strangers}
    if not declared:
        return Resolved(values={}, inputs=(), undeclared=tuple(given))
    return await resolve_declared(
        caller,
        services,
        compiled.plan.flow.namespace,
        declared=declared,
        given=given,
        variables=_variables(services, compiled, wanted=wanted, execution_id=execution_id),
    )


def _variables(
    services: Services, compiled: Compiled, *, wanted: Wanted, execution_id: ExecutionId
) -> dict[str, Any]:
    """What templates of inputs see of the execution that is going to be."""
    plan = compiled.plan
    coming = Execution(
        id=execution_id,
        flow=plan.flow,
        revision=plan.revision,
        histories=(History(State.CREATED, services.clock.now()),),
        variables=plan.variables,
        labels=_labels(compiled, wanted.labels, execution_id),
        trigger=wanted.trigger,
    )
    return execution_variables(services, coming)


def execution_variables(services: Services, execution: Execution) -> dict[str, Any]:
    """Variables of templates outside tasks (02 §3)."""
    settings = services.settings
    kestra = {"environment": settings.environment_name, "url": settings.url}
    variables: dict[str, Any] = {
        "flow": {
            "id": execution.flow.id,
            "namespace": execution.flow.namespace,
            "revision": execution.revision,
            "tenantId": execution.flow.tenant,
        },
        "execution": {
            "id": execution.id,
            "startDate": to_iso(execution.histories[0].at),
            "originalId": execution.original_id or execution.id,
            "state": execution.state.value,
        },
        "labels": nested_labels(execution.labels),
        "vars": execution.variables,
        "envs": environment_variables(services.environment, settings.env_prefix),
        "globals": dict(settings.globals),
        "kestra": {name: value for name, value in kestra.items() if value is not None},
    }
    if execution.trigger is not None:
        variables["trigger"] = execution.trigger.get("variables") or {}
    return variables


def environment_variables(environment: Mapping[str, str], prefix: str) -> dict[str, str]:
    """`envs` of templates: names lose the prefix and become lower case (02 §3)."""
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in environment.items()
        if name.startswith(prefix)
    }


def nested_labels(labels: Iterable[Label]) -> dict[str, Any]:
    """Labels as templates see them: dotted keys become maps (01 §1.3)."""
    nested: dict[str, Any] = {}
    for label in labels:
        put_nested(nested, label.key, label.value)
    return nested


def _placed(compiled: Compiled, execution_id: ExecutionId, wanted: Wanted) -> PlacedFiles:
    return place_files(
        compiled.plan.flow,
        execution_id,
        declared=compiled.flow.inputs or (),
        uploads=wanted.uploads,
    )


def _undeclared(execution: Execution, name: str, at: Instant) -> LogRow:
    flow = execution.flow
    return LogRow(
        at=at,
        level="WARN",
        message=(
            f"Input {name} was provided for workflow {flow.namespace}.{flow.id}"
            " but isn't declared in the workflow inputs"
        ),
        flow=flow,
        execution_id=execution.id,
        kind=execution.kind,
    )
