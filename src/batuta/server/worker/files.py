"""Files and key-values as a task sees them (05 §3): storage directly, everything that has rows through the gateway."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from batuta.model import codec
from batuta.sdk.context import KeyValue, RunInfo
from batuta.server.protocol import Job
from batuta.server.worker.gateway import Gateway
from batuta.server.worker.workdir import Workdir
from batuta.server.worker.workplace import Workplace
from batuta.storage.contract import CHUNK
from batuta.storage.layout import execution_path, task_path, to_uri

INTERNAL = "kestra://"
NAMESPACE_FILE = "nsfile://"
LOCAL_FILE = "file://"


class JobFiles:
    """`sdk.context.Files`. A file of the working directory that is stored leaves it (05 §3.4)."""

    def __init__(self, job: Job, place: Workplace, *, workdir: Workdir, info: RunInfo) -> None:
        self._job = job
        self._place = place
        self._storage = place.storage
        self._workdir = workdir
        self._tenant = info.tenant
        self._execution = execution_path(info.namespace, info.flow_id, info.execution_id)
        self._folder = task_path(
            self._execution, task_id=info.task_id, task_run_id=info.task_run_id
        )
        self._namespace = info.namespace

    async def open(self, uri: str) -> AsyncIterator[bytes]:
        if uri.startswith(NAMESPACE_FILE):
            yield await self._namespace_file(uri)
        elif uri.startswith(LOCAL_FILE):
            with self._allowed(uri).open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        else:
            async for chunk in self._storage.open(self._tenant, uri):
                yield chunk

    async def read(self, uri: str) -> bytes:
        if uri.startswith((NAMESPACE_FILE, LOCAL_FILE)):
            return b"".join([chunk async for chunk in self.open(uri)])
        return await self._storage.read(self._tenant, uri)

    async def fetch(self, uri: str, target: Path) -> Path:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not uri.startswith((NAMESPACE_FILE, LOCAL_FILE)):
            return await self._storage.fetch(self._tenant, uri, target)
        with target.open("wb") as file:
            async for chunk in self.open(uri):
                file.write(chunk)
        return target

    def local_path(self, uri: str) -> Path | None:
        if uri.startswith(LOCAL_FILE):
            return self._allowed(uri)
        if uri.startswith(NAMESPACE_FILE):
            return None
        return self._storage.local_path(self._tenant, uri)

    async def put(
        self,
        source: Path | bytes | AsyncIterator[bytes],
        *,
        name: str | None = None,
        suffix: str = "",
    ) -> str:
        parts = tuple(part for part in (name or "").split("/") if part)
        uri = to_uri((*self._folder, *(parts or (f"{self._place.ids.token()}{suffix}",))))
        moves = isinstance(source, Path) and self._workdir.holds(source)
        return await self._storage.put(self._tenant, uri, source, move=moves)

    async def exists(self, uri: str) -> bool:
        if uri.startswith((NAMESPACE_FILE, LOCAL_FILE)):
            try:
                async for _ in self.open(uri):
                    break
            except FileNotFoundError:
                return False
            return True
        return await self._storage.exists(self._tenant, uri)

    async def size(self, uri: str) -> int:
        if uri.startswith(NAMESPACE_FILE):
            return len(await self._namespace_file(uri))
        if uri.startswith(LOCAL_FILE):
            return self._allowed(uri).stat().st_size
        return (await self._storage.attributes(self._tenant, uri)).size

    async def delete(self, uri: str) -> bool:
        return await self._storage.delete(self._tenant, uri)

    async def delete_execution_files(self) -> list[str]:
        return list(await self._storage.delete_by_prefix(self._tenant, to_uri(self._execution)))

    async def _namespace_file(self, uri: str) -> bytes:
        """05 §3.5: the authority names a namespace, the flow's own when it is empty."""
        split = urlsplit(uri)
        namespace = split.netloc or self._namespace
        path = unquote(split.path).lstrip("/")
        files = GatewayNamespaceFiles(self._job, self._place.gateway)
        return await files.read(namespace, path)

    def _allowed(self, uri: str) -> Path:
        """The file of a `file://` URI. Raises `PermissionError` outside the allowed folders (05 §3.5)."""
        path = Path(unquote(urlsplit(uri).path)).resolve()
        if self._workdir.holds(path):
            return path
        if any(path.is_relative_to(folder.resolve()) for folder in self._place.allowed_paths):
            return path
        raise PermissionError(
            f"The path {path} is not authorized. Only files inside the working directory are allowed by default, other"
            " paths must be allowed either globally inside the configuration using the"
            " `kestra.local-files.allowed-paths` property, or by plugin using the `allowed-paths` plugin configuration."
        )


class GatewayNamespaceFiles:
    """`sdk.context.NamespaceFiles`."""

    def __init__(self, job: Job, gateway: Gateway) -> None:
        self._job = job
        self._gateway = gateway

    async def list(self, namespace: str) -> list[str]:
        found: list[str] = await self._ask("files.list", namespace=namespace)
        return found

    async def read(self, namespace: str, path: str) -> bytes:
        return base64.b64decode(await self._ask("files.read", namespace=namespace, path=path))

    async def write(self, namespace: str, path: str, content: bytes) -> str:
        text = base64.b64encode(content).decode()
        return str(await self._ask("files.write", namespace=namespace, path=path, content=text))

    async def delete(self, namespace: str, path: str) -> bool:
        return bool(await self._ask("files.delete", namespace=namespace, path=path))

    async def _ask(self, operation: str, **arguments: Any) -> Any:
        return await self._gateway.ask(self._job, operation, arguments)


class GatewayKeyValues:
    """`sdk.context.KeyValues`."""

    def __init__(self, job: Job, gateway: Gateway) -> None:
        self._job = job
        self._gateway = gateway

    async def get(self, namespace: str, key: str) -> KeyValue | None:
        found = await self._ask("kv.get", namespace=namespace, key=key)
        return None if found is None else codec.convert(found, KeyValue)

    async def set(self, namespace: str, entry: KeyValue, *, overwrite: bool = True) -> None:
        await self._ask(
            "kv.set", namespace=namespace, entry=codec.to_plain(entry), overwrite=overwrite
        )

    async def delete(self, namespace: str, key: str) -> bool:
        return bool(await self._ask("kv.delete", namespace=namespace, key=key))

    async def keys(self, namespace: str) -> list[str]:
        found: list[str] = await self._ask("kv.keys", namespace=namespace)
        return found

    async def _ask(self, operation: str, **arguments: Any) -> Any:
        return await self._gateway.ask(self._job, operation, arguments)
