"""Events that have no inbox row: what workers and the server itself found out."""

from collections.abc import Sequence

from batuta.engine.events import AnyEvent
from batuta.model.ids import ExecutionId, TaskRunId
from batuta.store.rows import LogRow, MetricRow


class Local:
    """An event that has no inbox row: a worker's answer, and the job that it ends."""

    __slots__ = ("event", "execution_id", "job", "logs", "metrics")

    def __init__(
        self,
        execution_id: ExecutionId,
        event: AnyEvent | None,
        *,
        job: tuple[TaskRunId, int] | None = None,
        logs: Sequence[LogRow] = (),
        metrics: Sequence[MetricRow] = (),
    ) -> None:
        self.execution_id = execution_id
        self.event = event
        self.job = job
        self.logs = logs
        self.metrics = metrics
