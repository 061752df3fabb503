"""Documents about types, made on first use and kept as bytes: making the largest takes seconds."""

import asyncio
import gzip
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from batuta.flow.schema import SCHEMA_TYPES, json_schema
from batuta.model import codec
from batuta.operations.errors import NotFoundError
from batuta.operations.plugins import listing
from batuta.operations.plugins.document import input_document, type_document
from batuta.sdk.input import InputType
from batuta.sdk.registry import Registry


class Document(msgspec.Struct, frozen=True):
    """JSON, the same compressed with gzip, and a tag that changes with it."""

    data: bytes
    packed: bytes
    tag: str


class Documents:
    """One per registry, whose types do not change while the server runs."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._kept: dict[tuple[str, ...], Document] = {}
        self._making = asyncio.Lock()

    async def schema(self, kind: str, *, array: bool = False) -> Document:
        """JSON Schema of `flow`, `task`, `trigger` or `plugindefault`. Raises `NotFoundError`."""
        kind = _schema_kind(kind)
        return await self._get(
            ("schema", kind, str(array)), lambda: json_schema(kind, self._registry, array=array)
        )

    async def properties(self, kind: str) -> Document:
        """The properties of the root of that schema."""
        kind = _schema_kind(kind)
        return await self._get(
            ("properties", kind), lambda: _root(json_schema(kind, self._registry))
        )

    async def of_type(self, name: str, *, everything: bool) -> Document:
        """Documentation of a type or alias; `everything`: with the properties that all types of its kind have."""
        canonical = self._registry.canonical(name)
        if not self._registry.knows(canonical):
            raise NotFoundError(f"Class '{name}' doesn't exists ")
        return await self._get(
            ("type", canonical, str(everything)),
            lambda: type_document(canonical, self._registry, everything=everything),
        )

    async def of_input(self, name: str) -> Document:
        """Documentation of a type of input. Raises `NotFoundError`."""
        if name.upper() not in InputType.__members__:
            raise NotFoundError(f"Input type '{name}' doesn't exist")
        kind = InputType(name.upper())
        return await self._get(("input", kind), lambda: input_document(kind))

    async def plugins(self) -> Document:
        return await self._get(("plugins",), lambda: listing.groups(self._registry))

    async def subgroups(self) -> Document:
        return await self._get(("subgroups",), lambda: listing.subgroups(self._registry))

    async def icons(self) -> Document:
        """No pictures: what is a flowable task, by type and alias."""
        return await self._get(("icons",), lambda: listing.icons(self._registry))

    async def group_icons(self) -> Document:
        return await self._get(("group icons",), lambda: listing.group_icons(self._registry))

    async def _get(self, name: tuple[str, ...], make: Callable[[], Any]) -> Document:
        found = self._kept.get(name)
        if found is not None:
            return found
        # One at a time: types are loaded on the way, and a second request should find the first one's work.
        async with self._making:
            found = self._kept.get(name)
            if found is None:
                found = self._kept[name] = await asyncio.to_thread(_document, make)
        return found


def _document(make: Callable[[], Any]) -> Document:
    data = codec.encode(make())
    packed = gzip.compress(data, mtime=0)
    return Document(data, packed, hashlib.blake2b(data, digest_size=16).hexdigest())


def _schema_kind(name: str) -> str:
    kind = name.lower()
    if kind not in SCHEMA_TYPES:
        raise NotFoundError(
            f"There is no schema of type `{name}`, only of {', '.join(SCHEMA_TYPES)}"
        )
    return kind


def _root(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schema["definitions"][schema["$ref"].rpartition("/")[2]]
    properties: Mapping[str, Any] = found.get("properties", found)
    return properties
