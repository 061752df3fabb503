"""Trying an expression on an execution (03 §8.11). Nobody sees a secret by it: templates get `******` in its place."""

import asyncio
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import msgspec
from typing_extensions import override

from batuta.engine.execution import Execution, TaskRun
from batuta.expr import Context, ExpressionError, LazyVars, render, render_value
from batuta.flow.inputs import get_nested, put_nested
from batuta.model import codec
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.model.instant import to_iso
from batuta.operations.caller import Caller
from batuta.operations.errors import NotFoundError
from batuta.operations.executions import get_row
from batuta.operations.family import around, item_variable
from batuta.operations.plans import Compiled
from batuta.operations.rendering.lookup import InputHost
from batuta.operations.services import Services
from batuta.operations.start import execution_variables
from batuta.sdk.context import attempt_key
from batuta.sdk.input import InputType
from batuta.store.rows import OutputRow

MASK = "******"
_ENCRYPTED = "io.kestra.datatype:aes_encrypted"


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: a text, or why there is none."""

    result: str | None = None
    error: str | None = None


async def evaluate(
    caller: Caller,
    services: Services,
    execution_id: ExecutionId,
    *,
    expression: str,
    task_run_id: TaskRunId | None = None,
) -> Evaluation:
    """Render with the variables of the execution, or of one of its task runs. Raises `NotFoundError`."""
    row = await get_row(caller, services, execution_id)
    execution = row.execution
    family = await around(services, row)
    root = family[-1].execution
    compiled = await services.plans.of(execution)
    variables = execution_variables(services, execution)
    variables["inputs"] = masked_inputs(root.inputs, compiled)
    if row.link is not None and row.link.item is not None:
        variables["item"] = item_variable(row.link.item)
        variables["trigger"] = (root.trigger or {}).get("variables") or {}
    outputs: dict[str, Any] = {}
    for one in reversed(family):
        outputs |= await _outputs(services, one.execution)
    variables["outputs"] = outputs
    if task_run_id is not None:
        rows = await services.store.executions.ancestors(execution_id, task_run_id)
        if not rows:
            raise NotFoundError(f"Task run '{task_run_id}' not found.")
        runs = [row.run for row in rows]
        variables |= _frame(compiled, runs, outputs)
        run = runs[0]
        variables["idempotencyKey"] = attempt_key(execution_id, run.id, run.attempt_number)
    host = MaskingHost(caller, services, execution.flow.namespace, loop=asyncio.get_running_loop())
    return await asyncio.to_thread(
        _render, expression, variables, host, lazy=services.settings.lazy_variables
    )


class MaskingHost(InputHost):
    """Look-ups of a flow, without what its secrets say."""

    @override
    def secret(self, key: str, *, namespace: str | None) -> str:
        super().secret(key, namespace=namespace)
        return MASK


def masked_inputs(inputs: Mapping[str, Any], compiled: Compiled) -> Mapping[str, Any]:
    """Values of SECRET inputs are hidden, also from transformations."""
    secret = [each.id for each in compiled.flow.inputs or () if each.type is InputType.SECRET]
    given = [name for name in secret if get_nested(inputs, name) is not None]
    if not given:
        return inputs
    shown = deepcopy(dict(inputs))
    for name in given:
        put_nested(shown, name, MASK)
    return shown


def _render(
    expression: str, variables: dict[str, Any], host: MaskingHost, *, lazy: bool
) -> Evaluation:
    context = Context(variables, host)
    if lazy:
        variables["vars"] = LazyVars(variables["vars"], lambda raw: render_value(raw, context))
    try:
        return Evaluation(result=render(expression, context) or "")
    except ExpressionError as error:
        return Evaluation(error=str(error))


async def _outputs(services: Services, execution: Execution) -> dict[str, Any]:
    """By task, and below it by the values of the loops around (01 §6.0)."""
    found: dict[str, Any] = {}
    for row in await services.store.executions.outputs(execution.id):
        place = found.setdefault(row.task_id, {})
        for step in row.path:
            place = place.setdefault(step, {})
        place.update(masked(await _data(services, execution, row)))
    return found


async def _data(services: Services, execution: Execution, row: OutputRow) -> dict[str, Any]:
    data = row.data
    if data is None and row.uri is not None:
        try:
            data = await services.storage.read(execution.flow.tenant, row.uri)
        except FileNotFoundError:
            data = None
    return {} if data is None else codec.decode_as(dict[str, Any], data)


def masked(value: Any) -> Any:
    """The value with a mask for every part that is encrypted."""
    if isinstance(value, Mapping):
        if value.get("type") == _ENCRYPTED and "value" in value:
            return MASK
        return {name: masked(part) for name, part in value.items()}
    return [masked(part) for part in value] if isinstance(value, list) else value


def _frame(
    compiled: Compiled, runs: Sequence[TaskRun], outputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Variables of the first of the runs, whose parents the others are, the nearest first."""
    run = runs[0]
    node = compiled.plan.nodes.get(run.task_id)
    attempts = sum(1 for attempt in run.attempts or () if attempt.state.is_terminal)
    optional = (
        ("parentId", run.parent_id),
        ("value", run.value),
        ("iteration", run.iteration),
    )
    taskrun = {
        "id": run.id,
        "startDate": to_iso(run.histories[0].at),
        "attemptsCount": attempts,
        **{name: value for name, value in optional if value is not None},
    }
    variables: dict[str, Any] = {
        "task": {"id": run.task_id, "type": "" if node is None else node.type},
        "taskrun": taskrun,
    }
    parents = [entry for parent in runs[1:] if (entry := _parent(parent, outputs))]
    if parents:
        variables |= {"parent": parents[0], "parents": parents}
    return variables


def _parent(run: TaskRun, outputs: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if run.value is not None:
        entry["taskrun"] = {"value": run.value}
    place: Any = outputs.get(run.task_id)
    for step in run.path:
        place = place.get(step) if isinstance(place, Mapping) else None
    if place:
        entry["outputs"] = place
    return entry
