"""`/flows`: bodies, status codes and error bodies of 03 §7."""

import io
import zipfile

import httpx2
import pytest

from tests.api.conftest import API, LOG_TYPE, SaveFlow, flow_source

YAML = {"content-type": "application/x-yaml"}


async def test_create_answers_the_stored_flow_with_its_source(client: httpx2.AsyncClient) -> None:
    source = flow_source(more="labels: {team: data}\ninputs: [{id: day, type: DATE}]\n")
    answer = await client.post(f"{API}/flows", content=source, headers=YAML)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "id": "hello",
        "namespace": "acme",
        "labels": [{"key": "team", "value": "data"}],
        "inputs": [{"id": "day", "type": "DATE", "required": True}],
        "tasks": [{"id": "t1", "type": LOG_TYPE, "message": "hi"}],
        "revision": 1,
        "disabled": False,
        "deleted": False,
        "tenantId": "main",
        "source": source,
    }


async def test_create_twice_is_refused(client: httpx2.AsyncClient, save_flow: SaveFlow) -> None:
    await save_flow(flow_source())
    answer = await client.post(f"{API}/flows", content=flow_source(), headers=YAML)
    assert answer.status_code == 422
    assert answer.json() == {
        "message": "Invalid entity: flow.id: Flow id already exists",
        "_links": {"self": {"href": f"{API}/flows", "templated": False}},
        "_embedded": {"errors": [{"message": "Flow id already exists", "path": "flow.id"}]},
    }


@pytest.mark.parametrize(
    ("source", "said", "line"),
    [
        (
            "id: a\nnamespace: b\ntasks:\n  - id: x\n    type: acme.Nope\n",
            "Invalid type: acme.Nope",
            5,
        ),
        (flow_source() + "nope: 1\n", "nope", 7),
        ("id: a\nnamespace: b\n", "tasks", 1),
        ("id: a\nid: b\nnamespace: c\n", "Illegal genericflow source", 2),
        ("id: [a\n", "Illegal genericflow source", None),
    ],
)
async def test_a_wrong_source_is_explained(
    client: httpx2.AsyncClient, source: str, said: str, line: int | None
) -> None:
    answer = await client.post(f"{API}/flows", content=source, headers=YAML)
    assert answer.status_code == 422
    body = answer.json()
    assert body["message"].startswith("Invalid entity: ")
    assert said in body["message"]
    if line is not None:
        assert body["_embedded"]["errors"][0]["line"] == line


async def test_an_empty_or_foreign_body_is_refused(client: httpx2.AsyncClient) -> None:
    empty = await client.post(f"{API}/flows", content="", headers=YAML)
    assert empty.status_code == 422
    foreign = await client.post(f"{API}/flows", content="x", headers={"content-type": "text/html"})
    assert foreign.status_code == 415
    assert foreign.json()["message"].startswith("Unsupported Media Type: ")


async def test_update_makes_a_revision_only_for_a_change(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source())
    path = f"{API}/flows/acme/hello"
    same = await client.put(path, content=flow_source(), headers=YAML)
    assert same.json()["revision"] == 1
    changed = await client.put(path, content=f"{flow_source()}# comment\n", headers=YAML)
    assert changed.json()["revision"] == 2
    first = await client.get(path, params={"revision": 1, "source": "true"})
    assert first.json()["source"] == flow_source()
    revisions = await client.get(f"{path}/revisions")
    assert [row["revision"] for row in revisions.json()] == [1, 2]


async def test_update_ignores_unknown_properties_and_a_revision_line(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source())
    source = "revision: 7\n" + flow_source() + "nope: 1\n"
    answer = await client.put(f"{API}/flows/acme/hello", content=source, headers=YAML)
    assert answer.status_code == 200
    assert answer.json()["revision"] == 2
    assert answer.json()["source"] == flow_source() + "nope: 1\n"


async def test_update_of_another_id_or_an_unknown_flow(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source())
    moved = await client.put(
        f"{API}/flows/acme/hello", content=flow_source("other", namespace="else"), headers=YAML
    )
    assert moved.status_code == 422
    assert [e["message"] for e in moved.json()["_embedded"]["errors"]] == [
        "Illegal flow id update",
        "Illegal namespace update",
    ]
    missing = await client.put(f"{API}/flows/acme/nope", content="broken: [", headers=YAML)
    assert missing.status_code == 404
    assert missing.json()["message"].startswith("Not Found")


async def test_delete_is_a_revision_and_create_goes_on_from_it(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source())
    path = f"{API}/flows/acme/hello"
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert (await client.delete(path)).status_code == 404
    last = await client.get(path, params={"allowDeleted": "true"})
    assert (last.json()["deleted"], last.json()["revision"]) == (True, 2)
    assert (await save_flow(flow_source()))["revision"] == 3


