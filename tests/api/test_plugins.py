"""`/plugins`: schemas and documentation (03 §16)."""

import gzip

import httpx2
import pytest

from batuta.model import codec
from tests.api.conftest import LOG_TYPE

PLUGINS = "/api/v1/plugins"


async def test_a_schema_is_kept_by_browsers(client: httpx2.AsyncClient) -> None:
    first = await client.get(f"{PLUGINS}/schemas/FLOW", headers={"accept-encoding": "identity"})
    assert first.status_code == 200
    assert first.headers["cache-control"] == "public, max-age=3600"
    schema = first.json()
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["$ref"] == "#/definitions/io.kestra.core.models.flows.Flow"
    again = await client.get(
        f"{PLUGINS}/schemas/flow", headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert LOG_TYPE in schema["definitions"]


async def test_a_schema_is_sent_compressed_where_that_is_understood(
    client: httpx2.AsyncClient,
) -> None:
    path = f"{PLUGINS}/schemas/plugindefault?hash=1"
    async with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        data = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert "definitions" in codec.decode(gzip.decompress(data))


async def test_a_schema_of_a_list(client: httpx2.AsyncClient) -> None:
    schema = (await client.get(f"{PLUGINS}/schemas/task?arrayOf=true")).json()
    assert (schema["type"], schema["items"]) == ("array", {"$ref": "#/definitions/any.task"})
    properties = (await client.get(f"{PLUGINS}/properties/flow")).json()
    assert {"id", "namespace", "tasks", "triggers"} <= properties.keys()


async def test_documentation_of_a_type_and_its_alias(client: httpx2.AsyncClient) -> None:
    own = (await client.get(f"{PLUGINS}/{LOG_TYPE}")).json()
    assert own["markdown"].startswith("---\ntitle: Log\n")
    properties = own["schema"]["properties"]["properties"]
    assert properties["message"]["$required"] is True
    assert "type" not in properties
    assert "timeout" not in properties
    everything = (await client.get(f"{PLUGINS}/{LOG_TYPE}?all=true")).json()
    assert "timeout" in everything["schema"]["properties"]["properties"]
    alias = await client.get(f"{PLUGINS}/io.kestra.core.tasks.log.Log")
    assert alias.json() == own
    versions = (await client.get(f"{PLUGINS}/{LOG_TYPE}/versions")).json()
    assert versions["type"] == LOG_TYPE
    assert (await client.get(f"{PLUGINS}/{LOG_TYPE}/versions/1.1.0")).json() == own


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("acme.Nope", "Not Found: Class 'acme.Nope' doesn't exists "),
        ("acme.Nope/versions", "Not Found: Class 'acme.Nope' doesn't exists "),
        ("schemas/apps", "Not Found: There is no schema of type `apps`"),
        ("inputs/NOPE", "Not Found: Input type 'NOPE' doesn't exist"),
    ],
)
async def test_what_is_unknown(client: httpx2.AsyncClient, path: str, message: str) -> None:
    answer = await client.get(f"{PLUGINS}/{path}")
    assert answer.status_code == 404
    assert answer.json()["message"].startswith(message)


async def test_types_are_listed_by_plugin(client: httpx2.AsyncClient) -> None:
    plugins = {each["group"]: each for each in (await client.get(PLUGINS)).json()}
    core = plugins["io.kestra.plugin.core"]
    assert {"cls": LOG_TYPE} in core["tasks"]
    assert core["triggers"]
    assert core["secrets"] == []
    missing = plugins["io.kestra.plugin.kafka"]["tasks"][0]
    assert missing["installed"] is False
    inner = [
        each
        for each in (await client.get(f"{PLUGINS}/groups/subgroups")).json()
        if each["group"] == "io.kestra.plugin.core"
    ]
    assert inner[0].get("subGroup") is None
    assert {each.get("subGroup") for each in inner} >= {"io.kestra.plugin.core.log"}


async def test_icons_tell_what_holds_tasks(client: httpx2.AsyncClient) -> None:
    icons = (await client.get(f"{PLUGINS}/icons")).json()
    assert icons[LOG_TYPE] == {"name": "Log", "flowable": False}
    assert icons["io.kestra.core.tasks.log.Log"]["flowable"] is False
    assert icons["io.kestra.plugin.core.flow.Parallel"]["flowable"] is True
    groups = (await client.get(f"{PLUGINS}/icons/groups")).json()
    assert groups["io.kestra.plugin.core"] == {"name": "plugin-icon", "flowable": False}


async def test_types_of_inputs(client: httpx2.AsyncClient) -> None:
    inputs = (await client.get(f"{PLUGINS}/inputs")).json()
    assert len(inputs) == 19
    assert {
        "type": "DATETIME",
        "cls": "io.kestra.core.models.flows.input.DateTimeInput",
    } in inputs
    found = (await client.get(f"{PLUGINS}/inputs/int")).json()
    assert {"min", "max"} <= found["schema"]["properties"]["properties"].keys()


async def test_there_are_no_plugins_of_a_tenant(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/api/v1/main/plugins")).status_code == 404
