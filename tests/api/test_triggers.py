"""`/triggers`: states, the switch and the lock (03 §11)."""

from typing import Any

import httpx2
import pytest

from batuta.model.ids import ExecutionId, FlowKey
from batuta.model.instant import HOUR, Instant
from batuta.operations.services import Services
from batuta.store.rows import TriggerKey, TriggerRow, Turn
from tests.api.conftest import API, SaveFlow, flow_source

TRIGGERS = f"{API}/triggers"
DAILY = (
    "triggers:\n  - {id: daily, type: io.kestra.plugin.core.trigger.Schedule, cron: 0 2 * * *}\n"
)


async def add(services: Services, trigger_id: str, *, flow: str = "hello", **state: Any) -> None:
    key = TriggerKey(FlowKey("main", "acme", flow), trigger_id)
    await services.store.commit(Turn(triggers=[TriggerRow(key=key, **state)]))


def named(trigger_id: str = "daily", **more: Any) -> dict[str, Any]:
    return {"namespace": "acme", "flowId": "hello", "triggerId": trigger_id, **more}


async def test_search_shows_states_and_definitions(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source(more=DAILY))
    now = services.clock.now()
    await add(services, "daily", date=now, next_date=Instant(now + HOUR), worker_id="w")
    await add(services, "undeclared")
    await add(services, "lost", flow="gone")
    await add(services, "preconditions:daily", memory={"a": 1})
    found = (await client.get(f"{TRIGGERS}/search?sort=triggerId:asc")).json()
    assert found["total"] == 3
    first, second = found["results"]
    assert first["abstractTrigger"]["cron"] == "0 2 * * *"
    assert first["triggerContext"] == {
        "tenantId": "main",
        "namespace": "acme",
        "flowId": "hello",
        "triggerId": "daily",
        "date": "2025-01-01T00:00:00Z",
        "nextExecutionDate": "2025-01-01T01:00:00Z",
        "disabled": False,
        "workerId": "w",
    }
    assert "abstractTrigger" not in second
    later = "filters[startDate][GREATER_THAN]=2025-01-01T00:30:00Z"
    assert (await client.get(f"{TRIGGERS}/search?{later}")).json()["total"] == 1
    of_flow = (await client.get(f"{TRIGGERS}/acme/hello?q=dai")).json()
    assert [row["triggerId"] for row in of_flow["results"]] == ["daily"]


async def test_the_switch(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source(more=DAILY))
    assert (await client.put(TRIGGERS, json=named(disabled=True))).status_code == 404
    await add(services, "daily")
    off = await client.put(TRIGGERS, json=named(disabled=True, date="ignored"))
    assert (off.status_code, off.json()["disabled"]) == (200, True)
    assert (await client.put(TRIGGERS, json=named())).json()["disabled"] is False


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (named("nope"), 404, "Not Found: Flow hello has no trigger nope"),
        ({**named(), "flowId": "x"}, 404, "Not Found: Flow of trigger daily not found"),
        (named(backfill={"start": "2025-01-01T00:00:00Z"}), 400, "Bad Request: Backfills"),
        ({"flowId": "x"}, 422, "Invalid json mapping"),
    ],
)
async def test_what_the_switch_refuses(
    client: httpx2.AsyncClient,
    save_flow: SaveFlow,
    body: dict[str, Any],
    status: int,
    message: str,
) -> None:
    await save_flow(flow_source(more=DAILY))
    answer = await client.put(TRIGGERS, json=body)
    assert answer.status_code == status
    assert answer.json()["message"].startswith(message)


async def test_the_lock(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source(more=DAILY))
    await add(services, "daily", execution_id=ExecutionId("e"), worker_id="w")
    url = f"{TRIGGERS}/acme/hello/daily/unlock"
    free = (await client.post(url)).json()
    assert "executionId" not in free
    assert "workerId" not in free
    again = await client.post(url)
    assert (again.status_code, again.json()["message"]) == (
        409,
        "Illegal state: Trigger is not locked",
    )
    assert (await client.post(f"{TRIGGERS}/acme/hello/nope/unlock")).status_code == 404


async def test_many_at_once(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    await save_flow(flow_source(more=DAILY))
    await add(services, "daily", execution_id=ExecutionId("e"))
    both = [named(), named("nope")]
    assert (await client.post(f"{TRIGGERS}/unlock/by-triggers", json=both)).json() == {"count": 1}
    await add(services, "daily", evaluate_running=services.clock.now())
    query = f"{TRIGGERS}/unlock/by-query?namespace=acme"
    assert (await client.post(query)).json() == {"count": 1}
    url = f"{TRIGGERS}/set-disabled"
    done = await client.post(f"{url}/by-triggers", json={"triggers": both, "disabled": True})
    assert done.json() == {"count": 2}
    row = await services.store.triggers.get(TriggerKey(FlowKey("main", "acme", "hello"), "daily"))
    assert row is not None
    assert row.disabled
    on = await client.post(f"{url}/by-query?disabled=false&q=daily")
    assert on.json() == {"count": 1}
    for body in ({"triggers": [], "disabled": True}, {"triggers": both, "disabled": None}):
        assert (await client.post(f"{url}/by-triggers", json=body)).status_code == 422
