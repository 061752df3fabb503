"""Every operation of 01 §8 in every state of an execution, alone and in bulk: what the API answers."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import httpx2
import pytest

from batuta.engine.execution import TaskRun
from batuta.model.ids import ExecutionId, TaskId, TaskRunId
from batuta.model.state import TERMINAL, History, State
from batuta.operations.services import Services
from batuta.store.memory import MemoryStore
from batuta.store.rows import TaskRunRow, Turn
from tests.api.conftest import API, SaveFlow, flow_source
from tests.api.test_executions import begin, replaced

S = State
EXECUTIONS = f"{API}/executions"


OF_RUN = {S.KILLING: S.RUNNING, S.RETRIED: S.FAILED, S.CANCELLED: S.KILLED}


@pytest.fixture
def store() -> MemoryStore:
    """What is refused does not depend on the store."""
    return MemoryStore()


async def put_into(services: Services, execution_id: str, state: State) -> None:
    """One task run in the same state, as far as task runs have it."""
    row = await services.store.executions.get(ExecutionId(execution_id))
    assert row is not None
    now = services.clock.now()
    past = row.execution.histories
    histories = past if state is S.CREATED else (*past, History(state, now))
    breakpoints = (("t1", None),) if state is S.BREAKPOINT else ()
    runs = []
    if state not in {S.CREATED, S.QUEUED}:
        of_run = OF_RUN.get(state, state)
        run = TaskRun(
            id=TaskRunId("run-1"),
            task_id=TaskId("t1"),
            ordinal=0,
            histories=(History(S.CREATED, now), History(of_run, now)),
        )
        runs.append(TaskRunRow(execution_id=row.execution.id, run=run))
    changed = replaced(
        row.execution, histories=histories, created_runs=len(runs), breakpoints=breakpoints
    )
    await services.store.commit(Turn(executions=[changed], task_runs=runs))


class Rule(NamedTuple):
    """`refusal` is for states that are not in `accepted`; `other` for single states, with an answer of their own."""

    method: str
    path: str
    body: Any
    success: int
    accepted: Collection[State]
    refusal: tuple[int, str] = (0, "")
    other: Mapping[State, tuple[int, str]] = {}


EVERY = frozenset(State)
LIVE = EVERY - TERMINAL
RESTARTABLE = frozenset({S.PAUSED, S.FAILED, S.RETRIED})
RUNS = EVERY - {S.CREATED, S.QUEUED}
MOVING = (
    409,
    "Illegal state: Execution must be terminated to be restarted, current state is '{state}' !",
)
NOTHING = (422, "Illegal argument: No task found to restart execution from!")
NO_RUN = (422, "Illegal argument: Task run 'run-1' does not exist")
NOT_PAUSED = (409, "Illegal state: Execution '{id}' is not paused, can't resume it")
NOT_QUEUED = (422, "Illegal argument: Only QUEUED execution can be unqueued")
DONE = dict.fromkeys(TERMINAL - RESTARTABLE, NOTHING)

SINGLE: Mapping[str, Rule] = {
    "restart": Rule("POST", "/{id}/restart", None, 200, RESTARTABLE, MOVING, DONE),
    "restart on a revision": Rule("POST", "/{id}/restart?revision=1", None, 200, RESTARTABLE, MOVING, DONE),
    "replay": Rule("POST", "/{id}/replay", None, 200, EVERY),
    "replay from a task": Rule("POST", "/{id}/replay?taskRunId=run-1", None, 200, RUNS, NO_RUN),
    "replay with inputs": Rule("POST", "/{id}/replay-with-inputs", {}, 200, EVERY),
    "resume": Rule("POST", "/{id}/resume", None, 204, {S.PAUSED}, NOT_PAUSED),
    "validate resume": Rule("POST", "/{id}/resume/validate", None, 200, {S.PAUSED}, NOT_PAUSED),
    "pause": Rule("POST", "/{id}/pause", None, 200, {S.RUNNING}, (422, "Illegal argument: The execution is not running")),
    "leave a breakpoint": Rule("POST", "/{id}/resume-from-breakpoint", None, 200, {S.BREAKPOINT}, (409, "Illegal state: Execution is not suspended")),
    "kill": Rule("DELETE", "/{id}/kill", None, 202, EVERY),
    "kill alone": Rule("DELETE", "/{id}/kill?isOnKillCascade=false", None, 202, LIVE, (409, "Illegal state: Execution is already finished, can't kill it")),
    "force run": Rule("POST", "/{id}/force-run", None, 200, LIVE, (422, "Illegal argument: Only non terminated executions can be forced run.")),
    "unqueue": Rule("POST", "/{id}/unqueue", None, 200, {S.QUEUED}, NOT_QUEUED),
    "unqueue, cancelled": Rule("POST", "/{id}/unqueue?state=CANCELLED", None, 200, {S.QUEUED}, NOT_QUEUED),
    "unqueue, failed": Rule("POST", "/{id}/unqueue?state=FAILED", None, 200, {S.QUEUED}, NOT_QUEUED),
    "unqueue, success": Rule("POST", "/{id}/unqueue?state=SUCCESS", None, 200, (), NOT_QUEUED, {S.QUEUED: (422, "Illegal argument: Invalid target state: SUCCESS")}),
    "change status": Rule("POST", "/{id}/change-status?status=WARNING", None, 200, TERMINAL, (422, "Illegal argument: You can only change the state of a terminated execution.")),
    "change status, live": Rule("POST", "/{id}/change-status?status=RUNNING", None, 200, (), (422, "Illegal argument: You can only change the state of an execution to a terminal state.")),
    "mark": Rule("POST", "/{id}/state", {"taskRunId": "run-1", "state": "SUCCESS"}, 200, RUNS, NO_RUN),
    "labels": Rule("POST", "/{id}/labels", [{"key": "a", "value": "b"}], 200, TERMINAL, (400, "The execution is not terminated")),
    "delete": Rule("DELETE", "/{id}", None, 204, EVERY),
    "evaluate": Rule("POST", "/{id}/eval/run-1", "{{ execution.id }}", 200, RUNS, (404, "Not Found: Task run 'run-1' not found.")),
    "read": Rule("GET", "/{id}", None, 200, EVERY),
}  # fmt: skip

BULK: Mapping[str, Rule] = {
    "invalid bulk restart": Rule("POST", "/restart/by-ids", None, 200, {S.FAILED}, (400, "execution not in state FAILED")),
    "invalid bulk replay": Rule("POST", "/replay/by-ids", None, 200, EVERY),
    "invalid bulk resume": Rule("POST", "/resume/by-ids", None, 200, {S.PAUSED}, (400, "execution not in state PAUSED")),
    "invalid bulk pause": Rule("POST", "/pause/by-ids", None, 200, {S.RUNNING}, (400, "execution not in state RUNNING")),
    "invalid bulk kill": Rule("DELETE", "/kill/by-ids", None, 200, LIVE, (400, "execution already finished")),
    "invalid bulk force run": Rule("POST", "/force-run/by-ids", None, 200, LIVE, (400, "execution in a terminated state")),
    "invalid bulk unqueue": Rule("POST", "/unqueue/by-ids", None, 200, {S.QUEUED}, (400, "execution not in state QUEUED")),
    "invalid bulk change executions state": Rule("POST", "/change-status/by-ids?newStatus=WARNING", None, 200, TERMINAL, (400, "execution not in a terminated state")),
    "invalid bulk set labels": Rule("POST", "/labels/by-ids", "labels", 200, TERMINAL, (400, "execution is not terminated")),
    "invalid bulk delete": Rule("DELETE", "/by-ids", None, 200, TERMINAL, (400, "execution not found")),
    "delete all": Rule("DELETE", "/by-ids?includeNonTerminated=true", None, 200, EVERY),
}  # fmt: skip


def content(body: Any) -> Mapping[str, Any]:
    if isinstance(body, str):
        return {"content": body, "headers": {"content-type": "text/plain"}}
    return {} if body is None else {"json": body}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("operation", SINGLE)
async def test_one(
    client: httpx2.AsyncClient,
    save_flow: SaveFlow,
    services: Services,
    *,
    operation: str,
    state: State,
) -> None:
    await save_flow(flow_source())
    id_ = (await begin(client))["id"]
    await put_into(services, id_, state)
    rule = SINGLE[operation]
    path = EXECUTIONS + rule.path.format(id=id_)
    answer = await client.request(rule.method, path, **content(rule.body))
    if state in rule.accepted:
        assert answer.status_code == rule.success, answer.text
        return
    status, message = rule.other.get(state, rule.refusal)
    assert answer.status_code == status, answer.text
    told = answer.json()
    assert (told if isinstance(told, str) else told["message"]) == message.format(
        state=state, id=id_
    )


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("operation", BULK)
async def test_many(
    client: httpx2.AsyncClient,
    save_flow: SaveFlow,
    services: Services,
    *,
    operation: str,
    state: State,
) -> None:
    await save_flow(flow_source())
    ids = [(await begin(client))["id"] for _ in range(2)]
    for id_ in ids:
        await put_into(services, id_, state)
    rule = BULK[operation]

    async def ask(asked: list[str]) -> httpx2.Response:
        labels = {"executionsId": asked, "executionLabels": [{"key": "a", "value": "b"}]}
        body = asked if rule.body is None else labels
        return await client.request(rule.method, EXECUTIONS + rule.path, json=body)

    answer = await ask([*ids, "unknown"])
    assert answer.status_code == 400, answer.text
    invalids = {each["invalidValue"]: each["message"] for each in answer.json()["invalids"]}
    refused = {} if state in rule.accepted else dict.fromkeys(ids, rule.refusal[1])
    assert invalids == refused | {"unknown": "execution not found"}
    answer = await ask(ids)
    if state in rule.accepted:
        assert (answer.status_code, answer.json()) == (rule.success, {"count": 2}), answer.text
    else:
        assert (answer.status_code, answer.json()["message"]) == (400, operation)


@pytest.mark.parametrize("operation", SINGLE)
async def test_nobody_knows_of_an_execution_that_does_not_exist(
    client: httpx2.AsyncClient, *, operation: str
) -> None:
    rule = SINGLE[operation]
    path = EXECUTIONS + rule.path.format(id="unknown")
    answer = await client.request(rule.method, path, **content(rule.body))
    refused = rule.path.endswith(("=RUNNING",))
    assert answer.status_code == 404 or refused, answer.text
