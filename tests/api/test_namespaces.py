"""Namespaces, their files, secrets by name (03 §12, §13, §15)."""

import base64
import io
import zipfile

import httpx2
import pytest

from tests.api.conftest import API, SaveFlow, flow_source

NAMESPACES = f"{API}/namespaces"
FILES = f"{NAMESPACES}/acme.data/files"


@pytest.fixture
def environment() -> dict[str, str]:
    value = base64.b64encode(b"x").decode()
    return {"SECRET_DB_PASSWORD": value, "SECRET_API": value, "OTHER": "x"}


async def upload(
    client: httpx2.AsyncClient, path: str, content: bytes, *, name: str = "any.txt"
) -> httpx2.Response:
    files = {"fileContent": (name, content)}
    return await client.post(FILES, params={"path": path}, files=files)


def packed(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


async def test_namespaces_are_those_of_flows_with_their_parents(
    client: httpx2.AsyncClient, save_flow: SaveFlow
) -> None:
    await save_flow(flow_source(namespace="acme.data"))

    async def ids(query: str) -> tuple[list[str], int]:
        found = (await client.get(f"{NAMESPACES}/search?{query}")).json()
        return [row["id"] for row in found["results"]], found["total"]

    assert await ids("") == (["acme", "acme.data", "system"], 3)
    assert await ids("q=ACME&sort=id:desc") == (["acme.data", "acme"], 2)
    assert await ids("size=1&page=2") == (["acme.data"], 3)
    assert await ids("page=9") == ([], 0)
    unknown = await client.get(f"{NAMESPACES}/nobody.knows")
    assert unknown.json() == {"id": "nobody.knows", "deleted": False}
    body = {"q": "data", "ids": ["forced"], "existingOnly": True}
    suggested = await client.post(f"{NAMESPACES}/autocomplete", json=body)
    assert suggested.json() == ["acme.data", "forced"]


async def test_dependencies_of_a_namespace(client: httpx2.AsyncClient, save_flow: SaveFlow) -> None:
    await save_flow(flow_source("leaf", namespace="other"))
    await save_flow(flow_source("alone"))
    await save_flow(
        "id: top\nnamespace: acme\ntasks:\n"
        "  - {id: c, type: io.kestra.plugin.core.flow.Subflow, namespace: other, flowId: leaf}\n"
    )
    found = (await client.get(f"{NAMESPACES}/acme/dependencies")).json()
    assert {node["uid"] for node in found["nodes"]} == {"main_acme_top", "main_other_leaf"}


async def test_a_file_from_its_writing_to_its_end(client: httpx2.AsyncClient) -> None:
    assert (await client.get(f"{FILES}/directory")).json() == []
    assert (await upload(client, "/scripts/a b.py", b"print(1)")).status_code == 200
    assert (await upload(client, "scripts/empty.py", b"")).status_code == 200
    read = await client.get(FILES, params={"path": "/scripts/a b.py"})
    assert (read.status_code, read.content) == (200, b"print(1)")
    assert read.headers["cache-control"] == "no-cache"
    stats = (await client.get(f"{FILES}/stats", params={"path": "scripts/a b.py"})).json()
    assert (stats["fileName"], stats["type"], stats["size"]) == ("a b.py", "File", 8)
    assert stats["lastModifiedTime"] == 1735689600000
    (folder,) = (await client.get(f"{FILES}/directory", params={"path": "/"})).json()
    assert (folder["fileName"], folder["type"]) == ("scripts", "Directory")
    found = await client.get(f"{FILES}/search", params={"q": "a b"})
    assert found.json() == ["/scripts/a b.py"]
    moved = await client.put(FILES, params={"from": "/scripts/a b.py", "to": "lib/b.py"})
    assert moved.status_code == 200
    assert (await client.get(f"{FILES}/search", params={"q": ""})).json() == [
        "/lib/b.py",
        "/scripts/empty.py",
    ]
    for _ in range(2):
        assert (await client.delete(FILES, params={"path": "lib/b.py"})).status_code == 200
    (left,) = (await client.get(f"{FILES}/directory")).json()
    assert left["fileName"] == "scripts"
    assert (await client.post(f"{FILES}/directory", params={"path": "x/y"})).status_code == 200
    assert (await client.get(f"{FILES}/directory", params={"path": "x"})).json() != []
    assert (await client.delete(FILES, params={"path": "/x"})).status_code == 200
    assert len((await client.get(f"{FILES}/directory")).json()) == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "?path=nope.txt", 404, "Not Found: File 'nope.txt' not found."),
        ("GET", "?path=/", 404, "Not Found: File '/' not found."),
        ("GET", "/stats?path=nope", 404, "Not Found: File 'nope' not found."),
        ("GET", "/directory?path=nope", 404, "Not Found: File 'nope' not found."),
        ("PUT", "?from=nope&to=a", 404, "Not Found: File 'nope' not found."),
        ("GET", "?path=../../secret", 422, "Illegal argument: Invalid path '../../secret'"),
        ("DELETE", "?path=/", 422, "Illegal argument: The root of the files cannot be deleted"),
        ("GET", "?path=/_flows/a.yml", 422, "Illegal argument: Forbidden path: /_flows/a.yml"),
        ("DELETE", "?path=_flows", 422, "Illegal argument: Forbidden path: /_flows"),
        ("GET", "", 400, "Bad Request: Required QueryValue [path] not specified"),
    ],
)
async def test_what_files_refuse(
    client: httpx2.AsyncClient, method: str, path: str, status: int, message: str
) -> None:
    answer = await client.request(method, f"{FILES}{path}")
    assert answer.status_code == status
    assert answer.json()["message"].startswith(message)


