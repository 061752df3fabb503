"""Results kept from one execution to the next: `taskCache` (01 §5.6)."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

import msgspec

from batuta.model import codec
from batuta.sdk.definition import Task
from batuta.sdk.types import read_duration
from batuta.server.worker.context import JobContext
from batuta.server.worker.gateway import text_of
from batuta.server.worker.workplace import Workplace
from batuta.storage.layout import flow_path, slug, to_uri

_ENTRY = "outputs.ion"
_WORKDIR = "/workingDir"
"""Stands for the directory of the run, which differs each time, in the key."""


class Cached(msgspec.Struct, frozen=True):
    outputs: Mapping[str, Any] | None


class TaskCache:
    """Any mistake of the cache is logged, and the task runs."""

    def __init__(self, ctx: JobContext, place: Workplace, *, key: str, ttl: int | None) -> None:
        self._ctx = ctx
        self._place = place
        self._ttl = ttl
        info = ctx.info
        value = () if info.value is None else (hashlib.sha256(info.value.encode()).hexdigest(),)
        self._uri = to_uri(
            (
                *flow_path(info.namespace, info.flow_id),
                slug(info.task_id),
                "cache",
                *value,
                key,
                "cache.zip",
            )
        )

    @classmethod
    def of(cls, task: Task, ctx: JobContext) -> "TaskCache | None":
        """The cache of a rendered task; None when it wants none."""
        wanted = task.task_cache
        if wanted is None or not wanted.enabled:
            return None
        try:
            ttl = None if wanted.ttl is None else read_duration(ctx.render(wanted.ttl))
            return cls(ctx, ctx.place, key=_key(task, ctx), ttl=ttl)
        except Exception as error:
            ctx.log.warn(f"The task cache cannot be used: {text_of(error)}")
            return None

    async def find(self) -> Cached | None:
        info, storage = self._ctx.info, self._place.storage
        try:
            if not await storage.exists(info.tenant, self._uri):
                return None
            entry = await storage.attributes(info.tenant, self._uri)
            if self._ttl is not None and entry.modified + self._ttl <= self._ctx.now():
                await storage.delete(info.tenant, self._uri)
                return None
            found = _unpack(await storage.read(info.tenant, self._uri))
        except Exception as error:
            self._ctx.log.error(f"The task cache cannot be read: {text_of(error)}")
            return None
        self._ctx.log.info(
            f"Skipping task execution for task '{info.task_id}' as there is an existing cache entry for it"
        )
        return found

    async def save(self, outputs: Mapping[str, Any] | None) -> None:
        try:
            await self._place.storage.put(self._ctx.info.tenant, self._uri, _pack(outputs))
        except Exception as error:
            self._ctx.log.error(f"The task cache cannot be written: {text_of(error)}")


def _key(task: Task, ctx: JobContext) -> str:
    text = codec.encode_text(task.model_dump(mode="json", by_alias=True, exclude_none=True))
    workdir = ctx.workdir_if_made
    if workdir is not None:
        text = text.replace(str(workdir), _WORKDIR)
    return hashlib.sha256(text.encode()).hexdigest()


def _pack(outputs: Mapping[str, Any] | None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_ENTRY, codec.encode(outputs))
    return buffer.getvalue()


def _unpack(data: bytes) -> Cached:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return Cached(codec.decode(archive.read(_ENTRY)))
