"""A run context in memory, for tests of plugins.

ctx = fake_context(tmp_path, variables={"inputs": {"name": "Ana"}})
output = await run_task({"type": "io.kestra.plugin.core.debug.Return", "format": "{{ inputs.name }}"}, ctx)
"""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from typing_extensions import override

from batuta.expr import Context, LazyVars, render, render_typed, render_value
from batuta.model.instant import Instant, from_iso
from batuta.sdk import Registry, RunContext, Task
from batuta.sdk.context import KeyValue, RunInfo, TaskLog
from batuta.sdk.rendering import render_definition

_CHUNK = 1 << 16
_SCHEME = "kestra://"

INFO = RunInfo(
    tenant="main",
    namespace="company.team",
    flow_id="flow",
    flow_revision=1,
    execution_id="execution",
    task_id="task",
    task_type="type",
    task_run_id="run",
    attempt=1,
)


class FakeLog(TaskLog):
    """Keeps entries as level and message."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []
        self.masks: list[str] = []

    @override
    def write(self, level: str, message: str, *, at: Instant | None = None) -> None:
        for mask in self.masks:
            message = message.replace(mask, "******")
        self.entries.append((str(level), message))

    @override
    async def drain(self) -> None:
        """Nothing is ever behind."""

    def messages(self, level: str) -> list[str]:
        return [message for found, message in self.entries if found == level]


class Metric(msgspec.Struct, frozen=True):
    kind: str
    name: str
    value: float
    tags: Mapping[str, str]


class FakeMetrics:
    """Keeps all that is emitted."""

    def __init__(self) -> None:
        self.entries: list[Metric] = []

    def counter(self, name: str, value: float = 1, tags: Mapping[str, str] | None = None) -> None:
        self.entries.append(Metric("counter", name, value, dict(tags or {})))

    def timer(self, name: str, seconds: float, tags: Mapping[str, str] | None = None) -> None:
        self.entries.append(Metric("timer", name, seconds, dict(tags or {})))

    def gauge(self, name: str, value: float, tags: Mapping[str, str] | None = None) -> None:
        self.entries.append(Metric("gauge", name, value, dict(tags or {})))

    def value(self, name: str) -> float:
        """The sum of what was emitted under a name."""
        return sum(entry.value for entry in self.entries if entry.name == name)


class FakeFiles:
    """Internal storage in a folder. With `local` false it has no local paths, like an object store."""

    def __init__(self, folder: Path, *, local: bool) -> None:
        self._folder = folder
        self._local = local
        self._numbers = count(1)

    async def open(self, uri: str) -> AsyncIterator[bytes]:
        with self._path(uri).open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    async def read(self, uri: str) -> bytes:
        return self._path(uri).read_bytes()

    async def fetch(self, uri: str, target: Path) -> Path:
        return _write(target, self._path(uri).read_bytes())

    def local_path(self, uri: str) -> Path | None:
        return self._path(uri) if self._local else None

    async def put(
        self,
        source: Path | bytes | AsyncIterator[bytes],
        *,
        name: str | None = None,
        suffix: str = "",
    ) -> str:
        if isinstance(source, Path | bytes):
            content = _content(source)
        else:
            content = b"".join([chunk async for chunk in source])
        uri = f"{_SCHEME}/company/team/flow/executions/execution/{name or f'{next(self._numbers)}{suffix}'}"
        _write(self._path(uri), content)
        return uri

    async def exists(self, uri: str) -> bool:
        return self._path(uri).is_file()

    async def size(self, uri: str) -> int:
        return self._path(uri).stat().st_size

    async def delete(self, uri: str) -> bool:
        found = self._path(uri).is_file()
        self._path(uri).unlink(missing_ok=True)
        return found

    async def delete_execution_files(self) -> list[str]:
        paths = [path for path in sorted(self._folder.rglob("*")) if path.is_file()]
        for path in paths:
            path.unlink()
        return [f"{_SCHEME}/{path.relative_to(self._folder)}" for path in paths]

    def _path(self, uri: str) -> Path:
        if not uri.startswith(f"{_SCHEME}/") or "/../" in uri:
            raise ValueError(f"`{uri}` is no URI of internal storage")
        return self._folder / uri.removeprefix(f"{_SCHEME}/")


def _content(source: Path | bytes) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


class FakeNamespaceFiles:
    """Files by namespace and path."""

    def __init__(self) -> None:
        self.contents: dict[tuple[str, str], bytes] = {}

    async def list(self, namespace: str) -> list[str]:
        return sorted(path for known, path in self.contents if known == namespace)

    async def read(self, namespace: str, path: str) -> bytes:
        try:
            return self.contents[namespace, path]
        except KeyError as error:
            raise FileNotFoundError(path) from error

    async def write(self, namespace: str, path: str, content: bytes) -> str:
        self.contents[namespace, path] = content
        return f"nsfile://{namespace}/{path}"

    async def delete(self, namespace: str, path: str) -> bool:
        return self.contents.pop((namespace, path), None) is not None


class FakeKeyValues:
    """Entries by namespace and key; nothing expires."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], KeyValue] = {}

    async def get(self, namespace: str, key: str) -> KeyValue | None:
        return self.entries.get((namespace, key))

    async def set(self, namespace: str, entry: KeyValue, *, overwrite: bool = True) -> None:
        if not overwrite and (namespace, entry.key) in self.entries:
            raise KeyError(entry.key)
        self.entries[namespace, entry.key] = entry

    async def delete(self, namespace: str, key: str) -> bool:
        return self.entries.pop((namespace, key), None) is not None

    async def keys(self, namespace: str) -> list[str]:
        return sorted(key for known, key in self.entries if known == namespace)