async def test_a_zip_is_unpacked_and_packed_again(client: httpx2.AsyncClient) -> None:
    flow = flow_source(namespace="elsewhere").encode()
    content = packed({"a/b.txt": b"1", "c.txt": b"2", "_flows/hello.yml": flow})
    assert (await upload(client, "/ignored", content, name="All.ZIP")).status_code == 200
    paths = (await client.get(f"{FILES}/search", params={"q": "/"})).json()
    assert paths == ["/a/b.txt", "/c.txt"]
    assert (await client.get(f"{API}/flows/acme.data/hello")).status_code == 200
    exported = await client.get(f"{FILES}/export")
    assert exported.headers["content-disposition"] == 'attachment; filename="acme.data_files.zip"'
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        assert archive.read("a/b.txt") == b"1"
        assert b"namespace: acme.data" in archive.read("_flows/hello.yml")


@pytest.mark.parametrize(
    ("content", "name", "path", "message"),
    [
        (b"no zip", "a.zip", "/", "The file is no zip archive"),
        (packed({"a": b"1", "../b": b"2"}), "a.zip", "/", "Invalid path '../b'"),
        (b"id: a", "a.yml", "/_flows/deep/a.yml", "Invalid flow file path: /_flows/deep/a.yml"),
        (b"x", "a.txt", "/", "The path names no file"),
    ],
)
async def test_uploads_that_are_refused_leave_nothing(
    client: httpx2.AsyncClient, content: bytes, name: str, path: str, message: str
) -> None:
    answer = await upload(client, path, content, name=name)
    assert answer.status_code == 422
    assert message in answer.json()["message"]
    assert (await client.get(f"{FILES}/search", params={"q": ""})).json() == []


async def test_a_flow_is_uploaded_as_a_file(client: httpx2.AsyncClient) -> None:
    source = flow_source("up", namespace="x").encode()
    assert (await upload(client, "/_flows/up.yml", source)).status_code == 200
    found = (await client.get(f"{API}/flows/acme.data/up")).json()
    assert found["namespace"] == "acme.data"
    wrong = await upload(client, "/_flows/up.yml", b"id: up\nnamespace: x\n")
    assert wrong.status_code == 422


async def test_secrets_are_names_only(client: httpx2.AsyncClient) -> None:
    found = (await client.get(f"{API}/secrets")).json()
    assert found == {
        "readOnly": True,
        "results": [{"key": "API"}, {"key": "DB_PASSWORD"}],
        "total": 2,
    }
    some = (await client.get(f"{NAMESPACES}/acme/secrets?filters[q][EQUALS]=pass")).json()
    assert [row["key"] for row in some["results"]] == ["DB_PASSWORD"]
    inherited = (await client.get(f"{NAMESPACES}/acme.data/inherited-secrets")).json()
    assert inherited == {"acme.data": ["API", "DB_PASSWORD"], "acme": ["API", "DB_PASSWORD"]}