async def test_search_filters_sorts_and_pages(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    for namespace, flow_id in (("acme", "a"), ("acme.data", "b"), ("acmex", "c"), ("system", "d")):
        await save_flow(flow_source(flow_id, namespace=namespace))

    async def ids(query: str) -> list[str]:
        answer = await client.get(f"{API}/flows/search?{query}")
        assert answer.status_code == 200, answer.text
        return [row["id"] for row in answer.json()["results"]]

    assert await ids("namespace=acme&sort=id:asc") == ["a", "b"]
    assert await ids("filters[namespace][STARTS_WITH]=acme&sort=id:desc") == ["c", "b", "a"]
    assert await ids("filters%5Bnamespace%5D%5BIN%5D=acme,acmex&sort=id:asc&namespace=nope") == [
        "a",
        "c",
    ]
    assert await ids("scope=SYSTEM") == ["d"]
    assert await ids("scope=USER,SYSTEM&size=3&page=2&sort=id:asc") == ["d"]
    page = await client.get(f"{API}/flows/search?size=1&page=9")
    assert page.json() == {"results": [], "total": 4}
    namespaces = await client.get(f"{API}/flows/distinct-namespaces?q=ACME")
    assert namespaces.json() == ["acme", "acme.data", "acmex"]
    of_namespace = await client.get(f"{API}/flows/acme")
    assert [flow["id"] for flow in of_namespace.json()] == ["a"]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("page=0", 422, "page"),
        ("size=-1", 422, "size"),
        ("size=x", 422, "Failed to convert argument"),
        ("sort=id", 422, "Unprocessable Entity: Invalid sort parameter"),
        ("sort=nope:asc", 422, "Invalid sort parameter"),
        ("filters[foo][EQUALS]=1", 422, "Illegal argument: Unsupported field 'foo'"),
        ("filters[namespace][NEAR]=1", 422, "Illegal argument: No enum constant"),
        ("filters[state][EQUALS]=FAILED", 400, "Field STATE is not supported for resource FLOW"),
        ("filters[q][IN]=a", 400, "Operation IN is not supported for field QUERY"),
        ("scope=NOBODY", 422, "Illegal argument: Invalid FlowScope value: NOBODY"),
        ("labels=x", 422, "Unprocessable Entity: Can't split"),
    ],
)
async def test_bad_searches_are_refused(
    client: httpx2.AsyncClient, query: str, status: int, said: str
) -> None:
    answer = await client.get(f"{API}/flows/search?{query}")
    assert answer.status_code == status
    assert said in answer.json()["message"]


async def test_validate_judges_each_document(client: httpx2.AsyncClient) -> None:
    source = f"{flow_source()}\n---\nid: a\nnamespace: b\ntasks:\n  - id: x\n    type: acme.Nope\n"
    answer = await client.post(f"{API}/flows/validate", content=source, headers=YAML)
    assert answer.status_code == 200
    good, bad = answer.json()
    assert good == {
        "index": 0,
        "outdated": False,
        "flow": "hello",
        "namespace": "acme",
        "deprecationPaths": [],
        "warnings": [],
        "infos": [],
    }
    assert bad["index"] == 1
    assert "Invalid type: acme.Nope" in bad["constraints"]


async def test_validate_knows_the_next_revision(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source())
    for revision, outdated in ((1, True), (2, False)):
        source = flow_source(more=f"revision: {revision}\n")
        answer = await client.post(f"{API}/flows/validate", content=source, headers=YAML)
        assert answer.json()[0]["outdated"] is outdated


async def test_import_of_yaml_names_the_documents_that_failed(client: httpx2.AsyncClient) -> None:
    source = f"{flow_source('a')}---\nid: broken\n---\n{flow_source('b')}"
    answer = await client.post(
        f"{API}/flows/import", files={"fileUpload": ("flows.yaml", source.encode())}
    )
    assert (answer.status_code, answer.json()) == (200, ["1"])
    found = await client.get(f"{API}/flows/acme")
    assert [flow["id"] for flow in found.json()] == ["a", "b"]


async def test_export_can_be_imported(client: httpx2.AsyncClient, save_flow: SaveFlow) -> None:
    await save_flow(flow_source("a"))
    exported = await client.get(f"{API}/flows/export/by-query?namespace=acme")
    assert exported.headers["content-disposition"] == 'attachment; filename="flows.zip"'
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        assert archive.namelist() == ["acme-a.yml"]
    await client.delete(f"{API}/flows/acme/a")
    answer = await client.post(
        f"{API}/flows/import", files={"fileUpload": ("flows.zip", exported.content)}
    )
    assert answer.json() == []
    assert (await client.get(f"{API}/flows/acme/a")).json()["revision"] == 3


@pytest.mark.parametrize("name", ["flows.txt", "flows.zip"])
async def test_import_of_something_else_is_refused(client: httpx2.AsyncClient, name: str) -> None:
    answer = await client.post(f"{API}/flows/import", files={"fileUpload": (name, b"nothing")})
    assert answer.status_code == 422
    assert answer.json()["message"].startswith("Illegal argument: ")


async def test_a_namespace_is_brought_to_what_the_body_says(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source("old"))
    await save_flow(flow_source("kept", namespace="other"))
    answer = await client.post(f"{API}/flows/acme", content=flow_source("new"), headers=YAML)
    assert [flow["id"] for flow in answer.json()] == ["old", "new"]
    assert (await client.get(f"{API}/flows/acme/old")).status_code == 404
    assert (await client.get(f"{API}/flows/other/kept")).status_code == 200
    wrong = await client.post(
        f"{API}/flows/acme", content=flow_source("x", namespace="other"), headers=YAML
    )
    assert wrong.status_code == 422
    assert "flow namespace is invalid" in wrong.json()["message"]


async def test_disable_and_enable_rewrite_the_source(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source())
    names = [{"namespace": "acme", "id": "hello"}]
    for path, count, disabled in (
        ("disable/by-ids", 1, True),
        ("disable/by-ids", 0, True),
        ("enable/by-ids", 1, False),
    ):
        answer = await client.post(f"{API}/flows/{path}", json=names)
        assert answer.json() == {"count": count}
        flow = (await client.get(f"{API}/flows/acme/hello?source=true")).json()
        assert flow["disabled"] is disabled
        assert f"disabled: {str(disabled).lower()}\n" in flow["source"]
    assert flow["revision"] == 3
