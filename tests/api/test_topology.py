"""Graphs, dependencies, parts of flows (03 §6.10, §6.11, §7.8 to §7.10)."""

from typing import Any

import httpx2
import pytest

from batuta.model.ids import FlowKey
from batuta.operations.services import Services
from batuta.store.rows import TriggerKey, TriggerRow, Turn
from tests.api.conftest import API, LOG_TYPE, SaveFlow, flow_source

YAML = {"content-type": "application/x-yaml"}
SUBFLOW = "io.kestra.plugin.core.flow.Subflow"


def calling(flow_id: str, target: str, *, namespace: str = "acme") -> str:
    return (
        f"id: {flow_id}\nnamespace: {namespace}\n"
        f"tasks:\n  - {{id: call, type: {SUBFLOW}, namespace: acme, flowId: {target}}}\n"
    )


def after(flow_id: str, source: str) -> str:
    return flow_source(
        flow_id,
        more=(
            "triggers:\n  - id: up\n    type: io.kestra.plugin.core.trigger.Flow\n"
            f"    preconditions: {{id: p, flows: [{{namespace: acme, flowId: {source}}}]}}\n"
        ),
    )


def kinds(wire: dict[str, Any]) -> dict[str, str]:
    return {node["uid"]: node["type"].rpartition(".")[2] for node in wire["nodes"]}


async def test_the_graph_of_a_stored_flow(
    client: httpx2.AsyncClient, save_flow: SaveFlow, services: Services
) -> None:
    schedule = (
        "triggers:\n"
        "  - {id: daily, type: io.kestra.plugin.core.trigger.Schedule, cron: 0 2 * * *}\n"
    )
    await save_flow(flow_source(more=schedule))
    key = TriggerKey(FlowKey("main", "acme", "hello"), "daily")
    await services.store.commit(Turn(triggers=[TriggerRow(key=key, disabled=True)]))
    wire = (await client.get(f"{API}/flows/acme/hello/graph")).json()
    assert list(kinds(wire).values()) == [
        "GraphClusterRoot",
        "GraphClusterEnd",
        "GraphClusterRoot",
        "GraphClusterEnd",
        "GraphTrigger",
        "GraphTask",
    ]
    trigger = next(node for node in wire["nodes"] if "triggerDeclaration" in node)
    assert trigger["trigger"]["disabled"] is True
    assert [cluster["cluster"]["uid"] for cluster in wire["clusters"]] == ["cluster_root.Triggers"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("acme/nope/graph", "Not Found: Unable to find flow main_acme_nope"),
        ("acme/hello/graph?revision=7", "Not Found: Unable to find flow main_acme_hello_7"),
    ],
)
async def test_no_graph_without_a_flow(
    client: httpx2.AsyncClient, save_flow: SaveFlow, path: str, message: str
) -> None:
    await save_flow(flow_source())
    answer = await client.get(f"{API}/flows/{path}")
    assert (answer.status_code, answer.json()["message"]) == (404, message)


async def test_a_subflow_is_shown_as_its_graph_where_that_is_asked_for(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source())
    await save_flow(calling("middle", "hello"))
    source = calling("top", "middle")
    path = f"{API}/flows/graph"
    plain = (await client.post(path, content=source, headers=YAML)).json()
    assert kinds(plain)["root.call"] == "SubflowGraphTask"
    params = {"subflows": "root.call.call,root.call"}
    wire = (await client.post(path, content=source, headers=YAML, params=params)).json()
    assert "root.call.call.t1" in kinds(wire)
    outer, inner = wire["clusters"]
    assert (outer["cluster"]["uid"], outer["parents"]) == ("cluster_root.call", [])
    assert outer["cluster"]["type"].endswith("SubflowGraphCluster")
    assert (inner["cluster"]["uid"], inner["parents"]) == (
        "cluster_root.call.call",
        ["cluster_root.call"],
    )
    assert set(inner["nodes"]) < set(outer["nodes"])
    names = set(kinds(wire))
    ends = {edge["source"] for edge in wire["edges"]} | {edge["target"] for edge in wire["edges"]}
    assert ends == names
    assert len(names) == len(wire["nodes"])
    wrong = await client.post(path, content=source, headers=YAML, params={"subflows": "root.x"})
    assert wrong.status_code == 422


async def test_no_graph_of_a_wrong_source(client: httpx2.AsyncClient) -> None:
    answer = await client.post(f"{API}/flows/graph", content="id: a\n", headers=YAML)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("Invalid entity: ")


async def test_dependencies_in_both_directions(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source("leaf"))
    await save_flow(calling("mid", "leaf"))
    await save_flow(calling("top", "mid", namespace="other"))
    await save_flow(after("late", "top"))
    await save_flow(after("last", "mid"))
    await save_flow(calling("lost", "nowhere"))

    async def edges(path: str) -> set[tuple[str, str, str]]:
        wire = (await client.get(f"{API}/{path}")).json()
        named = {node["uid"] for node in wire["nodes"]}
        found = {(e["source"], e["target"], e["relation"]) for e in wire["edges"]}
        assert {uid for edge in found for uid in edge[:2]} == named
        return found

    down = ("main_acme_mid", "main_acme_leaf", "FLOW_TASK")
    up = ("main_other_top", "main_acme_mid", "FLOW_TASK")
    listening = ("main_acme_mid", "main_acme_last", "FLOW_TRIGGER")
    assert await edges("flows/acme/mid/dependencies") == {down, up, listening}
    assert await edges("flows/acme/mid/dependencies?destinationOnly=true") == {up}
    assert await edges("flows/acme/leaf/dependencies") == {down}
    assert await edges("flows/acme/leaf/dependencies?expandAll=true") == {down, up, listening}
    assert await edges("flows/acme/lost/dependencies") == set()
    assert (await client.get(f"{API}/flows/acme/nowhere/dependencies")).status_code == 404


