"""The key-value store (05 §11.1)."""

from typing import Any

import pytest

from batuta.model.instant import Instant
from batuta.operations import keyvalues
from batuta.operations.caller import SYSTEM, Caller
from batuta.operations.errors import NotFoundError
from batuta.operations.keyvalues import InvalidKeyError, KeyExistsError
from batuta.operations.services import Services
from batuta.sdk.context import KeyValue
from batuta.testing.clock import FakeClock


@pytest.mark.parametrize(
    ("value", "kind", "read_kind", "shown"),
    [
        ("text", "STRING", "STRING", "text"),
        (5, "NUMBER", "NUMBER", 5),
        (1.5, "NUMBER", "NUMBER", 1.5),
        (True, "BOOLEAN", "BOOLEAN", True),
        ({"a": [1]}, "JSON", "JSON", {"a": [1]}),
        ("PT5M", "DURATION", "DURATION", 300.0),
        ("P1DT1S", "STRING", "DURATION", 86_401.0),
        ("P", "STRING", "STRING", "P"),
        ("PT", "STRING", "STRING", "PT"),
        ("PT1.5S", "STRING", "STRING", "PT1.5S"),
        ("2025-01-01T00:00:00Z", "DATETIME", "DATETIME", "2025-01-01T00:00:00Z"),
    ],
)
async def test_what_is_put_can_be_got(
    services: Services, value: Any, kind: str, read_kind: str, shown: Any
) -> None:
    await keyvalues.put(SYSTEM, services, "a.b", entry=KeyValue(key="k", value=value, kind=kind))
    found = await keyvalues.get(SYSTEM, services, "a.b", key="k")
    assert found is not None
    assert (found.value, found.kind) == (value, read_kind)
    assert keyvalues.shown_value(found) == shown


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a", "STRING"),
        ("PT1S", "DURATION"),
        (1, "NUMBER"),
        (False, "BOOLEAN"),
        ([], "JSON"),
        (None, "JSON"),
    ],
)
def test_the_kind_follows_from_the_value(value: Any, kind: str) -> None:
    assert keyvalues.kind_of(value) == kind


async def test_parents_are_searched_only_by_find(services: Services) -> None:
    await keyvalues.put(SYSTEM, services, "a", entry=KeyValue(key="k", value=1, kind="NUMBER"))
    assert await keyvalues.get(SYSTEM, services, "a.b", key="k") is None
    found = await keyvalues.find(SYSTEM, services, "a.b.c", key="k")
    assert found is not None


async def test_expired_and_deleted_keys_are_absent(services: Services, clock: FakeClock) -> None:
    expires = Instant(clock.now() + 10)
    entry = KeyValue(key="k", value=1, kind="NUMBER", expires=expires)
    await keyvalues.put(SYSTEM, services, "a", entry=entry)
    assert await keyvalues.keys(SYSTEM, services, "a") == ["k"]
    clock.advance(10)
    assert await keyvalues.get(SYSTEM, services, "a", key="k") is None
    assert await keyvalues.keys(SYSTEM, services, "a") == []
    await keyvalues.put(
        SYSTEM, services, "a", entry=KeyValue(key="k", value=2, kind="NUMBER"), overwrite=False
    )
    with pytest.raises(KeyExistsError):
        await keyvalues.put(
            SYSTEM, services, "a", entry=KeyValue(key="k", value=3, kind="NUMBER"), overwrite=False
        )
    assert await keyvalues.delete(SYSTEM, services, "a", key="k")
    assert not await keyvalues.delete(SYSTEM, services, "a", key="k")
    assert await keyvalues.get(SYSTEM, services, "a", key="k") is None


@pytest.mark.parametrize("key", ["", ".a", "a b", "a/b", "ä", "k\n"])
async def test_a_bad_key_is_refused(services: Services, key: str) -> None:
    with pytest.raises(InvalidKeyError):
        await keyvalues.get(SYSTEM, services, "a", key=key)


async def test_other_namespaces_do_not_exist_for_the_caller(services: Services) -> None:
    with pytest.raises(NotFoundError):
        await keyvalues.get(Caller(namespaces=("b",)), services, "a", key="k")
