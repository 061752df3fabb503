"""`/templates`: there where they are switched on (03 §21)."""

import io
import json
import zipfile
from typing import Any

import httpx2
import pytest

from batuta.operations.settings import Settings
from tests.api.conftest import API, LOG_TYPE

PATH = f"{API}/templates"
FLOW = """\
id: caller
namespace: acme
tasks:
  - {id: t, type: io.kestra.plugin.core.flow.Template, namespace: acme, templateId: one}
"""


def template(template_id: str = "one", namespace: str = "acme", **more: Any) -> dict[str, Any]:
    tasks = [{"id": "hello", "type": LOG_TYPE, "message": "{{ parent.outputs.args.word }}"}]
    return {"id": template_id, "namespace": namespace, "tasks": tasks, **more}


@pytest.fixture
def settings() -> Settings:
    return Settings(templates=True)


async def save(client: httpx2.AsyncClient, *given: dict[str, Any]) -> None:
    for each in given:
        answer = await client.post(PATH, json=each)
        assert answer.status_code == 200, answer.text


async def ids(client: httpx2.AsyncClient, **query: str) -> list[str]:
    answer = await client.get(f"{PATH}/search", params=query)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["total"] == len(found["results"])
    return [each["id"] for each in found["results"]]


async def test_a_template_is_made_read_changed_and_deleted(client: httpx2.AsyncClient) -> None:
    await save(client, template())
    assert (await client.get(f"{PATH}/acme/one")).json() == {
        **template(),
        "tenantId": "main",
        "deleted": False,
    }
    changed = template(description="new", errors=[{"id": "e", "type": LOG_TYPE, "message": "x"}])
    answer = await client.put(f"{PATH}/acme/one", json=changed)
    assert answer.json() == {**changed, "tenantId": "main", "deleted": False}
    assert (await client.delete(f"{PATH}/acme/one")).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await client.request(method, f"{PATH}/acme/one")).status_code == 404
    assert (await client.put(f"{PATH}/acme/one", json=changed)).status_code == 404
    await save(client, template())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (template(), "Template id already exists"),
        (template("two", tasks=[]), "tasks"),
        (template("two", tasks=[{"id": "a", "type": "io.kestra.nope"}]), "io.kestra.nope"),
        (template("two", triggers=[]), "Unrecognized field `triggers`"),
        ([1], "Illegal"),
    ],
)
async def test_what_is_wrong_is_refused(client: httpx2.AsyncClient, given: Any, said: str) -> None:
    await save(client, template())
    answer = await client.post(PATH, json=given)
    assert answer.status_code == 422
    assert said in answer.text


async def test_id_and_namespace_cannot_be_changed(client: httpx2.AsyncClient) -> None:
    await save(client, template())
    answer = await client.put(f"{PATH}/acme/one", json=template("two", "other"))
    assert answer.status_code == 422
    assert "Illegal template id update" in answer.text
    assert "Illegal namespace update" in answer.text


async def test_search_and_namespaces(client: httpx2.AsyncClient) -> None:
    await save(client, template(), template("two", "acme.sub"), template("three", "zeta"))
    assert await ids(client) == ["one", "two", "three"]
    assert await ids(client, namespace="acme") == ["one", "two"]
    assert await ids(client, q="thr") == ["three"]
    assert await ids(client, **{"filters[namespace][EQUALS]": "acme"}) == ["one"]
    answer = await client.get(f"{PATH}/distinct-namespaces")
    assert answer.json() == ["acme", "acme.sub", "zeta"]


async def test_a_namespace_is_brought_to_what_is_said(client: httpx2.AsyncClient) -> None:
    await save(client, template(), template("two"), template("far", "other"))
    answer = await client.post(f"{PATH}/acme", json=[template("two"), template("new")])
    assert [each["id"] for each in answer.json()] == ["two", "new"]
    assert await ids(client) == ["new", "two", "far"]
    answer = await client.post(f"{PATH}/acme?delete=false", json=[template("more")])
    assert answer.status_code == 200
    assert await ids(client, namespace="acme") == ["more", "new", "two"]
    for wrong in ([template("a", "other")], [template("a"), template("a")]):
        answer = await client.post(f"{PATH}/acme", json=wrong)
        assert answer.status_code == 422
    assert await ids(client, namespace="acme") == ["more", "new", "two"]


async def test_validation_gives_a_verdict_for_each_document(client: httpx2.AsyncClient) -> None:
    text = f"{json.dumps(template())}\n---\nid: two\nnamespace: acme\nnope: 1\ntasks: []\n"
    answer = await client.post(f"{PATH}/validate", content=text)
    good, bad = answer.json()
    assert "constraints" not in good
    assert "nope" in bad["constraints"]


async def test_export_and_import(client: httpx2.AsyncClient) -> None:
    await save(client, template(), template("two", "other"))
    names = [{"namespace": "acme", "id": "one"}]
    some = await client.post(f"{PATH}/export/by-ids", json=names)
    assert "templates.zip" in some.headers["content-disposition"]
    everything = await client.get(f"{PATH}/export/by-query")
    entries = zipfile.ZipFile(io.BytesIO(everything.content)).namelist()
    assert entries == ["acme.one.yml", "other.two.yml"]
    answer = await client.request("DELETE", f"{PATH}/delete/by-ids", json=names)
    assert answer.json() == {"count": 1}
    answer = await client.request("DELETE", f"{PATH}/delete/by-query", params={"q": "two"})
    assert answer.json() == {"count": 1}
    assert await ids(client) == []
    upload = {"fileUpload": ("templates.zip", everything.content)}
    assert (await client.post(f"{PATH}/import", files=upload)).status_code == 204
    assert await ids(client) == ["one", "two"]
    text = "id: three\nnamespace: acme\ntasks: [{id: a, type: " + LOG_TYPE + ", message: x}]\n"
    upload = {"fileUpload": ("more.yaml", f"{text}---\n{text.replace('three', 'four')}".encode())}
    assert (await client.post(f"{PATH}/import", files=upload)).status_code == 204
    assert await ids(client) == ["four", "one", "three", "two"]
    for name, content in (("x.txt", b"x"), ("x.yml", b"id: x"), ("x.zip", b"x")):
        answer = await client.post(f"{PATH}/import", files={"fileUpload": (name, content)})
        assert answer.status_code == 422, name


async def test_a_flow_may_name_templates(client: httpx2.AsyncClient) -> None:
    headers = {"content-type": "application/x-yaml"}
    assert (await client.post(f"{API}/flows", content=FLOW, headers=headers)).status_code == 200
    assert (await client.get("/api/v1/configs")).json()["isTemplateEnabled"] is True


class TestSwitchedOff:
    @pytest.fixture
    def settings(self) -> Settings:
        return Settings()

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", ""),
            ("GET", "/search"),
            ("GET", "/distinct-namespaces"),
            ("POST", "/validate"),
            ("POST", "/acme"),
            ("GET", "/acme/one"),
            ("DELETE", "/delete/by-query"),
        ],
    )
    async def test_every_path_is_unknown(
        self, client: httpx2.AsyncClient, method: str, path: str
    ) -> None:
        assert (await client.request(method, f"{PATH}{path}")).status_code == 404

    async def test_a_flow_that_names_one_is_refused(self, client: httpx2.AsyncClient) -> None:
        headers = {"content-type": "application/x-yaml"}
        answer = await client.post(f"{API}/flows", content=FLOW, headers=headers)
        assert answer.status_code == 422
        assert "Templates are disabled" in answer.text
