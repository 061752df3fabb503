"""Rows for the cases: short to write, different in every column that a case looks at."""

from typing import Any

from batuta.engine.events import Created
from batuta.engine.execution import Execution, TaskRun
from batuta.model.ids import ExecutionId, FlowKey, TaskId, TaskRunId
from batuta.model.instant import Instant
from batuta.model.label import Labels
from batuta.model.state import Histories, History, State
from batuta.store.rows import (
    ExecutionRow,
    FlowRow,
    KvRow,
    LogRow,
    Mail,
    OutputRow,
    TaskRunRow,
    Turn,
)

FLOW = FlowKey("main", "company.team", "daily")
OTHER_FLOW = FlowKey("main", "company", "weekly")


def histories(*states: State, at: int = 100) -> Histories:
    """One entry for each state, a microsecond apart."""
    return tuple(History(state, Instant(at + step)) for step, state in enumerate(states))


def execution(name: str, *states: State, at: int = 100, **fields: Any) -> Execution:
    given: dict[str, Any] = {"flow": FLOW, "revision": 1, **fields}
    return Execution(
        id=ExecutionId(name), histories=histories(*(states or (State.CREATED,)), at=at), **given
    )


def starts(*executions: Execution) -> Turn:
    """A turn that creates them, each with its first event."""
    return Turn(
        created=[ExecutionRow(execution=each) for each in executions],
        inbox=[Mail(each.id, Created(at=each.histories[0].at)) for each in executions],
    )


def task_run(name: str, ordinal: int, *states: State, **fields: Any) -> TaskRun:
    given: dict[str, Any] = {"task_id": TaskId("task"), **fields}
    return TaskRun(
        id=TaskRunId(name),
        ordinal=ordinal,
        histories=histories(*(states or (State.CREATED,))),
        **given,
    )


def of(owner: Execution, *runs: TaskRun, items_known: bool = False) -> list[TaskRunRow]:
    return [TaskRunRow(execution_id=owner.id, run=run, items_known=items_known) for run in runs]


def output(owner: Execution, run: TaskRun, data: bytes = b"{}") -> OutputRow:
    return OutputRow(
        execution_id=owner.id,
        ordinal=run.ordinal,
        task_id=run.task_id,
        task_run_id=run.id,
        path=run.path,
        data=data,
    )


def log(message: str, *, at: int = 100, level: str = "INFO", **fields: Any) -> LogRow:
    return LogRow(**{"at": Instant(at), "level": level, "message": message, "flow": FLOW, **fields})


def flow(key: FlowKey = FLOW, *, revision: int = 1, labels: Labels = (), **fields: Any) -> FlowRow:
    given: dict[str, Any] = {
        "data": b'{"id":"x"}',
        "source": f"id: {key.id}\nnamespace: {key.namespace}\n",
        "updated": Instant(revision),
        **fields,
    }
    return FlowRow(key=key, revision=revision, labels=labels, **given)


def value(key: str, text: str = '"v"', *, at: int = 100, **fields: Any) -> KvRow:
    given: dict[str, Any] = {"tenant": "main", "namespace": "company.team", **fields}
    return KvRow(key=key, value=text, created=Instant(at), updated=Instant(at), **given)