Operation = Callable[[Mapping[str, Any]], Any]


class FakeRunContext:
    """`sdk.RunContext` in memory. Time stands still at `clock` until a test moves it."""

    def __init__(
        self,
        folder: Path,
        *,
        variables: Mapping[str, Any],
        settings: Mapping[str, Any],
        operations: Mapping[str, Operation],
        local_files: bool,
        info: RunInfo,
    ) -> None:
        self.info = info
        self.log = FakeLog()
        self.metrics = FakeMetrics()
        self.files = FakeFiles(folder / "storage", local=local_files)
        self.namespace_files = FakeNamespaceFiles()
        self.kv = FakeKeyValues()
        self.clock = from_iso("2026-01-15T10:00:00Z")
        self.kill_actions: list[Callable[[], None]] = []
        self._folder = folder
        self._settings = settings
        self._operations = operations
        self._numbers = count(1)
        self.variables: dict[str, Any] = {
            "flow": {"id": info.flow_id, "namespace": info.namespace},
            "execution": {"id": info.execution_id},
            **variables,
        }
        context = self._context = Context(self.variables)
        if "vars" in self.variables:
            self.variables["vars"] = LazyVars(
                self.variables["vars"], lambda raw: render_value(raw, context)
            )

    @property
    def workdir(self) -> Path:
        return self._made("work")

    @property
    def cache_dir(self) -> Path:
        return self._made("cache")

    def render(self, template: Any, extra: Mapping[str, Any] | None = None) -> Any:
        if isinstance(template, str):
            return render(template, self._with(extra))
        return render_value(template, self._with(extra))

    def render_typed(self, template: str, extra: Mapping[str, Any] | None = None) -> Any:
        return render_typed(template, self._with(extra))

    def setting(self, name: str, default: Any = None) -> Any:
        return self._settings.get(name, default)

    def mask(self, secret: str) -> None:
        self.log.masks.append(secret)

    def now(self) -> Instant:
        return self.clock

    def token(self) -> str:
        return f"token{next(self._numbers)}"

    def on_kill(self, action: Callable[[], None]) -> None:
        self.kill_actions.append(action)

    async def ask(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        return self._operations[operation](arguments)

    def _with(self, extra: Mapping[str, Any] | None) -> Context:
        return self._context.with_variables(extra) if extra else self._context

    def _made(self, name: str) -> Path:
        path = self._folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def fake_context(
    folder: Path,
    *,
    variables: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    operations: Mapping[str, Operation] | None = None,
    local_files: bool = True,
    info: RunInfo = INFO,
) -> FakeRunContext:
    """A context whose files live below `folder`; `operations` answer `ask` by name."""
    return FakeRunContext(
        folder,
        variables=variables or {},
        settings=settings or {},
        operations=operations or {},
        local_files=local_files,
        info=info,
    )


@lru_cache(maxsize=1)
def _installed() -> Registry:
    return Registry.installed()


def make_task(
    spec: Mapping[str, Any], ctx: RunContext, *, registry: Registry | None = None
) -> Task:
    """The task of a specification with rendered properties. Raises what rendering raises."""
    known = registry or _installed()
    kind = known.get(spec["type"])
    if not issubclass(kind, Task):
        raise TypeError(f"{spec['type']} is no runnable task")
    return render_definition(
        kind, {"id": ctx.info.task_id, **spec}, render=ctx.render, registry=known
    )


async def run_task(
    spec: Mapping[str, Any], ctx: RunContext, *, registry: Registry | None = None
) -> Any:
    """Render a task's properties and run it; what it returns, or raises."""
    return await make_task(spec, ctx, registry=registry).run(ctx)
