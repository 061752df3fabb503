"""Logs of executions for tasks (05 §9.2, §9.3)."""

from collections.abc import Mapping
from typing import Any

from batuta.model.ids import ExecutionId
from batuta.model.instant import to_iso
from batuta.operations import logs
from batuta.operations.errors import NotFoundError
from batuta.operations.executions import get_row
from batuta.operations.purge import LogPurge, purge_logs
from batuta.server.answers.question import Answer, Question
from batuta.store.rows import LogRow


async def _read(question: Question) -> list[Any]:
    arguments = question.arguments
    execution_id = await target_of(question)
    rows = await logs.batch(
        question.caller,
        question.services,
        execution_id,
        choice=logs.LogChoice(
            min_level=arguments["level"], task_ids=tuple(arguments.get("taskIds") or ())
        ),
        page=arguments["page"],
    )
    return [_entry(row) for row in rows]


async def target_of(question: Question) -> ExecutionId:
    """The execution that a task names. Raises `NotFoundError` when the flow that it names has no such execution."""
    execution_id = ExecutionId(question.arguments["executionId"])
    if "flowId" in question.arguments:
        row = await get_row(question.caller, question.services, execution_id)
        flow = row.execution.flow
        named = (question.arguments["namespace"], question.arguments["flowId"])
        if (flow.namespace, flow.id) != named:
            raise NotFoundError
    return execution_id


def _entry(row: LogRow) -> Mapping[str, Any]:
    """As Kestra writes an entry to a file, empty fields included (05 §3.6)."""
    return {
        "tenantId": row.flow.tenant,
        "namespace": row.flow.namespace,
        "flowId": row.flow.id,
        "taskId": row.task_id,
        "executionId": row.execution_id,
        "taskRunId": row.task_run_id,
        "attemptNumber": row.attempt,
        "triggerId": row.trigger_id,
        "timestamp": to_iso(row.at),
        "level": row.level,
        "thread": row.thread,
        "message": row.message,
        "deleted": False,
        "executionKind": row.kind,
    }


async def _purge(question: Question) -> int:
    arguments = question.arguments
    wanted = LogPurge(
        end=arguments["end"],
        start=arguments.get("start"),
        namespace=arguments.get("namespace"),
        flow_id=arguments.get("flowId"),
        execution_id=arguments.get("executionId"),
        levels=tuple(arguments.get("levels") or ()),
    )
    return await purge_logs(question.caller, question.services, wanted)


JOURNAL: Mapping[str, Answer] = {"logs.read": _read, "logs.purge": _purge}
