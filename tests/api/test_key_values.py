"""The key-value store over REST (03 §14)."""

from typing import Any

import httpx2
import pytest

from batuta.model.instant import HOUR
from batuta.testing.clock import FakeClock
from tests.api.conftest import API

KV = f"{API}/namespaces/acme.data/kv"
TEXT = {"content-type": "text/plain"}


async def put(client: httpx2.AsyncClient, key: str, text: str, **headers: str) -> None:
    answer = await client.put(f"{KV}/{key}", content=text, headers={**TEXT, **headers})
    assert (answer.status_code, answer.content) == (200, b""), answer.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"text"', {"type": "STRING", "value": "text"}),
        ("42", {"type": "NUMBER", "value": 42}),
        ("4.2", {"type": "NUMBER", "value": 4.2}),
        ("true", {"type": "BOOLEAN", "value": True}),
        ("2025-11-05T08:00:00Z", {"type": "DATETIME", "value": "2025-11-05T08:00:00Z"}),
        ("2025-11-05", {"type": "DATE", "value": "2025-11-05"}),
        ('"2025-11-05"', {"type": "STRING", "value": "2025-11-05"}),
        ('"PT5M"', {"type": "DURATION", "value": "PT5M"}),
        ('{"a": [1, null]}', {"type": "JSON", "value": {"a": [1, None]}}),
        ("[]", {"type": "JSON", "value": []}),
        ("null", {"type": "STRING"}),
        ("two words", {"type": "STRING", "value": "two words"}),
        ("{broken", {"type": "STRING", "value": "{broken"}),
    ],
)
async def test_a_value_has_the_type_that_its_text_says(
    client: httpx2.AsyncClient, text: str, expected: dict[str, Any]
) -> None:
    await put(client, "k", text)
    answer = await client.get(f"{KV}/k")
    assert (answer.status_code, answer.json()) == (200, expected)


async def test_each_put_replaces_everything(client: httpx2.AsyncClient, clock: FakeClock) -> None:
    await put(client, "k", "1", ttl="PT1H", description="watermark")
    (first,) = (await client.get(KV)).json()
    assert first == {
        "namespace": "acme.data",
        "key": "k",
        "version": 1,
        "description": "watermark",
        "creationDate": "2025-01-01T00:00:00Z",
        "updateDate": "2025-01-01T00:00:00Z",
        "expirationDate": "2025-01-01T01:00:00Z",
    }
    await put(client, "k", "2")
    (second,) = (await client.get(KV)).json()
    assert second["version"] == 2
    assert "expirationDate" not in second
    assert "description" not in second


async def test_an_expired_value_is_gone_once_and_then_unknown(
    client: httpx2.AsyncClient, clock: FakeClock
) -> None:
    await put(client, "k", '"old"')
    await put(client, "k", "1", ttl="PT1H")
    clock.advance(2 * HOUR)
    assert (await client.get(KV)).json() == []
    gone = await client.get(f"{KV}/k")
    assert (gone.status_code, gone.json()["message"]) == (
        410,
        "Resource has expired: The requested value has expired",
    )
    unknown = await client.get(f"{KV}/k")
    assert unknown.status_code == 404
    assert unknown.json()["message"] == (
        "Not Found: No value found for key 'k' in namespace 'acme.data'"
    )


async def test_lists_search_and_inheritance(client: httpx2.AsyncClient) -> None:
    for namespace, key in (("acme", "a"), ("acme", "b"), ("acme.data", "b"), ("other", "c")):
        url = f"{API}/namespaces/{namespace}/kv/{key}"
        assert (await client.put(url, content="1")).status_code == 200
    found = (await client.get(f"{API}/kv?sort=key:desc&size=2")).json()
    assert [row["key"] for row in found["results"]] == ["c", "b"]
    assert found["total"] == 4
    inside = (await client.get(f"{API}/kv?filters[namespace][PREFIX]=acme&sort=key:asc")).json()
    assert [row["key"] for row in inside["results"]] == ["a", "b", "b"]
    parents = (await client.get(f"{API}/namespaces/acme.data.x/kv/inheritance")).json()
    assert [(row["namespace"], row["key"]) for row in parents] == [
        ("acme", "a"),
        ("acme.data", "b"),
    ]
    assert (await client.get(f"{API}/namespaces/acme/kv/inheritance")).json() == []
    assert (await client.get(f"{API}/namespaces/acme.data/kv/a")).status_code == 404
    assert (await client.get(f"{API}/kv?filters[flowId][EQUALS]=a")).status_code == 400


async def test_deletion_tells_what_was_there(client: httpx2.AsyncClient) -> None:
    await put(client, "a", "1")
    await put(client, "b", "1")
    assert (await client.delete(f"{KV}/a")).json() is True
    assert (await client.delete(f"{KV}/a")).json() is False
    many = await client.request("DELETE", KV, json={"keys": ["a", "b"]})
    assert many.json() == {"keys": ["b"]}


@pytest.mark.parametrize(
    ("key", "headers", "message"),
    [
        ("-a", {}, "Illegal argument: Key must start with an alphanumeric character"),
        ("a b", {}, "Illegal argument: Key must start with an alphanumeric character"),
        ("a", {"ttl": "soon"}, "Illegal argument: Invalid duration: soon"),
    ],
)
async def test_what_cannot_be_put(
    client: httpx2.AsyncClient, key: str, headers: dict[str, str], message: str
) -> None:
    answer = await client.put(f"{KV}/{key}", content="1", headers=headers)
    assert answer.status_code == 422
    assert answer.json()["message"].startswith(message)
