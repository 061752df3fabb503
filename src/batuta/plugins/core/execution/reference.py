"""Which execution a task means (05 §9.2)."""

from collections.abc import Mapping

from batuta.sdk import RunContext, TaskError


def execution_named(
    ctx: RunContext, *, execution_id: str | None, namespace: str | None, flow_id: str | None
) -> Mapping[str, str]:
    """What to ask the server for: the execution, and its flow when the author names it.

    Raises `TaskError` when the flow is named without the execution, or only in part.
    """
    if not execution_id:
        if namespace or flow_id:
            raise TaskError(
                "`namespace` and `flowId` should only be set when `executionId` is set."
            )
        return {"executionId": ctx.info.execution_id}
    if not namespace and not flow_id:
        return {"executionId": execution_id}
    if not namespace or not flow_id:
        raise TaskError("Both `namespace` and `flowId` must be set when `executionId` is set.")
    return {"executionId": execution_id, "namespace": namespace, "flowId": flow_id}