async def test_a_task_or_trigger_is_checked_alone(client: httpx2.AsyncClient) -> None:
    path = f"{API}/flows/validate"
    task = {"id": "t", "type": LOG_TYPE, "message": "m"}
    good = await client.post(f"{path}/task", json=task)
    assert good.status_code == 200
    assert "constraints" not in good.json()
    assert (good.json()["index"], good.json()["outdated"]) == (0, False)
    bad = await client.post(f"{path}/task", json={**task, "type": "acme.Nope"})
    assert "Invalid type: acme.Nope" in bad.json()["constraints"]
    trigger = "id: a\ntype: io.kestra.plugin.core.trigger.Schedule\ncron: nonsense\n"
    section = {"section": "TRIGGERS"}
    wrong = await client.post(f"{path}/task", content=trigger, headers=YAML, params=section)
    assert wrong.json()["constraints"]
    assert (await client.post(f"{path}/task", content=trigger, headers=YAML)).status_code == 400
    section = {"section": "ODD"}
    odd = await client.post(f"{path}/task", content=trigger, headers=YAML, params=section)
    assert odd.status_code == 422
    fine = {"id": "a", "type": "io.kestra.plugin.core.trigger.Schedule", "cron": "0 2 * * *"}
    assert "constraints" not in (await client.post(f"{path}/trigger", json=fine)).json()


async def test_one_task_of_a_flow(client: httpx2.AsyncClient, save_flow: SaveFlow) -> None:
    more = (
        "errors:\n  - id: box\n    type: io.kestra.plugin.core.flow.Sequential\n"
        f"    tasks:\n      - {{id: inner, type: {LOG_TYPE}, message: deep}}\n"
    )
    await save_flow(flow_source(more=more))
    found = await client.get(f"{API}/flows/acme/hello/tasks/inner")
    assert found.json() == {"id": "inner", "type": LOG_TYPE, "message": "deep"}
    for path in ("flows/acme/hello/tasks/nope", "flows/acme/nope/tasks/t1"):
        assert (await client.get(f"{API}/{path}")).status_code == 404


async def test_sources_are_searched(client: httpx2.AsyncClient, save_flow: SaveFlow) -> None:
    await save_flow(flow_source(more="description: Loads Docker images\n"))
    await save_flow(flow_source("other", namespace="acme.sub"))
    path = f"{API}/flows/source"
    found = (await client.get(path, params={"q": "docker", "namespace": "acme"})).json()
    assert found["total"] == 1
    (result,) = found["results"]
    assert result["model"]["id"] == "hello"
    assert "Loads [mark]Docker[/mark] images" in result["fragments"][0]
    both = (await client.get(path, params={"q": "tasks", "namespace": "acme"})).json()
    assert [row["model"]["id"] for row in both["results"]] == ["hello", "other"]
    one = (await client.get(path, params={"q": "", "namespace": "acme.sub"})).json()
    assert [row["fragments"] for row in one["results"]] == [[]]


async def test_flows_as_somebody_sees_them_who_executes_them(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    more = (
        "variables: {secret: x}\ninputs:\n  - {id: day, type: DATE, required: false}\n"
        "finally:\n  - id: choose\n    type: io.kestra.plugin.core.flow.If\n    condition: '{{ true }}'\n"
        f"    then: [{{id: yes1, type: {LOG_TYPE}, message: m}}]\n"
        f"    else: [{{id: no1, type: {SUBFLOW}, namespace: acme, flowId: x}}]\n"
    )
    await save_flow(flow_source(more=more))
    found = (await client.get(f"{API}/executions/flows/acme/hello")).json()
    assert found["tasks"] == [{"id": "t1", "type": LOG_TYPE}]
    assert found["finally"][0]["tasks"] == [
        {"id": "yes1", "type": LOG_TYPE},
        {"id": "no1", "type": SUBFLOW, "subflowId": {"namespace": "acme", "flowId": "x"}},
    ]
    assert found["inputs"][0]["id"] == "day"
    assert (found["errors"], found["triggers"]) == ([], [])
    assert "variables" not in found
    assert (await client.get(f"{API}/executions/namespaces")).json() == ["acme"]
    assert (await client.get(f"{API}/executions/namespaces/acme/flows")).json() == [found]
    created = (await client.post(f"{API}/executions/acme/hello")).json()
    assert (await client.get(f"{API}/executions/{created['id']}/flow")).json() == found
    graph = (await client.get(f"{API}/executions/{created['id']}/graph")).json()
    tasks = {node["task"]["id"]: node["task"] for node in graph["nodes"] if "task" in node}
    assert tasks["t1"] == {"id": "t1", "type": LOG_TYPE}
